"""Help for the tests of network outputs: an endless subscription, and servers that misbehave."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, cast

from streamer.video.encoding.packet_protocol import Media, PacketUnpacker
from streamer.video.sinks.sink import Subscribe
from tests.video.packets import Source


class Tape:
    """A stand-in for an encoder's subscription: pictures at a rate, from a keyframe on, up to ``most`` or until closed.

    With ``most``, pictures after the ``first`` wait until ``go`` is set, since those before a connection are not all sent.
    """

    def __init__(self, source: Source, most: int | None = None, *, first: int = 3, pace_s: float = 0.02) -> None:
        self._source, self._most, self._first, self._pace_s = source, most, first, pace_s
        self._ending = threading.Event()
        self.go, self.idle = threading.Event(), threading.Semaphore(0)
        self._waiting: deque[bytes] = deque()
        self.dropped = 0
        self.given: list[bytes] = []

    @property
    def subscribe(self) -> Subscribe:
        return cast(Subscribe, lambda: self)

    @property
    def closed(self) -> bool:
        return self._ending.is_set()

    @property
    def out(self) -> bool:
        """Whether all pictures have been read."""
        return self._most is not None and len(self.given) > self._most

    @property
    def media_bytes(self) -> int:
        """Bytes of picture and sound read so far."""
        items = PacketUnpacker().feed(b"".join(self.given))
        return sum(len(item.data) for item in items if isinstance(item, Media))

    def read(self, timeout: float | None = None) -> bytes | None:
        if self.out or (self._most is not None and len(self.given) == 1 + self._first and not self.go.is_set()):
            self.idle.release()
            self._ending.wait(timeout)
            return None
        if self._ending.wait(self._pace_s):
            return None
        if not self._waiting:
            self._waiting.extend(self._source.pieces(1))
        self.given.append(self._waiting.popleft())
        return self.given[-1]

    def close(self) -> None:
        self._ending.set()


class Evil:
    """A server on a free loopback port that handles each connection with a given function."""

    def __init__(self, does: Callable[[socket.socket], Any]) -> None:
        self._does = does
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                self._open.append(connection)
                with contextlib.suppress(OSError):
                    self._does(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hang_up()  # also ends the function in progress
        self._thread.join(5)
        self._hang_up()  # a connection that arrived meanwhile

    def _hang_up(self) -> None:
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def says_nothing(connection: socket.socket) -> None:
    """Keep the connection open without sending."""


def hangs_up(connection: socket.socket) -> None:
    """Read a little, then close."""
    connection.recv(100)
    connection.close()


def speaks_http(connection: socket.socket) -> None:
    """Answer anything as a web server does."""
    connection.recv(5000)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" * 80)
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(5000):
        pass
