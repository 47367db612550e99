"""Pictures of classes over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.web.conftest import Stage
from tests.web.fakes import FakePicture

FOX = "n02120079"


@pytest.fixture
def pictured(stage: Stage, tmp_path: Path) -> Stage:
    file = tmp_path / "fox.webp"
    file.write_bytes(b"RIFF picture")
    stage.classes.pictures[FOX] = FakePicture(file, 17)
    return stage


def test_a_class_is_listed_with_its_kind_and_the_url_of_its_picture(pictured: Stage) -> None:
    told = pictured.call("GET", "/api/classes").json
    assert [kind["title"] for kind in told["kinds"]] == ["Animals", "Food and drink", "Landscapes"]
    assert {entry["label"]: entry["kind"] for entry in told["classes"]}["pizza"] == "food"
    assert {entry["label"]: entry["thumbnail"] for entry in told["classes"] if entry["thumbnail"]} == {
        "Arctic fox": f"/thumbnails/{FOX}.webp?v=17"
    }


def test_a_picture_asked_for_by_its_version_may_be_kept(pictured: Stage) -> None:
    answer = pictured.call("GET", f"/thumbnails/{FOX}.webp?v=17")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"RIFF picture", "image/webp")
    assert "immutable" in answer.headers["Cache-Control"]
    for address in (f"/thumbnails/{FOX}.webp", f"/thumbnails/{FOX}.webp?v=16"):
        answer = pictured.call("GET", address)
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")


def test_what_there_is_no_picture_of_is_not_found(pictured: Stage) -> None:
    answer = pictured.call("GET", "/thumbnails/n09472597.webp")
    assert (answer.status, answer.error["message"]) == (404, "this class has no picture yet")
    for path in ("/thumbnails/fox.webp", "/thumbnails/..%2ffox.webp", f"/thumbnails/{FOX}.png", "/thumbnails/"):
        assert pictured.call("GET", path).status == 404, path
    pictured.classes.pictures[FOX].file.unlink()
    answer = pictured.call("GET", f"/thumbnails/{FOX}.webp")
    assert (answer.status, answer.error["code"]) == (404, "not_found")


def test_classes_like_a_given_one_are_listed(pictured: Stage) -> None:
    found = pictured.call("GET", "/api/classes?like=n02123045").json["classes"]
    assert [entry["label"] for entry in found] == ["Arctic fox", "jellyfish"]
    assert found[0]["thumbnail"]
    assert len(pictured.call("GET", "/api/classes?like=n02123045&limit=1").json["classes"]) == 1
    answer = pictured.call("GET", "/api/classes?like=n00000001")
    assert (answer.status, answer.error["code"]) == (404, "not_found")
    answer = pictured.call("GET", "/api/classes?like=n02123045&q=fox")
    assert (answer.status, answer.error["message"]) == (400, "q or like: only one of them")


def test_a_private_stream_shows_no_picture(stages: Callable[..., Stage], tmp_path: Path) -> None:
    private = stages(token="open sesame", view_token="look sesame")
    (tmp_path / "fox.webp").write_bytes(b"RIFF picture")
    private.classes.pictures[FOX] = FakePicture(tmp_path / "fox.webp", 17)
    assert private.call("GET", f"/thumbnails/{FOX}.webp").status == 401
    assert private.call("GET", f"/thumbnails/{FOX}.webp?token=look+sesame").status == 200
