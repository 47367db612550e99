"""A container that encoded pictures and sound are put into as they come off the wire."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Protocol

import av
from av.packet import Packet
from av.stream import Stream

from streamer.video.encoding.packet_protocol import VIDEO_RATE, Media, MediaInfo

WAIT_FOR_OTHER_US = 1_000_000
"""How long pictures wait for sound that does not come, in microseconds; FFmpeg's own 10 s would be lost in a crash."""


class ByteWriter(Protocol):
    """Where the container's bytes go; with ``seek`` and ``tell`` besides, the container may go back to fill in its length."""

    def write(self, data: bytes, /) -> int:
        """Take some bytes, all of them; raises OSError."""


class Container:
    """Puts H.264 and AAC into a container of any format that FFmpeg has; belongs to one thread.

    The bytes go to a Python object and not to a file that FFmpeg opens, which buys three things: no call here holds the
    interpreter while a disk is slow, what cannot be written raises at once (FFmpeg's HLS writer goes on regardless), and the
    object knows what was written.
    """

    def __init__(
        self, target: ByteWriter, format_name: str, info: MediaInfo, options: dict[str, str], *, start: int | None = None
    ) -> None:
        """Prepare; the header is written with the first picture.

        Args:
            start: The time, in 1/90000 s, that becomes 0; None keeps the times as they come.
        """
        self._video_start = start or 0
        self._audio_start = self._video_start * info.audio_rate // VIDEO_RATE
        self._audio_rate = info.audio_rate
        self._container = av.open(
            target,
            "w",
            format=format_name,
            container_options={"flush_packets": "1", "max_interleave_delta": str(WAIT_FOR_OTHER_US), **options},
        )
        self._video = self._container.add_mux_stream("h264", rate=info.fps, width=info.width, height=info.height)
        self._audio: Stream | None = None
        if info.audio_rate:
            # An encoder that never encodes: PyAV has no other way to set up raw AAC.
            self._audio = self._container.add_stream("aac", rate=info.audio_rate, bit_rate=info.audio_bitrate_kbps * 1000)

    def mux(self, media: Media) -> None:
        """Add a picture, or sound if the container has any; raises OSError."""
        stream = self._audio if media.audio else self._video
        if stream is None:
            return
        packet: Packet[Any] = Packet(media.data)
        packet.pts = packet.dts = media.pts - (self._audio_start if media.audio else self._video_start)
        packet.duration = media.duration
        packet.time_base = Fraction(1, self._audio_rate if media.audio else VIDEO_RATE)
        packet.is_keyframe = media.key or media.audio
        packet.stream = stream
        with _as_os_error():
            self._container.mux(packet)

    def close(self) -> None:
        """Write the end; raises OSError."""
        with _as_os_error():
            self._container.close()


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """Everything that FFmpeg finds wrong as an OSError, which only some of its errors are."""
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise OSError(error.errno, error.strerror) from error
