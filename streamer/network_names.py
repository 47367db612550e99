"""The networks by name, known without torch: to add one, write a file with its ``Architecture`` and list it here twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

NetworkName = Literal[
    "vgg16",
    "squeezenet1_1",
    "squeezenet1_1_caffe",
    "googlenet",
    "resnet50",
    "bundled",
]
"""A value of ``network.name``."""

ARCHITECTURE_PLACES: Mapping[NetworkName, str] = {
    "vgg16": "streamer.dream.networks.vgg:VGG16",
    "squeezenet1_1": "streamer.dream.networks.squeezenet:SQUEEZENET1_1",
    "squeezenet1_1_caffe": "streamer.dream.networks.squeezenet:SQUEEZENET1_1_CAFFE",
    "googlenet": "streamer.dream.networks.googlenet:GOOGLENET",
    "resnet50": "streamer.dream.networks.resnet:RESNET50",
}
"""Module and name of each ``Architecture``. The bundled networks have none: their file describes them."""
