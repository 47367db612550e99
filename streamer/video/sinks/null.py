"""Encodes and discards the video, to measure the cost of encoding."""

from __future__ import annotations

from streamer.config import NullOutput
from streamer.video.encoding.encoders import Encoders
from streamer.video.sinks.sink import Sink


class NullSink(Sink):
    """Discards every piece."""

    @classmethod
    def from_settings(cls, name: str, output: NullOutput, encoders: Encoders) -> NullSink:
        """Make the sink of a block of ``outputs:``."""
        return cls(name, lambda: encoders.main.subscribe("ts"), kind=output.kind)

    def open(self) -> None:
        """Nothing to open."""

    def deliver(self, piece: bytes) -> None:
        """Discard the piece."""

    def finish(self) -> None:
        """Nothing to close."""
