"""Measure a network's accuracy on pictures as they are and under attack."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bundled_net.attack import attack
from bundled_net.augmentation import as_floats
from bundled_net.data import Pictures
from bundled_net.net import Classify

BATCH = 500
ATTACK_STEPS = 5
ATTACKED_SHARE = 5
"""One validation picture in this many is attacked: 2,000 of Tiny ImageNet's."""


def top1(classify: Classify, held: Pictures) -> float:
    """Return the share of pictures whose class comes first, in 0..1."""
    return _right(classify, held, lambda pictures, labels: pictures)


def top1_attacked(classify: Classify, held: Pictures, radius: float) -> float:
    """Return ``top1`` for one picture in five under a five-step attack; ``classify``'s network is held still."""
    generator = torch.Generator(held.pixels.device).manual_seed(0)
    some = Pictures(held.pixels[::ATTACKED_SHARE], held.labels[::ATTACKED_SHARE])
    return _right(classify, some, lambda x, y: attack(classify, x, y, radius, ATTACK_STEPS, generator))


def _right(classify: Classify, held: Pictures, prepare: Callable[[Tensor, Tensor], Tensor]) -> float:
    right = 0
    for pixels, labels in zip(held.pixels.split(BATCH), held.labels.split(BATCH), strict=True):
        pictures = prepare(as_floats(pixels), labels)
        with torch.no_grad():
            right += int((classify(pictures).argmax(1) == labels).sum())
    return right / len(held)
