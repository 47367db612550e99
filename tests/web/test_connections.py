"""Connections of all kinds to a real server: silent, slow, broken, too large, too many."""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from streamer.web import body_schemas, connections, limits, server, status_events
from streamer.web.token_buckets import LOCAL
from tests.fakes import HandClock
from tests.patience import PATIENCE_S
from tests.web.conftest import Stage
from tests.web.fakes import Answer

Stages = Callable[..., Stage]
SOON_S = 60.0
"""Longer than closing takes on a busy machine, but shorter than connections last that nothing closes."""
POST = b"POST /api/requests HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture
def lines() -> Iterator[contextlib.ExitStack]:
    """Yield a stack that closes connections at the end."""
    with contextlib.ExitStack() as stack:
        yield stack


def connect(stage: Stage, lines: contextlib.ExitStack, address: str = "127.0.0.1", *, deaf: bool = False) -> socket.socket:
    """Connect from a local address; ``deaf``: with the smallest possible receive buffer."""
    line = lines.enter_context(socket.socket())
    if deaf:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(PATIENCE_S)
    line.bind((address, 0))
    line.connect(("127.0.0.1", stage.server.port))
    return line


def ends(line: socket.socket) -> bytes:
    """Return everything received until the server closes."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while data := line.recv(1 << 16):
            found += data
    return found


def is_open(line: socket.socket) -> bool:
    """Return whether the server answers on a connection."""
    try:
        line.sendall(b"GET /api/session HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return line.recv(15) == b"HTTP/1.1 200 OK"
    except OSError:
        return False


def code(answer: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    return f"{head.split()[1].decode()} {json.loads(body)['error']['code']}"


def behind(address: str, **more: str) -> dict[str, str]:
    return {"X-Forwarded-For": address, **more}


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"GET /api/session HTTP/1.1\r\nHost: x\r\n\r\n"]
)
def test_a_connection_on_which_nothing_whole_comes_is_closed(stages: Stages, lines: contextlib.ExitStack, said: bytes) -> None:
    stage = stages(limits={"idle_s": 1.0})
    line = connect(stage, lines)
    began_s = time.monotonic()
    line.sendall(said)
    ends(line)
    assert 0.8 < time.monotonic() - began_s < SOON_S


def test_headers_that_trickle_do_not_keep_it_open(stages: Stages, lines: contextlib.ExitStack) -> None:
    stage = stages(limits={"idle_s": 1.0})
    line = connect(stage, lines)
    line.sendall(b"GET / HTTP/1.1\r\n")
    began_s, number = time.monotonic(), 0
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began_s < SOON_S:
            line.sendall(b"X: y\r\n" if number < 50 or number % 8 == 0 else b"")  # stays below the limit on headers
            number += 1
            line.settimeout(0.1)
            with contextlib.suppress(TimeoutError):
                if not line.recv(1):
                    break
    assert time.monotonic() - began_s < SOON_S


def test_a_stream_is_not_idle(stages: Stages) -> None:
    stage = stages(limits={"idle_s": 1.0})
    connection, response = stage.call.open("GET", "/live.ts")
    response.read(len("first of ts"))
    threading.Event().wait(1.5)
    ((_, feed),) = stage.video.feeds
    feed.put(b"second")
    assert response.read(6) == b"second"
    connection.close()


def test_a_call_keeps_its_connection_while_it_is_answered(
    stages: Stages, lines: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stages(limits={"idle_s": 1.0})
    stage.request_service.release.clear()
    line = connect(stage, lines)
    body = b'{"user": "Mara", "text": "volcano"}'
    line.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    threading.Event().wait(1.5)
    stage.request_service.release.set()
    assert line.recv(12) == b"HTTP/1.1 201"


def test_an_answer_that_nobody_takes_is_given_up(stages: Stages, lines: contextlib.ExitStack) -> None:
    stage = stages(limits={"idle_s": 1.0})
    line = connect(stage, lines, deaf=True)
    line.sendall(b"GET /static/css/control.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 16)  # half a megabyte
    began_s = time.monotonic()
    while stage.call("GET", "/metrics").body.count(b"zoomdream_connections 1.0") == 0:
        assert time.monotonic() - began_s < PATIENCE_S
        threading.Event().wait(0.1)


def test_an_address_has_its_share_of_connections(stages: Stages, lines: contextlib.ExitStack) -> None:
    stage = stages(limits={"connections": 16, "address_connections": 1})
    mine = [connect(stage, lines) for _ in range(LOCAL)]
    assert all(map(is_open, mine[:2]))
    assert ends(connect(stage, lines)) == b"", "one more is closed at once"
    other = connect(stage, lines, "127.0.0.2")
    assert is_open(other)
    mine[0].close()
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_open(connect(stage, lines)):
        assert time.monotonic() < deadline_s
        threading.Event().wait(0.01)
    other.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b'zoomdream_refused_total{kind="connections"}' in ends(other)


def test_when_all_places_are_taken_the_longest_idle_makes_room(
    stages: Stages, lines: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SETTLED_S", 0.2)
    stage = stages(limits={"connections": 16})
    first = connect(stage, lines, "127.0.0.2")
    others = [connect(stage, lines, f"127.0.0.{2 + number % 2}") for number in range(15)]
    assert is_open(others[-1])
    threading.Event().wait(0.5)
    assert is_open(connect(stage, lines, "127.0.0.9"))
    assert ends(first) == b""


def test_calls_are_limited_by_visitor_behind_a_proxy(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "VisitorLimits", partial(limits.VisitorLimits, clock=HandClock()))  # nothing refills meanwhile
    stage = stages(token="open sesame", trusted_proxies=("127.0.0.1",), limits={"calls_per_s": 0.5})
    for _ in range(5):
        assert stage.call("GET", "/api/session", None, behind("203.0.113.7")).status == 200
    began_s = time.monotonic()
    answer = stage.call("GET", "/api/session", None, behind("203.0.113.7"))
    assert (answer.status, answer.error["code"]) == (429, "too_many_calls")
    assert int(answer.headers["Retry-After"]) >= 1
    assert time.monotonic() - began_s >= limits.PAUSE_S, "it is slowed down"
    assert stage.call("GET", "/api/session", None, behind("203.0.113.8")).status == 200
    token = behind("203.0.113.7", Authorization="Bearer open sesame")
    assert stage.call("GET", "/api/session", None, token).json["moderator"]
    wrong = behind("203.0.113.7", Authorization="Bearer no")
    assert stage.call("GET", "/api/session", None, wrong).error["code"] == "too_many_calls", "a wrong token buys nothing"


def test_a_flood_is_slowed_to_what_its_connections_allow(stages: Stages, lines: contextlib.ExitStack) -> None:
    stage = stages(limits={"calls_per_s": 0.1})
    line = connect(stage, lines)
    call = b"GET /api/session HTTP/1.1\r\nHost: localhost\r\n\r\n"
    line.settimeout(0.2)
    began_s, sent, got = time.monotonic(), 0, b""
    while (took_s := time.monotonic() - began_s) < 2.5 or (got.count(b"HTTP/1.1 200") < 8 and took_s < PATIENCE_S):
        with contextlib.suppress(TimeoutError):
            sent += line.send(call * 50) // len(call)
        with contextlib.suppress(TimeoutError):
            got += line.recv(1 << 16)
    took_s = time.monotonic() - began_s
    assert sent > 50
    assert 8 <= got.count(b"HTTP/1.1 200") <= 8 + 0.8 * took_s  # this machine's limit is eight times as high, plus the refill
    assert got.count(b"HTTP/1.1 429") <= took_s / limits.PAUSE_S


def test_streams_are_limited_by_visitor(stages: Stages) -> None:
    stage = stages(trusted_proxies=("127.0.0.1",), limits={"address_viewers": 1, "address_watchers": 1})
    for path in ("/live.ts", "/api/events"):
        connection, _ = stage.call.open("GET", path, None, behind("203.0.113.7"))
        answer = stage.call("GET", path, None, behind("203.0.113.7"))
        assert (answer.status, answer.error["code"]) == (429, "too_many")
        other, response = stage.call.open("GET", path, None, behind("203.0.113.8"))
        assert response.status == 200
        connection.close()
        other.close()


def test_bytes_are_limited_by_visitor(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAUSE_S", 0.0)
    stage = stages(trusted_proxies=("127.0.0.1",), limits={"kilobytes_per_s": 10})
    got = 0
    while (answer := stage.call("GET", "/static/css/control.css", None, behind("203.0.113.7"))).status == 200:
        got += len(answer.body)
        assert got < 200_000
    assert (answer.status, got > 100_000) == (429, True)
    assert stage.call("GET", "/static/css/control.css", None, behind("203.0.113.8")).status == 200


@pytest.mark.parametrize("path", ["/api/requests", "/api/skip", "/", "/live.ts"])
def test_a_huge_body_is_refused_and_not_read(stage: Stage, lines: contextlib.ExitStack, path: str) -> None:
    line = connect(stage, lines)
    size = 20 << 20
    line.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (path.encode(), size))
    began_s, sent = time.monotonic(), 0
    with contextlib.suppress(ConnectionError):
        while sent < size:
            sent += line.send(bytes(1 << 16))
    answer = ends(line)
    assert not answer or code(answer) == "413 too_large"
    assert time.monotonic() - began_s < SOON_S, "it is closed soon"
    assert sent < size, "most of it stays with its sender"
    assert stage.call("GET", "/api/status").status == 200


def test_a_huge_body_without_a_length_is_refused(stage: Stage, lines: contextlib.ExitStack) -> None:
    line = connect(stage, lines)
    line.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
    with contextlib.suppress(ConnectionError):
        for _ in range(320):
            line.sendall(chunk)
    answer = ends(line)
    assert not answer or code(answer) == "413 too_large"
    assert stage.request_service.calls == []


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400 malformed"),  # TLS
        (b"GET / HTTP/9.9.9\r\n\r\n", "400 malformed"),
        (b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", "400 malformed"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header\r\n\r\n", "400 malformed"),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", "400 malformed"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 20_000 + b"\r\n\r\n", "400 malformed"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", "400 malformed"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400 malformed"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", "400 malformed"),
    ],
)
def test_what_is_no_http_is_answered_and_not_logged(stage: Stage, lines: contextlib.ExitStack, sent: bytes, told: str) -> None:
    line = connect(stage, lines)
    line.sendall(sent)
    assert code(ends(line)) == told


def test_a_body_that_does_not_come_is_not_waited_for(
    stage: Stage, lines: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_schemas, "BODY_S", 0.2)
    line = connect(stage, lines)
    line.sendall(POST + b"Content-Length: 100\r\n\r\n{")
    assert code(ends(line)) == "408 too_slow"


@pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"text":', b"}")], ids=["lists", "objects"])
def test_deep_json_is_refused(stage: Stage, opened: bytes, closed: bytes) -> None:
    depth = 1500
    answer: Answer = stage.call(
        "POST", "/api/requests", opened * depth + b"1" + closed * depth, {"Content-Type": "application/json"}
    )
    assert (answer.status, answer.error["code"]) == (400, "bad_input")


def test_compressed_bodies_are_not_unpacked(stage: Stage) -> None:
    body = gzip.compress(json.dumps({"user": "Mara", "text": "volcano"}).encode())
    answer = stage.call("POST", "/api/requests", body, {"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert (answer.status, answer.error["code"]) == (400, "bad_input")


def test_one_that_takes_no_events_is_let_go(
    stages: Stages, lines: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_events, "STALL_S", 0.3)
    monkeypatch.setattr(status_events, "LOOK_S", 0.01)
    monkeypatch.setattr(status_events, "TELL_S", 0.02)
    monkeypatch.setattr(connections, "SOCKET_BYTES", 4096)
    stage = stages()
    for number in range(100):
        stage.request_service.add(f"viewer {number}", "volcano")
    line = connect(stage, lines, deaf=True)
    line.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    deadline_s = time.monotonic() + PATIENCE_S
    assert line.recv(1)
    while b"zoomdream_connections 1.0" not in stage.call("GET", "/metrics").body:
        assert time.monotonic() < deadline_s
        threading.Event().wait(0.05)


@pytest.mark.logs("cannot accept connections at the moment: Too many open files")
def test_the_server_pauses_without_descriptors_and_resumes(
    stage: Stage, lines: contextlib.ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    resource = pytest.importorskip("resource", reason="limits of a process are POSIX")
    assert stage.call("GET", "/api/session").status == 200
    line = lines.enter_context(socket.socket())
    line.settimeout(PATIENCE_S)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    began_s = time.monotonic()
    try:
        line.connect(("127.0.0.1", stage.server.port))
        threading.Event().wait(1.2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert is_open(line)
    most = 1 + (time.monotonic() - began_s) / connections.REST_S
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert 1 <= len(told) <= most
    assert set(told) == {f"cannot accept connections at the moment: {os.strerror(errno.EMFILE)}"}


def test_an_address_has_a_bounded_number_of_requests_in_line(stages: Stages) -> None:
    stage = stages(token="open sesame", trusted_proxies=("127.0.0.1",), limits={"address_waiting": 2})

    def ask(number: int, address: str = "203.0.113.7", **more: str) -> Answer:
        return stage.call("POST", "/api/requests", {"user": f"viewer {number}", "text": "volcano"}, behind(address, **more))

    assert [ask(number).status for number in range(2)] == [201, 201]
    answer = ask(2)
    assert (answer.status, answer.error["code"], answer.error["retry_s"]) == (429, "limit", 30.0)
    assert ask(3, "203.0.113.8").status == 201
    assert ask(4, Authorization="Bearer open sesame").status == 201, "the bot speaks for all of chat"
    stage.request_service.requests.pop(0)
    assert [ask(number).status for number in range(5, 7)] == [201, 429]
