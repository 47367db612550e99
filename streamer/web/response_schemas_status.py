"""Types of the responses of ``/api/status``, ``/api/events`` and ``/healthz``; see ``response_schemas``."""

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
    """The scene on air."""

    scene: int
    """Number of the scene."""
    title: str
    user: str
    """Who requested it; empty if nobody did."""
    request_id: int | None
    """Id of the request; null if nobody requested it."""
    targets: list[Target]
    instead_of: str
    """What was requested, if the network has not learnt it and its nearest relatives are shown; else empty."""
    since_s: float
    """Seconds for which it has been shown."""
    left_s: float | None
    """Seconds for which it stays; null if that is open."""


@exact_schema
class Waiting(TypedDict):
    """A waiting request."""

    id: int
    position: int
    """1 is next."""
    eta_s: float
    """Seconds until it is expected on air."""
    title: str
    """What is shown, for example `volcano + bubble`."""
    user: str
    """Who made it."""
    role: Role
    """The viewer's role."""
    text: str
    """What the viewer typed."""
    source: str
    """Where it was made: `web`, `twitch`, …"""
    votes: int
    priority: Priority
    amount: int
    """Points or bits paid."""
    targets: list[Target]
    instead_of: str
    """See `on_air`."""


@exact_schema
class Chat(TypedDict):
    """The chat bot's latest report."""

    state: ChatState
    detail: str
    account: str
    channel: str
    source: str
    age_s: float
    """Seconds since the report."""
    since_s: float
    """Seconds in this state."""
    heard_s: float | None
    """Seconds since the last message in the chat."""
    restarts: int


@exact_schema
class Frames(TypedDict):
    """Frames of the video since the start, by outcome."""

    number: int | None
    """Number of the latest frame."""
    shown: int
    late: int
    """Shown too late."""
    repeated: int
    """The frame before once more, because no new one was ready."""
    dropped: int
    """Left out to catch up after a stall."""
    limited: int
    """Changed by the flash limiter."""
    stopped: int
    """Left out because the whole program was stopped."""
    unencoded: int
    """Left out because the encoder was behind."""


@exact_schema
class VideoStatus(TypedDict):
    """The state of the video."""

    state: PictureState
    fps: float
    """Frames per second in the settings."""
    fps_measured: float
    """Frames per second, as measured."""
    frames: Frames
    encoder: str
    given_up: list[str]
    """Features that are off while other programs use the machine."""
    longest_gap_s: float
    """Longest time between two frames in the last ten seconds."""
    slate: bool
    """Whether viewers see the slate instead of the dream."""
    viewers: int
    """Open streams of live video."""


@exact_schema
class Size(TypedDict):
    """Size of an image in pixels."""

    width: int
    height: int


@exact_schema
class Link(TypedDict):
    """The connection to the cluster that should compute the dream."""

    node: str
    """The node that renders; empty while this machine does."""
    why: str
    """Why this machine renders."""
    coding: str
    """Coding of keyframes on the network, for example `jpeg 90`."""
    mbit_per_s: float
    """Throughput, as measured."""
    round_trip_ms: float
    keyframe_bytes: int
    lag_s: float
    """Seconds from the time of a keyframe until it has arrived."""
    spare: str
    """Where a standby worker waits: `here` or `cluster`; empty if none is prepared."""


@exact_schema
class Renderer(TypedDict):
    """The state of the renderer."""

    network: str
    device: str
    canvas: Size | None
    """Size of the image that is optimised."""
    steps_per_s: float
    keyframe_s: float | None
    """Seconds from one keyframe to the next."""
    restarts: int
    error: str
    """The current error; empty if there is none."""
    last_error: str
    last_error_ago_s: float | None
    spoilt: int
    """Keyframes discarded because they had values that are not numbers, or beyond black and white."""
    reduced: str
    """What was reduced for lack of memory or of a GPU; empty for nothing."""
    link: Link | None
    """The connection to the cluster; null if the settings name none."""


@exact_schema
class Sound(TypedDict):
    """The state of the sound."""

    source: str
    """`silence`, `music` or `radio`."""
    state: str
    """`silence`, `idle`, `waiting` or `playing`."""
    playing: str
    dropouts: int
    error: str
    """Why there is no sound; empty if there is."""
    beats: int


@exact_schema
class Source(TypedDict):
    """The state of the film or camera that the dream uses."""

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
    """Whether there are problems."""

    ok: bool
    problems: list[str]


@exact_schema
class SettingsCounts(TypedDict):
    """The config file, compared with the settings in use, in numbers."""

    mistakes: int
    at_next_start: int
    reloads: int
    revision: int


@exact_schema
class Status(TypedDict):
    """The state of the stream."""

    on_air: OnAir | None
    queue: list[Waiting]
    """Waiting requests, next one first."""
    poll: Poll | None
    """The poll that is open or ended a few seconds ago."""
    paused: bool
    """Whether the scene on air is held."""
    open: bool
    """Whether the queue takes requests from viewers."""
    unwritten: str
    """Why requests are not saved to disk; empty if they are."""
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
    """Rises whenever the list of past dreams changes."""
    uptime_s: float
    version: str


@exact_schema
class Health(TypedDict):
    """Whether there are problems, for monitoring."""

    ok: bool
    problems: list[str]
    given_up: list[str]
    """Features that are off while other programs use the machine."""
