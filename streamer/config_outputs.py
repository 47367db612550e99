"""The settings of all outputs except the web page, and of the sound.

Part of ``config``, which re-exports these names; see there for how to write settings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator
from pydantic.config import JsonDict
from pydantic_core import InitErrorDetails

from shared.section import LocalPath, Section
from streamer.config_block import broken
from streamer.config_react import ReactConfig

RECORDINGS = (".mp4", ".mkv")
"""Allowed endings of a recording's name; they determine the container."""


def _recording(path: Path) -> Path:
    if path.suffix.lower() not in RECORDINGS:
        raise ValueError(f"must end in {' or '.join(RECORDINGS)}")
    return path


def _address(url: str, schemes: Sequence[str], rule: str, *, port: bool) -> str:
    """Return the URL if it is complete.

    Raises:
        ValueError: it is not; the message is ``rule``, which says how to write it.
    """
    try:
        parts = urlsplit(url)
        whole = parts.scheme in schemes and parts.hostname and (parts.port or not port) and url.isprintable() and " " not in url
    except ValueError:  # an invalid port, or an open bracket
        whole = False
    if not whole:
        raise ValueError(rule)
    return url


RTMP_RULE = "must be rtmp://server/app or rtmps://server/app, with the stream's key after a further / or in key_file"
UDP_RULE = "must be udp://address:port, without anything after it"
RADIO_RULE = "must be the http:// or https:// address of a stream"


def _rtmp(url: str) -> str:
    if not urlsplit(_address(url, ("rtmp", "rtmps"), RTMP_RULE, port=False)).path.strip("/"):
        raise ValueError(RTMP_RULE)
    return url


def _udp(url: str) -> str:
    parts = urlsplit(_address(url, ("udp",), UDP_RULE, port=True))
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise ValueError(UDP_RULE)
    return url


def _radio(url: str) -> str:
    return _address(url, ("http", "https"), RADIO_RULE, port=False)


def _ingest(server: str) -> str:
    if server != "auto" and not server.startswith(("rtmp://", "rtmps://")):
        raise ValueError("must be auto or the rtmp:// or rtmps:// address of an ingest server")
    return server if server == "auto" else _rtmp(server)


def _ts_path(path: str) -> str:
    return _web_path(path, ".ts", "/obs.ts")


def _mjpg_path(path: str) -> str:
    return _web_path(path, ".mjpg", "/wall.mjpg")


def _web_path(path: str, ending: str, example: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9][A-Za-z0-9._-]{0,63}", path) or not path.endswith(ending) or path == f"/live{ending}":
        raise ValueError(f"must be a path such as {example}, but not /live{ending}")
    return path


OutputName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
_NAME_RULE: JsonDict = {"allowed": "1 to 32 small letters, digits, - and _, beginning with a letter or digit, or null"}
_KEY_ENV = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_ENV_RULE: JsonDict = {"allowed": "the name of an environment variable"}
Bitrate = Annotated[int, Field(ge=100, le=100_000)]
Side = Annotated[int, Field(ge=32, le=7680, multiple_of=2)]


class AudioConfig(Section):
    """The sound, shared by all outputs that have any."""

    source: Literal["silence", "music", "radio"] = Field(
        default="silence",
        description="Where the sound comes from. music: files, in a loop. radio: an Internet radio stream, with silence while "
        "it is interrupted.",
    )
    path: LocalPath | None = Field(
        default=None,
        json_schema_extra={"allowed": "the path of a file or folder, or null"},
        description="For music: a file, or a folder whose files are played in name order. Any format that FFmpeg reads.",
    )
    url: Annotated[str, AfterValidator(_radio)] | None = Field(
        default=None,
        repr=False,
        json_schema_extra={"allowed": "an http:// or https:// address, or null"},
        description="For radio: the address of the stream or of a playlist (.m3u, .pls), not of a web page about it. A user "
        "and password in it are never shown.",
    )
    shuffle: bool = Field(default=False, description="Whether to play the files of a folder in a new random order each time.")
    crossfade_s: float = Field(
        default=2.0, ge=0, le=30, description="Seconds in which one music file fades into the next; 0: a clean cut."
    )
    volume_db: float = Field(
        default=0.0,
        ge=-60,
        le=20,
        description="Decibels by which the sound is raised, or lowered below 0; peaks that are then too loud are turned down "
        "briefly.",
    )
    bitrate_kbps: int = Field(
        default=128, ge=32, le=320, description="Kilobits per second of the sound (AAC, stereo). Twitch takes up to 160."
    )
    rate: Literal[48000, 44100] = Field(default=48000, description="Samples a second. Some old servers want 44100.")
    react: ReactConfig = ReactConfig()

    @model_validator(mode="after")
    def _source_given(self) -> Self:
        if self.source == "music" and self.path is None:
            raise broken("path", "must be the path of a file or folder while 'source' is music")
        if self.source == "radio" and self.url is None:
            raise broken("url", "must be the address of a stream while 'source' is radio")
        return self


class _Named(Section):
    """Base of every output."""

    sink: ClassVar[str | None] = None
    """Its sink as ``module:class``, imported when the output starts; None: the web server serves it."""
    name: OutputName | None = Field(
        default=None,
        json_schema_extra=_NAME_RULE,
        description="Its name in status, log and metrics. null: its kind, with a number if there are several.",
    )
    enabled: bool = Field(default=True, description="Whether it runs from the start; you can switch it while the stream runs.")


class _Sized(_Named):
    """Base of the outputs with a size."""

    width: Side | None = Field(
        default=None,
        description="Its own width in pixels; null: the video's. Another size costs the CPU another encode.",
    )
    height: Side | None = Field(default=None, description="Its own height; set both or neither.")

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        for one, other in (("width", "height"), ("height", "width")):
            if getattr(self, one) is None and getattr(self, other) is not None:
                raise broken(one, f"must be given too, since '{other}' is, or neither")
        return self


class EncodedOutput(_Sized):
    """Base of the outputs with H.264 and AAC."""

    bitrate_kbps: Bitrate | None = Field(
        default=None, description="Kilobits per second of its video; null: the video's. Another rate costs another encode."
    )
    audio: bool = Field(default=True, description="Whether it has sound.")


class _Keyed(EncodedOutput):
    """Base of the outputs that a secret key opens. ``key``, ``key_file`` and ``key_env`` are looked at in this order."""

    key: str | None = Field(
        default=None,
        min_length=1,
        repr=False,
        json_schema_extra={"allowed": "text, not empty, or null"},
        description="The stream key: anyone who has it can stream to the channel. Better kept in key_file or the environment.",
    )
    key_file: LocalPath | None = Field(
        default=None, description="A file with nothing but the key, readable only by its owner (chmod 600)."
    )


class NullOutput(_Named):
    """Encodes and discards the video: for measuring."""

    sink = "streamer.video.sinks.null:NullSink"
    kind: Literal["null"]


class FileOutput(EncodedOutput):
    """Records to files that play up to the last second after a crash."""

    sink = "streamer.video.sinks.file:FileSink"
    kind: Literal["file"]
    path: Annotated[LocalPath, AfterValidator(_recording)] = Field(
        json_schema_extra={"allowed": "the path of a file ending in .mp4 or .mkv"},
        description="Where to record, as fragmented MP4 or Matroska. May contain the start time in strftime format: "
        "dream-%Y%m%d-%H%M%S.mp4. Existing files are never overwritten: the name gets a number.",
    )
    split_s: float = Field(
        default=0.0,
        ge=0,
        le=604_800,
        description="Seconds after which a new file starts, at the next keyframe; 0: never, except for Matroska, which starts "
        "one after a week.",
    )
    keep: int = Field(
        default=0, ge=0, le=100_000, description="How many of its files to keep, deleting the oldest; 0: all of them."
    )
    min_free_mb: int = Field(
        default=500,
        ge=0,
        le=10_000_000,
        description="Megabytes to leave free on the disk: recording stops below this, and resumes when there is room again.",
    )


class HlsOutput(EncodedOutput):
    """Writes an HLS playlist and segments to a folder, for a web server."""

    sink = "streamer.video.sinks.hls:HlsSink"
    kind: Literal["hls"]
    folder: LocalPath = Field(
        json_schema_extra={"allowed": "the path of a folder"},
        description="Where to write the playlist (index.m3u8) and segments; those of an earlier run are replaced.",
    )
    segment_s: float = Field(
        default=2.0,
        ge=0.5,
        le=30,
        description="Length of a segment in seconds, rounded up to whole keyframe intervals. Viewers are three segments "
        "behind.",
    )
    window: int = Field(
        default=6, ge=3, le=1000, description="Segments in the playlist; older ones are deleted a little later."
    )


class MpegtsUdpOutput(EncodedOutput):
    """Sends MPEG-TS over UDP: to one machine, or to everyone listening to a multicast address."""

    sink = "streamer.video.sinks.network_outputs:UdpSink"
    kind: Literal["mpegts_udp"]
    audio: bool = Field(default=False, description="Whether it has sound; without it, OBS shows the video a second sooner.")
    url: Annotated[str, AfterValidator(_udp)] = Field(
        json_schema_extra={"allowed": "udp://address:port"}, description="Where to send, for example udp://127.0.0.1:5004."
    )


class MpegtsHttpOutput(EncodedOutput):
    """Serves MPEG-TS at its own address, in addition to the page's /live.ts; encoded only while somebody watches."""

    kind: Literal["mpegts_http"]
    audio: bool = Field(default=False, description="Whether it has sound; without it, OBS shows the video a second sooner.")
    path: Annotated[str, AfterValidator(_ts_path)] = Field(
        default="/obs.ts",
        json_schema_extra={"allowed": "a path such as /obs.ts, but not /live.ts"},
        description="Its path on the web server.",
    )


class MjpegOutput(_Sized):
    """Serves multipart JPEG at its own address, for devices that can't play video."""

    kind: Literal["mjpeg"]
    path: Annotated[str, AfterValidator(_mjpg_path)] = Field(
        default="/wall.mjpg",
        json_schema_extra={"allowed": "a path such as /wall.mjpg, but not /live.mjpg"},
        description="Its path on the web server.",
    )
    fps: Annotated[float, Field(gt=0, le=120)] | None = Field(
        default=None, description="Most frames per second; null: every frame. Fewer save CPU and bandwidth."
    )
    quality: int = Field(default=85, ge=1, le=100, description="JPEG quality; above 90 the size grows quickly.")


class RtmpOutput(_Keyed):
    """Pushes to an RTMP or RTMPS server: YouTube, a relay, any other; for Twitch, use twitch_ingest."""

    sink = "streamer.video.sinks.network_outputs:RtmpSink"
    kind: Literal["rtmp"]
    url: Annotated[str, AfterValidator(_rtmp)] = Field(
        repr=False,
        json_schema_extra={"allowed": "rtmp://server/app or rtmps://server/app"},
        description="The server's address without the key. A key at the end works too, and is never shown.",
    )
    key_env: _KEY_ENV = Field(
        default="ZOOMDREAM_STREAM_KEY",
        json_schema_extra=_ENV_RULE,
        description="The environment variable with the key, used if there is no key_file.",
    )
    cbr: bool = Field(
        default=False,
        description="Whether to send the same number of bits every second, with padding; some servers require it.",
    )
    gop_s: Annotated[float, Field(ge=0.1, le=10)] | None = Field(
        default=None, description="Seconds between keyframes; null: the video's. Most servers expect 2."
    )
    reconnect_h: float = Field(
        default=480.0,
        ge=0.01,
        le=595,
        json_schema_extra={"allowed": "a number, 0.01 to 595: after 596.5 hours FFmpeg's clock for RTMP wraps around to 0"},
        description="Hours after which to reconnect, at a keyframe; 480 are 20 days.",
    )


class TwitchIngestOutput(_Keyed):
    """Streams to Twitch as Twitch requires: a keyframe every 2 s, constant bit rate, a new connection before 48 hours."""

    sink = "streamer.video.sinks.network_outputs:TwitchSink"
    kind: Literal["twitch_ingest"]
    server: Annotated[str, AfterValidator(_ingest)] = Field(
        default="auto",
        repr=False,
        json_schema_extra={"allowed": "auto, or rtmp://server/app or rtmps://server/app"},
        description="The ingest server. auto: rtmp://live.twitch.tv/app, which Twitch routes to one nearby.",
    )
    key_env: _KEY_ENV = Field(
        default="ZOOMDREAM_TWITCH_KEY",
        json_schema_extra=_ENV_RULE,
        description="The environment variable with the key, used if there is no key_file.",
    )
    bandwidth_test: bool = Field(
        default=False, description="Whether to send without going live, to check the stream in Twitch's inspector."
    )
    bitrate_kbps: Bitrate | None = Field(
        default=None, description="Kilobits per second; null: Twitch's recommendation for its size and rate, 6000 at most."
    )
    reconnect_h: float = Field(
        default=47.5, ge=0.01, le=47.9, description="Hours after which to reconnect; Twitch ends a broadcast after 48."
    )


class VirtualCameraOutput(_Sized):
    """Acts as a camera for other programs on this machine; needs pyvirtualcam and a driver, see docs/outputs.md."""

    sink = "streamer.video.sinks.virtual_camera:VirtualCameraSink"
    kind: Literal["virtual_camera"]
    device: str | None = Field(
        default=None, min_length=1, description="Which virtual camera, for example /dev/video4; null: the first one."
    )


Output = Annotated[
    NullOutput
    | FileOutput
    | HlsOutput
    | MpegtsUdpOutput
    | MpegtsHttpOutput
    | MjpegOutput
    | RtmpOutput
    | TwitchIngestOutput
    | VirtualCameraOutput,
    Field(discriminator="kind"),
]


def free_name(kind: str, taken: Sequence[str]) -> str:
    """Return the default name of an output: its kind, or the first of ``kind-2``, ``kind-3``… that is not taken."""
    names = (kind if number == 1 else f"{kind}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def named(outputs: tuple[Output, ...]) -> tuple[Output, ...]:
    """Return all outputs, with default names where they have none.

    Raises:
        ValidationError: two have the same name, web path or folder.
    """
    _check_unique(outputs)
    taken = [output.name for output in outputs if output.name]
    result = []
    for output in outputs:
        if output.name is None:
            output = output.model_copy(update={"name": free_name(output.kind, taken)})
            assert output.name is not None
            taken.append(output.name)
        result.append(output)
    return tuple(result)


def _check_unique(outputs: tuple[Output, ...]) -> None:
    faults = []
    seen: dict[tuple[str, str], int] = {}
    for number, output in enumerate(outputs):
        for key in ("name", "folder", "path"):
            value = getattr(output, key, None)
            if value is None or (isinstance(output, FileOutput) and key == "path"):
                continue
            first = seen.setdefault((key, str(value)), number)
            if first != number:
                error = broken(key, f"must differ from the other outputs; outputs[{first}] has it already")
                faults.append(InitErrorDetails(type=error, loc=(number, output.kind), input=value))
    if faults:
        raise ValidationError.from_exception_data("outputs", faults)
