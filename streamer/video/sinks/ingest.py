"""Where the network outputs connect to and with which key, and how Twitch wants its video."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from streamer.config import MpegtsUdpOutput, RtmpOutput, TwitchIngestOutput
from streamer.video.encoding.spec import EncodeSpec
from streamer.video.sinks.secrets import Redactor, StreamKeyError, read_key

TWITCH_SERVER = "rtmp://live.twitch.tv/app"
"""Twitch's own choice of a server nearby."""
TWITCH_GOP_S = 2.0
TWITCH_KBPS = ((1280 * 720 * 30, 3000), (1280 * 720 * 60, 4500), (1920 * 1080 * 30, 4500), (1920 * 1080 * 60, 6000))
"""Twitch's advice: kilobits a second up to so many pixels a second."""
TWITCH_MOST_KBPS = 6000
_LEAST_KBPS = 400
_SMALLER = 0.75
"""Half the pixels need more than half the bits; an exponent in common use."""
ANSWER_S = 12
"""Seconds after which FFmpeg gives a silent server up."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to connect to, and how."""

    url: str = field(repr=False)
    """The whole address; may end in a key."""
    where: str
    """Host and port, for people."""
    format: str
    """FFmpeg's name of the container."""
    options: Mapping[str, str]
    """For container and protocol."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must not be told to anyone."""

    @property
    def keyed(self) -> bool:
        """Whether the address ends in a key."""
        return bool(self.secrets)


def rtmp_destination(output: RtmpOutput) -> Destination:
    """Where an ``rtmp`` output goes: its key goes to the end of its address, unless that ends in one already.

    Raises:
        StreamKeyError: there is no key, or none that can be used.
    """
    named = "key_env" in output.model_fields_set
    whole = len(urlsplit(output.url).path.strip("/").split("/")) > 1
    key = None
    if output.key is not None or output.key_file is not None or named or not whole:
        key = read_key(output.key, output.key_file, output.key_env)
    if key is not None:
        return _pushed(output.url, key)
    if not whole:
        raise _no_key(output.key_env)
    base, _, key = output.url.rstrip("/").rpartition("/")
    return _pushed(base, key)


def twitch_destination(output: TwitchIngestOutput) -> Destination:
    """Where a ``twitch_ingest`` output goes.

    Raises:
        StreamKeyError: there is no key, or none that can be used.
    """
    key = read_key(output.key, output.key_file, output.key_env)
    if key is None:
        raise _no_key(output.key_env)
    if output.bandwidth_test:
        key += ("&" if "?" in key else "?") + "bandwidthtest=true"
    return _pushed(TWITCH_SERVER if output.server == "auto" else output.server, key)


def udp_destination(output: MpegtsUdpOutput) -> Destination:
    """Where an ``mpegts_udp`` output goes; the packets fit into one Ethernet frame each."""
    parts = urlsplit(output.url)
    # pat_period: whoever begins to listen waits for the next PAT and PMT.
    options = {"flush_packets": "1", "mpegts_flags": "resend_headers", "pat_period": "0.1"}
    return Destination(f"{output.url.rstrip('/')}?pkt_size=1316", f"{_host(parts.hostname)}:{parts.port}", "mpegts", options)


def redactor(output: RtmpOutput | TwitchIngestOutput) -> Redactor:
    """Hides an output's keys as far as they stand in its block."""
    redact = Redactor(*([output.key] if output.key else []))
    if isinstance(output, RtmpOutput):
        path = urlsplit(output.url).path.strip("/").split("/")
        redact.learn(*(path[-1:] if len(path) > 1 else ()))
    return redact


def twitch_kbps(width: int, height: int, fps: float) -> int:
    """What Twitch advises for a size and rate; below its smallest, as much less as is usual."""
    rate = width * height * fps
    smallest, kbps = TWITCH_KBPS[0]
    if rate < smallest:
        return max(_LEAST_KBPS, 50 * int(kbps * float(rate / smallest) ** _SMALLER / 50 + 0.5))
    return next((kbps for most, kbps in TWITCH_KBPS if rate <= most), TWITCH_MOST_KBPS)


def twitch_spec(output: TwitchIngestOutput, spec: EncodeSpec) -> EncodeSpec:
    """How Twitch wants what would otherwise be encoded as ``spec``."""
    kbps = output.bitrate_kbps if output.bitrate_kbps is not None else twitch_kbps(spec.width, spec.height, spec.fps)
    return replace(spec, bitrate_kbps=kbps, gop_s=TWITCH_GOP_S, cbr=True)


def _pushed(url: str, key: str) -> Destination:
    parts = urlsplit(url)
    options = {"flvflags": "no_duration_filesize", "flush_packets": "1", "rw_timeout": str(ANSWER_S * 1_000_000)}
    if parts.scheme == "rtmps":
        options |= _verified()
    port = parts.port or (443 if parts.scheme == "rtmps" else 1935)
    where = f"{_host(parts.hostname)}:{port}"
    return Destination(f"{url.rstrip('/')}/{key}", where, "flv", options, (key,))


def _verified() -> dict[str, str]:
    """Have FFmpeg check the server's certificate, which it does not by itself, against this machine's list."""
    file = ssl.get_default_verify_paths().cafile
    return {"tls_verify": "1"} | ({"ca_file": file} if file is not None and Path(file).exists() else {})


def _host(name: str | None) -> str:
    return f"[{name}]" if name and ":" in name else str(name)


def _no_key(name: str) -> StreamKeyError:
    return StreamKeyError(f"there is no stream key; set 'key_file' to a file that holds it, or the environment variable {name}")
