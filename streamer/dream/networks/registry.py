"""The ImageNet networks, besides the bundled ones.

To add one, write a file with its ``Architecture`` and list it here and in ``config.NetworkName``.
"""

from __future__ import annotations

from streamer.dream.networks.architecture import Architecture
from streamer.dream.networks.googlenet import GOOGLENET
from streamer.dream.networks.resnet import RESNET50
from streamer.dream.networks.squeezenet import SQUEEZENET1_1, SQUEEZENET1_1_CAFFE
from streamer.dream.networks.vgg import VGG16

ALL = (VGG16, SQUEEZENET1_1, SQUEEZENET1_1_CAFFE, GOOGLENET, RESNET50)
ARCHITECTURES: dict[str, Architecture] = {each.name: each for each in ALL}
"""The networks by name."""
