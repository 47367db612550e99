"""Messages between the renderer and its worker process, sent over a pipe. Frozen and picklable; no torch."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from streamer.config import Config, RendererConfig
from streamer.dream.interface import DreamFactory
from streamer.dream.sources.picture_feed import PictureFeed
from streamer.dream.worker.causes import Cause
from streamer.dream.worker.frame_slots import ArrayPlace, FrameSlots
from streamer.dream_state import DreamState
from streamer.events import Bump, DreamEvent, Tuned
from streamer.messages.keyframes import SourcePicture
from streamer.messages.motion import Motion, Pose
from streamer.messages.network_contents import LayerEntry
from streamer.messages.renderer_status import LinkStatus
from streamer.messages.scenes import Scene
from streamer.messages.step_view import StepView


@dataclass(frozen=True, slots=True, eq=False)
class Resume:
    """Where an earlier worker stopped: the point to resume from."""

    picture: np.ndarray
    """(H, W, 3) uint8 RGB."""
    pose: Pose
    time_s: float
    """Time of that pose, on the renderer's monotonic clock."""
    source_picture: SourcePicture | None = None
    """The source picture that it was rendered on."""
    scene: Scene | None = None
    """The scene it showed; None for the first scene that is sent."""
    kept: DreamState | None = None
    """The dream's saved state; None to start without momentum and with a new random state."""
    kept_ago: int = 0
    """Number of pictures between the saved state and this picture."""


class PrepareMode(Enum):
    """How a worker process prepares before ``Begin``."""

    NOW = "now"
    """As fast as possible, since the stream waits for it."""
    SPARE = "spare"
    """Up to the first step, at low priority, while another worker renders."""
    SPARE_LIGHT = "spare, light"
    """Only imports, at low priority; the network is loaded after ``Begin``."""


@dataclass(frozen=True, slots=True)
class ClusterPlacement:
    """A place on a node of a cluster, for a worker that a local relay process represents."""

    settings: RendererConfig
    avoid: tuple[str, ...] = ()
    """Ids of nodes not to use."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """All a worker needs to prepare."""

    config: Config
    seed: int
    factory: DreamFactory | None
    """None for the real one."""
    frame_slots: FrameSlots
    feed: PictureFeed | None = None
    """Pictures of a moving source; None without one."""
    prepare_mode: PrepareMode = PrepareMode.NOW
    cluster_placement: ClusterPlacement | None = None
    """Where the dream is computed; None for the worker's own process."""
    threads: int = 0
    """Number of threads to compute with; 0 for as many as suit the machine."""


# From the renderer to the worker, besides Scene, Motion, Tuned and Bump.


@dataclass(frozen=True, slots=True)
class StoredState:
    """The state of a dream, with its arrays in the state slot of the shared memory."""

    network: str
    algorithm: str
    pose: Pose
    numbers: Mapping[str, Any]
    places: tuple[ArrayPlace, ...]

    @classmethod
    def put(cls, frame_slots: FrameSlots, kept: DreamState) -> StoredState | None:
        """Write the state to the slot; return None if it does not fit."""
        places = frame_slots.write_state(kept.arrays)
        return None if places is None else cls(kept.network, kept.algorithm, kept.pose, kept.numbers, places)

    def get(self, frame_slots: FrameSlots) -> DreamState:
        """Return a copy of the state."""
        return DreamState(self.network, self.algorithm, self.pose, frame_slots.read_state(self.places), self.numbers)


@dataclass(frozen=True, slots=True)
class ResumeSlots:
    """``Resume`` for a pipe: its picture is in the first slot of the shared memory."""

    size: tuple[int, int]
    """(height, width)."""
    pose: Pose
    time_s: float
    """Time of that pose, on the renderer's monotonic clock."""
    source_picture: tuple[int, float] | None = None
    """Number and time of the source picture, which is in the slot below the other, at the same size."""
    kept: StoredState | None = None
    """The dream's saved state; None if there is none."""
    kept_ago: int = 0
    """Number of pictures between the saved state and the last picture."""

    def opened(self, frame_slots: FrameSlots) -> Resume:
        """Return a copy without the saved state."""
        height, width = self.size
        if self.source_picture is None:
            return Resume(frame_slots.read(0, self.size), self.pose, self.time_s)
        pictures = frame_slots.read(0, (2 * height, width))
        return Resume(pictures[:height], self.pose, self.time_s, SourcePicture(pictures[height:], *self.source_picture))


@dataclass(frozen=True, slots=True)
class Begin:
    """Start rendering, from where an earlier worker stopped if there was one. Sent once, before any command but ``Stop``."""

    left: ResumeSlots | None
    level: int = 0
    """Number of levels by which the canvas is smaller than usual because memory ran out (``step_scheduler``)."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Pause or continue."""

    paused: bool


@dataclass(frozen=True, slots=True)
class ResourceLimit:
    """Use less of the machine, or as much as usual again."""

    threads_fewer: int = 0
    """Number of threads to give up; at least one is always left."""
    share: float = 1.0
    """Share of the time that steps may take; the worker waits the rest of it."""


NO_LIMIT = ResourceLimit()


@dataclass(frozen=True, slots=True)
class Inspect:
    """Inspect a step when there is time; a dream that cannot do that answers without pictures."""


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """A slot's contents have been copied, so that the worker can write to it again."""

    slot: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End after the current step."""


Command = Scene | Motion | Tuned | Bump | Pause | ResourceLimit | Inspect | FreeSlot | Stop
"""Commands that a worker obeys while it renders."""


# From the worker to the renderer.


@dataclass(frozen=True, slots=True)
class Hello:
    """The process has started."""

    clock_s: float
    """The worker's monotonic clock when it sends this."""


@dataclass(frozen=True, slots=True)
class Busy:
    """The worker is preparing; a sign of life."""

    what: str
    """What it does, for example ``loading the network``."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything is prepared; the worker waits for ``Begin``."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The dream starts."""

    network: str
    device: str
    wnids: tuple[str, ...]
    layers: tuple[LayerEntry, ...] = ()
    nearest: tuple[tuple[int, ...], ...] = ()
    """See ``Dream``."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life from the worker's main loop."""

    step_s: float
    """Seconds per step; 0 before that is known."""
    commands_received: int
    """Commands received so far, ``FreeSlot`` not counted."""
    median_s: float = 0.0
    """Median seconds of the latest steps; 0 before that is known."""
    sets_up: bool = False
    """Whether the next step also sets something up, which may take long."""


@dataclass(frozen=True, slots=True)
class KeyframeReady:
    """A slot of the shared memory holds a new keyframe."""

    slot: int
    size: tuple[int, int]
    """(height, width)."""
    pose: Pose
    time_s: float
    """On the worker's monotonic clock."""
    scene: Scene
    steps: int
    step_s: float
    events: tuple[DreamEvent, ...] = ()
    """Everything that happened to the dream since the last keyframe that was sent."""
    source_picture: tuple[int, float] | None = None
    """Number and time of the source picture, which is in the slot below the other, at the same size."""
    kept: StoredState | None = None
    """The dream's state at this keyframe; most keyframes come without it."""
    checksum: int | None = None
    """See ``Keyframe``."""


@dataclass(frozen=True, slots=True)
class LinkReport:
    """Status of the link to a worker on a cluster; sent once it is up, and every second from then on."""

    node: str
    """Id of the worker's node; empty before it has one."""
    free_nodes: int
    """Number of other nodes that have room for such a worker."""
    status: LinkStatus
    silent_s: float = 0.0
    """Seconds for which the worker has been silent on its node; what it waited there for a CPU does not count."""


@dataclass(frozen=True, slots=True)
class PictureRejected:
    """An unusable picture was not sent."""

    message: str
    """What is wrong with the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Inspected:
    """The answer to ``Inspect``."""

    view: StepView | None
    """None if there is nothing to show."""


@dataclass(frozen=True, slots=True)
class NonFatalError:
    """Something went wrong, and the dream continues."""

    message: str
    cause: Cause = Cause.OTHER
    level: int = 0
    """If memory ran out: number of levels by which the canvas is smaller than usual from now on."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong, and the worker ends."""

    message: str
    """One line."""
    trace: str
    """The traceback, for the log; may be empty."""
    lasting: bool
    """Whether the error would occur again with another worker, so that retrying does not help."""
    cause: Cause = Cause.OTHER


def forward_log_record(record: logging.LogRecord) -> None:
    """Log a record that a worker sent, if its level is enabled here."""
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


Report = (
    Hello
    | Busy
    | Prepared
    | Ready
    | Heartbeat
    | KeyframeReady
    | LinkReport
    | PictureRejected
    | Inspected
    | NonFatalError
    | Failed
    | logging.LogRecord
)
