from __future__ import annotations

import logging
from base64 import b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from shared.role import Role
from streamer.messages.refused import Reason, Refused
from streamer.messages.step_view import Inspection, StepPicture, StepView
from tests.web.conftest import Stage
from tests.web.fakes import KINDS, LACKING, REMEDY


def test_a_request_is_taken(stage: Stage) -> None:
    answer = stage.call("POST", "/api/requests", {"user": "Mara", "text": "volcano + pizza"})
    assert answer.status == 201
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json == {
        "id": 1,
        "position": 1,
        "eta_s": 18.0,
        "title": "volcano + pizza",
        "targets": [
            {"kind": "class", "wnid": "n09472597", "label": "volcano", "link": "https://en.wikipedia.org/wiki/volcano"},
            {"kind": "class", "wnid": "n07873807", "label": "pizza", "link": "https://en.wikipedia.org/wiki/pizza"},
        ],
        "note": "",
    }
    assert stage.request_service.calls == [("submit", "Mara", "volcano + pizza", None, Role.EVERYONE, "web")]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("!dream volcano", "volcano"),
        (" !DREAM   volcano", "volcano"),
        ("!dreamy volcano", "!dreamy volcano"),
        ("a !dream", "a !dream"),
    ],
)
def test_the_command_word_is_forgiven(stage: Stage, text: str, asked: str) -> None:
    stage.call("POST", "/api/requests", {"user": "Mara", "text": text})
    assert stage.request_service.calls[0][2] == asked


def test_a_program_on_this_machine_may_speak_for_others(stage: Stage) -> None:
    body = {"user": "Mara", "text": "volcano", "message_id": "abc", "role": "vip", "source": "twitch"}
    assert stage.call("POST", "/api/requests", body).status == 201
    assert stage.request_service.calls == [("submit", "Mara", "volcano", "abc", Role.VIP, "twitch")]


@pytest.mark.parametrize(
    ("refused", "status", "error"),
    [
        (
            Refused(Reason.UNKNOWN_WORD, "I don't know 'volcanoe'", suggestions=("volcano", "canoe")),
            422,
            {"code": "unknown_word", "message": "I don't know 'volcanoe'", "suggestions": ["volcano", "canoe"]},
        ),
        (Refused(Reason.UNKNOWN_WORD, "no idea"), 422, {"code": "unknown_word", "message": "no idea", "suggestions": []}),
        (
            Refused(Reason.LOADING, "still loading", suggestions=("lion",), retry_s=10.0),
            503,
            {"code": "loading", "message": "still loading", "suggestions": ["lion"], "retry_s": 10.0},
        ),
        (Refused(Reason.DUPLICATE, "in line already"), 409, {"code": "duplicate", "message": "in line already"}),
        (Refused(Reason.CLOSED, "closed"), 409, {"code": "closed", "message": "closed"}),
        (Refused(Reason.BAD_INPUT, "five subjects"), 400, {"code": "bad_input", "message": "five subjects"}),
        (Refused(Reason.LIMIT, "wait", retry_s=12.34), 429, {"code": "limit", "message": "wait", "retry_s": 12.3}),
    ],
)
def test_refusals_say_why(stage: Stage, refused: Refused, status: int, error: dict[str, Any]) -> None:
    stage.request_service.refusal = refused
    answer = stage.call("POST", "/api/requests", {"user": "Mara", "text": "volcanoe"})
    assert (answer.status, answer.error) == (status, error)
    assert answer.headers["Retry-After"] == {429: "13", 503: "10"}.get(status)


def test_a_class_only_other_networks_know_is_refused_with_a_way_to_one(stage: Stage) -> None:
    answer = stage.call("POST", "/api/requests", {"user": "Mara", "text": "canoe"})
    assert (answer.status, answer.error) == (
        422,
        {
            "code": "unlearnt",
            "message": "'canoe' is not known here; try bubble",
            "suggestions": ["bubble"],
            "said": "canoe",
            "label": "canoe",
            "known": 6,
            "remedy": REMEDY,
        },
    )
    assert stage.call("GET", "/api/match?text=canoe").error["code"] == "unlearnt"


@pytest.mark.parametrize("text", ["  ", "!dream "])
def test_a_request_without_words_is_the_desks_to_answer(stage: Stage, text: str) -> None:
    answer = stage.call("POST", "/api/requests", {"user": "Mara", "text": text})
    assert (answer.status, answer.error["message"]) == (400, "say what to dream")
    assert stage.request_service.requests == []


def test_the_network_and_what_it_knows(stage: Stage) -> None:
    told = {
        "name": "squeezenet1_1",
        "classes": 6,
        "total": 7,
        "examples": ["volcano", "bubble", "pizza", "jellyfish"],
        "remedy": REMEDY,
        "more": ["canoe"],
    }
    assert stage.call("GET", "/api/network").json == told
    assert stage.call("GET", "/api/status").json["network"] == told


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"user": "Mara"}, "text: Field required"),
        ({"user": "", "text": "volcano"}, "user: String should have at least 1 character"),
        ({"user": "Mara", "text": 7}, "text: Input should be a valid string"),
        ({"user": "Mara", "text": "volcano", "colour": 1}, "colour: Extra inputs are not permitted"),
        ({"user": "Mara", "text": "volcano", "source": "Web!"}, r"source: String should match pattern '^[a-z0-9_-]{1,20}$'"),
        (["volcano"], "Input should be an object"),
        (b"volcano", "Invalid JSON: expected value"),
        (b"[" * 9000, "Invalid JSON: recursion limit exceeded"),
        (b'{"user": "\xff", "text": "volcano"}', "Invalid JSON: invalid unicode code point"),
        (b'{"user": "Mara", "text": "\\ud800"}', "Invalid JSON: unexpected end of hex escape"),
    ],
)
def test_bad_bodies_are_explained(stage: Stage, body: object, message: str) -> None:
    answer = stage.call("POST", "/api/requests", body, {"Content-Type": "application/json"})
    told = answer.error["message"].partition(" at line ")[0]
    assert (answer.status, answer.error["code"], told) == (400, "bad_input", message)
    assert stage.request_service.calls == []


def test_a_byte_order_mark_before_a_body_is_passed_over(stage: Stage) -> None:
    body = b'\xef\xbb\xbf{"user": "Mara", "text": "volcano"}'
    assert stage.call("POST", "/api/requests", body, {"Content-Type": "application/json"}).status < 300
    assert [call[:3] for call in stage.request_service.calls] == [("submit", "Mara", "volcano")]


def test_only_json_of_sensible_size_is_read(stage: Stage) -> None:
    form = stage.call("POST", "/api/requests", b"user=Mara", {"Content-Type": "application/x-www-form-urlencoded"})
    assert (form.status, form.error["code"]) == (415, "not_json")
    large = stage.call("POST", "/api/requests", {"user": "Mara", "text": "v" * 20_000})
    assert (large.status, large.error) == (413, {"code": "too_large", "message": "the body is too large"})


@pytest.mark.parametrize(
    ("method", "path", "body", "told", "call"),
    [
        ("DELETE", "/api/requests/1", None, {"removed": 1}, ("remove", 1)),
        ("POST", "/api/skip", None, {"skipped": True}, ("skip",)),
        ("POST", "/api/clear", {}, {"removed": 1}, ("clear",)),
        ("POST", "/api/bump", None, {"bumped": True}, ("bump",)),
        ("POST", "/api/twist", None, {"twisted": True}, ("twist",)),
        ("POST", "/api/pause", {"paused": True}, {"paused": True}, ("pause", True)),
    ],
)
def test_moderation(stage: Stage, method: str, path: str, body: object, told: object, call: tuple[object, ...]) -> None:
    stage.request_service.add("Mara", "volcano")
    answer = stage.call(method, path, body)
    assert (answer.status, answer.json) == (200, told)
    assert stage.request_service.calls == [call]


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("DELETE", "/api/requests/7", 404, {"code": "not_found", "message": "no request 7 is waiting"}),
        ("DELETE", "/api/requests/seven", 404, {"code": "not_found", "message": "there is nothing here"}),
        ("GET", "/api/nonsense", 404, {"code": "not_found", "message": "there is nothing here"}),
        ("GET", "/api/skip", 405, {"code": "method_not_allowed", "message": "this address does not support that method"}),
        ("GET", "/api/classes?limit=many", 400, {"code": "bad_input", "message": "limit: a number from 1 to 1000"}),
        ("GET", "/static/../server.py", 404, {"code": "not_found", "message": "there is nothing here"}),
    ],
)
def test_wrong_turns(stage: Stage, method: str, path: str, status: int, error: object) -> None:
    answer = stage.call(method, path)
    assert (answer.status, answer.error) == (status, error)
    assert answer.headers["Allow"] == ("POST" if status == 405 else None)


def test_an_unexpected_failure_is_logged_but_not_shown(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.request_service.refusal = RuntimeError("disk on fire at /secret/place")
    with caplog.at_level(logging.ERROR):
        answer = stage.call("POST", "/api/skip")
    assert (answer.status, answer.error) == (
        500,
        {"code": "internal", "message": "something went wrong here; the log says what"},
    )
    assert [record.getMessage() for record in caplog.records] == ["POST /api/skip failed"]


def test_status(stage: Stage) -> None:
    stage.request_service.show(None, "volcano", "pizza")
    stage.request_service.add("<b>Mara</b>", "tabby cat", source="twitch")
    assert stage.call("GET", "/api/status").json == {
        "on_air": {
            "scene": 1,
            "title": "volcano + pizza",
            "user": "",
            "request_id": None,
            "targets": [
                {"kind": "class", "wnid": "n09472597", "label": "volcano", "link": "https://en.wikipedia.org/wiki/volcano"},
                {"kind": "class", "wnid": "n07873807", "label": "pizza", "link": "https://en.wikipedia.org/wiki/pizza"},
            ],
            "instead_of": "",
            "since_s": 12.0,
            "left_s": 18.0,
        },
        "queue": [
            {
                "id": 1,
                "position": 1,
                "eta_s": 18.0,
                "title": "tabby cat",
                "user": "<b>Mara</b>",
                "role": "everyone",
                "text": "tabby cat",
                "source": "twitch",
                "votes": 0,
                "priority": "none",
                "amount": 0,
                "targets": [
                    {
                        "kind": "class",
                        "wnid": "n02123045",
                        "label": "tabby cat",
                        "link": "https://en.wikipedia.org/wiki/tabby_cat",
                    }
                ],
                "instead_of": "",
            }
        ],
        "poll": None,
        "paused": False,
        "open": True,
        "motion": {"speed": 1.05, "rotation": 0.25},
        "unwritten": "",
        "chat": None,
        "video": {
            "state": "live",
            "fps": 25.0,
            "fps_measured": 24.99,
            "frames": {
                "number": 2499,
                "shown": 2500,
                "late": 3,
                "repeated": 2,
                "dropped": 1,
                "limited": 0,
                "stopped": 0,
                "unencoded": 4,
            },
            "encoder": "",
            "given_up": [],
            "longest_gap_s": 0.0,
            "slate": False,
            "viewers": 2,
        },
        "network": stage.call("GET", "/api/network").json,
        "renderer": {
            "network": "squeezenet1_1",
            "device": "cpu",
            "canvas": {"width": 480, "height": 270},
            "steps_per_s": 7.9,
            "keyframe_s": 0.51,
            "restarts": 1,
            "spoilt": 0,
            "reduced": "",
            "link": None,
            "error": "the worker was killed",
            "last_error": "",
            "last_error_ago_s": None,
        },
        "sound": {"source": "silence", "state": "silence", "playing": "", "dropouts": 0, "error": "", "beats": 0},
        "source": None,
        "outputs": stage.call("GET", "/api/outputs").json["outputs"],
        "health": {"ok": True, "problems": []},
        "settings": {"mistakes": 0, "at_next_start": 0, "reloads": 0, "revision": 0},
        "dreamt": 0,
        "uptime_s": 100.0,
        "version": "0.1.0",
    }


def test_classes(stage: Stage) -> None:
    everything = stage.call("GET", "/api/classes").json["classes"]
    assert [item["label"] for item in everything][:2] == ["Arctic fox", "bubble"]
    assert [item["wnid"] for item in everything if not item["available"]] == [LACKING]
    assert [item["wnid"] for item in everything if item["unlearnt"]] == [LACKING]
    assert stage.call("GET", "/api/classes?q=FOX").json == {
        "classes": [
            {
                "wnid": "n02120079",
                "label": "Arctic fox",
                "names": ["Arctic fox", "white fox"],
                "link": "https://en.wikipedia.org/wiki/Arctic_fox",
                "available": True,
                "unlearnt": False,
                "family_safe": True,
                "kind": "animals",
                "thumbnail": "",
            }
        ],
        "kinds": [{"name": kind.name, "title": kind.title} for kind in KINDS],
    }
    assert len(stage.call("GET", "/api/classes?limit=2").json["classes"]) == 2


def test_a_step_taken_apart(stage: Stage) -> None:
    assert stage.call("GET", "/api/step").json == {"number": 0, "shown": False, "pictures": []}
    pictures = (StepPicture("dream", b"jpeg"), StepPicture("layer fire5", b"\xff\xd8"))
    stage.request_service.inspection = Inspection(3, StepView("volcano", "squeezenet1_1", pictures))
    told = stage.call("GET", "/api/step").json
    assert (told["number"], told["shown"], told["title"], told["network"]) == (3, True, "volcano", "squeezenet1_1")
    assert [(each["name"], b64decode(each["jpeg"])) for each in told["pictures"]] == [
        ("dream", b"jpeg"),
        ("layer fire5", b"\xff\xd8"),
    ]
    assert stage.call("GET", "/api/step?after=3").json == {"number": 3, "shown": True, "pictures": []}
    assert stage.request_service.looks == 3
    stage.request_service.inspection = Inspection(4, None)
    assert stage.call("GET", "/api/step").json == {"number": 4, "shown": False, "pictures": []}
    assert stage.call("GET", "/api/step?after=x").status == 400


HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/nothing", "/nothing/such", "/how/", "/control/", "/<script>alert(1)</script>"])
def test_an_unknown_address_is_a_page_for_a_browser_and_json_for_a_program(stage: Stage, path: str) -> None:
    page = stage.call("GET", quote(path), headers=HTML)
    assert (page.status, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert b"Page not found" in page.body
    assert b"<script>alert" not in page.body
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    program = stage.call("GET", quote(path))
    assert (program.status, program.error["code"]) == (404, "not_found")


def test_other_refusals_are_pages_too_where_people_look(stage: Stage, stages: Callable[..., Stage]) -> None:
    private = stages(token="open sesame", view_token="peek a boo")
    page = private.call("GET", "/", headers=HTML)
    assert (page.status, page.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert b"This stream needs a token: add ?token=" in page.body
    stage.video.jpeg = None
    soon = stage.call("GET", "/frame.jpg", headers=HTML)
    assert (soon.status, soon.headers["Retry-After"], soon.headers["Content-Type"]) == (503, "1", "text/html; charset=utf-8")
    rebound = stage.call("GET", "/", headers={**HTML, "Host": "<b>evil</b>.example"})
    assert rebound.status == 403
    assert b"<b>evil" not in rebound.body
    for path in ("/api/status?x=1", "/api/none"):
        assert stage.call("GET", path, headers=HTML).headers["Content-Type"].startswith("application/json")
    assert stage.call("POST", "/nothing", {}, headers=HTML).headers["Content-Type"].startswith("application/json")
