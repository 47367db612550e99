"""Internet radio over HTTP: requests with time limits, the status line of old SHOUTcast servers, titles within the stream.

FFmpeg could open such an address itself (with the GIL released: measured), but its messages contain the address with the
password, and it does not pass the titles on.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import http.client
import io
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from streamer.video.sound.decoding import SoundError

AGENT = "zoomdream"
MAX_TITLE = 100
"""Most characters of a title to show."""
STALL_BYTES = 500
"""Fewer bytes in ``timeout_s`` of waiting count as no stream; the slowest stations, 8 kbps, send 1000 a second."""


def shown(url: str) -> str:
    """Return the address without its possibly secret parts: user, password, query."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    with contextlib.suppress(ValueError):
        host += f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


class Station:
    """An open stream. Reads like a sound file, without the titles in between."""

    def __init__(self, response: http.client.HTTPResponse, url: str, timeout_s: float, clock: Callable[[], float]) -> None:
        self._response = response
        self._timeout_s = timeout_s
        self._clock = clock
        interval = response.headers.get("icy-metaint", "")
        self._interval = int(interval) if re.fullmatch(r"[0-9]{1,9}", interval) else 0
        self._left = self._interval
        self._waited_s = 0.0
        self._came = 0
        self.url = url
        """Its address after all redirects."""
        self.content_type = response.headers.get_content_type() if "content-type" in response.headers else ""
        self.name = clean_title(_text(response.headers.get("icy-name", "").encode("latin-1", "replace")))
        """Name of the station; may be empty."""
        self.title = ""
        """Title of what is playing; may be empty."""

    def read(self, size: int) -> bytes:
        """Return the next bytes of sound as soon as there are some; empty when the stream has ended.

        Raises:
            TimeoutError: almost no data comes any more.
            OSError, http.client.HTTPException: the connection broke.
        """
        if self._interval and not self._left:
            self._read_title()
            self._left = self._interval
        start_s = self._clock()
        data = self._response.read1(min(size, self._left) if self._interval else size)
        self._left -= len(data)
        self._judge(len(data), self._clock() - start_s)
        return data

    def _read_title(self) -> None:
        length = self._response.read(1)
        block = self._response.read(16 * length[0]) if length else b""
        found = re.search(rb"StreamTitle='(.*?)';(?:\s|\0|Stream|$)", block, re.DOTALL)
        if found:
            self.title = clean_title(_text(found[1]))

    def _judge(self, came: int, waited_s: float) -> None:
        """Detect a server that sends only a byte now and then, which a socket's timeout does not."""
        self._came += came
        self._waited_s += waited_s
        if self._came >= STALL_BYTES:
            self._came, self._waited_s = 0, 0.0
        elif self._waited_s >= self._timeout_s:
            raise TimeoutError


class StationConnector:
    """Opens addresses, one at a time."""

    def __init__(self, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._response: http.client.HTTPResponse | None = None
        self._late = False
        self._over = False

    def open(self, url: str) -> Station:
        """Open an address; HTTP redirects are followed.

        Raises:
            SoundError: it failed; the text says why, without the address.
        """
        self.close()
        with self._lock:
            self._late = False
        timer = threading.Timer(2 * self._timeout_s, self._interrupt)  # for a server that answers one byte at a time
        timer.daemon = True
        timer.start()
        try:
            response = self._opener().open(_request(url), timeout=self._timeout_s)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SoundError(reason(TimeoutError() if self._late else error, self._timeout_s)) from None
        finally:
            timer.cancel()
        self._response = response
        if self._late:  # the interrupt cut the headers short
            self.close()
            raise SoundError(reason(TimeoutError(), self._timeout_s))
        return Station(response, response.geturl(), self._timeout_s, self._clock)

    def hang_up(self) -> None:
        """End for good, from any thread: a read in progress fails immediately, and nothing is opened any more."""
        with self._lock:
            self._over = True
        self._interrupt()

    def close(self) -> None:
        """Close the connection, from the thread that reads."""
        response, self._response = self._response, None
        with self._lock:
            connection, self._socket = self._socket, None
        for each in (response, connection):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.close()

    def _interrupt(self) -> None:
        with self._lock:
            self._late = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # TLS's own shutdown would break a read in progress

    def _note(self, connection: socket.socket) -> None:
        with self._lock:
            self._socket = connection
            if self._late or self._over:
                raise TimeoutError

    def _opener(self) -> urllib.request.OpenerDirector:
        """Return an opener for HTTP only: a server might redirect to local files or FTP."""
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _Http(self._note),
            _Https(self._note),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.UnknownHandler(),
        ):
            opener.add_handler(handler)
        return opener


def reason(error: Exception, timeout_s: float) -> str:
    """Say briefly why a station cannot be played, without its address."""
    if isinstance(error, urllib.error.HTTPError):
        with contextlib.suppress(OSError):
            error.close()
        return "it asks for another user name and password" if error.code == 401 else f"it answers {error.code}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, str):
        return "it leads to an address that is not HTTP"
    if isinstance(cause, TimeoutError):
        return f"it sent nothing for {timeout_s:g} s"
    if isinstance(cause, socket.gaierror):
        return "no machine of that name is known (DNS)"
    if isinstance(cause, ConnectionRefusedError):
        return "it refuses the connection"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not trusted ({cause.verify_message})"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed ({cause.reason or 'no reason given'})"
    if isinstance(cause, OSError):
        return f"the connection broke ({cause.strerror or type(cause).__name__})"
    return f"it does not speak HTTP as it should ({type(cause).__name__})"


def clean_title(text: str) -> str:
    """Return a server's text as one short printable line."""
    return "".join(c if c.isprintable() else " " for c in text).strip()[:MAX_TITLE]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _request(url: str) -> urllib.request.Request:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    path, query = (quote(part, safe="!$%&'()*+,/:;=?@~") for part in (parts.path or "/", parts.query))
    url = urlunsplit((parts.scheme, host, path, query, ""))
    request = urllib.request.Request(url, headers={"User-Agent": AGENT, "Icy-MetaData": "1"})
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        # Unredirected, so that no other server gets it.
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    return request


class _StatusLine:
    """A response's file that turns SHOUTcast 1's 'ICY 200 OK' into an HTTP status line."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._first = True

    def readline(self, limit: int = -1) -> bytes:
        line = self._file.readline(limit)
        if self._first and line.startswith(b"ICY "):
            line = b"HTTP/1.0 " + line[4:]
        self._first = False
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = cast(io.BufferedReader, _StatusLine(self.fp))


class _Connection(http.client.HTTPConnection):
    response_class = _Response

    def __init__(self, *args: Any, note: Callable[[socket.socket], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self._note = note

    def connect(self) -> None:
        super().connect()
        self._note(self.sock)


class _SecureConnection(http.client.HTTPSConnection):
    response_class = _Response

    def __init__(self, *args: Any, note: Callable[[socket.socket], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self._note = note

    def connect(self) -> None:
        super().connect()
        self._note(self.sock)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, note: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self._note = note

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_Connection, note=self._note), request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, note: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self._note = note

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_SecureConnection, note=self._note), request)
