"""What ``/api/status`` and ``/api/events`` tell, and ``/healthz``. As in ``response_schemas``."""

from __future__ import annotations

from typing_extensions import TypedDict

from shared.role import Role
from streamer.messages.chat_status import ChatState
from streamer.messages.requests import Priority
from streamer.messages.status import PictureState
from streamer.web.response_schemas import Poll, Target, exact_schema
from streamer.web.response_schemas_classes import Network
from streamer.web.response_schemas_moderation import Motion, Output


@exact_schema
class OnAir(TypedDict):
    """What is being dreamt."""

    scene: int
    """Another number for another scene."""
    title: str
    user: str
    """Who asked for it; empty while nobody did."""
    request_id: int | None
    targets: list[Target]
    instead_of: str
    """What was asked for, where the network has not learnt it and its nearest relatives are dreamt; else empty."""
    since_s: float
    left_s: float | None
    """Seconds it will stay; null while that is open."""


@exact_schema
class Waiting(TypedDict):
    """A request in line."""

    id: int
    position: int
    """1 is next."""
    eta_s: float
    title: str
    user: str
    role: Role
    text: str
    """As it was asked."""
    source: str
    """Where it was asked: `web`, `twitch`, …"""
    votes: int
    priority: Priority
    amount: int
    """Points or bits that were paid."""
    targets: list[Target]
    instead_of: str
    """As in what is on air."""


@exact_schema
class Chat(TypedDict):
    """What a chat bot tells of itself."""

    state: ChatState
    detail: str
    account: str
    channel: str
    source: str
    age_s: float
    """Seconds since it told so."""
    since_s: float
    """Seconds that it has been in this state."""
    heard_s: float | None
    """Seconds since the last message in the chat."""
    restarts: int


@exact_schema
class Frames(TypedDict):
    """Frames of the video since the start, by what became of them."""

    number: int | None
    """Number of the last one."""
    shown: int
    late: int
    repeated: int
    dropped: int
    limited: int
    """Changed so that they do not flash."""
    stopped: int
    """Left out because the whole program did not run."""
    unencoded: int
    """Left out by an encoder that was behind."""


@exact_schema
class VideoStatus(TypedDict):
    """How the video does."""

    state: PictureState
    fps: float
    """Frames per second asked for."""
    fps_measured: float
    frames: Frames
    encoder: str
    given_up: list[str]
    """What is done without while other programs take the machine."""
    longest_gap_s: float
    slate: bool
    """Whether viewers see the slate in place of the dream."""
    viewers: int


@exact_schema
class Size(TypedDict):
    """Of a picture, in pixels."""

    width: int
    height: int


@exact_schema
class Link(TypedDict):
    """How the dream stands with the cluster that it is to be computed on."""

    node: str
    """The node that dreams; empty while this machine does."""
    why: str
    """Why this machine does."""
    coding: str
    """How keyframes cross the network, such as `jpeg 90`."""
    mbit_per_s: float
    round_trip_ms: float
    keyframe_bytes: int
    lag_s: float
    """Seconds from a keyframe's moment until it is here."""
    spare: str
    """Where another worker waits to take over: `here` or `cluster`; empty while none is prepared."""


@exact_schema
class Renderer(TypedDict):
    """How the dreaming goes."""

    network: str
    device: str
    canvas: Size | None
    steps_per_s: float
    keyframe_s: float | None
    """Seconds from one keyframe to the next."""
    restarts: int
    error: str
    """What is wrong now; empty when nothing is."""
    last_error: str
    last_error_ago_s: float | None
    spoilt: int
    """Pictures that were not shown, because they held what is no number."""
    reduced: str
    """What it does without for want of memory or of a GPU; empty when nothing."""
    link: Link | None
    """How it stands with the cluster; null where the settings ask for none."""


@exact_schema
class Sound(TypedDict):
    """What is heard."""

    source: str
    """`silence`, `music` or `radio`."""
    state: str
    """`silence`, `idle`, `waiting` or `playing`."""
    playing: str
    dropouts: int
    error: str
    """Why there is no sound; empty while there is."""
    beats: int


@exact_schema
class Source(TypedDict):
    """How the film or camera does that is dreamt on."""

    kind: str
    name: str
    state: str
    """`connecting`, `live`, `lost` or `ended`."""
    reason: str
    size: Size | None
    fps: float
    losses: int


@exact_schema
class HealthInStatus(TypedDict):
    """Whether all is well."""

    ok: bool
    problems: list[str]


@exact_schema
class SettingsCounts(TypedDict):
    """How the config file stands to what runs, in numbers."""

    mistakes: int
    at_next_start: int
    reloads: int
    revision: int


@exact_schema
class Status(TypedDict):
    """All that pages show."""

    on_air: OnAir | None
    queue: list[Waiting]
    poll: Poll | None
    paused: bool
    open: bool
    """Whether viewers may ask."""
    unwritten: str
    """Why requests are not kept on disk; empty while they are."""
    motion: Motion
    chat: Chat | None
    video: VideoStatus
    network: Network
    renderer: Renderer
    sound: Sound
    source: Source | None
    outputs: list[Output]
    health: HealthInStatus
    settings: SettingsCounts
    dreamt: int
    """Rises whenever the list of kept dreams changes."""
    uptime_s: float
    version: str


@exact_schema
class Health(TypedDict):
    """Whether all is well, for machines that watch."""

    ok: bool
    problems: list[str]
    given_up: list[str]
    """What is done without while other programs take the machine."""
