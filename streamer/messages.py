"""The frozen types that the rooms exchange.

Sizes are (height, width); points are (x, y). Times named ``*_s`` are monotonic seconds of ``time.monotonic`` unless said
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from shared.role import Role


class Layout(StrEnum):
    """How several targets share the picture; the first named is on top or on the left."""

    AUTO = "auto"
    """One target: whole. Two: top and bottom. Three or four: quarters."""
    WHOLE = "whole"
    TOP_BOTTOM = "top_bottom"
    LEFT_RIGHT = "left_right"
    QUARTERS = "quarters"


MAX_TARGETS = 4
"""Targets in one scene: the four quarters."""


class Kind(StrEnum):
    """What a target makes of the picture."""

    CLASS = "class"
    """Something the network recognises."""
    LAYER = "layer"
    """Whatever excites a layer."""
    CHANNELS = "channels"
    """Whatever excites some channels of a layer."""
    GUIDE = "guide"
    """What a layer sees in another picture."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to dream: a class, named so that every network can look it up, a layer's response, or a picture's likeness."""

    wnid: str
    """WordNet id of the class, for example ``n09472597``; empty for the other kinds."""
    label: str
    """What viewers read, for example ``volcano`` or ``layer fire5``."""
    layer: str = ""
    """The network's layer whose response counts; empty for a class."""
    channels: tuple[int, ...] = ()
    """Which of the layer's channels; empty for all of them."""
    guide: str = ""
    """File of the picture that the layer's response is to follow; only operators name files."""
    objective: str = ""
    """Name of the objective that is to be climbed; empty: the one that the other fields speak of."""

    @property
    def kind(self) -> str:
        """Name of its objective: one of ``FileFormat``, or of what else the dream has."""
        if self.objective:
            return self.objective
        if self.guide:
            return Kind.GUIDE
        if self.channels:
            return Kind.CHANNELS
        return Kind.LAYER if self.layer else Kind.CLASS


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """A layer of a network."""

    name: str
    """Readable and unique within the network, for example ``fire5`` or ``inception4c``."""
    channels: int
    stride: int
    """Pixels from one position of its map to the next."""


@dataclass(frozen=True, slots=True)
class Region:
    """A target and the part of the picture it is to fill."""

    target: Target
    box: tuple[float, float, float, float]
    """(x0, y0, x1, y1) in fractions of the picture; its edges are softened by the objective."""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What is to be dreamt, for whom."""

    id: int
    """Rises by one with every scene of a run."""
    regions: tuple[Region, ...]
    user: str = ""
    """Who asked for it; empty when nobody did."""
    request_id: int | None = None
    """The request it fulfils; None while wandering."""

    @property
    def title(self) -> str:
        """What viewers read, for example ``volcano + bubble``; a target in several regions is named once."""
        return " + ".join(dict.fromkeys(region.target.label for region in self.regions))


def arrange(targets: Sequence[Target], layout: Layout = Layout.AUTO) -> tuple[Region, ...]:
    """Place targets in the picture.

    Targets that a layout has no room for are left out; a layout with more places than targets repeats them in order, so that
    two targets in quarters lie on the diagonals.

    Raises:
        ValueError: no target, or more than ``MAX_TARGETS``.
    """
    if not 1 <= len(targets) <= MAX_TARGETS:
        raise ValueError(f"a scene has 1 to {MAX_TARGETS} targets, not {len(targets)}")
    if layout is Layout.AUTO:
        layout = {1: Layout.WHOLE, 2: Layout.TOP_BOTTOM}.get(len(targets), Layout.QUARTERS)
    match layout:
        case Layout.WHOLE:
            boxes = [(0.0, 0.0, 1.0, 1.0)]
        case Layout.TOP_BOTTOM:
            boxes = [(0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0)]
        case Layout.LEFT_RIGHT:
            boxes = [(0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)]
        case _:
            boxes = [(0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 0.5), (0.5, 0.5, 1.0, 1.0), (0.0, 0.5, 0.5, 1.0)]
    return tuple(Region(targets[i % len(targets)], box) for i, box in enumerate(boxes))


class RequestState(StrEnum):
    """Where a request stands.

    Only these moves happen: queued → on_air → done, queued → removed, on_air → queued after a crash or when workers ended
    over it, and on_air → removed for what was ended before anything of it was dreamt.
    """

    QUEUED = "queued"
    ON_AIR = "on_air"
    DONE = "done"
    REMOVED = "removed"


class Priority(StrEnum):
    """What was paid for a request to come sooner."""

    NONE = "none"
    POINTS = "points"
    """Channel points; given back when it is refused."""
    BITS = "bits"
    """Bits; they are spent whatever comes of it."""

    @property
    def rank(self) -> int:
        """How far in front it stands: 0 for nothing paid, 2 for bits."""
        return list(Priority).index(self)


@dataclass(frozen=True, slots=True)
class Request:
    """A viewer's wish, as the queue keeps it."""

    id: int
    user: str
    """Display name, cleaned: no control, bidi or zero-width characters, at most 25 graphemes."""
    text: str
    """What was asked for, cleaned likewise, at most 100 graphemes; without the command word."""
    targets: tuple[Target, ...]
    role: Role
    source: str
    """Where it came from: ``web``, ``say``, ``twitch``…"""
    created_s: float
    """Unix time: it outlives the process."""
    state: RequestState = RequestState.QUEUED
    message_id: str | None = None
    """The chat message's id, against double delivery."""
    priority: Priority = Priority.NONE
    amount: int = 0
    """Points or bits paid."""
    votes: int = 0
    """Viewers who asked for the same since."""
    settled: int | None = None
    """Where a moderator has put it: lower stands in front, and all of these before the rest. None: the rules decide."""
    aired_s: float = 0.0
    """Seconds that the dream was seen to dream it, as far as is known: more than 0 in line if the program ended meanwhile."""

    @property
    def title(self) -> str:
        """The understood subjects, for example ``volcano + bubble``."""
        return " + ".join(target.label for target in self.targets)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera stands on its endless zoom."""

    log_zoom: float = 0.0
    """log2 of the zoom since the start; grows while zooming in."""
    rotation: float = 0.0
    """Radians since the start, counter-clockwise on the screen."""


@dataclass(frozen=True, slots=True)
class Motion:
    """How the camera moves."""

    speed: float = 1.05
    """Zoom factor per second, above 0; below 1 zooms out."""
    rotation: float = 0.25
    """Degrees per second, counter-clockwise on the screen."""
    drive: float = 1.0
    """How many times as large as usual the dream's steps are meanwhile."""


@dataclass(frozen=True, slots=True, eq=False)  # == on arrays is ambiguous
class SourcePicture:
    """One picture of a moving source: of a film or a camera."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, C-contiguous; nobody writes to it."""
    number: int
    """Rises with every picture of a run; gaps are pictures left out."""
    time_s: float
    """When it was to be seen; of a file, seconds from its beginning."""


@dataclass(frozen=True, slots=True, eq=False)
class Keyframe:
    """One dreamt picture and where the camera stood when it was dreamt."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, sRGB 0..255, C-contiguous; nobody writes to it."""
    pose: Pose
    time_s: float
    """The moment on the camera path; offline, seconds of video."""
    scene: Scene
    number: int
    """Counts from 0 within a run, across restarts of the worker."""
    steps: int
    """Ascent steps taken since the keyframe before."""
    step_s: float = 0.0
    """Mean wall seconds a step took."""
    ridden: SourcePicture | None = None
    """The picture of a moving source that it was dreamt on, at its own size; None where nothing is ridden on."""
    checksum: int | None = None
    """CRC-32 of the pixels as they were dreamt, where the picture has lost something on its way; None where it has not."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of the video."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, C-contiguous; nobody writes to it."""
    number: int
    """Position in the video: its presentation time is ``number / fps``; gaps are dropped frames."""
    scene: Scene | None
    """What it shows; None before the first keyframe."""
    repeated: bool = False
    """Whether it is the picture before once more, because no new one was ready in time."""


class Reason(StrEnum):
    """Why something was refused; the web maps each to a status code."""

    UNKNOWN_WORD = "unknown_word"
    UNLEARNT = "unlearnt"
    """There is such a class, but the network at work has not learnt it."""
    DUPLICATE = "duplicate"
    LIMIT = "limit"
    CLOSED = "closed"
    BLOCKED = "blocked"
    FORBIDDEN = "forbidden"
    """Others may, the one who asks may not."""
    NOT_FOUND = "not_found"
    LOADING = "loading"
    """The network is still loading: whether it can be dreamt is known in a moment."""
    BAD_INPUT = "bad_input"
    BAD_OUTPUT = "bad_output"


@dataclass(frozen=True, slots=True)
class Vote:
    """What became of a request for something that waits already: it counts as a vote for that one."""

    request_id: int
    counted: bool
    """False for one's own request, and for a second vote."""
    votes: int
    """All votes for it now."""
    title: str
    position: int | None
    """Where it stands now; None when it has left the line."""
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class Unlearnt:
    """A subject that only other networks know."""

    said: str
    """As it was typed."""
    label: str
    """What it is called; what was typed, where that means several classes."""
    known: int
    """Classes that the network at work has learnt."""
    remedy: str
    """How the operator gets a network that knows it, in one line."""


class Refused(Exception):
    """A request or command that cannot be granted, for a reason its sender can understand."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        suggestions: tuple[str, ...] = (),
        retry_s: float | None = None,
        vote: Vote | None = None,
        unlearnt: Unlearnt | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.suggestions = suggestions
        """Subjects that would be understood, nearest first."""
        self.retry_s = retry_s
        """Seconds after which another try may succeed."""
        self.vote = vote
        """With ``DUPLICATE``: the request that waits already."""
        self.unlearnt = unlearnt
        """With ``UNLEARNT``: what the network has not learnt."""


@dataclass(frozen=True, slots=True)
class Match:
    """What a viewer's words were understood as."""

    targets: tuple[Target, ...]
    """1 to ``MAX_TARGETS`` different ones, in the order named."""
    note: str = ""
    """What was guessed or chosen, for the viewer; empty when nothing was."""
    exact: bool = True
    """Whether the words were names and nothing else: no slip of the pen, not found within a sentence."""

    @property
    def title(self) -> str:
        """The understood subjects, for example ``volcano + bubble``."""
        return " + ".join(target.label for target in self.targets)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a viewer is told when a request is taken."""

    id: int
    position: int
    """1 is next."""
    eta_s: float
    """Seconds until it is expected on air; 0 when at once."""
    targets: tuple[Target, ...]
    note: str = ""
    """What was guessed, for example ``read 'volcanoe' as volcano``; empty when nothing was."""

    @property
    def title(self) -> str:
        """The understood subjects, for example ``volcano + bubble``."""
        return " + ".join(target.label for target in self.targets)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request in line."""

    request: Request
    position: int
    """1 is next."""
    eta_s: float
    instead_of: str = ""
    """What was asked for, where the network at work has not learnt it and its nearest relatives are dreamt; else empty."""


@dataclass(frozen=True, slots=True)
class Change:
    """A request that is dreamt as something else than was answered when it came, because the network is another."""

    number: int
    """Counts the changes of a run from 1."""
    request_id: int
    user: str
    source: str
    """Where it came from, as in ``Request``."""
    asked: str
    """What was answered last, for example ``volcano``."""
    title: str
    """What is dreamt in place of it; empty for nothing: it was left out."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a request stands; one that does not wait has no position."""

    request: Request
    position: int | None = None
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class SkipVote:
    """The count of those who want to see something else."""

    votes: int
    needed: int
    skipped: bool
    """Whether this vote was the last one needed."""


LEAST_CHOICES, MOST_CHOICES = 2, 5
"""Choices of a poll; Twitch's own polls have as many."""


class PollState(StrEnum):
    """Where a poll stands."""

    OPEN = "open"
    DECIDED = "decided"
    """It ended, with a winner if anybody voted."""
    CANCELLED = "cancelled"
    """It ended and counts for nothing."""


@dataclass(frozen=True, slots=True)
class PollChoice:
    """One of the things that a poll is between."""

    number: int
    """What is typed for it, from 1."""
    title: str
    """The understood subjects, for example ``volcano + bubble``."""
    targets: tuple[Target, ...]
    names: tuple[str, ...]
    """What may be typed in place of the number: the title, and what whoever began the poll called it."""
    votes: int = 0


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll of what is to be dreamt, at one moment."""

    id: str
    """Differs from all others, those of earlier runs too."""
    choices: tuple[PollChoice, ...]
    state: PollState
    left_s: float
    """Seconds until it ends by itself; 0 once it has ended."""
    length_s: float
    """Seconds that it is open."""
    user: str
    """Who began it; empty: it began by itself, as nobody asked for anything."""
    winner: int | None = None
    """Number of the choice that won; None while it is open, and when nobody voted."""
    tied: bool = False
    """Whether others had as many votes as the winner, which had them first."""
    outside: str = ""
    """Where votes are counted of which only the sums are told, for example ``twitch``; empty for nowhere."""

    @property
    def votes(self) -> int:
        """All votes."""
        return sum(choice.votes for choice in self.choices)


@dataclass(frozen=True, slots=True)
class PollVote:
    """A viewer's vote in a poll."""

    user: str
    """As it came."""
    choice: int
    """The choice's number."""


class BlockKind(StrEnum):
    """What can be kept out of the line."""

    WORD = "word"
    """A word or a phrase, wherever it stands in a request or in the name of who asks."""
    USER = "user"
    CLASS = "class"


Setting = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Blocked:
    """What is kept out of the line; words and users as they are compared, in alphabetical order."""

    words: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    classes: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """The queue's rules as they are now."""

    settings: Mapping[str, Setting]
    """By the names of ``QueueConfig``."""
    changed: tuple[str, ...]
    """Settings that were changed while it ran, and differ from the config for that."""
    blocked: Blocked


@dataclass(frozen=True, slots=True)
class Programme:
    """What is on air and what comes next, at one moment."""

    scene: Scene | None
    since_s: float
    """Seconds for which the dream was seen to dream the scene."""
    left_s: float | None
    """Seconds it will stay if the dream goes on; None while paused, or while wandering that a request would end at once."""
    waiting: tuple[Waiting, ...]
    paused: bool
    open: bool = True
    """Whether viewers may ask."""
    poll: Poll | None = None
    """The poll that is open, or ended a few seconds ago."""
    instead_of: str = ""
    """As ``Waiting.instead_of``, of what is on air."""


@dataclass(frozen=True, slots=True)
class Dreamt:
    """A dream that was on air, or a moment of one, of which a picture is kept."""

    id: str
    """Twelve letters and digits that nobody can guess."""
    title: str
    targets: tuple[Target, ...]
    user: str
    """Who asked for it; empty when nobody did."""
    at_s: float
    """Unix time at which it left the air, or was clipped."""
    size: tuple[int, int]
    """(height, width) of its picture, px."""
    clip_s: float = 0.0
    """Seconds of its clip; 0 where there is only the picture."""
    clipped_by: str = ""
    """Who asked for it to be kept while it was on air; empty: it left the air."""


@dataclass(frozen=True, slots=True)
class ClassKind:
    """What kind of thing some classes are."""

    name: str
    """For example ``birds``."""
    title: str
    """What viewers read."""


@dataclass(frozen=True, slots=True)
class ClassEntry:
    """A class of the vocabulary."""

    wnid: str
    label: str
    """Its shortest usual name, what viewers read."""
    names: tuple[str, ...]
    """All its names, the label among them."""
    link: str
    """A page about it."""
    available: bool
    """Whether it can be asked for: the network at work has learnt it, and nobody blocks it."""
    unlearnt: bool
    """Whether only another network could have it dreamt: this one has not learnt it, and nobody blocks it."""
    kind: str
    """Name of its ``ClassKind``."""
    family_safe: bool = True
    """Whether it may be suggested to anybody; whether it may be asked for is another matter."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the network at work knows, at one moment."""

    classes: int = 0
    """How many of ImageNet's classes; 0 until the network is loaded."""
    total: int = 0
    """How many there are."""
    examples: tuple[str, ...] = ()
    """Labels that show well and can be asked for now; the first two make a pair. Until the network is loaded, every network
    knows them."""
    remedy: str = ""
    """How the operator gets a network that knows all classes, in one line; empty where this one does."""
    more: tuple[str, ...] = ()
    """Labels of some classes that only such a network knows."""


@dataclass(frozen=True, slots=True)
class FrameCounters:
    """Frames of the video since the start; each is counted once, save that a late frame is also shown."""

    shown: int = 0
    late: int = 0
    """Shown after their moment."""
    repeated: int = 0
    """The picture before once more, because no new one was ready."""
    dropped: int = 0
    """Left out, to keep the pace after a stall."""
    limited: int = 0
    """Changed so that they don't flash."""
    stopped: int = 0
    """Left out because the whole program did not run, as after SIGSTOP; not among the dropped."""
    unencoded: int = 0
    """Shown, and left out of the video by an encoder that was behind; counted once for each encode."""


@dataclass(frozen=True, slots=True, eq=False)
class StepPicture:
    """One of the pictures of which a step of the dream is made."""

    name: str
    """``dream``, what it changes; ``gradient``, what the network asks for, as it comes; ``natural``, that made natural;
    ``prior``, what keeps it a picture; ``step``, where all of that leads; or ``layer fire5``, what a layer sees."""
    jpeg: bytes
    """A JPEG file."""


@dataclass(frozen=True, slots=True, eq=False)
class StepView:
    """What one step of the dream is made of."""

    title: str
    """What is dreamt."""
    network: str
    """Whose gradient it is."""
    pictures: tuple[StepPicture, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """A look at a step, as the worker answered it."""

    number: int
    """Counts the answers of a run from 1."""
    view: StepView | None
    """None where the algorithm at work has nothing to show."""


class PictureState(StrEnum):
    """What viewers see, in one word; pages and ``/healthz`` go by the same one."""

    STARTING = "starting"
    """There is no dream yet."""
    LIVE = "live"
    SLOW = "slow"
    """Fewer frames a second than are asked for, for so long that viewers notice."""
    INTERRUPTED = "interrupted"
    """What was dreamt last goes on moving; the dream does not."""


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """How the dream stands with the cluster that it is to be computed on."""

    node: str
    """The node that dreams; empty while this machine does."""
    why: str = ""
    """Why this machine does, in one line."""
    coding: str = ""
    """How keyframes cross the network, such as ``jpeg 90``; empty before that is known."""
    bytes_per_s: float = 0.0
    """What the link carries, as far as it was measured; 0 before that."""
    round_trip_s: float = 0.0
    keyframe_bytes: int = 0
    """What a keyframe takes on the network, lately."""
    lag_s: float = 0.0
    """Seconds from a keyframe's moment until it is here, lately."""
    spare: str = ""
    """Where another worker waits to take over: ``here`` or ``cluster``; empty while none is prepared."""


@dataclass(frozen=True, slots=True)
class RendererStatus:
    """How the dreaming goes."""

    network: str = ""
    """Name of the network in use; empty until it is loaded."""
    device: str = ""
    """``cpu`` or ``cuda``; empty until it is chosen."""
    canvas: tuple[int, int] | None = None
    """(height, width) of the picture being dreamt, px."""
    steps_per_s: float = 0.0
    keyframe_s: float | None = None
    """Seconds from one keyframe to the next, lately; None before the second."""
    restarts: int = 0
    """Times the worker died and was started again."""
    error: str = ""
    """What is wrong, in one line; empty once there is another picture."""
    wnids: tuple[str, ...] = ()
    """What the network can dream, in its own order; empty until it is loaded."""
    layers: tuple[LayerEntry, ...] = ()
    """Its layers, from the picture to the classes; empty until it is loaded."""
    nearest: tuple[tuple[int, ...], ...] = ()
    """For each of ``wnids`` the others most like it to the network, best first, as indices; empty until it is loaded."""
    activity: str = ""
    """What keeps it from dreaming, for example ``loading the network``; empty while it dreams."""
    spoilt: int = 0
    """Pictures that were not shown, because they held what is no number or reached beyond black and white."""
    reduced: str = ""
    """What it does without for want of memory or of a GPU that works, and until when; empty when nothing."""
    last_error: str = ""
    """The last thing that went wrong, whether it still is or not; empty when nothing did."""
    last_error_ago_s: float | None = None
    """Seconds since that; None when nothing did."""
    switching: str = ""
    """The network and algorithm that it is about to go over to; empty while it stays with what it has."""
    switch_error: str = ""
    """Why it did not go over to what was asked for last, in one line; empty when it did."""
    switch_failures: int = 0
    """How often it did not."""
    link: LinkStatus | None = None
    """How it stands with the cluster; None where the settings ask for none."""


class ChatState(StrEnum):
    """How the chat bot stands with the chat."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    NEEDS_LOGIN = "needs login"
    READ_ONLY = "read-only"
    OFFLINE = "offline"
    GONE = "gone"
    """It has not told of itself for a while; only concluded here, never told."""


@dataclass(frozen=True, slots=True)
class ChatReport:
    """What a chat bot tells of itself."""

    state: ChatState
    detail: str
    """More about the state, for the operator."""
    account: str
    """Who it speaks as; empty when it cannot speak."""
    channel: str
    source: str
    """Where it hears: ``twitch``, ``irc``, ``console``."""
    age_s: float = 0.0
    """Seconds since it told so."""
    heard_s: float | None = None
    """Seconds since the last message in the chat; None while none came."""
    since_s: float = 0.0
    """Seconds that it has been in this state; only concluded here, never told."""


@dataclass(frozen=True, slots=True)
class OutputStatus:
    """How one output does, at one moment; nothing in it is secret."""

    name: str
    kind: str
    """As in its block, for example ``rtmp``."""
    state: str
    """``connecting``, ``waiting``, ``live``, ``retrying``, ``failed``, ``stopped``, or ``disabled``."""
    reason: str
    """Why it is not live, in one line; empty when it is."""
    delivered_bytes: int
    """Since it was added."""
    dropped: int
    """Pictures left out because it was too slow."""
    failures: int
    since_s: float
    """Seconds it has been in this state."""
    retry_in_s: float | None
    """Seconds to the next try; None unless it is retrying."""
    target: str
    """Where it goes, in words for people, keys left out; of a recording the file, not the pattern that names it."""
    enabled: bool = True
    public: bool = False
    """Whether it brings the picture before viewers elsewhere, such as Twitch's."""

    @property
    def failing(self) -> bool:
        """Whether it cannot deliver, which somebody should look at."""
        return self.state in ("retrying", "failed")


@dataclass(frozen=True, slots=True)
class SoundStatus:
    """What is heard, at one moment."""

    source: str = "silence"
    """``silence``, ``music`` or ``radio``."""
    state: str = "silence"
    """``silence`` as configured; ``idle`` until somebody listens; ``waiting`` for sound that should be there; ``playing``."""
    playing: str = ""
    """The file, or what the station says it plays."""
    dropouts: int = 0
    """How often sound gave way to silence."""
    error: str = ""
    """Why there is no sound, in one line; empty while there is."""
    beats: int = 0
    """Beats that the picture has reacted to."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How the moving source does that the dream rides on, at one moment."""

    kind: str
    """``video`` or ``camera``."""
    name: str
    """The file, the device, or the stream's URL without what is secret in it."""
    state: str
    """``connecting``, ``live``, ``lost`` while it is sought again, or ``ended``."""
    reason: str = ""
    """Why it is not live, in one line; empty when it is."""
    size: tuple[int, int] | None = None
    """(height, width) of the pictures it gives; None before the first."""
    fps: float = 0.0
    """Pictures a second lately."""
    losses: int = 0
    """How often it was lost."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of reading the config file again; settings are dotted keys, in the order of the reference."""

    changed: tuple[str, ...] = ()
    """Those that show now."""
    at_next_start: tuple[str, ...] = ()
    """Those that differ from what runs, and change at the next start."""


@dataclass(frozen=True, slots=True)
class SettingsStatus:
    """How the config file stands to what runs, at one moment."""

    file: str = ""
    """The file; empty where none was named."""
    mistakes: tuple[str, ...] = ()
    """Why it is not heeded as it is now, one line each; empty when it is."""
    at_next_start: tuple[str, ...] = ()
    """As in ``Reloaded``."""
    reloads: int = 0
    """How often something changed while the stream ran."""
    revision: int = 0
    """Counts the changes of all this."""


@dataclass(frozen=True, slots=True)
class StatusSnapshot:
    """Everything that pages, metrics and health checks tell, at one moment."""

    programme: Programme
    frames: FrameCounters
    fps: float
    """Frames per second asked for."""
    fps_measured: float
    """Frames per second lately; 0 before the first."""
    renderer: RendererStatus
    viewers: int
    """Open streams of live video."""
    uptime_s: float
    version: str
    problems: tuple[str, ...] = ()
    """Why the stream is unhealthy, one line each; empty when all is well."""
    motion: Motion = Motion()
    """How the camera is to move."""
    chat: ChatReport | None = None
    """What the chat bot last told; None before it told anything."""
    outputs: tuple[OutputStatus, ...] = ()
    """In the order in which they were added."""
    picture: PictureState = PictureState.LIVE
    """What viewers see; where it is slow or interrupted, ``problems`` says so, too."""
    frame_number: int | None = None
    """``Frame.number`` of the frame on air; None before the first."""
    longest_gap_s: float = 0.0
    """Most seconds from one frame of the video to the next within the last ten, or a little more."""
    slate: bool = False
    """Whether viewers see the slate in place of the dream, which is gone for long."""
    sound: SoundStatus = SoundStatus()
    encoder: str = ""
    """What encodes, and how, for example ``libx264 veryfast``."""
    source: SourceStatus | None = None
    """The film or the camera that the dream rides on; None where there is none."""
    settings: SettingsStatus = SettingsStatus()
    knowledge: Knowledge = Knowledge()
    unwritten: str = ""
    """Why requests are not kept on disk, and what that means, in one line; empty while they are."""
    given_up: tuple[str, ...] = ()
    """What the stream does without while other programs take the machine, first given up first."""
    chat_restarts: int = 0
    """Times the chat bot that the stream started ended or hung, and was started again."""
    dreamt: int = 0
    """Counts the changes of what is kept of past dreams, and of what of it is shown."""
