"""One connection to a server, in a process of its own, because opening it can block every thread of a process indefinitely.

The network sink starts it as ``python -m streamer.video.sinks.push_process``, and kills it when it hangs. Standard input: a
line of JSON with the destination, then frames of ``streamer.video.encoding.packet_protocol``. Standard output: JSON lines,
``{"state": "ready"}``, ``{"state": "connected"}``, several times a second ``{"bytes": N, "taken": N}``, and
``{"error": "…"}`` before it ends because of an error. It ends with its input and with its parent. Its arguments and
environment contain nothing secret.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import select
import signal
import socket
import stat
import struct
import sys
import threading
import time
from fractions import Fraction
from typing import Any

import av
import av.logging

from streamer.video.encoding.packet_protocol import VIDEO_RATE, Media, MediaInfo, PacketProtocolError, PacketUnpacker
from streamer.video.sinks.diagnosis import why_lost, why_not_connected

REPORT_S = 0.25
"""Seconds between two reports of bytes sent."""
DEAD_S = 30
"""Seconds without a sign of life after which the system ends this process, should nobody else."""
GOODBYE_S = 3.0
"""Seconds that closing the connection may take once the input has ended."""
SEND_BUFFER = (128 << 10, 1 << 20)
"""Least and most bytes of the socket's send buffer; in between it holds a second of video, so that the delay stays small."""
_TCP_ACKED = struct.Struct("=120xQ")
"""tcpi_bytes_acked in Linux's struct tcp_info: bytes that the server's machine has acknowledged."""
_TCP_WINDOW = struct.Struct("=228xI")
"""tcpi_snd_wnd: how many more bytes it accepts; since Linux 5.4."""
_READ_BYTES = 1 << 16
_NO_PICTURE = b"\0\0\1\x65\x88\x84" + bytes(24)
"""The beginning of a keyframe: FFmpeg reads parameter sets only if a picture follows."""


_IN_OPTION, _IN_TEE = "\\':]", "\\'|"
"""Characters to escape in an option's value, and then in the whole address."""


def tee_address(url: str, options: dict[str, str]) -> str:
    """Return an address for FFmpeg's tee muxer, which, unlike PyAV, passes options to the protocol."""
    written = ":".join(f"{key}={_escaped(value, _IN_OPTION)}" for key, value in options.items())
    return _escaped(f"[{written}]{url}", _IN_TEE)


def _escaped(text: str, special: str) -> str:
    return "".join(f"\\{letter}" if letter in special else letter for letter in text)


class Connection:
    """An open container on a server."""

    def __init__(self, order: dict[str, Any], info: MediaInfo) -> None:
        """Connect and send the header; blocks every thread of this process.

        Args:
            order: ``url``; ``format``; ``options`` of container and protocol; ``where``: host and port; ``keyed``: whether the
                address ends in a key.

        Raises:
            ConnectionError: the connection failed; the text says why and contains no key.
        """
        self._info, self._where, self._keyed = info, str(order["where"]), bool(order["keyed"])
        if order["format"] == "flv":
            address, name, options = tee_address(order["url"], {"f": "flv", **order["options"]}), "tee", {}
        else:
            address, name, options = order["url"], order["format"], order["options"]
        before = _sockets()
        # FFmpeg logs nothing before and after this, because its log contains the key.
        av.logging.set_level(av.logging.DEBUG)
        with av.logging.Capture() as lines:
            try:
                self._container = av.open(address, "w", format=name, options=options)
                self._video = self._add_video(info)
                self._audio = self._container.add_stream("aac", info.audio_rate, layout="stereo") if info.audio_rate else None
                self._container.start_encoding()
            except (av.FFmpegError, OSError) as error:
                logged = [(part, text) for _, part, text in lines]
                raise ConnectionError(why_not_connected(logged, _os_error(error), self._where)) from None
            finally:
                av.logging.set_level(None)
        self._started_s = time.monotonic()
        self._sockets = _sockets() - before
        self._base: int | None = None
        self._last = {True: -1, False: -1}
        self._muxed = 0
        for number in self._sockets:
            _tune(number, info.bitrate_kbps * 1000 // 8)
        self._before = self._tcp()

    def _add_video(self, info: MediaInfo) -> av.VideoStream:
        """Add a stream with the parameter sets in its header; PyAV takes them only from a stream that it has read."""
        data = io.BytesIO(info.extradata + _NO_PICTURE)
        with av.open(data, "r", format="h264", options={"framerate": str(info.fps)}) as read:
            return self._container.add_stream_from_template(read.streams.video[0], opaque=True)

    def send(self, media: Media) -> None:
        """Send a picture or sound. Everything before the first keyframe is skipped, and time counts from there.

        Raises:
            ConnectionError: the connection is lost; the text says why and contains no key.
        """
        if self._base is None:
            if media.audio or not media.key:
                return
            self._base = media.pts
        rate = self._info.audio_rate if media.audio else VIDEO_RATE
        pts = media.pts - round(self._base * rate / VIDEO_RATE)
        stream = self._audio if media.audio else self._video
        if stream is None or pts < 0 or pts <= self._last[media.audio]:
            return
        self._last[media.audio] = pts
        packet = av.Packet(media.data)
        packet.pts = packet.dts = pts
        packet.duration = media.duration
        packet.time_base = Fraction(1, rate)
        packet.is_keyframe = media.key
        packet.stream = stream
        try:
            self._container.mux(packet)
        except (av.FFmpegError, OSError) as error:
            lived_s = time.monotonic() - self._started_s
            raise ConnectionError(why_lost(_os_error(error), lived_s, self._where, keyed=self._keyed)) from None
        self._muxed += len(media.data)

    def moved(self) -> tuple[int, int]:
        """Return the bytes that the server's machine has acknowledged, and the position up to which the server accepts data.

        The second is the upper end of TCP's window: while a server does not read, its machine still acknowledges what fits its
        buffer, but the window stops moving. If the system does not report these, both are the bytes sent.
        """
        now = self._tcp()
        if now is None or self._before is None:
            return self._muxed, self._muxed
        return now[0] - self._before[0], now[1] - self._before[0]

    def close(self) -> None:
        """Close the connection; may block."""
        with contextlib.suppress(av.FFmpegError, OSError):
            self._container.close()

    def _tcp(self) -> tuple[int, int] | None:
        """Return bytes acknowledged and the upper end of the window; None without a TCP connection."""
        if sys.platform == "linux":
            for number in self._sockets:
                with contextlib.suppress(OSError, struct.error), _borrowed(number) as connection:
                    if connection.type == socket.SOCK_STREAM:
                        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                        (acked,) = _TCP_ACKED.unpack_from(info)
                        window = _TCP_WINDOW.unpack_from(info)[0] if len(info) >= _TCP_WINDOW.size else 0
                        return acked, acked + window
        return None


def _os_error(error: av.FFmpegError | OSError) -> OSError:
    """Return an error as an OSError, without the address that PyAV puts into the text."""
    if isinstance(error, EOFError):
        return ConnectionResetError(errno.ECONNRESET, "the server hung up")
    if isinstance(error, OSError):
        return OSError(error.errno, "failed")
    return OSError(errno.EINVAL, "FFmpeg cannot do it")


def _sockets() -> set[int]:
    """Return all open sockets of this process."""
    found = set()
    for number in range(3, 256):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                found.add(number)
    return found


@contextlib.contextmanager
def _borrowed(number: int) -> Any:
    """Wrap a socket that FFmpeg owns, for the time of the block."""
    connection = socket.socket(fileno=number)
    try:
        yield connection
    finally:
        connection.detach()


def _tune(number: int, bytes_per_s: int) -> None:
    with contextlib.suppress(OSError), _borrowed(number) as connection:
        if connection.type == socket.SOCK_STREAM:
            least, most = SEND_BUFFER
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, min(most, max(least, bytes_per_s)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Reports:
    """Reports progress to the parent several times a second; ends the process when the parent stops listening."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self._thread = threading.Thread(target=self._work, name="reports", daemon=True)

    def start(self) -> None:
        """Start reporting."""
        self._thread.start()

    def tell(self, **what: object) -> None:
        """Write one line in one call."""
        try:
            os.write(1, json.dumps(what).encode() + b"\n")
        except OSError:
            os._exit(1)

    def _work(self) -> None:
        leaving_s = 0.0
        poll = select.poll() if hasattr(select, "poll") else None
        if poll is not None:
            poll.register(0, 0)  # POLLHUP is always reported
        while True:
            if hasattr(signal, "alarm"):
                signal.alarm(DEAD_S)
            if self.connection is not None:
                confirmed, taken = self.connection.moved()
                self.tell(bytes=confirmed, taken=taken)
            if poll is None:
                time.sleep(REPORT_S)
            elif not poll.poll(REPORT_S * 1000):
                continue
            else:  # the input has ended; the main thread does not notice while it waits for the server
                time.sleep(REPORT_S)
                leaving_s += REPORT_S
                if leaving_s >= GOODBYE_S:
                    os._exit(1)


def end_with_parent() -> None:
    """Make Linux end this process when its parent dies, even while FFmpeg blocks all its threads."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        parent = os.getppid()
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent or parent == 1:
            os._exit(1)


def push(reports: Reports) -> str:
    """Read the order, connect, and send until the input ends; return why it failed, or an empty text."""
    unpacker = PacketUnpacker()
    head = b""
    while b"\n" not in head:
        data = os.read(0, _READ_BYTES)
        if not data:
            return ""
        head += data
    line, _, data = head.partition(b"\n")
    order: dict[str, Any] = json.loads(line)
    connection: Connection | None = None
    try:
        while True:
            for item in unpacker.feed(data):
                if isinstance(item, Media):
                    if connection is not None:
                        connection.send(item)
                elif connection is None:
                    connection = Connection(order, item)
                    reports.connection = connection
                    reports.tell(state="connected")
            data = os.read(0, _READ_BYTES)
            if not data:
                break
    except (ConnectionError, PacketProtocolError) as error:
        return str(error)
    if connection is not None:
        connection.close()
    return ""


def main() -> None:
    """Run as a program."""
    for name in {"SIGINT", "SIGHUP"} & set(dir(signal)):  # the parent handles the terminal's signals
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    end_with_parent()
    reports = Reports()
    reports.tell(state="ready")
    reports.start()
    error = push(reports)
    if error:
        reports.tell(error=error)
    os._exit(1 if error else 0)  # skips FFmpeg's cleanup, which may wait for the server


if __name__ == "__main__":
    main()
