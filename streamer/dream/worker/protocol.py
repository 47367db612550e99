"""What the renderer and its worker process tell each other over their pipe. Frozen and picklable; no torch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from streamer.acts import Act, Bump
from streamer.config import Config
from streamer.dream.moving.feed import Feed
from streamer.dream.worker.ring import Ring
from streamer.messages import LayerEntry, Motion, Pose, Scene, SourcePicture


class Dreaming(Protocol):
    """What the worker needs of ``dreamer.Dreamer``."""

    @property
    def pose(self) -> Pose:
        """Where the camera stands."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the canvas."""

    def scene(self, scene: Scene) -> None:
        """Fade over to another scene."""

    def motion(self, motion: Motion) -> None:
        """Move the camera differently from now on."""

    def bump(self) -> None:
        """Wake a settled dream by noise."""

    def twist(self) -> None:
        """Wake a settled dream by a slight twist."""

    def step(self, dt_s: float) -> None:
        """Move the camera on and take one step."""

    def resize(self, size: tuple[int, int]) -> None:
        """Go on at another canvas size."""

    def picture(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""

    def restore(self, picture: np.ndarray, pose: Pose) -> None:
        """Go on from an earlier picture (H, W, 3), 0..255, and pose."""


def wake(dream: Dreaming, bump: Bump) -> None:
    """Wake a dream the way that is asked for."""
    if bump.twist:
        dream.twist()
    else:
        dream.bump()


class Riding(Protocol):
    """What the worker needs of ``riding.RidingDream`` besides."""

    @property
    def ridden(self) -> SourcePicture | None:
        """The picture ridden on, at the canvas' size; None before the first."""

    def ride(self, picture: SourcePicture, dt_s: float) -> None:
        """Go on upon a picture, the same as before or a newer one, ``dt_s`` seconds after the last time."""

    def pass_by(self, picture: SourcePicture) -> None:
        """See a picture that is not ridden on, to follow what moves in between; from any thread."""


@dataclass(frozen=True, slots=True, eq=False)
class Dream:
    """A dreamer and what is to be known about it."""

    dreamer: Dreaming
    network: str
    device: str
    """``cpu`` or ``cuda``."""
    wnids: tuple[str, ...]
    out_of_memory: Callable[[Exception], bool] = lambda error: isinstance(error, MemoryError)
    """Whether an exception in a step is one that a smaller canvas could cure."""
    unknown: type[Exception] = LookupError
    """What ``scene`` raises when the network does not know a class; the dream then goes on as before."""
    threads: int = 0
    """That it computes with; 0 when that is not known."""
    layers: tuple[LayerEntry, ...] = ()
    """The network's, from the picture to the classes."""
    rider: Riding | None = None
    """The dreamer itself, where it rides on a moving picture."""


Tell = Callable[[str], None]
"""Told, in a few words, what is being prepared."""
Factory = Callable[[Config, int, Tell], Dream]
"""Makes a dream from settings and a seed; picklable. Raises ``Unfit`` where trying again would not help."""


class Unfit(Exception):
    """These settings cannot be dreamt on this machine: trying again will not help. One line says why and what to do."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """All a worker needs to begin."""

    config: Config
    seed: int
    factory: Factory | None
    """None for the real one."""
    ring: Ring
    resume: Resume | None
    feed: Feed | None = None
    """Pictures of a moving source; None where nothing is ridden on."""


# From the renderer to the worker, besides Scene, Motion and Bump as they are.


@dataclass(frozen=True, slots=True)
class Pause:
    """Stand still, or go on."""

    paused: bool


@dataclass(frozen=True, slots=True)
class Free:
    """A slot's picture has been copied out."""

    slot: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End after the step at hand."""


Command = Scene | Motion | Bump | Pause | Free | Stop


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
class Ready:
    """The dream begins."""

    network: str
    device: str
    wnids: tuple[str, ...]
    layers: tuple[LayerEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life of the dreaming loop."""

    step_s: float
    """Seconds a step takes; 0 before that is known."""
    heard: int
    """Commands received so far, ``Free`` not counted."""


@dataclass(frozen=True, slots=True)
class Shot:
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
    acts: tuple[Act, ...] = ()
    """All that was done to the dream since the picture that was sent before."""
    ridden: tuple[int, float] | None = None
    """Number and time of the picture ridden on, which then lies in the slot below the other, at the same size."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something went wrong, and the dream goes on."""

    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong, and the worker ends."""

    message: str
    """One line."""
    trace: str
    """Where, for the log."""
    lasting: bool
    """Whether trying again would not help."""


Report = Hello | Busy | Ready | Beat | Shot | Trouble | Failed | logging.LogRecord
