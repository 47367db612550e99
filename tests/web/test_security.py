from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from streamer.web import security
from streamer.web.security import FAILURES, SLOWED, Scope, scope_of
from tests.patience import until
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
    guarded.request_service.add("Mara", "volcano")
    answer = guarded.call(method, path, body)
    message = "this call needs the token: log in on /control, or send Authorization: Bearer"
    assert (answer.status, answer.error) == (401, {"code": "unauthorized", "message": message})
    wrong = guarded.call(method, path, body, {"Authorization": "Bearer open sesam"})
    assert (wrong.status, wrong.error) == (401, {"code": "wrong_token", "message": "that is not the token"})
    assert guarded.request_service.calls == []
    assert guarded.call(method, path, body, BEARER).status == 200


def test_viewers_need_no_token_on_loopback_but_may_not_pose_as_the_bot(guarded: Stage) -> None:
    assert guarded.call("POST", "/api/requests", ASK | {"source": "twitch", "message_id": "abc"}).status == 201
    assert guarded.request_service.calls[-1][3] is None
    assert guarded.request_service.calls[-1][5] == "web"
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


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "SLOW_S", (0.0, 0.0))


@pytest.mark.usefixtures("hasty")
def test_guessing_is_braked_and_who_knows_is_let_in_all_the_same(guarded: Stage) -> None:
    for _ in range(FAILURES):
        assert guarded.call("POST", "/api/login", {"token": "guess"}).status == 401
    for _ in range(2):
        answer = guarded.call("POST", "/api/login", {"token": "guess"})
        assert (answer.status, answer.error["code"]) == (429, "too_many_tries")
        assert 0 < answer.error["retry_s"] <= 60
        assert guarded.call("POST", "/api/skip", headers={"Authorization": "Bearer guess"}).status == 429
        assert guarded.call("POST", "/api/skip", headers={"Authorization": "Bearer open sesame"}).status == 200
    cookie = guarded.call("POST", "/api/login", {"token": "open sesame"}).headers["Set-Cookie"].partition(";")[0]
    assert guarded.call("POST", "/api/skip", headers={"Cookie": cookie, "Authorization": "Bearer guess"}).status == 200
    assert guarded.call("POST", "/api/requests", ASK).status == 201


def test_who_guesses_waits_ever_longer_and_who_knows_never(guarded: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "SLOW_S", (0.1, 0.4))

    def took_s(token: str) -> float:
        began_s = time.monotonic()
        guarded.call("POST", "/api/skip", headers={"Authorization": f"Bearer {token}"})
        return time.monotonic() - began_s

    least_s = (0.1, 0.2, 0.4, 0.4)
    assert all(took_s(f"guess {number}") >= least for number, least in enumerate(least_s))
    let_go, asleep, sleep = threading.Event(), [], asyncio.sleep

    async def sleep_until_let_go(delay_s: float) -> None:
        asleep.append(delay_s)
        while not let_go.is_set():
            await sleep(0.01)

    monkeypatch.setattr(security, "asyncio", SimpleNamespace(sleep=sleep_until_let_go))
    with ThreadPoolExecutor(2 * SLOWED) as guessers:
        try:
            guesses = [guessers.submit(took_s, "guess") for _ in range(2 * SLOWED)]
            until(lambda: sum(guess.done() for guess in guesses) == SLOWED)
            for _ in range(5):
                took_s("open sesame")  # while the guesses wait
            assert asleep == [0.4] * SLOWED
        finally:
            let_go.set()


def test_a_token_of_any_characters_is_just_wrong(guarded: Stage) -> None:
    assert guarded.call("POST", "/api/skip", headers={"Authorization": "Bearer \xff\xe9"}).status == 401
    assert guarded.call("POST", "/api/skip", headers={"Authorization": "Basic b3Blbg=="}).status == 401


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
        message = "this call is allowed from this server's own pages only"
        assert (answer.status, answer.error) == (403, {"code": "bad_origin", "message": message})
    assert stage.request_service.calls == []


def test_our_own_page_can(stage: Stage) -> None:
    headers = {"Origin": f"http://127.0.0.1:{stage.server.port}", "Sec-Fetch-Site": "same-origin"}
    assert stage.call("POST", "/api/requests", ASK, headers).status == 201
    assert stage.call("POST", "/api/skip", None, headers).status == 200


def test_a_rebound_name_reaches_nothing_but_health(stage: Stage) -> None:
    for path in ("/", "/api/status", "/api/events", "/live.mp4", "/static/css/base.css"):
        answer = stage.call("GET", path, headers={"Host": "evil.example:8080"})
        message = "'evil.example:8080' is not a name of this server; add it to web.hosts"
        assert (answer.status, answer.error) == (403, {"code": "bad_host", "message": message})
    assert stage.call("GET", "/healthz", headers={"Host": "evil.example"}).status == 200
    for host in ("localhost:9", "[::1]:8080", "127.0.0.1", "LOCALHOST"):
        assert stage.call("GET", "/api/status", headers={"Host": host}).status == 200
    for host in ("192.168.0.7", "", "[", "localhost.evil.example"):
        assert stage.call("GET", "/api/status", headers={"Host": host}).status == 403


def test_what_a_proxy_passes_on_is_not_local(stage: Stage) -> None:
    answer = stage.call("POST", "/api/skip", headers={"x-forwarded-for": "203.0.113.7"})
    message = "this call works on this machine only, because no token is configured"
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


VIEWED = ("/", "/overlay", "/live.ts", "/live.mp4", "/live.mjpg", "/frame.jpg", "/api/status", "/api/events", "/api/classes")


def test_whatever_is_written_is_for_moderators_but_asking_and_logging_in() -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        for path in ("/api/skip", "/api/requests/{id}", "/api/rules", "/api/outputs", "/api/what-comes-next", "/{name}"):
            assert scope_of(method, path) is Scope.CONTROL
    assert scope_of("POST", "/api/requests") is Scope.ASK
    assert {scope_of("POST", path) for path in ("/api/login", "/api/logout")} == {Scope.ANY}
    assert {scope_of("GET", path) for path in (*VIEWED, "/api/rules", "/{name}")} == {Scope.VIEW}
    assert {scope_of("GET", path) for path in ("/healthz", "/metrics", "/static", "/control", "/api/session")} == {Scope.ANY}


@pytest.fixture
def private(stages: Callable[..., Stage]) -> Stage:
    """A server that takes one token to view and another to moderate."""
    return stages(token="open sesame", view_token="look sesame")


def test_viewing_takes_the_token_for_that(private: Stage) -> None:
    for path in VIEWED:
        answer = private.call("GET", path)
        assert (answer.status, answer.error["code"]) == (401, "unauthorized"), path
    for path in ("/healthz", "/metrics", "/control", "/static/css/base.css", "/api/session"):
        assert private.call("GET", path).status == 200, path
    assert private.call("POST", "/api/requests", ASK).status == 401
    assert private.request_service.calls == []
    assert private.call("GET", "/api/status?token=look+sesame").status == 200
    assert private.call("POST", "/api/requests?token=look+sesame", ASK).status == 201
    assert private.call("GET", "/api/status?token=open+sesame").error["code"] == "wrong_token"
    assert private.call("POST", "/api/skip?token=look+sesame").error["code"] == "unauthorized"


def test_a_page_with_the_token_in_its_address_gives_a_cookie_and_loses_it(private: Stage) -> None:
    answer = private.call("GET", "/overlay?align=right&token=look+sesame&next=4")
    assert (answer.status, answer.headers["Location"]) == (303, "/overlay?align=right&next=4")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "sesame" not in cookie
    sent = {"Cookie": cookie.partition(";")[0]}
    for path in ("/overlay?align=right", "/api/status", "/frame.jpg"):
        assert private.call("GET", path, headers=sent).status == 200
    assert private.call("POST", "/api/requests", ASK, sent).status == 201
    assert private.call("POST", "/api/skip", None, sent).status == 401
    assert private.call("GET", "/api/session", headers=sent).json["moderator"] is False
    control = {"Cookie": sent["Cookie"].replace("zoomdream_view", "zoomdream_control")}
    assert private.call("POST", "/api/skip", None, control).status == 401, "each cookie is signed for its purpose"


def test_who_moderates_may_view(private: Stage) -> None:
    assert private.call("GET", "/api/status", headers=BEARER).status == 200
    cookie = private.call("POST", "/api/login", {"token": "open sesame"}).headers["Set-Cookie"].partition(";")[0]
    assert private.call("GET", "/frame.jpg", headers={"Cookie": cookie}).status == 200


def test_paths_in_other_writing_have_the_scope_of_what_they_reach(private: Stage) -> None:
    for path in ("/%61pi/status", "/api/%73tatus", "/static%2f..%2fapi%2fstatus", "/static/../api/status", "//api/status"):
        assert private.call("GET", path).status in (401, 403, 404), path
    assert private.call("POST", "/%61pi/skip").status == 401
    assert private.request_service.calls == []


@pytest.mark.usefixtures("hasty")
def test_guessing_the_token_to_view_is_braked_and_who_knows_it_looks(private: Stage) -> None:
    for _ in range(FAILURES):
        assert private.call("GET", "/api/status?token=guess").status == 401
    assert private.call("GET", "/api/status?token=guess").error["code"] == "too_many_tries"
    assert private.call("GET", "/api/status?token=look+sesame").status == 200
    assert private.call("GET", "/api/status?token=guess", headers={"Authorization": "Bearer open sesame"}).status == 200
