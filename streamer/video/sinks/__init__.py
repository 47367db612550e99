"""Where the video goes besides the web page: one file for each kind of output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamer.video.sinks.sink import Sink, SinkError, SinkState, SinkStatus
    from streamer.video.sinks.sink_factory import make_sink

__all__ = ["Sink", "SinkError", "SinkState", "SinkStatus", "make_sink"]


def __getattr__(name: str) -> Any:
    """Import lazily: ``push_process``, a program in this package, must start fast and needs none of these."""
    if name == "make_sink":
        from streamer.video.sinks import sink_factory

        return sink_factory.make_sink
    if name in __all__:
        from streamer.video.sinks import sink

        return getattr(sink, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
