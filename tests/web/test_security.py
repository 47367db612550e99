from __future__ import annotations

from collections.abc import Callable

import pytest

from streamer.web.security import FAILURES
from tests.web.conftest import Stage

MODERATION = [
    ("DELETE", "/api/requests/1", None),
    ("POST", "/api/skip", None),
    ("POST", "/api/clear", None),
    ("POST", "/api/bump", None),
    ("POST", "/api/twist", None),
    ("POST", "/api/pause", {"paused": True}),
]
ASK = {"user": "Mara", "text": "volcano"}
BEARER = {"Authorization": "Bearer open sesame"}


@pytest.mark.parametrize(("method", "path", "body"), MODERATION)
def test_moderation_takes_the_token(guarded: Stage, method: str, path: str, body: object) -> None:
    guarded.desk.add("Mara", "volcano")
    answer = guarded.call(method, path, body)
    message = "this call needs the token: log in on /control, or send Authorization: Bearer"
    assert (answer.status, answer.error) == (401, {"code": "unauthorized", "message": message})
    wrong = guarded.call(method, path, body, {"Authorization": "Bearer open sesam"})
    assert (wrong.status, wrong.error) == (401, {"code": "wrong_token", "message": "that is not the token"})
    assert guarded.desk.calls == []
    assert guarded.call(method, path, body, BEARER).status == 200


def test_viewers_need_no_token_on_loopback_but_may_not_pose_as_the_bot(guarded: Stage) -> None:
    assert guarded.call("POST", "/api/requests", ASK | {"source": "twitch", "message_id": "abc"}).status == 201
    assert guarded.desk.calls[-1][3] is None
    assert guarded.desk.calls[-1][5] == "web"
    answer = guarded.call("POST", "/api/requests", ASK | {"role": "moderator"})
    assert (answer.status, answer.error["code"]) == (401, "unauthorized")
    assert guarded.call("POST", "/api/requests", ASK | {"role": "moderator"}, BEARER).status == 201


def test_logging_in_gives_a_cookie_that_a_page_cannot_read(guarded: Stage) -> None:
    assert guarded.call("GET", "/api/session").json == {"moderator": False, "writer": True, "login": True}
    assert guarded.call("POST", "/api/login", {"token": "no"}).status == 401
    answer = guarded.call("POST", "/api/login", {"token": "open sesame"})
    cookie = answer.headers["Set-Cookie"]
    assert answer.status == 200
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "sesame" not in cookie
    sent = {"Cookie": cookie.partition(";")[0]}
    assert guarded.call("GET", "/api/session", headers=sent).json["moderator"] is True
    assert guarded.call("POST", "/api/skip", headers=sent).status == 200
    assert guarded.call("POST", "/api/skip", headers={"Cookie": sent["Cookie"] + "0"}).status == 401
    assert guarded.call("POST", "/api/skip", headers={"Cookie": sent["Cookie"].replace("=", "=9")}).status == 401
    assert 'zoomdream_control=""' in guarded.call("POST", "/api/logout", headers=sent).headers["Set-Cookie"]


def test_a_cookie_ends_with_the_token(guarded: Stage, stages: Callable[..., Stage]) -> None:
    cookie = guarded.call("POST", "/api/login", {"token": "open sesame"}).headers["Set-Cookie"].partition(";")[0]
    other = stages(token="close sesame")
    assert other.call("POST", "/api/skip", headers={"Cookie": cookie}).status == 401


def test_guessing_is_braked(guarded: Stage) -> None:
    for _ in range(FAILURES):
        assert guarded.call("POST", "/api/login", {"token": "guess"}).status == 401
    answer = guarded.call("POST", "/api/login", {"token": "open sesame"})
    assert (answer.status, answer.error["code"]) == (429, "too_many_tries")
    assert 0 < answer.error["retry_s"] <= 60
    assert guarded.call("POST", "/api/requests", ASK).status == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_sites_cannot_write_or_listen(stage: Stage, headers: dict[str, str]) -> None:
    for method, path, body in [*MODERATION, ("POST", "/api/requests", ASK), ("GET", "/api/events", None)]:
        answer = stage.call(method, path, body, headers)
        message = "this call may come from this server's own pages only"
        assert (answer.status, answer.error) == (403, {"code": "bad_origin", "message": message})
    assert stage.desk.calls == []


def test_our_own_page_can(stage: Stage) -> None:
    headers = {"Origin": f"http://127.0.0.1:{stage.server.port}", "Sec-Fetch-Site": "same-origin"}
    assert stage.call("POST", "/api/requests", ASK, headers).status == 201
    assert stage.call("POST", "/api/skip", None, headers).status == 200


def test_a_rebound_name_reaches_nothing_but_health(stage: Stage) -> None:
    for path in ("/", "/api/status", "/api/events", "/live.mp4", "/static/css/base.css"):
        answer = stage.call("GET", path, headers={"Host": "evil.example:8080"})
        message = "this server does not go by the name 'evil.example:8080'; web.hosts lists its names"
        assert (answer.status, answer.error) == (403, {"code": "bad_host", "message": message})
    assert stage.call("GET", "/healthz", headers={"Host": "evil.example"}).status == 200
    for host in ("localhost:9", "[::1]:8080", "127.0.0.1", "LOCALHOST"):
        assert stage.call("GET", "/api/status", headers={"Host": host}).status == 200
    for host in ("192.168.0.7", "", "[", "localhost.evil.example"):
        assert stage.call("GET", "/api/status", headers={"Host": host}).status == 403


def test_what_a_proxy_passes_on_is_not_local(stage: Stage) -> None:
    answer = stage.call("POST", "/api/skip", headers={"x-forwarded-for": "203.0.113.7"})
    message = "this call is for this machine only, because no token is configured"
    assert (answer.status, answer.error) == (401, {"code": "unauthorized", "message": message})


def test_off_loopback_every_write_takes_the_token(stages: Callable[..., Stage]) -> None:
    stage = stages(host="0.0.0.0", token="open sesame")
    assert stage.server.url == f"http://127.0.0.1:{stage.server.port}/"
    assert stage.call("POST", "/api/requests", ASK).status == 401
    assert stage.call("POST", "/api/requests", ASK, BEARER).status == 201
    assert stage.call("GET", "/api/status", headers={"Host": "192.168.0.7:8080"}).status == 200
    assert stage.call("GET", "/api/status", headers={"Host": "evil.example"}).status == 403


def test_every_answer_carries_the_careful_headers(stage: Stage) -> None:
    for path in ("/", "/control", "/overlay", "/api/status", "/nothing", "/frame.jpg", "/static/css/base.css"):
        headers = stage.call("GET", path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "script-src 'self';" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Access-Control-Allow-Origin"] is None


def test_names_behind_a_proxy_are_known(stages: Callable[..., Stage]) -> None:
    stage = stages(hosts=("dream.example",))
    origin = {"Host": "dream.example", "Origin": "https://dream.example", "X-Forwarded-For": "203.0.113.7"}
    assert stage.call("POST", "/api/requests", ASK, origin).status == 201
