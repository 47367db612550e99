"""The default algorithm: each network's gradient at one of its views, decorrelated, with a patch prior and momentum.

A step adds the objective's decorrelated gradient and the gradient of a prior on patches, each scaled by its size, and the
direction of the last step (Olah, Mordvintsev, Schubert 2017, 'Feature Visualization', for the decorrelation; random sizes and
shifts are their transformation robustness).
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from streamer.dream.algorithms.algorithm import Context
from streamer.dream.algorithms.canvas import Canvas
from streamer.dream.algorithms.captured_step import CapturedStep, StepFunctions, StepNumbers
from streamer.dream.algorithms.fading import SceneMix
from streamer.dream.algorithms.gradient_ascent import STEP, GradientAscent
from streamer.dream.algorithms.inspection import inspect
from streamer.dream.algorithms.normalisation import Normalisations, normalise_in_backward
from streamer.dream.algorithms.patch_prior import PatchPrior
from streamer.dream.networks.network import Network
from streamer.dream.objectives.region_weights import WeightedRegions, rms
from streamer.dream.objectives.views import Transform, ViewSampler
from streamer.messages.motion import Motion
from streamer.messages.step_view import StepPicture

POOLINGS = (1, 2)
"""Pooling factors of the prior. Coarser ones draw a checkerboard of their blocks into flat areas, and no later step removes
it."""
STRIDE = 8
"""Distance of the prior's patches, px: they adjoin. Twice as many in each direction cost four times as much and bring a step
hardly closer to the gradient of all patches: a cosine of 0.73 instead of 0.69."""
PRIOR_NOISE = 1.06
"""Factor on the prior's weight. Its gradient holds that much more noise than with patches at every fourth pixel, for which the
settings were tuned."""
PRIOR_NU = 2.0
"""Scale of the Student-t in the ascent. The fitted one (0.15) hardly acts on very unlikely patches, such as the checks that
strided networks leave in flat areas; a wider one still smooths them and leaves edges alone."""
PRIOR_POWER = 0.8
"""The prior's gradient is scaled by 1/f to this power: whitening filters respond most to the finest detail, and a step that
suits the rest would overshoot there and leave a hatching that flips its sign with every step."""
LARGE_PX = 160
"""A network trained on pictures of at least this side knows small detail."""
STEP_MOST = 7.0
"""Largest size of an automatic step under a zoom, levels."""
STEP_MATURE = 4.2
"""Largest size of an automatic step for a mature scene, levels: it keeps up with the zoom but does not change the subject."""
STEP_ZOOM = 1.005
"""Enlargement per step at which the automatic step reaches its largest size: ten steps a second at 5 % a second."""


class Decorrelated(GradientAscent):
    """Steps of the default algorithm."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        prior = dataclasses.replace(context.natural, nu=PRIOR_NU)
        precision = context.ensemble.members[0].dtype
        self._prior = PatchPrior(prior, POOLINGS, STRIDE, context.device, precision, PRIOR_POWER)

    def prepare(self, size: tuple[int, int]) -> None:
        """Prepare for a canvas of (height, width)."""
        super().prepare(size)
        context, settings = self.context, self.context.settings
        self._normalisations = Normalisations(settings, context.natural.colour, size, context.device)
        self._sampler = ViewSampler(settings, size, context.generator)
        self._views = {
            member.name: auto_views(member.trained_px, size) if settings.views == "auto" else settings.views
            for member in context.ensemble.members
        }
        self._captured: CapturedStep | None = None
        network_sizes = [
            (one, shown)
            for one in context.ensemble.members
            for view in self._views[one.name]
            for shown in dict.fromkeys(self._sampler.view_sizes(one, view))
        ]
        if captures(context.device) and max(height * width for _, (height, width) in network_sizes) <= settings.tile_px**2:
            parts = StepFunctions(self._prior, self._normalisations, self.reduce_detail, self._turn, self.advance)
            self._captured = CapturedStep(size, parts, network_sizes, context.generator, context.device)

    def step(self, canvas: Canvas, mix: SceneMix, motion: Motion, dt_s: float, camera_s: float) -> None:
        """Move the camera and take one step, captured if the device supports it and one network sees all regions."""
        captured, turn = self._captured, None
        if captured is not None and mix.has_incoming and captured.supports(mix.regions):
            turn = self.context.objective.turn(mix.regions, self.number, self._views)
        if captured is None or turn is None:
            super().step(canvas, mix, motion, dt_s, camera_s)
            return
        transform = self._sampler(*turn)
        size, keep, detail = self.size(mix, motion, dt_s), self._keep(mix), self.detail(mix, dt_s)
        numbers = StepNumbers(transform.shift, transform.size, size, keep, detail)
        captured.take(canvas, motion, camera_s, mix.regions, turn[0], numbers)
        self.number += 1

    def inspect(self, canvas: Canvas, mix: SceneMix) -> tuple[StepPicture, ...]:
        """Return pictures of the next step's components."""
        if not mix.has_incoming:
            return ()
        parts = self._views, self._normalisations, self._prior
        return inspect(self.context, canvas.picture, canvas.momentum, mix.regions, *parts, self.number)

    def _keep(self, mix: SceneMix) -> float:
        """Return the share of the last direction that is kept."""
        # For a new scene, the old scene's direction is no guide, and large steps in one direction clip.
        return self.context.settings.momentum * (1 - mix.freshness / 2)

    def auto_step(self, motion: Motion, dt_s: float, maturity: float) -> float:
        """Return the smallest size of an automatic step, in levels."""
        return step_for(max(member.trained_px for member in self.context.ensemble.members), motion, dt_s, maturity)

    def update(self, canvas: Canvas, mix: SceneMix, size: float) -> tuple[Tensor, float | Tensor]:
        """Return a step with a root mean square of ``size`` levels, from both gradients and the last direction."""
        uphill = self._objective_gradient(canvas.picture, mix.regions)
        natural = self._prior.gradient(canvas.picture, self.context.generator)
        canvas.momentum = self._turn(canvas.momentum, uphill, natural, self._keep(mix))
        return canvas.momentum, size / rms(canvas.momentum)

    def _turn(self, momentum: Tensor, uphill: Tensor, natural: Tensor, keep: float | Tensor) -> Tensor:
        """Turn the last step's direction, of which ``keep`` is kept, by the objective's gradient and the prior's, in place."""
        momentum.mul_(keep).addcmul_(uphill, (1 - keep) / rms(uphill))
        weight = PRIOR_NOISE * self.context.settings.prior_weight
        return momentum.addcmul_(natural, (1 - keep) * weight / rms(natural))

    def _objective_gradient(self, picture: Tensor, regions: WeightedRegions) -> Tensor:
        """Return the objective's gradient over the picture, with this step's shift and size, normalised."""
        return self.context.objective.gradient(picture, regions, self.number, self._views, self._show)

    def _show(self, network: Network, view: float) -> Transform:
        """Return a network's view of the picture, whose gradient is normalised at the smaller of the two sizes."""
        transform = self._sampler(network, view)
        at = self._normalisations.at(transform.size)
        normalise = self._normalisations(at)
        if at == transform.size:
            return lambda picture: normalise_in_backward(transform(picture), normalise)
        return lambda picture: transform(normalise_in_backward(picture, normalise))


def captures(device: torch.device) -> bool:
    """Return whether steps are captured on a device: a CPU gains nothing by it."""
    return device.type == "cuda"


def auto_views(trained_px: int, size: tuple[int, int]) -> tuple[float, ...]:
    """Return the sizes at which a network sees the picture when the settings leave them open.

    Args:
        trained_px: side of the pictures the network was trained on.
        size: (height, width) of the canvas.

    Returns:
        The picture's shorter side as multiples of ``trained_px``: one view in which an object fills about half of the height,
        one in which it fills all of it; and the canvas' own size if both are too coarse for its detail.
    """
    native = min(size) / trained_px
    # Networks trained on small pictures know small, coarse objects: they see the canvas larger, or it would have no detail.
    views = [1.7, 0.85] if trained_px >= LARGE_PX else [4.2, 2.1]
    if native > 1.5 * views[0]:
        views.append(native)
    return tuple(views)


def step_for(trained_px: int, motion: Motion, dt_s: float, maturity: float = 0.0) -> float:
    """Return the size of a step when the settings leave it open, in levels.

    Enlarged parts are blurred and too big: they have to be redrawn, and small steps fall behind the zoom. Networks that know
    small detail redraw it at any step size; at large ones they add dots.

    Args:
        trained_px: side of the pictures the network was trained on; the largest of several.
        motion: how the camera moves.
        dt_s: seconds between two steps.
        maturity: how mature the scene is, 0..1.
    """
    if trained_px >= LARGE_PX:
        return STEP
    enlarged = abs(math.log(motion.speed)) * dt_s
    most = STEP_MOST + (STEP_MATURE - STEP_MOST) * maturity
    return STEP + (most - STEP) * min(1.0, enlarged / math.log(STEP_ZOOM))
