"""What a dream offers to whoever drives it, and its errors. No torch: the renderer's own process reads this, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from streamer.config import Config
from streamer.dream_state import DreamState
from streamer.errors import ZoomdreamError
from streamer.messages.keyframes import SourcePicture
from streamer.messages.motion import Motion, Pose
from streamer.messages.network_contents import LayerEntry
from streamer.messages.scenes import Scene
from streamer.messages.step_view import StepView


class DreamError(ZoomdreamError):
    """A scene that this network cannot dream."""

    wrong_call = True


class ConfigRejected(ZoomdreamError):
    """These settings cannot be dreamt on this machine: trying again will not help. One line says why and what to do."""


class Copy(Protocol):
    """A picture on its way to the host."""

    @property
    def done(self) -> bool:
        """Whether it is there."""

    def array(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, waited for; nobody writes to it."""


class Dreaming(Protocol):
    """A dream in progress."""

    @property
    def pose(self) -> Pose:
        """Where the camera stands."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the canvas."""

    def scene(self, scene: Scene) -> None:
        """Fade over to another scene.

        Raises:
            DreamError: the network has not got one of its targets.
        """

    def motion(self, motion: Motion) -> None:
        """Move the camera differently from now on."""

    def tune(self, config: Config) -> None:
        """Go by other settings from the next step on, as far as they are live (``settings_live``)."""

    def bump(self) -> None:
        """Wake a settled dream by noise."""

    def twist(self) -> None:
        """Wake a settled dream by a slight twist."""

    def step(self, dt_s: float, camera_s: float | None = None) -> None:
        """Move the camera on and take one step.

        Args:
            dt_s: Seconds since the last step.
            camera_s: Seconds by which the camera moves; None for as many. Dreams whose camera has times of its own go by these.
        """

    def resize(self, size: tuple[int, int]) -> None:
        """Go on at another canvas size."""

    def picture(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""

    def copy(self) -> Copy:
        """The picture as it is now, on its way to the host."""

    def fault(self) -> str:
        """What is wrong with the picture so that nobody should see it, in a few words; empty when nothing is."""

    def keep(self) -> DreamState:
        """What it takes besides the picture to go on from here."""

    def restore(self, picture: np.ndarray, pose: Pose, kept: DreamState | None = None) -> None:
        """Go on from an earlier picture (H, W, 3), 0..255, and pose; the first scene after it is the one that it shows.

        Args:
            kept: what ``keep`` gave then or a little before; None for no momentum and fresh chance.
        """


@runtime_checkable
class VideoRider(Protocol):
    """What a dream that rides on a moving picture offers besides."""

    @property
    def ridden(self) -> SourcePicture | None:
        """The picture ridden on, at the canvas' size; None before the first."""

    def ride(self, picture: SourcePicture, dt_s: float) -> None:
        """Go on upon a picture, the same as before or a newer one, ``dt_s`` seconds after the last time."""

    def observe(self, picture: SourcePicture) -> None:
        """See a picture that is not ridden on, to follow what moves in between; from any thread."""


@runtime_checkable
class Inspectable(Protocol):
    """What a dream offers besides that can show what its steps are made of."""

    def inspect(self) -> StepView | None:
        """What a step from here is made of, worked out on the side: the dream goes on as if nothing had been asked.

        Takes about two steps' time. None where there is nothing to show.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Dream:
    """A dream in progress and what is to be known about it."""

    dreamer: Dreaming
    network: str
    device: str
    """``cpu`` or ``cuda``."""
    wnids: tuple[str, ...]
    free_memory: Callable[[], None] = lambda: None
    """Gives back the memory that a failed step held on a GPU."""
    threads: int = 0
    """That it computes with; 0 when that is not known."""
    layers: tuple[LayerEntry, ...] = ()
    """The network's, from the picture to the classes."""
    nearest: tuple[tuple[int, ...], ...] = ()
    """For each of ``wnids`` the others most like it to the network, best first, as indices."""
    warm_up: Callable[[], None] = lambda: None
    """Dreams a little on the side and forgets it, so that the dream's first step takes no longer than those after it."""
    compute_with: Callable[[int], None] = lambda threads: None
    """Computes with so many threads from now on."""
    probe: Callable[[Callable[[], bool]], None] = lambda stop: None
    """Measures in which form its network is fastest here, unless that is known, for later starts; told whether to stop."""
    wait: Callable[[], None] = lambda: None
    """Waits until all steps are done that the device was told to take; copies may still be under way."""
    form: str = ""
    """In which form its network computes; empty when that is not known."""


PreparationCallback = Callable[[str], None]
"""Told, in a few words, what is being prepared."""
DreamFactory = Callable[[Config, int, PreparationCallback], Dream]
"""Makes a dream from settings and a seed; picklable. Raises ``ConfigRejected`` where trying again would not help."""
