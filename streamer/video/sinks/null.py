"""Encodes and throws away: for measuring what encoding costs."""

from __future__ import annotations

from streamer.config import NullOutput
from streamer.video.encoding.encoders import Encoders
from streamer.video.sinks.sink import Sink


class NullSink(Sink):
    """Takes every piece and keeps none."""

    @classmethod
    def from_settings(cls, name: str, output: NullOutput, encoders: Encoders) -> NullSink:
        """Make the sink of a block of ``outputs:``."""
        return cls(name, lambda: encoders.main.subscribe("ts"), kind=output.kind)

    def open(self) -> None:
        """Nothing to open."""

    def deliver(self, piece: bytes) -> None:
        """Throw the piece away."""

    def finish(self) -> None:
        """Nothing to close."""
