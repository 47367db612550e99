"""The dream itself: a canvas, a network, a scene, and step after step uphill while the camera moves on."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor

from streamer.assets import asset
from streamer.config import Config, DreamConfig
from streamer.dream.ascent import Decorrelation, headroom, leash, rms, soften
from streamer.dream.canvas import Canvas
from streamer.dream.deepdream import DeepDream, make_normalisation
from streamer.dream.fading import Fading
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.original import OriginalAscent
from streamer.dream.prior import PatchPrior, PriorParameters
from streamer.dream.sources import cover, noise
from streamer.dream.turns import Glances, TurnObjective
from streamer.dream.waking import HASTE, Waking
from streamer.messages import Motion, Pose, Region, Scene

PRIOR_FILE = "patch_prior.safetensors"
POOLINGS = (1, 2)
"""Coarser ones draw a checkerboard of their blocks into flat areas, which no later step takes away."""
PRIOR_NU = 2.0
"""Scale of the Student-t in the ascent. The fitted one (0.15) gives up on what is already unlikely, such as the checks that
strided networks leave in flat areas; a wider one still smooths them and lets edges be."""
LEASH_CELLS = 9
"""Cells of the leash over the picture's height."""
BRIGHTNESS_SLACK = 50.0
"""How far from mid-grey the leash lets a cell's mean go, in levels."""
KNEE = 40.0
"""Levels before black and white over which steps are slowed down."""
PRIOR_POWER = 0.8
"""The prior's gradient is scaled by 1/f to this power: whitening filters answer to the finest detail most, and a step that
suits the rest would overshoot there and leave a hatching that flips its sign with every step."""
LARGE_PX = 160
"""Side of the pictures a network was trained on from which on it knows small detail."""
STEP, STEP_MOST = 3.0, 7.0
"""Levels that a step changes where the settings leave it open: as a rule, and at most under a zoom."""
STEP_ZOOM = 1.005
"""Enlargement from step to step from which on the step is as large as it gets: ten steps a second at 5 % a second."""
FADING_DETAIL = 0.08
"""Share of the detail that each second of a change takes away, per unit of surge: what comes needs room to grow in."""
SHAPE_CELLS = 5
"""Cells over the picture's height that a change leaves as they are."""


def views_for(trained_px: int, size: tuple[int, int]) -> tuple[float, ...]:
    """The sizes at which a network looks at the picture when the settings leave it open.

    Args:
        trained_px: side of the pictures the network was trained on.
        size: (height, width) of the canvas.

    Returns:
        The picture's shorter side as multiples of ``trained_px``: one view in which an object fills about half of the height,
        one in which it fills all of it; and the canvas itself where both leave out its detail.
    """
    native = min(size) / trained_px
    # Networks of small pictures know small, coarse objects: they see the canvas larger, or it would have no detail.
    views = [1.7, 0.85] if trained_px >= LARGE_PX else [4.2, 2.1]
    if native > 1.5 * views[0]:
        views.append(native)
    return tuple(views)


def step_for(trained_px: int, motion: Motion, dt_s: float) -> float:
    """The size of a step when the settings leave it open, in levels.

    What has been enlarged is blurred and too big: it has to be dreamt again, and small steps fall behind the zoom. Networks
    that know small detail draw it anew at any step, and dots with it at large ones.

    Args:
        trained_px: side of the pictures the network was trained on; of several the largest.
        motion: how the camera moves.
        dt_s: seconds that it moves between two steps.
    """
    if trained_px >= LARGE_PX:
        return STEP
    enlarged = abs(math.log(motion.speed)) * dt_s
    return STEP + (STEP_MOST - STEP) * min(1.0, enlarged / math.log(STEP_ZOOM))


class Dreamer:
    """A dream in progress. Not thread-safe; the same seed, steps and device give the same pictures."""

    def __init__(
        self,
        ensemble: Ensemble,
        config: Config,
        size: tuple[int, int],
        device: torch.device,
        seed: int,
        start: np.ndarray | None = None,
    ) -> None:
        """Set out on a dream.

        Args:
            ensemble: what is run backwards.
            config: its ``dream`` and ``zoom`` blocks are heeded, and of ``network`` how several share the dream.
            size: (height, width) of the canvas in pixels.
            device: where to compute.
            seed: of the starting noise and of everything random later.
            start: (H, W, 3) uint8 picture to start from, cut to the canvas; None starts from coloured noise.
        """
        self._ensemble = ensemble
        self._settings: DreamConfig = config.dream
        self._device = device
        self._chance = torch.Generator().manual_seed(seed)
        self._noise = np.random.default_rng(seed)
        self._parameters = PriorParameters.read(asset(PRIOR_FILE))
        self._objective = TurnObjective(ensemble, self._settings.tile_px, config.network.combine)
        self._prior = PatchPrior(dataclasses.replace(self._parameters, nu=PRIOR_NU), POOLINGS, device=device)
        self._motion = Motion(config.zoom.speed, config.zoom.rotation)
        original = self._settings.algorithm == "original_2015"
        self._fading = Fading(self._settings.crossfade_s, 0.0 if original else self._settings.surge)
        self._waking = Waking(self._noise)
        self._steps = 0
        self._canvas = Canvas(noise(size, self._noise) if start is None else cover(start, size), device)
        self._original = OriginalAscent(self._parameters, device) if original else None
        self._fit_to_size()

    @property
    def canvas(self) -> Canvas:
        """What is dreamt on; who rides on a moving picture paints on it."""
        return self._canvas

    @property
    def pose(self) -> Pose:
        """Where the camera stands."""
        return self._canvas.pose

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the canvas."""
        return self._canvas.size

    def scene(self, scene: Scene) -> None:
        """Fade over to another scene; the first is there at once.

        Raises:
            DreamError: the network has not got one of its targets.
        """
        for region in scene.regions:
            self._objective.check(region.target)
        self._fading.scene(scene)

    def motion(self, motion: Motion) -> None:
        """Move the camera differently from now on."""
        self._motion = motion

    def bump(self) -> None:
        """Wake a settled dream with a breath of coloured noise."""
        self._waking.bump(self._canvas)
        self._fading.hasten(HASTE)

    def twist(self) -> None:
        """Wake a settled dream by whirls that take things from where they lie."""
        self._waking.twist()
        self._fading.hasten(HASTE)

    def resize(self, size: tuple[int, int]) -> None:
        """Go on at another canvas size, (height, width)."""
        if size != self.size:
            self._canvas.resize(size)
            self._fit_to_size()

    def picture(self) -> np.ndarray:
        """The dream as it is now, (H, W, 3) uint8 RGB."""
        return self._canvas.array()

    def state(self) -> tuple[np.ndarray, Pose]:
        """What a new Dreamer needs to go on: the picture (H, W, 3) float32 and the pose."""
        return self._canvas.picture[0].permute(1, 2, 0).cpu().numpy().copy(), self.pose

    def restore(self, picture: np.ndarray, pose: Pose) -> None:
        """Go on from another Dreamer's ``state``, at that picture's size."""
        self._canvas = Canvas(picture, self._device, pose)
        self._fit_to_size()

    def step(self, dt_s: float) -> None:
        """Move the camera on by ``dt_s`` seconds and take one step uphill.

        Without a scene the camera moves and the picture is left alone.
        """
        self._waking.move(self._canvas, dt_s)
        if self._original is not None:
            self._original.step(self._canvas, self._objective, self._fading.regions(dt_s), self._motion, dt_s)
            return
        self._canvas.move(self._motion, dt_s)
        settings, canvas, haste = self._settings, self._canvas, self._fading.haste
        regions = self._fading.regions(dt_s)
        if all(share < 0 for _, share in regions):  # nothing takes the place of what goes
            return
        if self._fading.left:
            keep = math.exp(-FADING_DETAIL * settings.surge * haste * dt_s)
            canvas.picture = soften(canvas.picture, self._shapes_grid, keep)
        size = self._size(dt_s, 1 + settings.surge * haste)
        if self._octaves is not None:
            update = size * self._octaves.change(canvas.picture, regions, self._steps, self._chance)
        else:
            update = self._update(regions, size)
        picture = canvas.picture + headroom(canvas.picture, update, KNEE)
        if settings.leash > 0:
            picture = leash(picture, self._leash_grid, settings.leash, BRIGHTNESS_SLACK, settings.contrast, settings.chroma)
        canvas.picture = picture.clamp(0, 255).contiguous(memory_format=torch.channels_last)
        self._steps += 1

    def _size(self, dt_s: float, surge: float) -> float:
        """Levels that a step changes; ``surge`` is how many times as many a change of scene asks for."""
        if self._settings.step != "auto":
            return self._settings.step * surge
        if self._octaves is not None:
            return STEP * surge
        trained_px = max(member.trained_px for member in self._ensemble.members)
        return max(STEP * surge, step_for(trained_px, self._motion, dt_s))

    def _update(self, regions: list[tuple[Region, float]], size: float) -> Tensor:
        """A step of a root mean square of ``size`` levels: uphill, natural, and on in the direction of the last."""
        settings, canvas = self._settings, self._canvas
        uphill = self._normalise(self._climb(regions))
        natural = self._calm(self._prior.gradient(canvas.picture, self._chance))
        direction = uphill / rms(uphill) + settings.prior_weight * natural / rms(natural)
        # Where a new scene comes, the way of the old one is no guide, and large steps that go on in one direction clip.
        keep = settings.momentum * (1 - self._fading.haste / 2)
        canvas.momentum = keep * canvas.momentum + (1 - keep) * direction
        return canvas.momentum * (-size / rms(canvas.momentum))

    def _climb(self, regions: list[tuple[Region, float]]) -> Tensor:
        """The objective's gradient over the picture, shifted and seen at this step's size."""
        return self._objective.gradient(self._canvas.picture, regions, self._steps, self._views, self._glances)

    def _fit_to_size(self) -> None:
        """Prepare what depends on the canvas's size."""
        height, width = self.size
        colour, least = self._parameters.colour, self._ensemble.min_size
        self._normalise = make_normalisation(self._settings, colour, self.size, self._device)
        self._octaves: DeepDream | None = None
        if self._settings.algorithm == "deepdream":
            self._octaves = DeepDream(self._objective, self._settings, colour, self.size, least, self._device)
        self._calm = Decorrelation(self.size, torch.eye(3), self._settings.spectrum_floor, PRIOR_POWER, self._device)
        self._leash_grid = (LEASH_CELLS, max(1, round(LEASH_CELLS * width / height)))
        self._shapes_grid = (SHAPE_CELLS, max(1, round(SHAPE_CELLS * width / height)))
        self._glances = Glances(self._settings, self.size, self._chance)
        views = self._settings.views
        self._views = {
            member.name: views_for(member.trained_px, self.size) if views == "auto" else views
            for member in self._ensemble.members
        }
