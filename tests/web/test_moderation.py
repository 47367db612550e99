from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.role import Role
from streamer.messages.chat_status import ChatReport, ChatState
from streamer.messages.queue_rules import Blocked, BlockKind
from streamer.messages.refused import Reason, Refused, Vote
from streamer.messages.requests import Priority, Substitution
from streamer.messages.scenes import Target
from tests.web.conftest import Stage

TOKEN = {"Authorization": "Bearer open sesame"}


@pytest.mark.parametrize(
    ("method", "path", "body", "told", "call"),
    [
        ("POST", "/api/requests/1/promote", None, {"position": 1}, ("move", 1, 1)),
        ("POST", "/api/requests/1/move", {"position": 2}, {"position": 2}, ("move", 1, 2)),
        ("POST", "/api/remove", {"user": "Mara"}, {"removed": 1}, ("remove_user", "Mara")),
        ("POST", "/api/oops", {"user": "Mara"}, {"removed": 1, "title": "volcano"}, ("oops", "Mara", None)),
        (
            "POST",
            "/api/oops",
            {"user": "Mara", "source": "twitch"},
            {"removed": 1, "title": "volcano"},
            ("oops", "Mara", "twitch"),
        ),
        (
            "POST",
            "/api/voteskip",
            {"user": "Mara", "source": "twitch"},
            {"votes": 1, "needed": 3, "skipped": False},
            ("voteskip", "Mara", "twitch"),
        ),
        ("POST", "/api/motion", {"speed": 1.2}, {"speed": 1.2, "rotation": 0.25}, ("move_camera", 1.2, None)),
        ("POST", "/api/motion", {"rotation": -3}, {"speed": 1.05, "rotation": -3.0}, ("move_camera", None, -3.0)),
        (
            "POST",
            "/api/blocks",
            {"kind": "word", "value": "bad"},
            {"blocked": {"words": ["bad"], "users": [], "classes": []}, "removed": 2},
            ("block", BlockKind.WORD, "bad"),
        ),
        (
            "POST",
            "/api/unblock",
            {"kind": "user", "value": "Mallory"},
            {"blocked": {"words": [], "users": [], "classes": []}, "removed": 0},
            ("unblock", BlockKind.USER, "Mallory"),
        ),
        (
            "PATCH",
            "/api/rules",
            {"hold_s": 60, "open": False},
            {
                "open": False,
                "hold_s": 60,
                "changed": ["hold_s", "open"],
                "blocked": {"words": [], "users": [], "classes": []},
            },
            ("change_rules", {"hold_s": 60, "open": False}),
        ),
        (
            "DELETE",
            "/api/rules?blocks=1",
            None,
            {"open": True, "hold_s": 30.0, "changed": [], "blocked": {"words": [], "users": [], "classes": []}},
            ("reset_rules", True),
        ),
    ],
)
def test_what_moderators_and_the_bot_can_do(
    stages: Callable[..., Stage], method: str, path: str, body: object, told: object, call: tuple[object, ...]
) -> None:
    stage = stages(token="open sesame")
    stage.request_service.add("Mara", "volcano")
    stage.request_service.add("Bo", "pizza")
    refused = stage.call(method, path, body)
    assert (refused.status, refused.error["code"], stage.request_service.calls) == (401, "unauthorized", [])
    answer = stage.call(method, path, body, TOKEN)
    assert (answer.status, answer.json) == (200, told)
    assert stage.request_service.calls == [call]


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", "/api/requests/1/move", {"position": 0}, "position: Input should be greater than or equal to 1"),
        ("POST", "/api/requests/1/move", {}, "position: Field required"),
        ("POST", "/api/motion", {"speed": 0.1}, "speed: Input should be greater than 0.2"),
        ("POST", "/api/motion", {"rotation": 91}, "rotation: Input should be less than or equal to 90"),
        ("POST", "/api/motion", b'{"speed": NaN}', "speed: Input should be a finite number"),
        ("POST", "/api/blocks", {"kind": "planet", "value": "x"}, "kind: Input should be 'word', 'user' or 'class'"),
        ("POST", "/api/blocks", {"kind": "word", "value": ""}, "value: String should have at least 1 character"),
        ("PATCH", "/api/rules", [1], "Input should be an object"),
        ("POST", "/api/chat", {"state": "gone"}, "state: a bot cannot report itself gone"),
        (
            "POST",
            "/api/requests",
            {"user": "Mara", "text": "volcano", "amount": -1},
            "amount: Input should be greater than or equal to 0",
        ),
        ("POST", "/api/requests", {"user": "Mara", "random": False}, "text: Field required"),
    ],
)
def test_bad_bodies_are_explained(stage: Stage, method: str, path: str, body: object, message: str) -> None:
    answer = stage.call(method, path, body, {"Content-Type": "application/json"})
    assert (answer.status, answer.error) == (400, {"code": "bad_input", "message": message})
    assert stage.request_service.calls == []


def test_the_rules_are_public_but_for_the_blocks(guarded: Stage) -> None:
    guarded.request_service.blocked = Blocked(("bad",), ("mallory",), (Target("n09472597", "volcano"),))
    told = {"open": True, "hold_s": 30.0, "changed": []}
    assert guarded.call("GET", "/api/rules").json == {**told, "blocked": None}
    blocked = {"words": ["bad"], "users": ["mallory"], "classes": [{"wnid": "n09472597", "label": "volcano"}]}
    assert guarded.call("GET", "/api/rules", None, TOKEN).json == {**told, "blocked": blocked}


def test_a_refused_duplicate_reports_its_vote(stage: Stage) -> None:
    stage.request_service.refusal = Refused(Reason.DUPLICATE, "it waits", vote=Vote(7, True, 3, "volcano", 2, 48.04))
    answer = stage.call("POST", "/api/requests", {"user": "Mara", "text": "volcano"})
    error = {"code": "duplicate", "message": "it waits", "voted": True, "votes": 3, "id": 7, "title": "volcano"}
    assert (answer.status, answer.error) == (409, {**error, "position": 2, "eta_s": 48.0})
    stage.request_service.refusal = Refused(Reason.DUPLICATE, "it waits", vote=Vote(7, False, 3, "volcano", None, None))
    assert stage.call("POST", "/api/requests", {"user": "Mara", "text": "volcano"}).error == {**error, "voted": False}


def test_blocked_is_forbidden(stage: Stage) -> None:
    stage.request_service.refusal = Refused(Reason.BLOCKED, "not here")
    answer = stage.call("POST", "/api/requests", {"user": "Mara", "text": "volcano"})
    assert (answer.status, answer.error) == (403, {"code": "blocked", "message": "not here"})


def test_what_was_paid_and_by_chance(stage: Stage) -> None:
    paid = {"user": "Mara", "text": "volcano", "priority": "bits", "amount": 100}
    assert stage.call("POST", "/api/requests", paid).status == 201
    assert stage.call("POST", "/api/requests", {"user": "Mara", "random": True}).json["title"] == "jellyfish"
    assert stage.call("POST", "/api/requests", {"user": "Mara", "text": "pizza", "amount": 100}).status == 201
    assert stage.request_service.calls == [
        ("submit", "Mara", "volcano", None, Role.EVERYONE, "web", Priority.BITS, 100),
        ("submit", "Mara", "", None, Role.EVERYONE, "web", "anything"),
        ("submit", "Mara", "pizza", None, Role.EVERYONE, "web"),
    ]


def test_only_trusted_callers_name_what_was_paid(guarded: Stage) -> None:
    paid = {"user": "Mara", "text": "volcano", "priority": "points", "amount": 500}
    assert guarded.call("POST", "/api/requests", paid).status == 401
    assert guarded.call("POST", "/api/requests", paid, TOKEN).status == 201


def test_where_a_request_stands(stage: Stage) -> None:
    stage.request_service.add("Mara", "volcano")
    assert stage.call("GET", "/api/requests/1").json == {
        "id": 1,
        "state": "queued",
        "user": "Mara",
        "title": "volcano",
        "position": 1,
        "eta_s": 18.0,
    }
    missing = stage.call("GET", "/api/requests/7")
    assert (missing.status, missing.error) == (404, {"code": "not_found", "message": "there is no request 7"})


def test_what_words_would_match(stage: Stage) -> None:
    answer = stage.call("GET", "/api/match?text=volcano%20%2B%20pizza")
    assert answer.json["title"] == "volcano + pizza"
    assert [item["wnid"] for item in answer.json["targets"]] == ["n09472597", "n07873807"]
    assert answer.json["note"] == ""
    assert answer.json["exact"] is True
    unknown = stage.call("GET", "/api/match?text=volcanoe")
    assert (unknown.status, unknown.error["suggestions"]) == (422, ["volcano", "canoe"])
    assert stage.request_service.requests == []


def test_the_bot_reports_its_own_status(guarded: Stage) -> None:
    body = {"state": "needs login", "detail": "open the page", "account": "dreambot", "channel": "mara", "source": "twitch"}
    assert guarded.call("POST", "/api/chat", body).status == 401
    assert guarded.call("POST", "/api/chat", body, TOKEN).json == {"ok": True, "changes": []}
    report = ChatReport(ChatState.NEEDS_LOGIN, "open the page", "dreambot", "mara", "twitch")
    assert guarded.request_service.calls == [("hear_chat", report)]
    told = {**body, "age_s": 0.0, "since_s": 0.0, "heard_s": None, "restarts": 0}
    assert guarded.call("GET", "/api/status").json["chat"] == told


def test_the_bot_hears_which_requests_of_its_chat_have_changed(stage: Stage) -> None:
    stage.request_service.changed = (
        Substitution(4, 7, "Mara", "twitch", "volcano", "cliff"),
        Substitution(5, 8, "guest", "web", "volcano", "cliff"),
        Substitution(6, 9, "Jo", "twitch", "layer fire5", ""),
    )
    body = {"state": "connected", "source": "twitch"}
    first = {"number": 4, "id": 7, "user": "Mara", "asked": "volcano", "title": "cliff"}
    second = {"number": 6, "id": 9, "user": "Jo", "asked": "layer fire5", "title": ""}
    assert stage.call("POST", "/api/chat", body).json["changes"] == [first, second]
    assert stage.call("POST", "/api/chat", {**body, "told": 4}).json["changes"] == [second]
    assert stage.call("POST", "/api/chat", {**body, "told": -1}).status == 400


def events(stage: Stage) -> tuple[http.client.HTTPConnection, Callable[[], Any]]:
    connection, response = stage.call.open("GET", "/api/events")

    def read() -> Any:
        while not (line := response.readline()).startswith(b"data: "):
            assert line, "the events ended"
        return json.loads(line[6:])

    return connection, read


def test_watchers_hear_of_votes_rules_and_chat(stage: Stage) -> None:
    connection, read = events(stage)
    try:
        assert (read()["open"], read()["chat"]) == (True, None)
        stage.request_service.settings["open"] = False
        while read()["open"]:
            pass
        stage.request_service.chat = ChatReport(ChatState.CONNECTED, "", "dreambot", "mara", "twitch", 1.0)
        while (chat := read()["chat"]) is None:
            pass
        assert chat["state"] == "connected"
    finally:
        connection.close()
