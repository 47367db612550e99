"""Hostile clients, for the suite and for tests/acceptance/http_flood.py: each attacks until it is told to stop.

They use local addresses other than 127.0.0.1, so their calls don't count against the client that measures.
"""

from __future__ import annotations

import contextlib
import itertools
import selectors
import socket
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from tests.patience import PATIENCE_S

HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
DEEP = 1500
ADDRESSES = 3
"""Addresses to attack from, 127.0.0.2 and up; more of them may take more."""


class Ending(Protocol):
    """An event that is set when it is time to stop."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


def post(path: str, body: bytes, headers: bytes = b"") -> bytes:
    """Return a POST request with JSON."""
    return b"POST %s HTTP/1.1\r\n%s%s%sContent-Length: %d\r\n\r\n%s" % (path.encode(), HOST, JSON, headers, len(body), body)


def get(path: str, headers: bytes = HOST) -> bytes:
    """Return a GET request."""
    return b"GET %s HTTP/1.1\r\n%s\r\n" % (path.encode(), headers)


WISH = b'{"user": "mallory", "text": "volcano"}'
BAD: dict[str, bytes] = {
    "a wrong host": get("/", b"Host: evil.example\r\n"),
    "a wrong host for video": get("/live.ts", b"Host: evil.example:8080\r\n"),
    "no host": get("/api/status", b""),
    "a foreign origin": post("/api/requests", WISH, b"Origin: https://evil.example\r\n"),
    "a foreign page's events": get("/api/events", HOST + b"Sec-Fetch-Site: cross-site\r\n"),
    "a wrong token": post("/api/skip", b"{}", b"Authorization: Bearer guess\r\n"),
    "no token": post("/api/skip", b"{}"),
    "no token, before a proxy": post("/api/clear", b"{}", b"X-Forwarded-For: 127.0.0.1\r\n"),
    **{
        f"a path like {path}": get(path)
        for path in (
            "/../../etc/passwd",
            "/static/../server.py",
            "/static/%2e%2e/server.py",
            "/static/%2e%2e%2fserver.py",
            "/static/..%2f..%2fconfig.py",
            "/static/..%5c..%5cconfig.py",
            "/static/%252e%252e%252fserver.py",
            "/static//etc/passwd",
            "/static/....//....//etc/passwd",
            "/static/css/..%c0%af..%c0%afserver.py",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/static/css%00/base.css",
        )
    },
    "deep lists": post("/api/requests", b"[" * DEEP + b"]" * DEEP),
    "deep objects": post("/api/requests", b'{"text":' * DEEP + b"1" + b"}" * DEEP),
    "a huge number": post("/api/requests", b'{"user": "m", "text": "volcano", "amount": 1' + b"0" * 5000 + b"}"),
    "a long body": post("/api/requests", b'"' + b"x" * 50_000 + b'"'),
    "a form": post("/api/requests", b"user=mallory").replace(JSON, b"Content-Type: text/plain\r\n"),
    "no text": post("/api/requests", b"\xff\xfe\xfd"),
    "an unknown method": b"BREW /coffee HTTP/1.1\r\n%s\r\n" % HOST,
    "two lengths": b"POST /api/skip HTTP/1.1\r\n%sContent-Length: 3\r\nContent-Length: 4\r\n\r\n{}" % HOST,
    "a smuggled call": b"POST /api/skip HTTP/1.1\r\n%sContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % HOST,
    "broken chunks": b"POST /api/skip HTTP/1.1\r\n%s%sTransfer-Encoding: chunked\r\n\r\nzz\r\n" % (HOST, JSON),
    "a long line": get("/" + "x" * 20_000),
    "many headers": get("/", HOST + b"".join(b"X-%d: y\r\n" % number for number in range(500))),
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
}
"""Calls that the server must refuse, by what is wrong with them; some only if it has a token."""


def connect(port: int, number: int = 0, receive: int | None = None, timeout_s: float = PATIENCE_S) -> socket.socket:
    """Connect from one of the addresses; ``receive``: the receive buffer, in bytes."""
    line = socket.socket()
    try:
        line.settimeout(timeout_s)
        if receive is not None:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        line.bind((f"127.0.0.{2 + number % ADDRESSES}", 0))
        line.connect(("127.0.0.1", port))
    except BaseException:
        line.close()
        raise
    return line


def verdict(port: int, call: bytes) -> str:
    """Return the outcome of a call: the first digit of its status, ``dropped``, or ``silence``."""
    with connect(port) as line:
        try:
            line.sendall(call)
            head = line.recv(12)
        except TimeoutError:
            return "silence"
        except OSError:
            return "dropped"
    return f"{head[9:10].decode()}xx" if head else "dropped"


def bad_calls(port: int, ending: Ending) -> Counter[str]:
    """Send all calls in BAD, over and over."""
    seen: Counter[str] = Counter()
    for call in itertools.cycle(BAD.values()):
        if ending.is_set():
            return seen
        with contextlib.suppress(OSError):
            seen[verdict(port, call)] += 1
    raise AssertionError


def huge_bodies(port: int, ending: Ending) -> Counter[str]:
    """Send 20 MB bodies, eight at a time."""
    seen: Counter[str] = Counter()
    piece, size = bytes(1 << 16), 20 << 20
    lines: dict[socket.socket, int] = {}
    with contextlib.ExitStack() as held:
        while not ending.is_set():
            while len(lines) < 8:
                line = held.enter_context(connect(port, len(lines)))
                with contextlib.suppress(OSError):
                    line.sendall(b"POST /api/requests HTTP/1.1\r\n%s%sContent-Length: %d\r\n\r\n" % (HOST, JSON, size))
                line.setblocking(False)
                lines[line] = 0
            for line in list(lines):
                try:
                    lines[line] += line.send(piece)
                except BlockingIOError:
                    continue
                except OSError:
                    seen["dropped"] += 1
                else:
                    if lines[line] < size:
                        continue
                    seen["taken whole"] += 1
                del lines[line]
                line.close()
            ending.wait(0.002)
    return seen


def idle(port: int, ending: Ending, number: int = 300) -> Counter[str]:
    """Hold silent connections; reopen the closed ones after a while."""
    seen: Counter[str] = Counter()
    lines: list[socket.socket] = []
    try:
        while not ending.is_set():
            lines = [line for line in lines if not _is_closed(line, seen)]
            for count in range(len(lines), number):
                with contextlib.suppress(OSError):
                    lines.append(connect(port, count))
            seen["most open"] = max(seen["most open"], sum(not _is_closed(line, Counter()) for line in lines))
            ending.wait(1.0)
    finally:
        for line in lines:
            line.close()
    return seen


def _is_closed(line: socket.socket, seen: Counter[str]) -> bool:
    if line.fileno() < 0:
        return True  # since the last check
    line.setblocking(False)
    try:
        data = line.recv(1 << 12)
    except BlockingIOError:
        return False
    except OSError:
        data = b""
    if data:
        return False
    line.close()
    seen["closed"] += 1
    return True


def slow_readers(port: int, ending: Ending, number: int = 50) -> Counter[str]:
    """Open video and events, half each, and read 100 bytes a second."""
    seen: Counter[str] = Counter()
    paths = ("/live.ts", "/api/events", "/live.mp4", "/api/events", "/live.mjpg", "/api/events")
    lines: list[socket.socket] = []
    try:
        for count, path in zip(range(number), itertools.cycle(paths), strict=False):
            with contextlib.suppress(OSError):
                lines.append(connect(port, count, 4096))
                lines[-1].sendall(get(path))
        while not ending.wait(1.0):
            for line in list(lines):
                line.setblocking(False)
                try:
                    data = line.recv(100)
                except BlockingIOError:
                    continue
                except OSError:
                    data = b""
                if not data:
                    seen["let go"] += 1
                    lines.remove(line)
                    line.close()
                elif data.startswith(b"HTTP/1.1 "):
                    seen[f"{data[9:10].decode()}xx"] += 1
    finally:
        for line in lines:
            line.close()
    return seen


def flood(port: int, ending: Ending, calls: tuple[bytes, ...], lines: int = 32, pause_s: float = 0.001) -> Counter[str]:
    """Send calls as fast as the server takes them, over connections that stay open as long as it lets them."""
    seen: Counter[str] = Counter()
    turns = itertools.cycle(calls)
    with selectors.DefaultSelector() as waiting:

        def open_one(number: int) -> None:
            with contextlib.suppress(OSError):
                line = connect(port, number)
                line.setblocking(False)
                waiting.register(line, selectors.EVENT_READ | selectors.EVENT_WRITE)

        while not ending.is_set():
            for key, mask in waiting.select(0.1):
                line = key.fileobj
                assert isinstance(line, socket.socket)
                try:
                    if mask & selectors.EVENT_WRITE:
                        line.send(next(turns))
                        seen["sent"] += 1
                    if mask & selectors.EVENT_READ:
                        data = line.recv(1 << 16)
                        if not data:
                            raise ConnectionResetError
                        for status in (b"2", b"4", b"5"):
                            seen[f"{status.decode()}xx"] += data.count(b"HTTP/1.1 " + status)
                except BlockingIOError:
                    continue
                except OSError:
                    seen["dropped"] += 1
                    waiting.unregister(line)
                    line.close()
            there = len(waiting.get_map())
            for number in range(there, min(lines, there + 16)):
                open_one(number)
            ending.wait(pause_s)
        for key in list(waiting.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
    return seen


def calls_flood(port: int, ending: Ending) -> Counter[str]:
    """Flood with the most expensive calls: status, all classes, a picture, requests, metrics."""
    costly = (get("/api/status"), get("/api/classes"), get("/frame.jpg"), post("/api/requests", WISH), get("/metrics"))
    return flood(port, ending, costly)


def connections_flood(port: int, ending: Ending) -> Counter[str]:
    """Open a connection for each call."""
    return flood(port, ending, (get("/api/session", HOST + b"Connection: close\r\n"),))


def events_flood(port: int, ending: Ending) -> Counter[str]:
    """Open more event streams than allowed, and read them."""
    return flood(port, ending, (get("/api/events"),), lines=300, pause_s=0.05)


ATTACKS: dict[str, Callable[[int, Ending], Counter[str]]] = {
    "calls that are wrong": bad_calls,
    "20 MB bodies": huge_bodies,
    "300 idle connections": idle,
    "50 slow readers": slow_readers,
    "a flood of calls": calls_flood,
    "a flood of connections": connections_flood,
    "a flood of event streams": events_flood,
}
