"""VGG-16 with its dense layers as convolutions, and the same layout with other widths (Simonyan & Zisserman 2015)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from streamer.dream.networks.architecture import CLASSES, Architecture
from streamer.dream.networks.layers import PadToSize

CONVOLUTIONS = (2, 2, 3, 3, 3)
"""Number of convolutions per block (table 1, column D)."""
WIDTHS = (64, 128, 256, 512, 512)
DENSE = 4096


def build_vgg(
    widths: Sequence[int], dense: int, classes: int, *, window: int, average: bool = False
) -> OrderedDict[str, nn.Module]:
    """Build VGG-16's layers, with fc6 as a convolution over the map of a ``window``-pixel input, fc7 and fc8 as 1x1 ones."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    inputs = 3
    for block, (width, count) in enumerate(zip(widths, CONVOLUTIONS, strict=True), 1):
        for i in range(1, count + 1):
            layers[f"conv{block}_{i}"] = nn.Conv2d(inputs, width, 3, padding=1)
            layers[f"relu{block}_{i}"] = nn.ReLU(inplace=True)
            inputs = width
        layers[f"pool{block}"] = nn.AvgPool2d(2) if average else nn.MaxPool2d(2)
    side = window // 32
    layers["wide"] = PadToSize(side)
    layers["fc6"] = nn.Conv2d(inputs, dense, side)
    layers["relu6"] = nn.ReLU(inplace=True)
    layers["fc7"] = nn.Conv2d(dense, dense, 1)
    layers["relu7"] = nn.ReLU(inplace=True)
    layers["fc8"] = nn.Conv2d(dense, classes, 1)
    return layers


def _keys() -> dict[str, str]:
    """Map our layers' names to those in torchvision's state dict."""
    keys, place = {}, 0
    for block, count in enumerate(CONVOLUTIONS, 1):
        for i in range(1, count + 1):
            keys[f"conv{block}_{i}"] = f"features.{place}"
            place += 2  # a ReLU follows
        place += 1  # a pooling layer
    return keys | {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}


VGG16 = Architecture(
    "vgg16",
    build=lambda: build_vgg(WIDTHS, DENSE, CLASSES, window=224),
    key_suffix="classifier.6.weight",
    stride=32,
    window=224,
    min_size=32,
    default_layer="relu4_3",
    keys=_keys(),
    torchvision="VGG16_Weights",
)
