"""Find small changes that make a network wrong: projected gradient ascent on its loss, in L2 (Madry et al. 2018).

A network that resists such changes has input gradients that look like objects, and a dream follows these gradients (Santurkar
et al. 2019, 'Image Synthesis with a Single (Robust) Classifier'; Engstrom et al. 2019, 'Adversarial Robustness as a Prior for
Learned Representations').
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bundled_net.net import Classify

OVERSHOOT = 1.5
"""Total length of all steps in radii: more than one, because some of it only undoes the random start."""


@contextmanager
def held_still(net: nn.Module) -> Iterator[None]:
    """Hold a network in evaluation mode, without weight gradients, during an attack; then resume training.

    In training mode, the attack would move batch norm's statistics and use others than evaluation does.
    """
    net.eval().requires_grad_(False)
    try:
        yield
    finally:
        net.train().requires_grad_(True)


def attack(
    classify: Classify, pictures: Tensor, labels: Tensor, radius: float, steps: int, generator: torch.Generator
) -> Tensor:
    """Change pictures so that their right answers become unlikely.

    Args:
        classify: a network that is held still.
        pictures: (N, 3, H, W) float32 in 0..1.
        labels: (N,) int64, the right answers.
        radius: greatest L2 norm of a picture's change.
        steps: gradients to take; the first is taken at a random place in the ball.
        generator: on the pictures' device.

    Returns:
        (N, 3, H, W) float32 in 0..1, without a gradient.
    """
    direction = torch.randn(pictures.shape, generator=generator, device=pictures.device)
    length = radius * torch.rand(len(pictures), 1, 1, 1, generator=generator, device=pictures.device)
    change = direction / _norm(direction) * length
    pace = radius * (1.0 if steps == 1 else OVERSHOOT / steps)
    for _ in range(steps):
        probe = (pictures + change).requires_grad_(True)
        loss = F.cross_entropy(classify(probe), labels, reduction="sum")  # a sum keeps pictures' gradients independent
        (gradient,) = torch.autograd.grad(loss, probe)
        change = change + gradient / _norm(gradient) * pace
        change = change * (radius / _norm(change)).clamp_max(1.0)
        change = (pictures + change).clamp(0, 1) - pictures  # enlarges no change: pictures are in 0..1
    return (pictures + change).clamp(0, 1).detach().contiguous(memory_format=torch.channels_last)


def _norm(pictures: Tensor) -> Tensor:
    return pictures.flatten(1).norm(dim=1).view(-1, 1, 1, 1).clamp_min(1e-12)
