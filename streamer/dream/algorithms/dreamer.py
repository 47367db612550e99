"""The dream itself: a canvas, a scene, and the steps of an algorithm while the camera moves."""

from __future__ import annotations

import math

import numpy as np
import torch

from streamer.config import Config
from streamer.dream.algorithms.algorithm import Algorithm, Context
from streamer.dream.algorithms.canvas import Canvas
from streamer.dream.algorithms.decorrelated import Decorrelated
from streamer.dream.algorithms.deepdream import DeepDream
from streamer.dream.algorithms.fading import Fading, SceneMix
from streamer.dream.algorithms.original_2015 import Original2015
from streamer.dream.algorithms.perturbation import WAKE_FRESHNESS, Perturbation
from streamer.dream.algorithms.rng_state import numpy_rng_state, restore_rng, torch_rng_state
from streamer.dream.interface import Copy
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.sources.noise import noise
from streamer.dream_state import DreamState
from streamer.media.fit import fitted
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene
from streamer.messages.step_view import StepView

ASCENTS: dict[str, type[Algorithm]] = {"default": Decorrelated, "deepdream": DeepDream, "original_2015": Original2015}
"""The algorithms that work on a colour canvas, by ``dream.algorithm``."""
NOTHING = SceneMix((), 0.0, has_outgoing=False)
"""The scene mix before the first step."""


class Dreamer:
    """A dream in progress. Not thread-safe; the same seed, steps and device give the same pictures."""

    CHANGES = ("_chance", "_noise", "_motion", "_algorithm", "_fading", "_perturbation", "_canvas")

    def __init__(
        self,
        ensemble: Ensemble,
        config: Config,
        size: tuple[int, int],
        device: torch.device,
        seed: int,
        start: np.ndarray | None = None,
    ) -> None:
        """Start a dream.

        Args:
            ensemble: the networks whose gradients are followed.
            config: uses ``dream``, ``zoom``, ``source.fit`` and ``network.combine``.
            size: (height, width) of the canvas in pixels.
            device: the device to compute on.
            seed: seed of the starting noise and of everything random later.
            start: (H, W, 3) uint8 picture to start from, of any size; None starts from coloured noise.
        """
        context = Context.of(ensemble, config, device, seed)
        self._objective, self._device, self._chance = context.objective, device, context.generator
        self._whose = ensemble.name, config.dream.algorithm
        self._noise = np.random.default_rng(seed)
        self._motion = Motion.from_config(config.zoom)
        self._algorithm = ASCENTS[config.dream.algorithm](context)
        self._fading = Fading(config.dream.crossfade_s, self._surge(config))
        self._perturbation = Perturbation(self._noise)
        self._title, self._mix = "", NOTHING
        begin = noise(size, self._noise) if start is None else fitted(start, size, config.source.fit, fine=True)
        self._canvas = Canvas(begin, device)
        self._algorithm.prepare(self.size)

    @property
    def canvas(self) -> Canvas:
        """The canvas; ``FlowWarpedDream`` paints on it."""
        return self._canvas

    @property
    def pose(self) -> Pose:
        """The camera's pose."""
        return self._canvas.pose

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the canvas."""
        return self._canvas.size

    def scene(self, scene: Scene) -> None:
        """Crossfade to another scene; the first one is shown immediately.

        Raises:
            DreamError: the network does not have one of its targets.
        """
        for region in scene.regions:
            self._objective.check(region.target)
        self._fading.scene(scene)
        self._title = scene.title

    def motion(self, motion: Motion) -> None:
        """Move the camera differently from now on."""
        self._motion = motion

    def tune(self, config: Config) -> None:
        """Use the ``dream`` block of other settings from the next step on; algorithm and tiles stay."""
        self._fading.tune(config.dream.crossfade_s, self._surge(config))
        self._algorithm.tune(config.dream, self.size)

    def _surge(self, config: Config) -> float:
        return config.dream.surge if self._algorithm.boosts_transitions else 0.0

    def bump(self) -> None:
        """Wake a converged dream with coloured noise."""
        self._perturbation.bump(self._canvas)
        self._fading.freshen(WAKE_FRESHNESS)

    def twist(self) -> None:
        """Wake a converged dream: swirl the picture, so that the shapes on it move."""
        self._perturbation.twist()
        self._fading.freshen(WAKE_FRESHNESS)

    def resize(self, size: tuple[int, int]) -> None:
        """Change the canvas size to (height, width)."""
        if size != self.size:
            self._canvas.resize(size)
            self._algorithm.prepare(self.size)

    def picture(self) -> np.ndarray:
        """Return the current picture, (H, W, 3) uint8 RGB."""
        return self._canvas.array()

    def copy(self) -> Copy:
        """Start to copy the current picture to the host."""
        return self._canvas.copy()

    def state(self) -> tuple[np.ndarray, Pose]:
        """Return what a new Dreamer needs to continue: the picture (H, W, 3) float32 and the pose."""
        return self._canvas.picture[0].permute(1, 2, 0).cpu().numpy().copy(), self.pose

    def fault(self) -> str:
        """Say what is wrong with the picture; empty when nothing is."""
        return self._canvas.fault()

    def inspect(self) -> StepView | None:
        """Return pictures of the next step's components; None if the algorithm has none, or there is no scene."""
        pictures = self._algorithm.inspect(self._canvas, self._mix)
        return StepView(self._title, self._whose[0], pictures) if pictures else None

    def keep(self) -> DreamState:
        """Return the state that is needed, besides the picture, to continue from here."""
        arrays = self._canvas.kept() | torch_rng_state(self._chance)
        numbers = {**self._algorithm.keep(), **numpy_rng_state(self._noise), "age_s": self._fading.age_s}
        return DreamState(*self._whose, self.pose, arrays, numbers)

    def restore(self, picture: np.ndarray, pose: Pose, kept: DreamState | None = None) -> None:
        """Continue from another Dreamer's ``state``, at its picture's size; the next ``scene`` is the one it already shows.

        Args:
            kept: what the other's ``keep`` returned then or shortly before.
        """
        self._canvas = Canvas(picture, self._device, pose)
        self._fading.resume(math.inf if kept is None or "age_s" not in kept.numbers else kept.seconds("age_s"))
        if kept is not None:
            self._canvas.restore_momentum(kept)
            self._algorithm.resume(kept)
            restore_rng(kept, self._chance, self._noise)
        self._algorithm.prepare(self.size)

    def went_on(self) -> None:
        """Adapt after a saved dream's attributes are restored: the canvas may have another size."""
        self._algorithm.prepare(self.size)

    def step(self, dt_s: float, camera_s: float | None = None) -> None:
        """Move the camera by ``camera_s`` seconds, by default ``dt_s``, and take one step.

        Without a scene only the camera moves.
        """
        self._perturbation.move(self._canvas, dt_s)
        mix, camera_s = self._fading.advance(dt_s), dt_s if camera_s is None else camera_s
        self._mix = mix
        self._algorithm.step(self._canvas, mix, self._motion, dt_s, camera_s)
