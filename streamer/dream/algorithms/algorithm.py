"""The interface of an algorithm: what one step does to the canvas."""

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
NEEDS_NO_PREPARATION = (
    *("crossfade_s", "surge", "step", "momentum", "wake", "wake_share", "wake_after_s"),
    *("steps_per_keyframe", "steps_per_s", "keyframe_s"),
)
"""Settings that steps or other modules read directly. A change to any other setting makes a GPU record its steps again."""


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """The networks, settings and random numbers that an algorithm works with."""

    ensemble: Ensemble
    settings: DreamConfig
    device: torch.device
    generator: torch.Generator
    """Source of everything random in a step; on the CPU."""
    objective: EnsembleObjective
    natural: PriorParameters
    """Statistics of natural pictures at close range."""

    @classmethod
    def of(cls, ensemble: Ensemble, config: Config, device: torch.device, seed: int) -> Context:
        """Make the context for a configuration."""
        settings = config.dream
        objective = EnsembleObjective(ensemble, settings.tile_px, config.network.combine)
        natural = PriorParameters.read(asset(PRIOR_FILE))
        return cls(ensemble, settings, device, torch.Generator().manual_seed(seed), objective, natural)


class Algorithm(ABC):
    """Steps of one kind. The canvas holds the picture; the algorithm holds only what carries over from step to step."""

    boosts_transitions: ClassVar[bool] = True
    """Whether steps are larger while a new scene is fresh, and the old objective is descended while it fades out."""

    def __init__(self, context: Context) -> None:
        """Store the context; call ``prepare`` before the first step."""
        self.context = context

    def tune(self, settings: DreamConfig, size: tuple[int, int]) -> None:
        """Use other settings from the next step on, on the same canvas of (height, width)."""
        before, self.context = self.context.settings, replace(self.context, settings=settings)
        if settings.model_dump(exclude=set(NEEDS_NO_PREPARATION)) != before.model_dump(exclude=set(NEEDS_NO_PREPARATION)):
            self.prepare(size)

    @abstractmethod
    def prepare(self, size: tuple[int, int]) -> None:
        """Prepare for a canvas of (height, width), or for another picture on it; drop state that depends on the last one."""

    @abstractmethod
    def step(self, canvas: Canvas, mix: SceneMix, motion: Motion, dt_s: float, camera_s: float) -> None:
        """Move the canvas' camera and take one step; without a scene only the camera moves.

        Args:
            dt_s: seconds since the last step.
            camera_s: seconds by which the camera moves; it may move once for several steps.
        """

    def inspect(self, canvas: Canvas, mix: SceneMix) -> tuple[StepPicture, ...]:
        """Return pictures of the next step's components, without changing the dream; empty if the algorithm has none."""
        return ()

    @abstractmethod
    def keep(self) -> Mapping[str, Any]:
        """Return the algorithm's progress as JSON values; the canvas saves its own state."""

    @abstractmethod
    def resume(self, kept: DreamState) -> None:
        """Continue from what ``keep`` returned."""
