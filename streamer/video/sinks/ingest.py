"""Destinations and keys of the network outputs, and the encoding that Twitch requires."""

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
"""Twitch routes this address to a server nearby."""
TWITCH_GOP_S = 2.0
TWITCH_KBPS = ((1280 * 720 * 30, 3000), (1280 * 720 * 60, 4500), (1920 * 1080 * 30, 4500), (1920 * 1080 * 60, 6000))
"""Twitch's recommendation: kilobits per second, up to a number of pixels per second."""
TWITCH_MOST_KBPS = 6000
_LEAST_KBPS = 400
_SMALLER = 0.75
"""Exponent of bit rate over pixels, a common value: half the pixels need more than half the bits."""
ANSWER_S = 12
"""Seconds after which FFmpeg gives up on a silent server."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where and how to connect."""

    url: str = field(repr=False)
    """The full address; may end in a key."""
    where: str
    """Host and port, for messages."""
    format: str
    """FFmpeg's name of the container."""
    options: Mapping[str, str]
    """FFmpeg options for container and protocol."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Text to keep out of logs and messages."""

    @property
    def keyed(self) -> bool:
        """Whether the address ends in a key."""
        return bool(self.secrets)


def rtmp_destination(output: RtmpOutput) -> Destination:
    """Return the destination of an ``rtmp`` output; its key is appended to the address unless that already ends in one.

    Raises:
        StreamKeyError: there is no key, or it is unusable.
    """
    named = "key_env" in output.model_fields_set
    has_key = len(urlsplit(output.url).path.strip("/").split("/")) > 1
    key = None
    if output.key is not None or output.key_file is not None or named or not has_key:
        key = read_key(output.key, output.key_file, output.key_env)
    if key is not None:
        return _pushed(output.url, key)
    if not has_key:
        raise _no_key(output.key_env)
    base, _, key = output.url.rstrip("/").rpartition("/")
    return _pushed(base, key)


def twitch_destination(output: TwitchIngestOutput) -> Destination:
    """Return the destination of a ``twitch_ingest`` output.

    Raises:
        StreamKeyError: there is no key, or it is unusable.
    """
    key = read_key(output.key, output.key_file, output.key_env)
    if key is None:
        raise _no_key(output.key_env)
    if output.bandwidth_test:
        key += ("&" if "?" in key else "?") + "bandwidthtest=true"
    return _pushed(TWITCH_SERVER if output.server == "auto" else output.server, key)


def udp_destination(output: MpegtsUdpOutput) -> Destination:
    """Return the destination of an ``mpegts_udp`` output; each packet fits into one Ethernet frame."""
    parts = urlsplit(output.url)
    # pat_period: a new listener waits for the next PAT and PMT.
    options = {"flush_packets": "1", "mpegts_flags": "resend_headers", "pat_period": "0.1"}
    return Destination(f"{output.url.rstrip('/')}?pkt_size=1316", f"{_host(parts.hostname)}:{parts.port}", "mpegts", options)


def redactor(output: RtmpOutput | TwitchIngestOutput) -> Redactor:
    """Return a redactor for the keys in an output's settings."""
    redact = Redactor(*([output.key] if output.key else []))
    if isinstance(output, RtmpOutput):
        path = urlsplit(output.url).path.strip("/").split("/")
        redact.learn(*(path[-1:] if len(path) > 1 else ()))
    return redact


def twitch_kbps(width: int, height: int, fps: float) -> int:
    """Return Twitch's recommended bit rate for a size and frame rate, extrapolated below its smallest size."""
    rate = width * height * fps
    smallest, kbps = TWITCH_KBPS[0]
    if rate < smallest:
        return max(_LEAST_KBPS, 50 * int(kbps * float(rate / smallest) ** _SMALLER / 50 + 0.5))
    return next((kbps for most, kbps in TWITCH_KBPS if rate <= most), TWITCH_MOST_KBPS)


def twitch_spec(output: TwitchIngestOutput, spec: EncodeSpec) -> EncodeSpec:
    """Return ``spec`` as Twitch requires it: constant bit rate, a keyframe every 2 s."""
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
    """Return options that make FFmpeg check the server's certificate against this machine's list; by default it does not."""
    file = ssl.get_default_verify_paths().cafile
    return {"tls_verify": "1"} | ({"ca_file": file} if file is not None and Path(file).exists() else {})


def _host(name: str | None) -> str:
    return f"[{name}]" if name and ":" in name else str(name)


def _no_key(name: str) -> StreamKeyError:
    return StreamKeyError(
        f"there is no stream key; set 'key_file' to a file that contains it, or the environment variable {name}"
    )
