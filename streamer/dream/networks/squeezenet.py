"""SqueezeNet 1.1 (Iandola et al. 2016), for torchvision's weights and for those of its authors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamer.dream.networks.architecture import CLASSES, Architecture
from streamer.dream.networks.fused import conv_relu, conv_relu_pool
from streamer.dream.networks.layers import Block


class Fire(Block):
    """SqueezeNet's block: squeeze to few channels, expand by 1x1 and 3x3 (Iandola et al. 2016, section 3.2)."""

    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self._both: list[nn.Conv2d] = []  # in a list, so that torch does not register it as a submodule

    @property
    def parts(self) -> Mapping[str, int]:
        """The three convolutions."""
        expand = self.expand1x1.out_channels
        return {"squeeze": self.squeeze.out_channels, "expand1": expand, "expand3": expand}

    @property
    def channels(self) -> int:
        """Channels of both expansions together."""
        return 2 * self.expand1x1.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, h, w) to (N, 2 expand, h, w)."""
        x = conv_relu(self.squeeze, x)
        if x.device.type == "cpu" and x.dtype == torch.bfloat16:
            return conv_relu(self._expand(), x)
        return torch.cat([conv_relu(self.expand1x1, x), conv_relu(self.expand3x3, x)], 1)

    def pooled(self, x: Tensor, pool: nn.MaxPool2d) -> Tensor:
        """Compute the block and max pooling."""
        if x.device.type == "cpu" and x.dtype == torch.bfloat16:
            return conv_relu_pool(self._expand(), pool, conv_relu(self.squeeze, x))
        return super().pooled(x, pool)

    def forget(self) -> None:
        """Drop the merged convolution of both expansions."""
        self._both.clear()

    def _expand(self) -> nn.Conv2d:
        """Return both expansions as one 3x3 convolution: its zeros cost less than another pass over memory."""
        if not self._both:
            one, three = self.expand1x1, self.expand3x3
            with torch.device("meta"):
                both = nn.Conv2d(one.in_channels, self.channels, 3, padding=1)
            assert one.bias is not None
            assert three.bias is not None
            weight = torch.cat([F.pad(one.weight, (1, 1, 1, 1)), three.weight]).contiguous(memory_format=torch.channels_last)
            both.weight = nn.Parameter(weight.detach(), requires_grad=False)
            both.bias = nn.Parameter(torch.cat([one.bias, three.bias]).detach(), requires_grad=False)
            self._both.append(both)
        return self._both[0]

    def raw(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Map (N, inputs, h, w) to (N, 2 expand, h, w) and its parts."""
        squeeze = self.squeeze(x)
        x = squeeze.relu()
        expand1, expand3 = self.expand1x1(x), self.expand3x3(x)
        return torch.cat([expand1, expand3], 1), {"squeeze": squeeze, "expand1": expand1, "expand3": expand3}


def build_squeezenet(classes: int = CLASSES) -> OrderedDict[str, nn.Module]:
    """Build SqueezeNet 1.1's layers up to conv10.

    The published network continues with a ReLU and the mean over the map. Both are left out: the ReLU would stop the gradient
    of negative logits, and a class that is not yet in the picture could never appear.
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


PLACES = {"conv1": 0, "fire2": 3, "fire3": 4, "fire4": 6, "fire5": 7, "fire6": 9, "fire7": 10, "fire8": 11, "fire9": 12}
"""Indices of our layers in torchvision's sequence."""

SQUEEZENET1_1 = Architecture(
    "squeezenet1_1",
    build=build_squeezenet,
    key_suffix="classifier.1.weight",
    stride=16,
    window=32,
    min_size=17,
    default_layer="fire6",
    keys={layer: f"features.{place}" for layer, place in PLACES.items()} | {"conv10": "classifier.1"},
    torchvision="SqueezeNet1_1_Weights",
)
SQUEEZENET1_1_CAFFE = replace(
    SQUEEZENET1_1,
    name="squeezenet1_1_caffe",
    mean=(123.68 / 255, 116.779 / 255, 103.939 / 255),
    std=(1 / 255, 1 / 255, 1 / 255),
    torchvision=None,
)
"""SqueezeNet 1.1 with its authors' weights of 2016, trained in Caffe on values in 0..255 minus their mean."""
