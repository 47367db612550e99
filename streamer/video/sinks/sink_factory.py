"""Makes the sink for a block of ``outputs:``, whatever its kind."""

from __future__ import annotations

from dataclasses import replace

from streamer.config import (
    FileOutput,
    HlsOutput,
    MpegtsUdpOutput,
    NullOutput,
    Output,
    RtmpOutput,
    TwitchIngestOutput,
    VirtualCameraOutput,
)
from streamer.video.encoding.encoders import Encoders, EncodeSpec
from streamer.video.sinks.file import FileSink
from streamer.video.sinks.hls import HlsSink
from streamer.video.sinks.ingest import redactor, rtmp_destination, twitch_destination, twitch_spec, udp_destination
from streamer.video.sinks.network_sink import NetworkSink
from streamer.video.sinks.null import NullSink
from streamer.video.sinks.sink import Sink, SinkError, Subscribe
from streamer.video.sinks.virtual_camera import VirtualCameraSink

_Sized = FileOutput | HlsOutput | MpegtsUdpOutput | RtmpOutput | TwitchIngestOutput


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
        case MpegtsUdpOutput():
            subscribe = _packets(_spec(output, encoders), encoders, audio=output.audio)
            return NetworkSink(name, subscribe, lambda: udp_destination(output), kind=output.kind)
        case RtmpOutput():
            spec = replace(_spec(output, encoders), cbr=output.cbr)
            if output.gop_s is not None:
                spec = replace(spec, gop_s=output.gop_s)
            subscribe = _packets(spec, encoders, audio=output.audio)
            return NetworkSink(
                name,
                subscribe,
                lambda: rtmp_destination(output),
                kind=output.kind,
                redact=redactor(output),
                reconnect_s=output.reconnect_h * 3600,
            )
        case TwitchIngestOutput():
            return NetworkSink(
                name,
                _packets(twitch_spec(output, _spec(output, encoders)), encoders, audio=output.audio),
                lambda: twitch_destination(output),
                kind=output.kind,
                redact=redactor(output),
                reconnect_s=output.reconnect_h * 3600,
            )
        case VirtualCameraOutput():
            spec = encoders.spec(width=output.width, height=output.height)
            return VirtualCameraSink(
                name,
                (spec.height, spec.width),
                spec.fps,
                output.device,
                lambda: encoders.encoder(spec).subscribe("rgb"),
            )
        case _:
            raise SinkError(f"{output.kind} is no sink; it is served by the web server")


def _spec(output: _Sized, encoders: Encoders) -> EncodeSpec:
    """How an output's picture is encoded."""
    return encoders.spec(width=output.width, height=output.height, bitrate_kbps=output.bitrate_kbps)


def _packets(spec: EncodeSpec, encoders: Encoders, *, audio: bool) -> Subscribe:
    """Opens shares of an encode as packets; that it works is found out now."""
    kind = "packets+audio" if audio else "packets"
    encoders.encoder(spec)
    return lambda: encoders.encoder(spec).subscribe(kind)
