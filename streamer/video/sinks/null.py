"""Encodes and throws away: for measuring what encoding costs."""

from __future__ import annotations

from streamer.video.sinks.sink import Sink


class NullSink(Sink):
    """Takes every piece and keeps none."""

    def open(self) -> None:
        """Nothing to open."""

    def deliver(self, piece: bytes) -> None:
        """Throw the piece away."""

    def finish(self) -> None:
        """Nothing to close."""
