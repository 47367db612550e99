"""Muxes encoded pictures and sound into a container."""

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
"""How long pictures wait for missing sound, in microseconds. FFmpeg's default of 10 s would be lost in a crash."""


class ByteWriter(Protocol):
    """Takes the container's bytes. If it also has ``seek`` and ``tell``, the container may go back to fill in its length."""

    def write(self, data: bytes, /) -> int:
        """Write all of the bytes; raises OSError."""


class Container:
    """Muxes H.264 and AAC into any of FFmpeg's container formats; belongs to one thread.

    The bytes go to a Python object, not to a file that FFmpeg opens. This has three advantages: a slow disk does not block the
    interpreter, write errors raise immediately (FFmpeg's HLS writer ignores them), and the object knows what was written.
    """

    def __init__(
        self, target: ByteWriter, format_name: str, info: MediaInfo, options: dict[str, str], *, start: int | None = None
    ) -> None:
        """Prepare; the header is written with the first picture.

        Args:
            start: The time, in 1/90000 s, that becomes 0; None keeps the times.
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
            # An encoder that never encodes; PyAV has no other way to set up raw AAC.
            self._audio = self._container.add_stream("aac", rate=info.audio_rate, bit_rate=info.audio_bitrate_kbps * 1000)

    def mux(self, media: Media) -> None:
        """Add a picture, or sound if the container has sound; raises OSError."""
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
    """Turn every FFmpeg error into an OSError; only some of them are one."""
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise OSError(error.errno, error.strerror) from error
