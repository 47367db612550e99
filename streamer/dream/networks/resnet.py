"""ResNet-50 (He et al. 2016, 'Deep residual learning for image recognition'), in torchvision's version.

torchvision's network halves the map in a block's 3x3 convolution; the paper's does so in the 1x1 before it. Batch
normalisation, which at inference is a factor and an offset per channel, is folded into the convolution before it. Block names
are stage and position, both from 1: ``block3_4`` is torchvision's ``layer3.3``, the fourth of the paper's conv4_x.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from streamer.dream.networks.architecture import CLASSES, Architecture
from streamer.dream.networks.layers import Block
from streamer.dream.networks.weights import NetworkError

STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
"""Blocks, and channels of their 3x3 convolutions, of the four stages (table 1); a block's output has four times as many."""
EXPANSION = 4
EPSILON = 1e-5
"""Epsilon of the batch normalisation."""
KEY_SUFFIX = "layer3.5.conv3.weight"
"""The end of a key that every file of its weights has: this block of smaller ResNets has no third convolution."""
CONVOLUTIONS = {"reduce": ("conv1", "bn1"), "middle": ("conv2", "bn2"), "expand": ("conv3", "bn3")}
"""Maps our names of a block's convolutions to torchvision's names of each convolution and the normalisation after it."""
SHORTCUT = ("downsample.0", "downsample.1")


class Bottleneck(Block):
    """A bottleneck block: 1x1 reduction, 3x3 convolution and 1x1 expansion, added to the input (figure 5, right).

    Args:
        inputs: channels of the input.
        width: channels of the reduction.
        stride: positions of the input map per position of the output.
    """

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.reduce = nn.Conv2d(inputs, width, 1)
        self.middle = nn.Conv2d(width, width, 3, stride=stride, padding=1)
        self.expand = nn.Conv2d(width, EXPANSION * width, 1)
        fits = stride == 1 and inputs == EXPANSION * width
        self.shortcut = None if fits else nn.Conv2d(inputs, EXPANSION * width, 1, stride=stride)
        """Converts the input to the size and channels of the output; None if they are the same."""

    @property
    def parts(self) -> Mapping[str, int]:
        """The three convolutions; the last one without the block's input."""
        return {"reduce": self.reduce.out_channels, "3x3": self.middle.out_channels, "expand": self.expand.out_channels}

    @property
    def part_strides(self) -> Mapping[str, int]:
        """The stride of the reduction, whose map has the size of the input."""
        return {"reduce": 1}

    @property
    def channels(self) -> int:
        """Channels of the sum."""
        return self.expand.out_channels

    def raw(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Map (N, inputs, h, w) to (N, channels, ceil(h / stride), ceil(w / stride)) and its parts."""
        reduce = self.reduce(x)
        middle = self.middle(reduce.relu())
        expand = self.expand(middle.relu())
        whole = expand + (x if self.shortcut is None else self.shortcut(x))
        return whole, {"reduce": reduce, "3x3": middle, "expand": expand}


def build_resnet50(classes: int = CLASSES) -> OrderedDict[str, nn.Module]:
    """Build ResNet-50's layers, with its dense layer as a 1x1 convolution.

    The published network averages the map before the dense layer; the mean of this network's logits is the same.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, 64, 7, stride=2, padding=3),
        relu1=nn.ReLU(inplace=True),
        pool1=nn.MaxPool2d(3, stride=2, padding=1),
    )
    inputs = 64
    for stage, (count, width) in enumerate(STAGES, 1):
        for place in range(1, count + 1):
            layers[f"block{stage}_{place}"] = Bottleneck(inputs, width, stride=2 if place == 1 < stage else 1)
            inputs = EXPANSION * width
    layers["fc"] = nn.Conv2d(inputs, classes, 1)
    return layers


def resnet_tensors(tensors: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Convert a state dict's tensors to our names, with batch normalisation folded into the convolutions.

    Keys are torchvision's, optionally with a prefix, as in adversarially robust networks (Engstrom et al. 2019, Salman et al.
    2020: ``module.model.``, and the same network once more for the attack). Other keys are ignored.

    Args:
        tensors: the state dict.
        file: its file, for messages.

    Raises:
        NetworkError: the message names the file and the first key that is missing or of another shape.
    """
    prefix = _prefix(tensors)
    with torch.device("meta"):
        shapes = {key: tensor.shape for key, tensor in nn.Sequential(build_resnet50()).state_dict().items()}

    def get(key: str, shape: Sequence[int]) -> Tensor:
        if (found := tensors.get(prefix + key)) is None:
            raise NetworkError(f"{file}: no tensor '{prefix}{key}' of shape {tuple(shape)}; is it for another network?")
        if found.shape != tuple(shape):
            raise NetworkError(
                f"{file}: '{prefix}{key}' has shape {tuple(found.shape)}, expected {tuple(shape)}; is it for another network?"
            )
        return found.double()

    ours: dict[str, Tensor] = {}
    for name, (convolution, normalisation) in _places().items():
        weight = get(f"{convolution}.weight", shapes[f"{name}.weight"])
        gain, offset, mean, variance = (
            get(f"{normalisation}.{part}", weight.shape[:1]) for part in ("weight", "bias", "running_mean", "running_var")
        )
        gain = gain / (variance + EPSILON).sqrt()
        ours[f"{name}.weight"] = (weight * gain.view(-1, 1, 1, 1)).float()
        ours[f"{name}.bias"] = (offset - mean * gain).float()
    for key in ("fc.weight", "fc.bias"):
        ours[key] = get(key, [side for side in shapes[key] if side > 1]).float().view(shapes[key])
    return ours


def _places() -> dict[str, tuple[str, str]]:
    """Map our names of the convolutions to torchvision's names of each convolution and the normalisation after it."""
    places = {"conv1": ("conv1", "bn1")}
    for stage, (count, _) in enumerate(STAGES, 1):
        for place in range(1, count + 1):
            parts = CONVOLUTIONS | ({"shortcut": SHORTCUT} if place == 1 else {})
            for ours, (convolution, normalisation) in parts.items():
                theirs = f"layer{stage}.{place - 1}"
                places[f"block{stage}_{place}.{ours}"] = f"{theirs}.{convolution}", f"{theirs}.{normalisation}"
    return places


def _prefix(tensors: Mapping[str, Tensor]) -> str:
    """Return the prefix of the network's keys: the shortest of those with the most known keys."""
    needed = {f"{convolution}.weight" for convolution, _ in _places().values()} | {"fc.weight", "fc.bias"}
    prefixes = {key.removesuffix(KEY_SUFFIX) for key in tensors if key == KEY_SUFFIX or key.endswith(f".{KEY_SUFFIX}")}
    return max(sorted(prefixes, key=len), key=lambda prefix: sum(prefix + key in tensors for key in needed), default="")


RESNET50 = Architecture(
    "resnet50",
    build=build_resnet50,
    key_suffix=KEY_SUFFIX,
    stride=32,
    window=32,
    min_size=32,
    default_layer="block3_3",  # in the middle of the stage whose maps are as fine as those of inception4c and fire6
    convert=resnet_tensors,
    torchvision="ResNet50_Weights",
)
