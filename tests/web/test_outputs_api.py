"""The API for outputs, and the addresses that they serve."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.messages.refused import Reason, Refused
from tests.web.conftest import Stage
from tests.web.fakes import FakeChannel

TOKEN = {"Authorization": "Bearer open sesame"}


def test_everybody_may_read_how_outputs_do(guarded: Stage) -> None:
    told = guarded.call("GET", "/api/outputs").json["outputs"]
    assert told == guarded.call("GET", "/api/status").json["outputs"]
    assert told[1] == {
        "name": "relay",
        "kind": "rtmp",
        "enabled": True,
        "public": False,
        "state": "retrying",
        "reason": "connection refused",
        "target": "rtmp://relay",
        "delivered_bytes": 0,
        "dropped": 0,
        "failures": 3,
        "since_s": 1.5,
        "retry_in_s": 2.2,
    }


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/outputs", {"kind": "null"}),
        ("PATCH", "/api/outputs/twitch", {"enabled": False}),
        ("DELETE", "/api/outputs/twitch", None),
    ],
)
def test_only_moderators_change_them(guarded: Stage, method: str, path: str, body: Any) -> None:
    answer = guarded.call(method, path, body)
    assert (answer.status, answer.error["code"]) == (401, "unauthorized")
    assert sorted(guarded.outputs.items) == ["relay", "twitch"]
    assert guarded.outputs.items["twitch"].enabled
    assert guarded.call(method, path, body, TOKEN).status in (200, 201)


def test_an_output_is_added_switched_and_removed(stage: Stage) -> None:
    block = {"kind": "rtmp", "url": "rtmp://host/app", "key": "canary", "name": "mine"}
    answer = stage.call("POST", "/api/outputs", block)
    assert (answer.status, answer.json) == (201, {"name": "mine"})
    assert stage.outputs.blocks == [block]
    assert b"canary" not in stage.call("GET", "/api/outputs").body + stage.call("GET", "/api/status").body
    assert stage.call("PATCH", "/api/outputs/mine", {"enabled": False}).json == {"name": "mine", "enabled": False}
    assert stage.call("GET", "/api/outputs").json["outputs"][-1]["state"] == "disabled"
    assert stage.call("DELETE", "/api/outputs/mine").json == {"removed": "mine"}
    assert stage.call("DELETE", "/api/outputs/mine").status == 404
    assert stage.call("PATCH", "/api/outputs/mine", {"enabled": True}).status == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ([], 400, "bad_input"),
        (b"{", 400, "bad_input"),
        ({"kind": "file", "path": "x" * 20_000}, 413, "too_large"),
    ],
)
def test_what_is_no_block_is_refused(stage: Stage, body: Any, status: int, code: str) -> None:
    answer = stage.call("POST", "/api/outputs", body, {"Content-Type": "application/json"})
    assert (answer.status, answer.error["code"]) == (status, code)
    assert stage.outputs.blocks == []


def test_mistakes_in_an_output_are_reported(stage: Stage) -> None:
    stage.outputs.refusal = Refused(Reason.BAD_OUTPUT, "'bitrate_kbps' is 3; must be 100 to 100000, or null")
    answer = stage.call("POST", "/api/outputs", {"kind": "null"})
    assert (answer.status, answer.error) == (
        422,
        {"code": "bad_output", "message": "'bitrate_kbps' is 3; must be 100 to 100000, or null"},
    )


@pytest.mark.parametrize(
    ("path", "kind", "content_type"),
    [("/obs.ts", "ts", "video/mp2t"), ("/wall.mjpg", "jpeg", "multipart/x-mixed-replace; boundary=zoomdream-frame")],
)
def test_an_output_has_an_address_while_it_is_there(stage: Stage, path: str, kind: Any, content_type: str) -> None:
    assert stage.call("GET", path).status == 404
    stage.outputs.channels[path] = FakeChannel(kind, stage.video)
    connection, response = stage.call.open("GET", path)
    assert (response.status, response.headers["Content-Type"]) == (200, content_type)
    first = f"first of own {kind}".encode()
    frame = b"--zoomdream-frame\r\nContent-Type: image/jpeg\r\nContent-Length: 17\r\n\r\n" + first + b"\r\n"
    expected = frame if kind == "jpeg" else first
    assert response.read(len(expected)) == expected
    connection.close()
    assert stage.call("POST", path, {}).status == 405


@pytest.mark.parametrize("path", ["/live.ts", "/metrics", "/control"])
def test_no_output_takes_the_address_of_something_else(stage: Stage, path: str) -> None:
    stage.outputs.channels[path] = FakeChannel("jpeg", stage.video)
    assert stage.call("HEAD", path).headers["Content-Type"].partition(";")[0] in ("video/mp2t", "text/plain", "text/html")


def test_sound_is_there_for_who_asks(stage: Stage) -> None:
    for query, kind in (("?audio=1", "ts+audio"), ("?audio=0", "ts"), ("", "ts")):
        connection, response = stage.call.open("GET", f"/live.ts{query}")
        assert response.read(len(f"first of {kind}")) == f"first of {kind}".encode()
        connection.close()
