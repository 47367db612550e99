"""Network faults for outputs: a relay that resets connections, and a server that accepts them but never answers."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

PIECE = 1000
"""Bytes passed on at a time, not a whole number of pictures, so that a reset comes in the middle of one."""


class Relay:
    """Relay from ``port`` to another port of loopback and back, until closed."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._breaks: list[threading.Event] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self) -> None:
        """Break all connections with a TCP reset, as soon as the next piece comes."""
        with self._lock:
            breaks, self._breaks = self._breaks, []
        for told in breaks:
            told.set()

    def close(self) -> None:
        """Accept no more connections and break the open ones."""
        _end(self._listener)
        self.reset()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                theirs, _ = self._listener.accept()
                try:
                    ours = socket.create_connection(("127.0.0.1", self._to_port), timeout=10.0)
                except OSError:
                    theirs.close()
                    continue
                ours.settimeout(None)
                told = threading.Event()
                with self._lock:
                    self._breaks.append(told)
                for source, sink in ((theirs, ours), (ours, theirs)):
                    threading.Thread(target=_pass_on, args=(source, sink, told), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Silent:
    """Server that accepts connections on a port of loopback and sends nothing."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close the server and its connections."""
        _end(self._listener)
        self._thread.join(5)
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._open.append(self._listener.accept()[0])


def _pass_on(source: socket.socket, sink: socket.socket, broken: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while (piece := source.recv(PIECE)) and not broken.is_set():
            sink.sendall(piece)
    if broken.is_set():
        with contextlib.suppress(OSError):
            source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        source.close()  # this option makes it a reset
    for end in (source, sink):
        _end(end)


def _end(connection: socket.socket) -> None:
    """Close a socket, and wake threads that wait for it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
