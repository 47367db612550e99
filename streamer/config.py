"""All settings: their defaults, limits and descriptions.

The models below are the single source. ``tools/write_reference.py`` writes ``configs/reference.yaml`` from them, with every
setting at its default; a test compares the two. ``settings_file`` turns YAML into these frozen objects.

A description says what the setting does, in which unit, and what a higher or lower value costs; it need not repeat limits.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from bot.config import ChatConfig, TwitchConfig
from shared.section import LocalPath, Section
from streamer.algorithm_facts import ALGORITHMS
from streamer.config_album import AlbumConfig
from streamer.config_block import broken
from streamer.config_controls import ControlsConfig
from streamer.config_ink import InkConfig
from streamer.config_journal import JournalConfig
from streamer.config_log import LogConfig
from streamer.config_outputs import (
    AudioConfig,
    FileOutput,
    HlsOutput,
    MjpegOutput,
    MpegtsHttpOutput,
    MpegtsUdpOutput,
    NullOutput,
    Output,
    RtmpOutput,
    TwitchIngestOutput,
    VirtualCameraOutput,
    free_name,
    named,
)
from streamer.config_renderer import RendererConfig
from streamer.config_snapshot import SnapshotConfig
from streamer.config_source import SourceConfig
from streamer.config_thumbnails import ThumbnailsConfig
from streamer.config_web import Network, PublicUrl, WebLimits
from streamer.network_names import NetworkName

__all__ = [
    "AlbumConfig",
    "AudioConfig",
    "CanvasConfig",
    "Config",
    "ControlsConfig",
    "DreamConfig",
    "FileOutput",
    "HlsOutput",
    "InkConfig",
    "JournalConfig",
    "LocalPath",
    "LogConfig",
    "MjpegOutput",
    "MpegtsHttpOutput",
    "MpegtsUdpOutput",
    "NetworkConfig",
    "NullOutput",
    "Output",
    "QueueConfig",
    "RendererConfig",
    "RtmpOutput",
    "Section",
    "SnapshotConfig",
    "SourceConfig",
    "ThumbnailsConfig",
    "TwitchIngestOutput",
    "VideoConfig",
    "VirtualCameraOutput",
    "WebConfig",
    "WebLimits",
    "ZoomConfig",
    "broken",
    "free_name",
    "is_loopback",
]

Auto = Literal["auto"]


def is_loopback(host: str) -> bool:
    """Return whether only this machine can connect to an address; host names other than localhost count as reachable."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class NetworkConfig(Section):
    """The network that is run backwards, or several that dream one picture together."""

    name: NetworkName | Annotated[tuple[NetworkName, ...], Field(min_length=1, max_length=6)] | Auto = Field(
        default="auto",
        description="The network that dreams, or a list of networks that take turns, each with its own scales and classes: "
        "features they agree on are easiest to recognise. auto uses the best available for the device. googlenet is the "
        "network of the DeepDream pictures; squeezenet1_1_caffe is the first release of SqueezeNet, which comes in a Python "
        "package.",
        json_schema_extra={"allowed": f"auto, {', '.join(get_args(NetworkName))}, or a list of up to 6 of them without auto"},
    )
    weights: LocalPath | Mapping[NetworkName, LocalPath] | None = Field(
        default=None,
        description="A local weights file for that network (.safetensors, or .pth, read without running code in it), or a "
        "block of files by network, such as {squeezenet1_1: FILE}; then nothing is downloaded. null: the cache folder, filled "
        "by a download when needed.",
        json_schema_extra={"allowed": "the path of a file, or a block of such paths by network, or null"},
    )
    combine: Literal["in_turn", "added"] = Field(
        default="in_turn",
        description="How several networks share a dream. in_turn: each step uses one of them, and takes the time of one. "
        "added: every step uses all of them, and takes the time of all.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Precision in which networks compute; the dreams look alike. auto: bfloat16 if the device supports it, "
        "else float32; on a CPU the other one if a measurement, made while a spare worker waits, shows that it is clearly "
        "faster.",
    )
    layout: Literal["auto", "channels_last", "channels_first"] = Field(
        default="auto",
        description="Memory layout of images inside a network. auto: channels_last, or on a CPU the layout measured to be "
        "clearly faster together with the precision.",
    )
    download_s: float = Field(
        default=60.0,
        ge=0,
        le=3600,
        description="Seconds to spend at the start on downloading weights that auto wants, before the bundled network takes "
        "over; the download resumes at the next start. 0 never downloads. A network requested by name is always waited for.",
    )

    @property
    def names(self) -> tuple[NetworkName, ...]:
        """Names of the networks; empty for ``auto``."""
        return self.name if isinstance(self.name, tuple) else () if self.name == "auto" else (self.name,)

    @model_validator(mode="after")
    def _each_has_its_weights(self) -> Self:
        if len(set(self.names)) < len(self.names):
            raise broken("name", "must name each network only once")
        if isinstance(self.weights, Path) and len(self.names) > 1:
            raise broken("weights", "must say whose they are where several networks dream, such as {squeezenet1_1: FILE}")
        if isinstance(self.weights, Mapping) and (strange := [name for name in self.weights if name not in self.names]):
            raise broken("weights", f"must be of networks that 'network.name' lists, and {strange[0]} is none of them")
        return self


class CanvasConfig(Section):
    """The picture that the dream is computed on; the video shows it scaled. Half the pixels take about half the time."""

    width: Annotated[int, Field(ge=32, le=7680)] | Auto = Field(
        default="auto", description="Width of the dream's picture in pixels. auto: 480 on a CPU, 1280 on a GPU."
    )
    height: Annotated[int, Field(ge=32, le=4320)] | Auto = Field(
        default="auto", description="Height of the dream's picture in pixels. auto: from the width, in the video's shape."
    )


class VideoConfig(Section):
    """The video that viewers see, and how it is encoded."""

    width: int = Field(
        default=960,
        ge=32,
        le=7680,
        multiple_of=2,
        description="Width of the video in pixels. A larger video has sharper captions and a smoother zoom, but encoding "
        "takes CPU time from the dream; the dream itself has the canvas's size.",
    )
    height: int = Field(
        default=540, ge=32, le=4320, multiple_of=2, description="Height of the video in pixels; like the width."
    )
    fps: int = Field(
        default=25,
        ge=1,
        le=120,
        description="Frames per second, constant whatever the dream's speed. More is smoother and costs CPU in proportion; 15 "
        "helps a machine that shows late frames.",
    )
    captions: bool = Field(
        default=True, description="Whether to write the current subject, and who asked for it, into the picture."
    )
    residual_flow: bool = Field(
        default=True,
        description="Whether to follow motion other than the zoom between keyframes that are far apart: smoother, for some "
        "CPU.",
    )
    bitrate_kbps: int = Field(
        default=3000,
        ge=100,
        le=100_000,
        description="Kilobits per second of the video for viewers. Dreams are hard to compress: too few bits show as blocks, "
        "and more bits need network bandwidth, once per viewer.",
    )
    gop_s: float = Field(
        default=1.0,
        ge=0.1,
        le=10,
        description="Seconds between the video's own keyframes: how long a new viewer waits for the first picture. More saves "
        "bits; Twitch requires 2.",
    )
    encoder: Literal["auto", "libx264", "h264_nvenc"] = Field(
        default="auto",
        description="The video encoder. auto tests an NVIDIA GPU (h264_nvenc) by encoding a few frames, and uses the CPU "
        "(libx264) if that fails.",
    )
    preset: Literal["auto", "ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = Field(
        default="auto",
        description="x264's preset: slower ones look better at the same bit rate and take more CPU from the dream. auto "
        "measures at the start, and uses the slowest up to veryfast that leaves most of the machine to the dream.",
    )
    frame_counter: bool = Field(
        default=False,
        description="Whether to draw the frame number into the picture, for programs that measure a player's delay.",
    )
    flash_limiter: bool = Field(
        default=True,
        description="Whether to damp flashes of more than three a second, which can cause seizures. docs/safety.md.",
    )
    slate_s: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="Seconds without a new keyframe after which the last picture is shown dimmed, with slate_text, until the "
        "dream is back. Until then the video keeps zooming into it. At least four keyframes' time. 0: never.",
    )
    slate_text: str = Field(
        default="the dream is being repaired and goes on soon",
        max_length=200,
        json_schema_extra={"allowed": "one line"},
        description="The text on that picture; long texts get smaller letters. Empty: no text.",
    )


ZoomSpeed = Annotated[float, Field(gt=0.2, le=5)]
"""Factor per second."""
Rotation = Annotated[float, Field(ge=-90, le=90)]
"""Degrees per second, counter-clockwise."""


class ZoomConfig(Section):
    """How the camera moves through the dream."""

    speed: ZoomSpeed = Field(
        default=1.05,
        description="Zoom factor per second; 1 stands still, below 1 zooms out. A faster zoom leaves the dream less time to "
        "finish a subject before it leaves the picture.",
    )
    rotation: Rotation = Field(default=0.25, description="Rotation of the picture in degrees per second, counter-clockwise.")


class DreamConfig(Section):
    """How the dream is computed."""

    algorithm: Literal["default", "deepdream", "ink", "original_2015"] = Field(
        default="default",
        description="default: decorrelated ascent. deepdream: octaves, as in Google's pictures of 2015; "
        "configs/deepdream.yaml. ink: drawings in two colours, docs/ink.md. original_2015: the algorithm of the 2015 stream, "
        "for comparison.",
    )
    normalisation: Literal["auto", "decorrelated", "laplacian", "mean"] = Field(
        default="auto",
        description="How a gradient is processed before a step. decorrelated: coarse shapes and natural colours first. "
        "laplacian: all scales equally. mean: unchanged, which favours fine lines. auto: mean for deepdream, else "
        "decorrelated.",
    )
    octaves: Annotated[int, Field(ge=1, le=16)] | Auto = Field(
        default="auto",
        description="deepdream: number of picture sizes to compute, in turn; more give larger shapes. auto: as many as fit "
        "the picture.",
    )
    octave_scale: float = Field(default=1.4, ge=1.05, le=4, description="deepdream: size ratio from each octave to the next.")
    layout: Literal["auto", "whole", "top_bottom", "left_right", "quarters"] = Field(
        default="auto",
        description="How several subjects share the picture. auto: one fills it, two are stacked vertically, four are in "
        "quarters.",
    )
    steps_per_keyframe: Annotated[int, Field(ge=1, le=1000)] | Auto = Field(
        default="auto", description="Ascent steps from one keyframe to the next. auto: as many as fit keyframe_s."
    )
    steps_per_s: Annotated[float, Field(ge=0.1, le=100_000)] | Auto = Field(
        default="auto",
        description="Most steps a second, live; a faster machine idles for the rest. auto: 25; beyond that, steps of the "
        "usual size change the picture faster than the eye can follow. If you raise it, lower dream.step.",
    )
    keyframe_s: Annotated[float, Field(ge=0.01, le=60)] | Auto = Field(
        default="auto",
        description="Target time between keyframes in seconds. auto: live, what the machine can sustain; offline, 10 steps "
        "per second of video.",
    )
    crossfade_s: float = Field(
        default=0.4, ge=0, le=30, description="Duration of the fade when the subject changes, in seconds."
    )
    surge: float = Field(
        default=3.0,
        ge=0,
        le=10,
        description="How fast a new subject replaces the old one: at first, steps are this many times larger, the old subject "
        "is actively removed and its detail fades. The effect ends after some seconds; 0 lets the new subject grow slowly.",
    )
    wake: Literal["off", "noise", "twist", "alternate"] = Field(
        default="off",
        description="What wakes a dream that has settled: noise that fades in, a twist in whirls, or each in turn. off: only "
        "!bump does. A still picture settles in about ten seconds, a zooming one hardly ever.",
    )
    wake_share: float = Field(
        default=0.35,
        gt=0,
        lt=1,
        description="A dream counts as settled when it changes less than this share of its strongest change since the subject "
        "began; the zoom doesn't count as change. A higher value wakes it sooner.",
    )
    wake_after_s: float = Field(default=10.0, ge=0, le=3600, description="Seconds a settled dream stays before it is woken.")
    views: Annotated[tuple[Annotated[float, Field(ge=0.5, le=20)], ...], Field(min_length=1, max_length=6)] | Auto = Field(
        default="auto",
        description="The scales at which the network sees the picture: the shorter side as a multiple of the network's "
        "window, one per step in turn. Small numbers make large objects. auto suits the network.",
    )
    view_jitter: float = Field(
        default=0.25,
        ge=0,
        le=0.5,
        description="Random change of each view's size, as a fraction; more gives firmer, calmer objects.",
    )
    tile_px: int = Field(
        default=1280,
        ge=64,
        le=8192,
        description="Side of the largest square that the network sees in one piece: larger pictures are processed in "
        "overlapping tiles without seams. Smaller tiles need less memory and more time.",
    )
    jitter_px: int = Field(
        default=16,
        ge=0,
        le=256,
        description="Random shift of the picture before each step, in pixels; more hides the network's grid, 0 shows it.",
    )
    step: Annotated[float, Field(gt=0, le=50)] | Auto = Field(
        default="auto",
        description="Step size: root mean square of the change, in levels of 255. A larger value grows subjects faster, and "
        "coarser. deepdream: mean change, at the octave's size. auto: 3; if only networks for small pictures dream, such as "
        "the bundled ones, up to 7 to keep up with the zoom, and 4.2 once a subject is established.",
    )
    momentum: float = Field(
        default=0.85,
        ge=0,
        lt=1,
        description="Share of the last step's direction kept in the next. More emphasises what several views and networks "
        "agree on, but reacts more slowly; when a new subject starts with a surge, as little as half of it is kept for a "
        "moment.",
    )
    prior_weight: float = Field(
        default=0.6,
        ge=0,
        le=20,
        description="Strength of the natural-image prior relative to the objective, as a ratio of gradient sizes; more is "
        "smoother and greyer.",
    )
    spectrum_floor: float = Field(
        default=3.0,
        ge=0.5,
        le=100,
        description="Cycles per picture height below which coarser structure is not favoured any further.",
    )
    spectrum_power: float = Field(
        default=1.4,
        ge=0,
        le=3,
        description="How strongly coarse structure is favoured: gradients are scaled by 1/f to this power.",
    )
    leash: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share of excess brightness, contrast and colour removed in each step; 0 lets them grow until they clip.",
    )
    contrast: float = Field(
        default=38.0, ge=1, le=127, description="Local contrast (standard deviation) that the leash allows."
    )
    chroma: float = Field(default=22.0, ge=0.1, le=127, description="Local colourfulness that the leash allows.")


class QueueConfig(Section):
    """What viewers may ask for, and how long it is shown. Moderators can change everything except path and wander_among while
    it runs; their changes are saved, and override the config until they reset them."""

    path: LocalPath | None = Field(
        default=None,
        description="The SQLite file that keeps requests across restarts; null: queue.sqlite3 in the user's state folder.",
    )
    capacity: int = Field(
        default=50,
        ge=1,
        le=10_000,
        description="Maximum number of waiting requests; more are politely refused, except for a few places reserved for "
        "moderators and bits. The last one waits about capacity times hold_s.",
    )
    per_user: int = Field(
        default=3,
        ge=1,
        le=1000,
        description="Requests that one viewer may have waiting; fewer is fairer in a busy chat. Moderators have no limit.",
    )
    subscriber_bonus: int = Field(
        default=1, ge=0, le=1000, description="Additional requests that a subscriber may have waiting."
    )
    vip_bonus: int = Field(default=2, ge=0, le=1000, description="Additional requests that a VIP may have waiting.")
    cooldown_s: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="Seconds from one request to the next, whoever asks; for a chat too busy to follow. 0: none. Moderators "
        "and viewers who pay points or bits are exempt.",
    )
    user_cooldown_s: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="Seconds from one request of a viewer to that viewer's next. 0: none. Moderators and viewers who pay "
        "points or bits are exempt.",
    )
    open: bool = Field(default=True, description="Whether viewers may ask; moderators always may.")
    order: Literal["fifo", "random", "votes"] = Field(
        default="fifo",
        description="Which request comes next. fifo: first come, first served, and each vote moves a request up one place. "
        "random: a raffle, in which each vote is another ticket. votes: most votes first. Asking for what is already waiting "
        "is a vote.",
    )
    fair: bool = Field(
        default=True,
        description="Whether viewers take turns, so that nobody gets two turns in a row while others wait; the order above "
        "decides among those whose turn it is.",
    )
    paid_first: bool = Field(
        default=True, description="Whether requests with bits, then those with channel points, come before all others."
    )
    voteskip_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of the viewers seen in the last ten minutes (those who asked or voted) needed to vote away what is "
        "on air.",
    )
    voteskip_votes: int = Field(
        default=3, ge=1, le=1000, description="Minimum number of votes for that, however few viewers were seen."
    )
    family_safe: bool = Field(
        default=False,
        description="Whether to refuse ImageNet's sensitive classes, such as weapons, alcohol and swimwear; docs/requests.md "
        "lists them. Suggestions and wandering always leave them out.",
    )
    blocked_words: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(
        default=(),
        max_length=10_000,
        json_schema_extra={"allowed": "a list of words and phrases"},
        description="Words that no request, viewer's name or subject may contain. Whole words, upper or lower case; "
        "moderators can add more while it runs.",
    )
    blocked_users: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(
        default=(),
        max_length=10_000,
        json_schema_extra={"allowed": "a list of names"},
        description="Viewers whose requests and votes are refused.",
    )
    blocked_classes: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(
        default=(),
        max_length=1000,
        json_schema_extra={"allowed": "a list of names as zoomdream classes lists them, or of WordNet ids"},
        description="Subjects that are never dreamed, requested or not. A word for several, such as snake, blocks all of them.",
    )
    hold_s: float = Field(
        default=30.0,
        ge=1,
        le=3600,
        description="Seconds a request stays on air, counted from its first picture. Longer gives the dream time to finish, "
        "but makes others wait longer; below 8, a slow machine shows little of it.",
    )
    wander_s: float = Field(default=30.0, ge=1, le=3600, description="Seconds a subject stays when nobody asks.")
    wander: Literal["random", "poll"] = Field(
        default="random",
        description="Who chooses the subject when nobody asks. random: chance. poll: viewers, in one poll after another "
        "between poll_choices subjects, each open for poll_s; if nobody votes, chance.",
    )
    poll_s: float = Field(
        default=60.0,
        ge=5,
        le=1800,
        description="Seconds a poll is open, unless the person who starts it sets another time. Longer lets more viewers "
        "vote, but makes them wait longer for the winner. Twitch's own polls take at least 15.",
    )
    poll_choices: int = Field(
        default=3,
        ge=2,
        le=5,
        description="Number of choices in a poll that starts by itself; more cover more of the picture.",
    )
    wander_among: tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...] = Field(
        default=(),
        max_length=1000,
        json_schema_extra={"allowed": "a list of subjects"},
        description="Subjects to dream when nobody asks, each as 'jellyfish', 'jellyfish + ladybug', 'layer fire5', 'layer "
        "fire5:3,17-20', 'guide flowers.jpg' or 'guide flowers.jpg at fire6', mixed as you like. A single one stays for as "
        "long as nobody asks. Relative paths of pictures start from the folder you run the program in. Empty: anything that "
        "goes well together.",
    )
    interrupt_wandering: bool = Field(
        default=True, description="Whether a request ends wandering immediately, before the subject's time is over."
    )


class WebConfig(Section):
    """The page and the API."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="Address to listen on; any address other than loopback needs a token."
    )
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port; 0 uses a free one and prints it.")
    hosts: tuple[str, ...] = Field(
        default=(),
        json_schema_extra={"allowed": "a list of host names"},
        description="Additional host names under which visitors reach the page, for example behind a proxy; calls to other "
        "names are refused.",
    )
    public_url: PublicUrl | None = Field(
        default=None,
        json_schema_extra={
            "allowed": "an http:// or https:// address without a path, such as https://dream.example.org, or null"
        },
        description="The address at which viewers reach the page, for links in chat and link previews; its name need not be "
        "in hosts. null: !clip answers with only the last part of the address.",
    )
    token: str | None = Field(
        default=None,
        min_length=8,
        repr=False,
        description="Secret for moderators' calls and, if host is not loopback, for every write. Better set as "
        "ZOOMDREAM_WEB_TOKEN.",
    )
    view_token: str | None = Field(
        default=None,
        min_length=8,
        repr=False,
        description="Secret for viewing pages, video and status, as ?token=… in the address; null: no token needed. Better "
        "set as ZOOMDREAM_WEB_VIEW_TOKEN.",
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        json_schema_extra={"allowed": "a list of addresses or networks, such as [127.0.0.1, 10.0.0.0/8]"},
        description="Proxies in front of the page whose X-Forwarded-For is trusted: limits then apply to their visitors, not "
        "to the proxy.",
    )
    limits: WebLimits = WebLimits()

    @model_validator(mode="after")
    def _token_off_loopback(self) -> Self:
        if self.token is None and not is_loopback(self.host):
            raise broken(
                "host", "must be a loopback address such as 127.0.0.1 while there is no token (set ZOOMDREAM_WEB_TOKEN)"
            )
        return self


class Config(Section):
    """All settings of a stream."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = Field(
        default=None, description="Seed for everything random; null draws one and logs it."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where to compute the dream; auto uses a CUDA GPU if there is one."
    )
    network: NetworkConfig = NetworkConfig()
    canvas: CanvasConfig = CanvasConfig()
    video: VideoConfig = VideoConfig()
    zoom: ZoomConfig = ZoomConfig()
    source: SourceConfig = SourceConfig()
    dream: DreamConfig = DreamConfig()
    renderer: RendererConfig = RendererConfig()
    ink: InkConfig = InkConfig()
    queue: QueueConfig = QueueConfig()
    web: WebConfig = WebConfig()
    twitch: TwitchConfig = TwitchConfig()
    chat: ChatConfig = ChatConfig()
    audio: AudioConfig = AudioConfig()
    album: AlbumConfig = AlbumConfig()
    journal: JournalConfig = JournalConfig()
    log: LogConfig = LogConfig()
    snapshot: SnapshotConfig = SnapshotConfig()
    thumbnails: ThumbnailsConfig = ThumbnailsConfig()
    controls: ControlsConfig = ControlsConfig()
    outputs: Annotated[tuple[Output, ...], AfterValidator(named)] = Field(
        default=(), description="Where the video goes besides the web page: a list of blocks, each with a kind."
    )

    @model_validator(mode="after")
    def _rides(self) -> Self:
        algorithm = self.dream.algorithm
        if self.source.moves and not ALGORITHMS[algorithm].rides:
            must = f"must be false while dream.algorithm is {algorithm}, which does not ride on moving pictures"
            raise broken("source.ride", must)
        return self
