"""Where the video goes besides the web page: one file for each kind of output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamer.video.sinks.kinds import make_sink
    from streamer.video.sinks.sink import Sink, SinkError, SinkState, SinkStatus

__all__ = ["Sink", "SinkError", "SinkState", "SinkStatus", "make_sink"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, not before: ``carrier``, a program in this package that must start at once, needs nothing."""
    if name == "make_sink":
        from streamer.video.sinks import kinds

        return kinds.make_sink
    if name in __all__:
        from streamer.video.sinks import sink

        return getattr(sink, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
