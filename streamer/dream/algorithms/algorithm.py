"""What an algorithm is to the dream: what one step does to the canvas."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from streamer.assets import asset
from streamer.config import Config, DreamConfig
from streamer.dream.algorithms.canvas import Canvas
from streamer.dream.algorithms.fading import SceneMix
from streamer.dream.algorithms.prior import PriorParameters
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.objectives.ensemble_objective import EnsembleObjective
from streamer.dream_state import DreamState
from streamer.messages.motion import Motion
from streamer.messages.step_view import StepPicture

PRIOR_FILE = "patch_prior.safetensors"
UNFITTED = (
    *("crossfade_s", "surge", "step", "momentum", "wake", "wake_share", "wake_after_s"),
    *("steps_per_keyframe", "steps_per_s", "keyframe_s"),
)
"""Settings that nothing is prepared from: they are read at each step, or by others. For all others a GPU records steps anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What an algorithm works with."""

    ensemble: Ensemble
    settings: DreamConfig
    device: torch.device
    generator: torch.Generator
    """Of everything random in a step; on the CPU."""
    objective: EnsembleObjective
    natural: PriorParameters
    """What natural pictures look like at close range."""

    @classmethod
    def of(cls, ensemble: Ensemble, config: Config, device: torch.device, seed: int) -> Context:
        """Those for the settings."""
        settings = config.dream
        objective = EnsembleObjective(ensemble, settings.tile_px, config.network.combine)
        natural = PriorParameters.read(asset(PRIOR_FILE))
        return cls(ensemble, settings, device, torch.Generator().manual_seed(seed), objective, natural)


class Algorithm(ABC):
    """Steps of one kind. It holds nothing of the picture but what the last steps have left to the next."""

    boosts_transitions: ClassVar[bool] = True
    """Whether a new scene is hastened, and what goes climbed down from."""

    def __init__(self, context: Context) -> None:
        """Get ready; ``fit`` follows before the first step."""
        self.context = context

    def tune(self, settings: DreamConfig, size: tuple[int, int]) -> None:
        """Go by other settings from the next step on, on the same canvas of (height, width)."""
        before, self.context = self.context.settings, replace(self.context, settings=settings)
        if settings.model_dump(exclude=set(UNFITTED)) != before.model_dump(exclude=set(UNFITTED)):
            self.fit(size)

    @abstractmethod
    def fit(self, size: tuple[int, int]) -> None:
        """Prepare for a canvas of (height, width), or for another picture on it: what depends on the last is dropped."""

    @abstractmethod
    def step(self, canvas: Canvas, mix: SceneMix, motion: Motion, dt_s: float, camera_s: float) -> None:
        """Move the canvas' camera on and take one step; with nothing on air only the camera moves.

        Args:
            dt_s: seconds since the last step.
            camera_s: seconds by which the camera moves, which may do so once for several steps.
        """

    def inspect(self, canvas: Canvas, mix: SceneMix) -> tuple[StepPicture, ...]:
        """What the next step is made of, with nothing of the dream changed by the look; empty where it cannot be shown."""
        return ()

    @abstractmethod
    def keep(self) -> Mapping[str, Any]:
        """Numbers that say how far it has got, as JSON knows them; what the canvas holds is kept with that."""

    @abstractmethod
    def resume(self, kept: DreamState) -> None:
        """Go on from what ``keep`` gave."""
