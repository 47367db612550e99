"""The layers of the networks, by name and in order, and how weight files fill them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from streamer.dream.networks.layers import Block
from streamer.dream.networks.weights import NetworkError

VGG_CONVOLUTIONS = (2, 2, 3, 3, 3)
"""Convolutions per block (Simonyan & Zisserman 2015, table 1, column D)."""
VGG_WIDTHS = (64, 128, 256, 512, 512)
VGG_DENSE = 4096
CLASSES = 1000


class Wide(nn.Module):
    """Repeats the border of a map that is smaller than the window that follows, so that tiny canvases have one position too.

    Written with ``expand`` because the gradient of torch's replication padding is not deterministic on CUDA.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to (N, C, max(h, side), max(w, side))."""
        for dim in (2, 3):
            missing = self.side - x.shape[dim]
            if missing > 0:
                shape = list(x.shape)
                shape[dim] = missing // 2
                before = x.narrow(dim, 0, 1).expand(shape)
                shape[dim] = missing - missing // 2
                x = torch.cat([before, x, x.narrow(dim, x.shape[dim] - 1, 1).expand(shape)], dim)
        return x


class Fire(Block):
    """SqueezeNet's block: squeeze to few channels, expand by 1x1 and 3x3 (Iandola et al. 2016, section 3.2)."""

    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    @property
    def parts(self) -> Mapping[str, int]:
        """The three convolutions."""
        expand = self.expand1x1.out_channels
        return {"squeeze": self.squeeze.out_channels, "expand1": expand, "expand3": expand}

    @property
    def channels(self) -> int:
        """Both expansions together."""
        return 2 * self.expand1x1.out_channels

    def raw(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """(N, inputs, h, w) to (N, 2 expand, h, w) and its parts."""
        squeeze = self.squeeze(x)
        x = squeeze.relu()
        expand1, expand3 = self.expand1x1(x), self.expand3x3(x)
        return torch.cat([expand1, expand3], 1), {"squeeze": squeeze, "expand1": expand1, "expand3": expand3}


def build_vgg(
    widths: Sequence[int], dense: int, classes: int, *, window: int, average: bool = False
) -> OrderedDict[str, nn.Module]:
    """VGG-16's layers with fc6 as a convolution over all of a ``window``-pixel input's map, fc7 and fc8 as 1x1 ones."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    inputs = 3
    for block, (width, count) in enumerate(zip(widths, VGG_CONVOLUTIONS, strict=True), 1):
        for i in range(1, count + 1):
            layers[f"conv{block}_{i}"] = nn.Conv2d(inputs, width, 3, padding=1)
            layers[f"relu{block}_{i}"] = nn.ReLU(inplace=True)
            inputs = width
        layers[f"pool{block}"] = nn.AvgPool2d(2) if average else nn.MaxPool2d(2)
    side = window // 32
    layers["wide"] = Wide(side)
    layers["fc6"] = nn.Conv2d(inputs, dense, side)
    layers["relu6"] = nn.ReLU(inplace=True)
    layers["fc7"] = nn.Conv2d(dense, dense, 1)
    layers["relu7"] = nn.ReLU(inplace=True)
    layers["fc8"] = nn.Conv2d(dense, classes, 1)
    return layers


def build_squeezenet(classes: int = CLASSES) -> OrderedDict[str, nn.Module]:
    """SqueezeNet 1.1's layers up to conv10.

    The published network goes on with a ReLU and the mean over the map. Both are left out: where a logit is below zero the ReLU
    would stop the gradient, and a class that is not in the picture yet could never grow.
    """
    fires = {2: (64, 16, 64), 3: (128, 16, 64), 4: (128, 32, 128), 5: (256, 32, 128)}
    fires |= {6: (256, 48, 192), 7: (384, 48, 192), 8: (384, 64, 256), 9: (512, 64, 256)}
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv1=nn.Conv2d(3, 64, 3, stride=2), relu1=nn.ReLU(inplace=True))
    for number, sizes in fires.items():
        if number in (2, 4, 6):
            layers[f"pool{number - 1}"] = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        layers[f"fire{number}"] = Fire(*sizes)
    layers["conv10"] = nn.Conv2d(512, classes, 1)
    return layers


def torchvision_keys(name: str) -> dict[str, str]:
    """Our layers' names to those in torchvision's state dict."""
    if name == "squeezenet1_1":
        places = {"conv1": 0, "fire2": 3, "fire3": 4, "fire4": 6, "fire5": 7, "fire6": 9, "fire7": 10, "fire8": 11, "fire9": 12}
        return {layer: f"features.{i}" for layer, i in places.items()} | {"conv10": "classifier.1"}
    keys, place = {}, 0
    for block, count in enumerate(VGG_CONVOLUTIONS, 1):
        for i in range(1, count + 1):
            keys[f"conv{block}_{i}"] = f"features.{place}"
            place += 2  # a ReLU follows
        place += 1  # a pooling layer
    return keys | {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}


def fill(
    layers: Mapping[str, nn.Module], tensors: Mapping[str, Tensor], file: Path, keys: Mapping[str, str] | None = None
) -> None:
    """Give layers a file's tensors; dense weights (out, in * h * w) become convolutions (out, in, h, w), same numbers.

    The layers may have been built on the meta device, which spares drawing random weights first.

    Args:
        keys: Our layers' names to the file's; the same names if None.

    Raises:
        NetworkError: names the file and the first key that is missing, of another shape or not finite.
    """
    for name, layer in layers.items():
        state: dict[str, Tensor] = {}
        for part, parameter in layer.named_parameters():
            key = f"{keys[name] if keys else name}.{part}"
            if key not in tensors:
                raise NetworkError(f"{file}: no tensor '{key}' of shape {tuple(parameter.shape)}; is it for another network?")
            found = tensors[key]
            if parameter.ndim == 4 and found.ndim == 2 and found.numel() == parameter.numel() and len(found) == len(parameter):
                found = found.view(parameter.shape)
            if found.shape != parameter.shape:
                expected = tuple(parameter.shape)
                raise NetworkError(
                    f"{file}: '{key}' has shape {tuple(found.shape)}, expected {expected}; is it for another network?"
                )
            if not torch.isfinite(found.sum(dtype=torch.float64)):  # one pass over VGG-16's half gigabyte
                raise NetworkError(f"{file}: '{key}' holds values that are not finite; the file is damaged")
            state[part] = found.detach().float()
        layer.load_state_dict(state, assign=True)
