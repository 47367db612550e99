"""Where the video goes besides the web page: one file for each kind of output."""

from __future__ import annotations

from streamer.config import FileOutput, HlsOutput, NullOutput, Output
from streamer.video.encoders import Encoders, EncodeSpec
from streamer.video.sinks.file import FileSink
from streamer.video.sinks.hls import HlsSink
from streamer.video.sinks.null import NullSink
from streamer.video.sinks.sink import Sink, SinkError, SinkState, SinkStatus, Subscribe

__all__ = ["Sink", "SinkError", "SinkState", "SinkStatus", "make_sink"]


def make_sink(output: Output, encoders: Encoders, name: str) -> Sink:
    """Make the sink that a block of ``outputs:`` asks for; it does nothing until started.

    Raises:
        EncoderError: what it wants cannot be encoded here.
        SinkError: there is no sink of its kind.
    """
    match output:
        case NullOutput():
            return NullSink(name, lambda: encoders.main.subscribe("ts"), kind="null")
        case FileOutput():
            spec = _spec(output, encoders)
            return FileSink(name, output, spec.bitrate_kbps, _packets(spec, encoders, audio=output.audio))
        case HlsOutput():
            return HlsSink(name, output, _packets(_spec(output, encoders), encoders, audio=output.audio))
        case _:
            raise SinkError(f"this version has no outputs of the kind {output.kind}")


def _spec(output: FileOutput | HlsOutput, encoders: Encoders) -> EncodeSpec:
    """How an output's picture is encoded."""
    return encoders.spec(width=output.width, height=output.height, bitrate_kbps=output.bitrate_kbps)


def _packets(spec: EncodeSpec, encoders: Encoders, *, audio: bool) -> Subscribe:
    """Opens shares of an encode as packets; that it works is found out now."""
    kind = "packets+audio" if audio else "packets"
    encoders.encoder(spec)
    return lambda: encoders.encoder(spec).subscribe(kind)
