"""The sinks that send to a server: each with its encoding and its destination."""

from __future__ import annotations

from streamer.config import MpegtsUdpOutput, RtmpOutput, TwitchIngestOutput
from streamer.video.encoding.encoders import Encoders
from streamer.video.sinks.ingest import redactor, rtmp_destination, twitch_destination, twitch_spec, udp_destination
from streamer.video.sinks.network_sink import NetworkSink


class UdpSink(NetworkSink):
    """Sends MPEG-TS over UDP."""

    @classmethod
    def from_settings(cls, name: str, output: MpegtsUdpOutput, encoders: Encoders) -> UdpSink:
        """Make the sink of a block of ``outputs:``."""
        subscribe = encoders.packets(encoders.spec_of(output), audio=output.audio)
        return cls(name, subscribe, lambda: udp_destination(output), kind=output.kind)


class RtmpSink(NetworkSink):
    """Pushes to an RTMP or RTMPS server."""

    @classmethod
    def from_settings(cls, name: str, output: RtmpOutput, encoders: Encoders) -> RtmpSink:
        """Make the sink of a block of ``outputs:``."""
        spec = encoders.spec_of(output, gop_s=output.gop_s, cbr=output.cbr)
        return cls(
            name,
            encoders.packets(spec, audio=output.audio),
            lambda: rtmp_destination(output),
            kind=output.kind,
            redact=redactor(output),
            reconnect_s=output.reconnect_h * 3600,
        )


class TwitchSink(NetworkSink):
    """Pushes to Twitch, encoded as Twitch requires."""

    @classmethod
    def from_settings(cls, name: str, output: TwitchIngestOutput, encoders: Encoders) -> TwitchSink:
        """Make the sink of a block of ``outputs:``."""
        spec = twitch_spec(output, encoders.spec_of(output))
        return cls(
            name,
            encoders.packets(spec, audio=output.audio),
            lambda: twitch_destination(output),
            kind=output.kind,
            redact=redactor(output),
            reconnect_s=output.reconnect_h * 3600,
        )
