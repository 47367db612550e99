"""What the renderer and its worker process tell each other over their pipe. Frozen and picklable; no torch."""

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
    """Where an earlier worker got to."""

    picture: np.ndarray
    """(H, W, 3) uint8 RGB."""
    pose: Pose
    time_s: float
    """When the camera stood there, on the renderer's monotonic clock."""
    ridden: SourcePicture | None = None
    """The picture that it rode on."""
    scene: Scene | None = None
    """What it dreamt of; None for what it is told first."""
    kept: DreamState | None = None
    """What it takes besides to go on; None for no momentum and fresh chance."""
    kept_ago: int = 0
    """How many pictures before this one that was kept."""


class PrepareMode(Enum):
    """How a worker process prepares before it is told to begin."""

    NOW = "now"
    """It is waited for."""
    SPARE = "spare"
    """Another one dreams meanwhile: quietly, with what the processor has left, up to the first step."""
    SPARE_LIGHT = "spare, light"
    """Likewise, but it only imports what it needs: the network is loaded once it is told to begin."""


@dataclass(frozen=True, slots=True)
class ClusterPlacement:
    """A worker on a node of a cluster, which a process here speaks for."""

    settings: RendererConfig
    avoid: tuple[str, ...] = ()
    """Ids of nodes that it is not to be on."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """All a worker needs to prepare."""

    config: Config
    seed: int
    factory: DreamFactory | None
    """None for the real one."""
    frame_slots: FrameSlots
    feed: PictureFeed | None = None
    """Pictures of a moving source; None where nothing is ridden on."""
    prepare_mode: PrepareMode = PrepareMode.NOW
    cluster_placement: ClusterPlacement | None = None
    """Where the dream is computed; None for in the worker's own process."""
    threads: int = 0
    """To compute with; 0 for as many as suit the machine."""


# From the renderer to the worker, besides Scene, Motion, Tuned and Bump as they are.


@dataclass(frozen=True, slots=True)
class StoredState:
    """What was kept of a dream, its arrays in the ring."""

    network: str
    algorithm: str
    pose: Pose
    numbers: Mapping[str, Any]
    places: tuple[ArrayPlace, ...]

    @classmethod
    def put(cls, frame_slots: FrameSlots, kept: DreamState) -> StoredState | None:
        """Put it there; None where there is no room for it."""
        places = frame_slots.write_state(kept.arrays)
        return None if places is None else cls(kept.network, kept.algorithm, kept.pose, kept.numbers, places)

    def get(self, frame_slots: FrameSlots) -> DreamState:
        """A copy of it."""
        return DreamState(self.network, self.algorithm, self.pose, frame_slots.read_state(self.places), self.numbers)


@dataclass(frozen=True, slots=True)
class ResumeSlots:
    """Where an earlier worker got to: its last picture lies in the ring's first slot."""

    size: tuple[int, int]
    """(height, width)."""
    pose: Pose
    time_s: float
    """When the camera stood there, on the renderer's monotonic clock."""
    ridden: tuple[int, float] | None = None
    """Number and time of the picture that it rode on, which then lies in the slot below the other, at the same size."""
    kept: StoredState | None = None
    """What was kept of it; None where nothing was."""
    kept_ago: int = 0
    """How many pictures before the last one that was."""

    def opened(self, frame_slots: FrameSlots) -> Resume:
        """A copy of it, but for what was kept."""
        height, width = self.size
        if self.ridden is None:
            return Resume(frame_slots.read(0, self.size), self.pose, self.time_s)
        pictures = frame_slots.read(0, (2 * height, width))
        return Resume(pictures[:height], self.pose, self.time_s, SourcePicture(pictures[height:], *self.ridden))


@dataclass(frozen=True, slots=True)
class Begin:
    """Dream, from where an earlier worker got to if there was one. Comes once, before all other commands but ``Stop``."""

    left: ResumeSlots | None
    level: int = 0
    """By how many levels the canvas is smaller than usual, for want of memory (``step_scheduler``)."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Stand still, or go on."""

    paused: bool


@dataclass(frozen=True, slots=True)
class ResourceLimit:
    """Take less of the machine, or as much as ever again."""

    threads_fewer: int = 0
    """Threads that it does not compute with; one is left in any case."""
    share: float = 1.0
    """Part of the time that steps may take; it rests otherwise."""


NO_LIMIT = ResourceLimit()


@dataclass(frozen=True, slots=True)
class Inspect:
    """Show what a step is made of, once there is time; optional: a dream that cannot answers with nothing."""


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """A slot's picture has been copied out."""

    slot: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End after the step at hand."""


Command = Scene | Motion | Tuned | Bump | Pause | ResourceLimit | Inspect | FreeSlot | Stop
"""Those that a worker obeys while it dreams."""


# From the worker to the renderer.


@dataclass(frozen=True, slots=True)
class Hello:
    """The process runs."""

    clock_s: float
    """The worker's monotonic clock as it says so."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Preparing; a sign of life."""

    what: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """All is there, and waits for ``WorkStarter``."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The dream begins."""

    network: str
    device: str
    wnids: tuple[str, ...]
    layers: tuple[LayerEntry, ...] = ()
    nearest: tuple[tuple[int, ...], ...] = ()
    """As in ``Dream``."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life of the dreaming loop."""

    step_s: float
    """Seconds a step takes; 0 before that is known."""
    heard: int
    """Commands received so far, ``FreeSlot`` not counted."""
    median_s: float = 0.0
    """Median of what the latest steps took; 0 before that is known."""
    sets_up: bool = False
    """Whether the next step sets up what those after it use, which may take long."""


@dataclass(frozen=True, slots=True)
class KeyframeReady:
    """A picture lies in a slot of the shared memory."""

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
    """All that was done to the dream since the picture that was sent before."""
    ridden: tuple[int, float] | None = None
    """Number and time of the picture ridden on, which then lies in the slot below the other, at the same size."""
    kept: StoredState | None = None
    """What was kept of the dream with it; most pictures come without."""
    checksum: int | None = None
    """As in ``Keyframe``."""


@dataclass(frozen=True, slots=True)
class LinkReport:
    """How the link to a worker elsewhere does; comes once it is there, and each second from then on."""

    node: str
    """Id of the worker's node; empty before it has one."""
    free_nodes: int
    """Other nodes that have room for such a worker."""
    status: LinkStatus


@dataclass(frozen=True, slots=True)
class PictureRejected:
    """A picture that nobody should see was not sent."""

    message: str
    """What is wrong with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Inspected:
    """The answer to ``Inspect``."""

    view: StepView | None
    """None where there is nothing to show."""


@dataclass(frozen=True, slots=True)
class NonFatalError:
    """Something went wrong, and the dream goes on."""

    message: str
    cause: Cause = Cause.OTHER
    level: int = 0
    """By how many levels the canvas is smaller than usual from now on, where the cause is want of memory."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong, and the worker ends."""

    message: str
    """One line."""
    trace: str
    """Where, for the log."""
    lasting: bool
    """Whether trying again would not help."""
    cause: Cause = Cause.OTHER


def forward_log_record(record: logging.LogRecord) -> None:
    """Log a line that a worker sent, if lines of its level are logged here."""
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
