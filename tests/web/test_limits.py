"""Rate limits and quotas per client, without a server; test_connections.py tests them with one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from streamer.config import WebLimits
from streamer.web import limits
from streamer.web.errors import ApiError
from streamer.web.limits import HELD_BACK, VisitorLimits
from streamer.web.token_buckets import REMEMBERED, TokenBuckets, client_key
from tests.fakes import HandClock


class FakeTokenChecker:
    """Knows one token."""

    login = True

    def has_token(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == "Bearer open sesame"


class FakeConnection:
    def __init__(self, limits: VisitorLimits, address: str, idle_since_s: float | None = None) -> None:
        self._limits, self.client_key, self.idle_since_s = limits, client_key(address), idle_since_s
        limits.enter(self)

    def drop(self) -> None:
        self._limits.leave(self)


def make(
    clock: HandClock | None = None, descriptors: int | None = None, proxies: tuple[str, ...] = (), **settings: Any
) -> VisitorLimits:
    return VisitorLimits(WebLimits.model_validate(settings), proxies, FakeTokenChecker(), descriptors, clock or HandClock(0.0))


def call(address: str, headers: Mapping[str, str] | None = None) -> web.Request:
    return make_mocked_request("GET", "/", headers=dict(headers or {})).clone(remote=address)


def admit_call(limits: VisitorLimits, request: web.Request) -> str:
    try:
        asyncio.run(limits.admit_call(request))
    except ApiError as error:
        return error.code
    return "fine"


@pytest.mark.parametrize(
    ("address", "who"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::1"),
        ("somewhere", "somewhere"),
        ("", ""),
    ],
)
def test_who_pays(address: str, who: str) -> None:
    assert client_key(address) == who


def test_an_allowance_refills_and_holds_ten_seconds_worth() -> None:
    clock = HandClock(0.0)
    token_buckets = TokenBuckets(2.0, clock)
    assert [token_buckets.try_take_s("a", 1.0) for _ in range(20)] == [0.0] * 20
    assert token_buckets.try_take_s("a", 1.0) == 0.5
    assert token_buckets.try_take_s("b", 1.0) == 0.0
    clock.advance(0.5)
    assert token_buckets.try_take_s("a", 1.0) == 0.0
    token_buckets.charge("a", 4.0)
    assert token_buckets.try_take_s("a", 0.0) == 2.0
    clock.advance(1000.0)
    assert [token_buckets.try_take_s("a", 10.0) for _ in range(3)] == [0.0, 0.0, 5.0]


def test_it_remembers_a_bounded_number_of_addresses() -> None:
    token_buckets = TokenBuckets(1.0, HandClock(0.0))
    for number in range(REMEMBERED + 100):
        token_buckets.charge(str(number), 1000.0)
    assert len(token_buckets._left) == REMEMBERED
    assert token_buckets.try_take_s(str(REMEMBERED + 99), 1.0) > 0
    assert token_buckets.try_take_s("0", 1.0) == 0.0


def test_calls_beyond_the_limit_are_refused_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAUSE_S", 0.0)
    clock = HandClock(0.0)
    judged = make(clock, calls_per_s=1.0)
    assert [admit_call(judged, call("2001:db8::1")) for _ in range(11)] == ["fine"] * 10 + ["too_many_calls"]
    assert admit_call(judged, call("2001:db8::ffff")) == "too_many_calls"  # the same /64
    assert admit_call(judged, call("2001:db8:0:1::1")) == "fine"
    assert [admit_call(judged, call("127.0.0.1")) for _ in range(81)] == ["fine"] * 80 + ["too_many_calls"]
    clock.advance(3.0)  # refused calls count too
    assert [admit_call(judged, call("2001:db8::1")) for _ in range(2)] == ["fine", "too_many_calls"]
    assert judged.refused.counts == {"calls": 4}


def test_a_client_that_keeps_calling_is_refused_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAUSE_S", 0.0)
    clock = HandClock(0.0)
    judged = make(clock, calls_per_s=1.0)
    for _ in range(12):
        admit_call(judged, call("192.0.2.7"))
    assert judged.admits_connection("192.0.2.7")
    for _ in range(100):
        admit_call(judged, call("192.0.2.7"))
    assert not judged.admits_connection("192.0.2.7")
    assert judged.admits_connection("192.0.2.8")
    clock.advance(limits.DEBT_S - limits.SHUT_S)
    assert judged.admits_connection("192.0.2.7")
    clock.advance(limits.SHUT_S + 1.0)
    assert admit_call(judged, call("192.0.2.7")) == "fine"


def test_what_is_no_call_counts_as_several() -> None:
    clock = HandClock(0.0)
    judged = make(clock, calls_per_s=1.0)
    for _ in range(4):
        judged.malformed("192.0.2.7")
    assert not judged.admits_connection("192.0.2.7")
    assert judged.admits_connection("192.0.2.8")
    for _ in range(1000):
        judged.malformed("192.0.2.7")
    clock.advance(2 * limits.MALFORMED)
    assert judged.admits_connection("192.0.2.7"), "the debt is bounded"


def test_all_together_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAUSE_S", 0.0)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("streamer.web.limits.asyncio.sleep", sleep)
    judged = make(HandClock(0.0), calls_per_s=100.0, all_calls_per_s=10.0)
    busy = [admit_call(judged, call("192.0.2.7")) for _ in range(301)]
    assert set(busy[:41]) == {"fine"}
    assert busy[41] == "busy", "three seconds' worth waits"
    assert max(slept) == pytest.approx(3.0)
    slept.clear()
    assert admit_call(judged, call("127.0.0.1")) == "fine"
    assert slept == []


def test_those_who_call_much_wait_among_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAUSE_S", 0.0)
    judged = make(HandClock(0.0), calls_per_s=10.0)
    assert {admit_call(judged, call("192.0.2.7")) for _ in range(31)} == {"fine"}
    judged._turns.charge("elsewhere, heavy", 1000.0)
    assert admit_call(judged, call("192.0.2.7")) == "busy"
    assert admit_call(judged, call("192.0.2.8")) == "fine"
    assert admit_call(judged, call("192.0.2.7", {"Authorization": "Bearer open sesame"})) == "fine"


def test_what_costs_more_counts_more() -> None:
    judged = make(HandClock(0.0), calls_per_s=1.0)
    request = make_mocked_request("GET", "/api/classes").clone(remote="192.0.2.7")
    assert admit_call(judged, request) == "fine"
    assert judged._calls.used("192.0.2.7") == pytest.approx(0.8)
    assert admit_call(make(HandClock(0.0), calls_per_s=0.1), request) == "fine", "no call costs more than there can be"


def test_a_thousand_pictures_of_the_catalogue_are_let_through() -> None:
    judged = make(HandClock(0.0), all_calls_per_s=1000.0)
    request = make_mocked_request("GET", "/thumbnails/n02120079.webp").clone(remote="192.0.2.7")
    assert {admit_call(judged, request) for _ in range(1000)} == {"fine"}
    assert judged._calls.used("192.0.2.7") == pytest.approx(0.5)


def test_the_token_has_an_allowance_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAUSE_S", 0.0)
    judged = make(calls_per_s=1.0)
    for _ in range(11):
        admit_call(judged, call("192.0.2.7"))
    operator = {"Authorization": "Bearer open sesame"}
    assert [admit_call(judged, call("192.0.2.7", operator)) for _ in range(81)] == ["fine"] * 80 + ["too_many_calls"]
    assert admit_call(judged, call("192.0.2.7", {"Authorization": "Bearer guess"})) == "too_many_calls"


def test_bytes_beyond_the_limit_have_to_be_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAUSE_S", 0.0)
    clock = HandClock(0.0)
    judged = make(clock, kilobytes_per_s=10)
    judged.charge("192.0.2.7", 100_000)
    assert admit_call(judged, call("192.0.2.7")) == "fine"
    judged.charge("192.0.2.7", 30_000)
    assert admit_call(judged, call("192.0.2.7")) == "too_many_calls"
    clock.advance(2.9)
    assert admit_call(judged, call("192.0.2.7")) == "too_many_calls"
    clock.advance(0.2)
    assert admit_call(judged, call("192.0.2.7")) == "fine"


def test_connections_by_address_and_all_together() -> None:
    clock = HandClock(0.0)
    judged = make(clock, connections=20, address_connections=2)
    assert judged.admits_connection("192.0.2.1")
    first, second = FakeConnection(judged, "192.0.2.1"), FakeConnection(judged, "192.0.2.1")
    assert not judged.admits_connection("192.0.2.1")
    first.drop()
    first.drop()
    assert judged.admits_connection("192.0.2.1")
    for _ in range(15):  # three quarters of 20, and less than eight times 2
        assert judged.admits_connection("127.0.0.1")
        FakeConnection(judged, "127.0.0.1")
    assert not judged.admits_connection("127.0.0.1")
    for number in range(2, 6):
        assert judged.admits_connection(f"192.0.2.{number}")
        FakeConnection(judged, f"192.0.2.{number}")
    assert judged.open == 20
    assert not judged.admits_connection("192.0.2.9"), "nobody is idle"
    second.idle_since_s = clock()
    assert not judged.admits_connection("192.0.2.9"), "it has only just become so"
    clock.advance(3.0)
    assert judged.admits_connection("192.0.2.9")
    assert (judged.open, second in judged._open_connections) == (19, False)
    FakeConnection(judged, "192.0.2.9")
    many = next(connection for connection in judged._open_connections if connection.client_key == "127.0.0.1")
    many.idle_since_s = clock()
    assert judged.admits_connection("192.0.2.10"), "who has most of them makes room at once"
    assert (judged.open, many in judged._open_connections) == (19, False)


def test_descriptors_are_held_back() -> None:
    assert make(connections=512, descriptors=4096).most == 512
    assert make(connections=512, descriptors=512).most == 512 - HELD_BACK
    assert make(connections=512, descriptors=128).most == 32
    assert make(connections=512).most == 512


def test_streams_by_address_and_all_together() -> None:
    judged = make(viewers=12, address_viewers=2)

    def take(address: str) -> Any:
        return judged.viewers.hold(call(address))

    held = [take("192.0.2.1") for _ in range(2)]
    for place in held:
        place.__enter__()
    with pytest.raises(ApiError, match="too many viewers from one address at once") as caught, take("192.0.2.1"):
        pass
    assert (caught.value.status, caught.value.code, caught.value.retry_s) == (429, "too_many", 10.0)
    for _ in range(9):
        held.append(take("127.0.0.1"))
        held[-1].__enter__()
    with pytest.raises(ApiError, match="from one address"), take("127.0.0.1"):
        pass
    held.append(take("192.0.2.2"))
    held[-1].__enter__()
    with pytest.raises(ApiError, match="too many viewers at once") as caught, take("192.0.2.3"):
        pass
    assert caught.value.status == 503
    for place in held:
        place.__exit__(None, None, None)
    with take("192.0.2.1"), take("192.0.2.1"):
        assert judged.viewers._taken == {"192.0.2.1": 2}
    assert judged.viewers._taken == {}


@pytest.mark.parametrize(
    ("peer", "told", "who"),
    [
        ("192.0.2.1", "203.0.113.7", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.7, 10.9.9.9", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7:4711", "203.0.113.7"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "203.0.113.7, nonsense", "10.0.0.1"),
        ("10.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"),
    ],
)
def test_only_trusted_proxies_tell_who_calls(peer: str, told: str, who: str) -> None:
    judged = make(proxies=("10.0.0.0/8",))
    assert judged.address(call(peer, {"X-Forwarded-For": told} if told else None)) == who


def test_a_proxy_that_is_not_configured_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    judged = make()
    for _ in range(3):
        assert judged.address(call("127.0.0.1", {"X-Forwarded-For": "203.0.113.7"})) == "127.0.0.1"
    (line,) = caplog.messages
    assert line.startswith("calls come through a proxy at 127.0.0.1; ")


def test_connections_of_a_proxy_count_for_all_only() -> None:
    judged = make(proxies=("10.0.0.1",), connections=16, address_connections=1)
    for _ in range(16):
        assert judged.admits_connection("10.0.0.1")
        FakeConnection(judged, "10.0.0.1")
    assert not judged.admits_connection("10.0.0.1")


def test_the_log_reports_refusals_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    clock = HandClock(0.0)
    judged = make(clock)
    for _ in range(100):
        judged.refused("calls", "192.0.2.7")
        clock.advance(0.09)
    judged.refused("connections", "192.0.2.8")
    clock.advance(2.0)
    judged.refused("calls", "192.0.2.7")
    assert caplog.messages == [
        "refused because of web.limits: 1 calls; from 1 addresses, most from 192.0.2.7",
        "refused because of web.limits: 100 calls, 1 connections; from 2 addresses, most from 192.0.2.7",
    ]
