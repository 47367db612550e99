"""The network that is trained, and the members that are shipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamer.dream.networks.network import compute_dtype

CONVOLUTIONS = (2, 2, 3, 3, 3)
"""Convolutions per block, as in VGG-16 (Simonyan & Zisserman 2015, table 1, column D)."""
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

Classify = Callable[[Tensor], Tensor]
"""(N, 3, 64, 64) float32 in 0..1 to (N, classes) float32 logits."""


@dataclass(frozen=True, slots=True)
class Member:
    """One of the networks of a file; a dream uses them in turn."""

    name: str
    """Its checkpoint's name."""
    radius: float
    """L2 radius of the attack, over values in 0..1 of a 64-pixel picture; 0 trains on clean pictures."""
    epochs: float
    seed: int
    widths: tuple[int, ...] = (24, 48, 96, 192, 384)
    """Channels of the five blocks; VGG-16 has 64, 128, 256, 512, 512."""
    dense: int = 512
    """Units of fc6 and fc7; VGG-16 has 4096."""


MEMBERS = (Member("a", radius=0.5, epochs=30, seed=1), Member("b", radius=1.0, epochs=31, seed=2))
"""The shipped two: two radii, used in turn, dream better than either alone."""


class SlimVGG(nn.Module):
    """VGG-16's layout with narrow layers, batch norm and average pooling; dense layers as convolutions.

    Average pooling (Gatys et al. 2016, section 2) passes a gradient to every pixel under a window, so dreams have no dots.
    """

    def __init__(self, widths: tuple[int, ...], dense: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.blocks = nn.ModuleList()
        inputs = 3
        for width, count in zip(widths, CONVOLUTIONS, strict=True):
            layers: list[nn.Module] = []
            for _ in range(count):
                layers += _convolution(inputs, width, 3)
                inputs = width
            self.blocks.append(nn.Sequential(*layers))
        self.fc6 = nn.Sequential(*_convolution(inputs, dense, 2))
        self.fc7 = nn.Sequential(*_convolution(dense, dense, 1))
        self.fc8 = nn.Conv2d(dense, classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, pictures: Tensor) -> Tensor:
        """Map (N, 3, H, W) in 0..1, 64 pixels or more a side, to logits (N, classes, H // 32 - 1, W // 32 - 1)."""
        x = (pictures - self.mean) / self.std
        for block in self.blocks:
            x = F.avg_pool2d(block(x), 2)
        return self.fc8(self.fc7(self.fc6(x)))


def _convolution(inputs: int, outputs: int, side: int) -> list[nn.Module]:
    padding = 1 if side == 3 else 0  # none for fc6 and fc7
    return [
        nn.Conv2d(inputs, outputs, side, padding=padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


def build(member: Member, classes: int) -> SlimVGG:
    """Return a member before its first step, on the CPU: the same on every machine with the same torch."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(member.seed)
        return SlimVGG(member.widths, member.dense, classes).to(memory_format=torch.channels_last)


def classifier(layers: nn.Module, device: torch.device) -> Classify:
    """Return a network as a function of 64-pixel pictures, in bfloat16 where the device supports it."""
    reduced = compute_dtype(device) is torch.bfloat16

    def classify(pictures: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=reduced):
            return layers(pictures).flatten(1).float()

    return classify
