"""The interface of a dream, and its errors. No torch: the renderer's own process imports this, too."""

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
    """The network cannot render this scene."""

    wrong_call = True


class ConfigRejected(ZoomdreamError):
    """This machine cannot run these settings; trying again will not help. One line says why and what to do."""


class Copy(Protocol):
    """A picture that is being copied to the host."""

    @property
    def done(self) -> bool:
        """Whether the copy is complete."""

    def array(self) -> np.ndarray:
        """Wait for the copy and return it, (H, W, 3) uint8 RGB, read-only."""


class Dreaming(Protocol):
    """A dream in progress: its picture, camera and scene, and the steps that change them."""

    @property
    def pose(self) -> Pose:
        """The camera's pose."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the canvas."""

    def scene(self, scene: Scene) -> None:
        """Crossfade to another scene.

        Raises:
            DreamError: the network does not have one of its targets.
        """

    def motion(self, motion: Motion) -> None:
        """Move the camera differently from now on."""

    def tune(self, config: Config) -> None:
        """Use other settings from the next step on, as far as they are live (``settings_live``)."""

    def bump(self) -> None:
        """Wake a converged dream with noise."""

    def twist(self) -> None:
        """Wake a converged dream with a twist of the picture."""

    def step(self, dt_s: float, camera_s: float | None = None) -> None:
        """Move the camera and take one step.

        Args:
            dt_s: seconds since the last step.
            camera_s: seconds by which the camera moves; None for ``dt_s``. Ink, whose camera moves in leaps, ignores it.
        """

    def resize(self, size: tuple[int, int]) -> None:
        """Change the canvas size to (height, width)."""

    def picture(self) -> np.ndarray:
        """Return the current picture, (H, W, 3) uint8 RGB."""

    def copy(self) -> Copy:
        """Start to copy the current picture to the host."""

    def fault(self) -> str:
        """Say in a few words why the picture is not fit to be shown; empty when it is."""

    def keep(self) -> DreamState:
        """Return the state that is needed, besides the picture, to continue from here."""

    def restore(self, picture: np.ndarray, pose: Pose, kept: DreamState | None = None) -> None:
        """Continue from an earlier picture (H, W, 3), 0..255, and pose; the next ``scene`` is the one it already shows.

        Args:
            picture: the earlier picture.
            pose: its pose.
            kept: what ``keep`` returned then or shortly before; None for no momentum and the current random state.
        """


@runtime_checkable
class VideoRider(Protocol):
    """The additional interface of a dream on a moving picture."""

    @property
    def source_picture(self) -> SourcePicture | None:
        """The base picture, at the canvas' size; None before the first."""

    def ride(self, picture: SourcePicture, dt_s: float) -> None:
        """Move the dream onto a base picture, the same as before or a newer one, ``dt_s`` seconds after the last call."""

    def observe(self, picture: SourcePicture) -> None:
        """Track the motion in a picture that is not a base picture; call it from any thread."""


@runtime_checkable
class Inspectable(Protocol):
    """The additional interface of a dream that can show the components of its steps."""

    def inspect(self) -> StepView | None:
        """Return pictures of the next step's components, without an effect on the dream; None if there is nothing to show.

        It takes about as long as two steps.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Dream:
    """A dream in progress (``dreamer``), with the facts and functions of its network and device."""

    dreamer: Dreaming
    network: str
    device: str
    """``cpu`` or ``cuda``."""
    wnids: tuple[str, ...]
    free_memory: Callable[[], None] = lambda: None
    """Frees the memory that a failed step held on a GPU."""
    threads: int = 0
    """Number of threads that it computes with; 0 if unknown."""
    layers: tuple[LayerEntry, ...] = ()
    """The network's layers, from the picture to the classes."""
    nearest: tuple[tuple[int, ...], ...] = ()
    """For each of ``wnids``, the classes that are most similar to the network, best first, as indices."""
    warm_up: Callable[[], None] = lambda: None
    """Takes a few steps and discards them, so that the dream's first step takes no longer than later ones."""
    compute_with: Callable[[int], None] = lambda threads: None
    """Sets the number of threads that it computes with."""
    probe: Callable[[Callable[[], bool]], None] = lambda stop: None
    """Measures the network's fastest compute format for later starts, unless it is known; the argument says when to stop."""
    wait: Callable[[], None] = lambda: None
    """Waits until the device has finished all its steps; copies may still be in progress."""
    form: str = ""
    """The network's compute format; empty if unknown."""


PreparationCallback = Callable[[str], None]
"""Called with a few words about the preparation in progress."""
DreamFactory = Callable[[Config, int, PreparationCallback], Dream]
"""Makes a dream from settings and a seed; picklable. Raises ``ConfigRejected`` if trying again would not help."""
