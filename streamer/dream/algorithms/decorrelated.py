"""The default: each network's gradient at one of its views, made natural, with momentum.

The gradient of the objective and that of a prior on patches are decorrelated, added by their sizes, and followed on in the
direction of the last step (Olah, Mordvintsev, Schubert 2017, 'Feature Visualization', for the decorrelation; random sizes and
shifts as their transformation robustness).
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
"""Coarser ones draw a checkerboard of their blocks into flat areas, which no later step takes away."""
STRIDE = 8
"""Distance of the prior's patches, px: side by side. With twice as many in each direction, at four times the cost, one step is
hardly more like one along the gradient of all patches: a cosine of 0.73 for 0.69."""
PRIOR_NOISE = 1.06
"""What the prior counts for more than its setting says: of its size that much more is noise than with patches at every fourth
pixel, for which settings were found."""
PRIOR_NU = 2.0
"""Scale of the Student-t in the ascent. The fitted one (0.15) gives up on what is already unlikely, such as the checks that
strided networks leave in flat areas; a wider one still smooths them and lets edges be."""
PRIOR_POWER = 0.8
"""The prior's gradient is scaled by 1/f to this power: whitening filters answer to the finest detail most, and a step that
suits the rest would overshoot there and leave a hatching that flips its sign with every step."""
LARGE_PX = 160
"""Side of the pictures a network was trained on from which on it knows small detail."""
STEP_MOST = 7.0
"""Levels that a step changes at most under a zoom, where the settings leave it open."""
STEP_MATURE = 4.2
"""The same once a subject stands: the picture is to keep up with the zoom, and no longer to become another."""
STEP_ZOOM = 1.005
"""Enlargement from step to step from which on the step is as large as it gets: ten steps a second at 5 % a second."""


class Decorrelated(GradientAscent):
    """Steps of the default algorithm."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        prior = dataclasses.replace(context.natural, nu=PRIOR_NU)
        precision = context.ensemble.members[0].dtype
        self._prior = PatchPrior(prior, POOLINGS, STRIDE, context.device, precision, PRIOR_POWER)

    def fit(self, size: tuple[int, int]) -> None:
        """Prepare for a canvas of (height, width)."""
        super().fit(size)
        context, settings = self.context, self.context.settings
        self._normalisations = Normalisations(settings, context.natural.colour, size, context.device)
        self._sampler = ViewSampler(settings, size, context.generator)
        self._views = {
            member.name: auto_views(member.trained_px, size) if settings.views == "auto" else settings.views
            for member in context.ensemble.members
        }
        self._at_once: CapturedStep | None = None
        network_sizes = [
            (one, shown)
            for one in context.ensemble.members
            for view in self._views[one.name]
            for shown in dict.fromkeys(self._sampler.view_sizes(one, view))
        ]
        if captures(context.device) and max(height * width for _, (height, width) in network_sizes) <= settings.tile_px**2:
            parts = StepFunctions(self._prior, self._normalisations, self.reduce_detail, self._turn, self.advance)
            self._at_once = CapturedStep(size, parts, network_sizes, context.generator, context.device)

    def step(self, canvas: Canvas, mix: SceneMix, motion: Motion, dt_s: float, camera_s: float) -> None:
        """Move the camera on and take one step, at once where the device can and one network sees all that is on air."""
        at_once, turn = self._at_once, None
        if at_once is not None and mix.has_incoming and at_once.supports(mix.regions):
            turn = self.context.objective.turn(mix.regions, self.number, self._views)
        if at_once is None or turn is None:
            super().step(canvas, mix, motion, dt_s, camera_s)
            return
        transform = self._sampler(*turn)
        size, keep, detail = self.size(mix, motion, dt_s), self._keep(mix), self.detail(mix, dt_s)
        numbers = StepNumbers(transform.shift, transform.size, size, keep, detail)
        at_once.take(canvas, motion, camera_s, mix.regions, turn[0], numbers)
        self.number += 1

    def inspect(self, canvas: Canvas, mix: SceneMix) -> tuple[StepPicture, ...]:
        """What the next step is made of."""
        if not mix.has_incoming:
            return ()
        parts = self._views, self._normalisations, self._prior
        return inspect(self.context, canvas.picture, canvas.momentum, mix.regions, *parts, self.number)

    def _keep(self, mix: SceneMix) -> float:
        """The share of the last direction that is kept."""
        # Where a new scene comes, the way of the old one is no guide, and large steps that go on in one direction clip.
        return self.context.settings.momentum * (1 - mix.freshness / 2)

    def auto_step(self, motion: Motion, dt_s: float, maturity: float) -> float:
        """The least size of a step where the settings leave it open, in levels."""
        return step_for(max(member.trained_px for member in self.context.ensemble.members), motion, dt_s, maturity)

    def update(self, canvas: Canvas, mix: SceneMix, size: float) -> tuple[Tensor, float | Tensor]:
        """A step of a root mean square of ``size`` levels: uphill, natural, and on in the direction of the last."""
        uphill = self._objective_gradient(canvas.picture, mix.regions)
        natural = self._prior.gradient(canvas.picture, self.context.generator)
        canvas.momentum = self._turn(canvas.momentum, uphill, natural, self._keep(mix))
        return canvas.momentum, size / rms(canvas.momentum)

    def _turn(self, momentum: Tensor, uphill: Tensor, natural: Tensor, keep: float | Tensor) -> Tensor:
        """The direction of the last step, of which ``keep`` is kept, turned by the objective's gradient and the prior's.

        It is changed where it lies.
        """
        momentum.mul_(keep).addcmul_(uphill, (1 - keep) / rms(uphill))
        weight = PRIOR_NOISE * self.context.settings.prior_weight
        return momentum.addcmul_(natural, (1 - keep) * weight / rms(natural))

    def _objective_gradient(self, picture: Tensor, regions: WeightedRegions) -> Tensor:
        """The objective's gradient over the picture, shifted and seen at this step's size, and normalised."""
        return self.context.objective.gradient(picture, regions, self.number, self._views, self._show)

    def _show(self, network: Network, view: float) -> Transform:
        """How a network is shown the picture, whose gradient is normalised where it is smallest."""
        transform = self._sampler(network, view)
        at = self._normalisations.at(transform.size)
        normalise = self._normalisations(at)
        if at == transform.size:
            return lambda picture: normalise_in_backward(transform(picture), normalise)
        return lambda picture: transform(normalise_in_backward(picture, normalise))


def captures(device: torch.device) -> bool:
    """Whether steps are taken at once on a device: a processor gains nothing by it."""
    return device.type == "cuda"


def auto_views(trained_px: int, size: tuple[int, int]) -> tuple[float, ...]:
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


def step_for(trained_px: int, motion: Motion, dt_s: float, maturity: float = 0.0) -> float:
    """The size of a step when the settings leave it open, in levels.

    What has been enlarged is blurred and too big: it has to be dreamt again, and small steps fall behind the zoom. Networks
    that know small detail draw it anew at any step, and dots with it at large ones.

    Args:
        trained_px: side of the pictures the network was trained on; of several the largest.
        motion: how the camera moves.
        dt_s: seconds that it moves between two steps.
        maturity: how far the subject has come to stand, 0..1.
    """
    if trained_px >= LARGE_PX:
        return STEP
    enlarged = abs(math.log(motion.speed)) * dt_s
    most = STEP_MOST + (STEP_MATURE - STEP_MOST) * maturity
    return STEP + (most - STEP) * min(1.0, enlarged / math.log(STEP_ZOOM))
