"""Outputs of the video besides the web page. Each kind is a sink, named in its class of settings (``config_outputs``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamer.config import Output
    from streamer.video.encoding.encoders import Encoders
    from streamer.video.sinks.sink import Sink, SinkError, SinkState, SinkStatus

__all__ = ["Sink", "SinkError", "SinkState", "SinkStatus", "make_sink"]


def make_sink(output: Output, encoders: Encoders, name: str) -> Sink:
    """Make the sink that a block of ``outputs:`` names; it does nothing until started.

    Raises:
        EncoderError: this machine cannot encode what it asks for.
        SinkError: the web server serves this kind of output, no sink does.
    """
    from pkgutil import resolve_name

    from streamer.video.sinks.sink import SinkError

    if output.sink is None:
        raise SinkError(f"{output.kind} is no sink; it is served by the web server")
    sink: Sink = resolve_name(output.sink).from_settings(name, output, encoders)
    return sink


def __getattr__(name: str) -> Any:
    """Import lazily: ``push_process``, a program in this package, starts fast because it needs none of these."""
    if name in __all__:
        from streamer.video.sinks import sink

        return getattr(sink, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
