"""The default algorithm's step as one function of tensors with fixed addresses, so that a GPU can launch it as one graph.

See ``decorrelated`` for what a step does. Here the CPU makes no decision once the step has started: the camera's move, the
shift, the regions and their shares are numbers in one small tensor, so a change of scene needs no new recording. Matrix
products resample the picture. Gradients of classes need no loss: they are known at the map of logits.
"""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from streamer import zoom
from streamer.dream.algorithms.canvas import Canvas, normalised
from streamer.dream.algorithms.cuda_graphs import CudaGraphs, Work
from streamer.dream.algorithms.normalisation import Normalisations
from streamer.dream.algorithms.patch_prior import PatchPrior
from streamer.dream.networks.network import Network
from streamer.dream.objectives.masks import region_masks
from streamer.dream.objectives.region_weights import WeightedRegions, rms
from streamer.dream.objectives.views import filters
from streamer.messages.motion import Motion
from streamer.messages.scenes import Kind

log = logging.getLogger(__name__)

MOST_REGIONS = 24
"""Most regions of a step: three fading scenes of four, and outgoing ones. With more, the step runs as in ``decorrelated``."""


@dataclass(frozen=True, slots=True)
class StepFunctions:
    """The functions of a step, those of ``decorrelated``; numbers there are tensors of one element here."""

    prior: PatchPrior
    normalisations: Normalisations
    reduce_detail: Callable[[Tensor, Tensor], Tensor]
    """Maps a picture and the share of its detail that stays to the picture with less detail."""
    turn: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    """Maps a momentum, the objective's gradient, the prior's and the share that is kept to the next momentum."""
    advance: Callable[[Tensor, Tensor, Tensor], Tensor]
    """Maps a picture, a direction and its factor to the picture after the step."""


@dataclass(frozen=True, slots=True)
class StepNumbers:
    """The numbers that one step depends on."""

    shift: tuple[int, int]
    """(down, right) by which the picture is shifted before the network sees it, px."""
    shown: tuple[int, int]
    """(height, width) at which the network sees it."""
    size: float
    """Size of the step, levels."""
    keep: float
    """Share of the last direction that is kept."""
    detail: float
    """Share of the detail that stays."""


class CapturedStep:
    """Steps for scenes of classes, each at one view of one network. Owns picture and momentum."""

    def __init__(
        self,
        size: tuple[int, int],
        parts: StepFunctions,
        network_sizes: Sequence[tuple[Network, tuple[int, int]]],
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        """Prepare for a canvas of (height, width).

        Args:
            parts: the functions of a step.
            network_sizes: the networks, and the sizes at which each may see the picture.
            generator: source of the prior's offsets.
            device: the device of the canvas.
        """
        self._network_sizes: Sequence[tuple[Network, tuple[int, int]]] = network_sizes
        height, width = size
        self._size, self._parts, self._chance = size, parts, generator
        self._graphs = CudaGraphs(device)
        self.picture = torch.zeros(1, 3, height, width, device=device)
        self.momentum = torch.zeros_like(self.picture)
        self._reaches = parts.prior.reach(size)
        self._counts = [6, 2, 3, 2 * len(self._reaches), 6 * MOST_REGIONS]
        """How many numbers describe the camera's move, the shift, the step, the prior's offsets, and the regions."""
        self._numbers = torch.zeros(sum(self._counts), device=device)
        self._x = (2 * torch.arange(width, device=device) + 1) / width - 1
        self._y = ((2 * torch.arange(height, device=device) + 1) / height - 1)[:, None]
        self._scales: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    @staticmethod
    def supports(regions: WeightedRegions) -> bool:
        """Return whether a step with these regions can be captured."""
        return len(regions) <= MOST_REGIONS and all(region.target.kind == Kind.CLASS for region, _ in regions)

    def take(
        self, canvas: Canvas, motion: Motion, camera_s: float, regions: WeightedRegions, network: Network, numbers: StepNumbers
    ) -> None:
        """Move a canvas' camera and take one step; from then on, ``canvas`` shares picture and momentum with this object.

        Args:
            camera_s: seconds by which the camera moves.
            regions: the scene's regions, of classes that the network knows.
        """
        if canvas.picture is not self.picture:
            canvas.picture = self.picture.copy_(canvas.picture)
        if canvas.momentum is not self.momentum:
            canvas.momentum = self.momentum.copy_(canvas.momentum)
        target = zoom.advance(canvas.pose, motion, camera_s)
        moves = target != canvas.pose
        matrix = zoom.sampling_matrix(canvas.pose, target, self._size, self._size)
        canvas.pose = target
        self._write(matrix, regions, network, numbers)
        if self._graphs.records and self._network_sizes:
            self._record_all()
        self._graphs.run(self._work(network, numbers.shown, moves))

    def _work(self, network: Network, shown: tuple[int, int], moves: bool) -> Work:
        """Return the work of a step for one network, size and camera."""
        self._matrices(shown)
        self._parts.normalisations(self._parts.normalisations.at(shown))
        key, changes = (id(network), shown, moves), (self.picture, self.momentum)
        return Work(key, lambda: self._compute(network, shown, moves), changes)

    def _record_all(self) -> None:
        """Record the step for all sizes at the first step, with and without a moving camera: later, each would stall once."""
        started_s, before = time.monotonic(), self._graphs.held()
        network_sizes, self._network_sizes = self._network_sizes, ()
        for (network, shown), moves in itertools.product(network_sizes, (True, False)):
            self._graphs.record(self._work(network, shown, moves))
        if not self._graphs.records:  # recording failed, and ``CudaGraphs`` has logged why
            return
        self._graphs.wait()
        taken_s, taken_mb = time.monotonic() - started_s, (self._graphs.held() - before) / 1e6
        log.info("steps at %d sizes recorded for the GPU in %.1f s; they take %.0f MB", len(network_sizes), taken_s, taken_mb)

    def _write(self, matrix: np.ndarray, regions: WeightedRegions, network: Network, numbers: StepNumbers) -> None:
        """Copy the numbers of one step to the device, in one transfer."""
        found = [*normalised(matrix, self._size).flatten(), *numbers.shift, numbers.size, numbers.keep, numbers.detail]
        found += [float(torch.randint(most, (), generator=self._chance)) for reach in self._reaches for most in reach]
        for region, share in regions:
            found += [*region.box, -share * region.weight, network.wnids.index(region.target.wnid)]
        found += [0.0] * (len(self._numbers) - len(found))
        self._graphs.hand_over(torch.tensor(found, dtype=torch.float32), self._numbers)

    def _compute(self, network: Network, shown: tuple[int, int], moves: bool) -> None:
        """Compute the next picture and momentum from the numbers, the picture and the momentum."""
        parts = self._parts
        theta, shift, sizes, offsets, regions = torch.split(self._numbers, self._counts)
        step, keep, detail = sizes.unbind()
        picture, momentum = self.picture, self.momentum
        if moves:
            grid = self._grid(theta.view(2, 3))
            picture = F.grid_sample(picture, grid, mode="bicubic", padding_mode="reflection", align_corners=False).clamp(0, 255)
            momentum = F.grid_sample(momentum, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        picture = parts.reduce_detail(picture, detail)
        uphill = self._objective_gradient(picture, network, shown, shift, regions.view(MOST_REGIONS, 6))
        natural = parts.prior.gradient_at(picture, offsets.view(-1, 2).long())
        momentum = parts.turn(momentum, uphill, natural, keep)
        self.picture.copy_(parts.advance(picture, momentum, step / rms(momentum)))
        self.momentum.copy_(momentum)

    def _objective_gradient(
        self, picture: Tensor, network: Network, shown: tuple[int, int], shift: Tensor, regions: Tensor
    ) -> Tensor:
        """Return the objective's gradient over the picture, normalised."""
        rows, columns = self._matrices(shown)
        down, across = (
            matrix.index_select(1, torch.remainder(torch.arange(side, device=picture.device) + by.long(), side))
            for matrix, side, by in zip((rows, columns), self._size, shift, strict=True)
        )
        with torch.enable_grad():
            seen = (down @ picture.detach() @ across.T).requires_grad_(True)
            logits = network(seen)
        slope = slope_of_classes(regions, (logits.shape[1], logits.shape[2], logits.shape[3]))
        # A scalar with that gradient: given output gradients, autograd would compare shapes symbolically.
        (gradient,) = torch.autograd.grad((logits[0] * slope).sum(), seen)
        normalisations = self._parts.normalisations
        at = normalisations.at(shown)
        if at == shown:
            return down.T @ normalisations(at)(gradient) @ across
        return normalisations(at)(down.T @ gradient @ across)

    def _matrices(self, shown: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return the matrices that resample the picture's rows, (h, H), and columns, (w, W), to the shown size."""
        if shown not in self._scales:
            self._scales[shown] = tuple(  # type: ignore[assignment]
                filters(side, to, device=self.picture.device) for side, to in zip(self._size, shown, strict=True)
            )
        return self._scales[shown]

    def _grid(self, theta: Tensor) -> Tensor:
        """Return the sampling grid of an affine map, (1, H, W, 2)."""
        planes = [theta[axis, 0] * self._x + theta[axis, 1] * self._y + theta[axis, 2] for axis in (0, 1)]
        return torch.stack(planes, dim=-1)[None]


def slope_of_classes(regions: Tensor, size: tuple[int, int, int]) -> Tensor:
    """Return the gradient of the classes' loss over the map of logits; it does not depend on the logits.

    The loss is that of ``objectives.class_logits`` and ``objectives.scene``.

    Args:
        regions: (n, 6): box, weight, index of the class; unused rows have a weight of 0, requested classes a negative one.
        size: (classes, height, width) of the map.

    Returns:
        Of shape ``size``, float32.
    """
    classes, height, width = size
    boxes, weight, index = regions[:, :4], regions[:, 4:5], regions[:, 5:]
    masks = region_masks(boxes, (height, width)) * (weight[:, :, None] / (height * width))
    chosen = (index == torch.arange(classes, device=regions.device)).float()  # a matrix product sums in a fixed order
    return (chosen.T @ masks.flatten(1)).view(size) + 1 / math.prod(size)
