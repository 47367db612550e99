"""Where the video goes besides the web page: one file for each kind of output."""

from __future__ import annotations

from streamer.config import FileOutput, Output
from streamer.video.encode import Encoder
from streamer.video.sinks.file import FileSink
from streamer.video.sinks.null import NullSink
from streamer.video.sinks.sink import Sink, SinkError, SinkState, SinkStatus

__all__ = ["Sink", "SinkError", "SinkState", "SinkStatus", "make_sink"]


def make_sink(output: Output, encoder: Encoder) -> Sink:
    """Make the sink that a block of ``outputs:`` asks for; it does nothing until started."""
    if isinstance(output, FileOutput):
        return FileSink(output.path, lambda: encoder.subscribe("mp4", gapless=False))
    return NullSink("null", lambda: encoder.subscribe("ts"))
