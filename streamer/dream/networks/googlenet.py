"""GoogLeNet, also called Inception v1, the network of the DeepDream pictures, in torchvision's version.

Szegedy et al. 2015, 'Going deeper with convolutions'. torchvision's network was trained with batch normalisation, which at
inference is a factor and an offset per channel: both are folded into the convolution before it, so layers are plain
convolutions here. The '5x5' branch has 3x3 kernels, like torchvision's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from streamer.dream.networks.architecture import CLASSES, Architecture
from streamer.dream.networks.layers import Block
from streamer.dream.networks.weights import NetworkError

EPSILON = 1e-3
"""Epsilon of torchvision's batch normalisation in this network."""
BLOCKS = {
    "inception3a": (192, 64, 96, 128, 16, 32, 32),
    "inception3b": (256, 128, 128, 192, 32, 96, 64),
    "inception4a": (480, 192, 96, 208, 16, 48, 64),
    "inception4b": (512, 160, 112, 224, 24, 64, 64),
    "inception4c": (512, 128, 128, 256, 24, 64, 64),
    "inception4d": (512, 112, 144, 288, 32, 64, 64),
    "inception4e": (528, 256, 160, 320, 32, 128, 128),
    "inception5a": (832, 256, 160, 320, 32, 128, 128),
    "inception5b": (832, 384, 192, 384, 48, 128, 128),
}
"""Channels of the input and of the six convolutions, in the order of ``Inception``'s arguments (table 1)."""
STEM = {"conv1": "conv1", "conv2": "conv2", "conv3": "conv3"}
BRANCHES = {
    "conv1x1": "branch1",
    "reduce3x3": "branch2.0",
    "conv3x3": "branch2.1",
    "reduce5x5": "branch3.0",
    "conv5x5": "branch3.1",
    "project": "branch4.1",
}
"""Maps our names of an Inception block's convolutions to torchvision's."""


class Inception(Block):
    """Four branches side by side: 1x1, 3x3 and '5x5' after a reduction, and 1x1 after pooling."""

    def __init__(self, inputs: int, ones: int, reduce3: int, threes: int, reduce5: int, fives: int, pooled: int) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(inputs, ones, 1)
        self.reduce3x3 = nn.Conv2d(inputs, reduce3, 1)
        self.conv3x3 = nn.Conv2d(reduce3, threes, 3, padding=1)
        self.reduce5x5 = nn.Conv2d(inputs, reduce5, 1)
        self.conv5x5 = nn.Conv2d(reduce5, fives, 3, padding=1)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True)
        self.project = nn.Conv2d(inputs, pooled, 1)

    @property
    def parts(self) -> Mapping[str, int]:
        """The six convolutions; a branch's reduction comes before its main convolution."""
        return {
            "1x1": self.conv1x1.out_channels,
            "3x3reduce": self.reduce3x3.out_channels,
            "3x3": self.conv3x3.out_channels,
            "5x5reduce": self.reduce5x5.out_channels,
            "5x5": self.conv5x5.out_channels,
            "pool": self.project.out_channels,
        }

    @property
    def channels(self) -> int:
        """Channels of the four branches together."""
        return sum(each.out_channels for each in (self.conv1x1, self.conv3x3, self.conv5x5, self.project))

    def raw(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Map (N, inputs, h, w) to (N, channels, h, w) and its parts."""
        ones, reduce3, reduce5 = self.conv1x1(x), self.reduce3x3(x), self.reduce5x5(x)
        threes, fives = self.conv3x3(reduce3.relu()), self.conv5x5(reduce5.relu())
        pooled = self.project(self.pool(x))
        parts = {"1x1": ones, "3x3reduce": reduce3, "3x3": threes, "5x5reduce": reduce5, "5x5": fives, "pool": pooled}
        return torch.cat([ones, threes, fives, pooled], 1), parts


def build_googlenet(classes: int = CLASSES) -> OrderedDict[str, nn.Module]:
    """Build GoogLeNet's layers, with its dense layer as a 1x1 convolution.

    The published network averages the map before the dense layer; the mean of this network's logits is the same.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, 64, 7, stride=2, padding=3),
        relu1=nn.ReLU(inplace=True),
        pool1=nn.MaxPool2d(3, stride=2, ceil_mode=True),
        conv2=nn.Conv2d(64, 64, 1),
        relu2=nn.ReLU(inplace=True),
        conv3=nn.Conv2d(64, 192, 3, padding=1),
        relu3=nn.ReLU(inplace=True),
        pool2=nn.MaxPool2d(3, stride=2, ceil_mode=True),
    )
    for name, sizes in BLOCKS.items():
        layers[name] = Inception(*sizes)
        if name == "inception3b":
            layers["pool3"] = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        if name == "inception4e":
            layers["pool4"] = nn.MaxPool2d(2, stride=2, ceil_mode=True)
    layers["fc"] = nn.Conv2d(1024, classes, 1)
    return layers


def folded(tensors: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Convert torchvision's tensors to our names, with batch normalisation folded into the convolutions.

    Raises:
        NetworkError: the message names the file and the first key that is missing or of another shape.
    """

    def get(key: str, *shape: int) -> Tensor:
        if key not in tensors:
            raise NetworkError(f"{file}: no tensor '{key}'; is it for another network?")
        found = tensors[key].double()
        if shape and found.shape != shape:
            raise NetworkError(f"{file}: '{key}' has shape {tuple(found.shape)}, expected {shape}; is it for another network?")
        return found

    places = dict(STEM)
    for block in BLOCKS:
        places |= {f"{block}.{ours}": f"{block}.{theirs}" for ours, theirs in BRANCHES.items()}
    ours: dict[str, Tensor] = {}
    for name, place in places.items():
        weight = get(f"{place}.conv.weight")
        count = weight.shape[0] if weight.ndim == 4 else 0
        gain = get(f"{place}.bn.weight", count) / (get(f"{place}.bn.running_var", count) + EPSILON).sqrt()
        ours[f"{name}.weight"] = weight * gain.view(-1, *[1] * (weight.ndim - 1))
        ours[f"{name}.bias"] = get(f"{place}.bn.bias", count) - get(f"{place}.bn.running_mean", count) * gain
    return ours | {"fc.weight": get("fc.weight"), "fc.bias": get("fc.bias")}


GOOGLENET = Architecture(
    "googlenet",
    build=build_googlenet,
    key_suffix="inception4c.branch1.conv.weight",
    stride=32,
    window=32,
    min_size=32,
    default_layer="inception4c",
    convert=folded,
    mean=(0.5, 0.5, 0.5),  # its weights are ported and expect inputs in -1..1
    std=(0.5, 0.5, 0.5),
    torchvision="GoogLeNet_Weights",
)
