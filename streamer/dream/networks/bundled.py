"""The bundled file: slim VGGs of one shape with one list of classes, trained by this project, which take turns in the dream."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from streamer.assets import asset
from streamer.dream.networks.architecture import fill
from streamer.dream.networks.vgg import build_vgg
from streamer.dream.networks.weights import NetworkError

NAME: Final = "bundled"
"""The name in ``network.name``."""
FILE = "bundled_net.safetensors"
KEY_SUFFIX = "fc8.weight"
"""The end of a key that identifies such a file."""
DEFAULT_LAYER = "relu4_2"
STRIDE, MIN_SIZE = 32, 32
"""Pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """The contents of such a file."""

    members: tuple[OrderedDict[str, nn.Module], ...]
    """The layers of each network, in order, by name."""
    wnids: tuple[str, ...]
    window: int
    """Side in pixels of the pictures they were trained on."""


def read_bundle(file: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Bundle:
    """Build the networks of a file; the file determines their number, the widths of their layers and their classes.

    With ``members`` in the metadata, the keys of each network start with its number: ``0.fc8.weight``. Without it, there is one
    network. Weights may be integers, with a ``scale`` per output beside them.

    Raises:
        NetworkError: the message names the file and what is missing, or the first key that does not fit.
    """
    try:
        wnids = tuple(str(wnid) for wnid in json.loads(metadata["classes"]))
        count = int(metadata.get("members", "0"))
    except (KeyError, ValueError, TypeError) as error:
        raise NetworkError(f"{file}: its metadata names no 'classes'; is it for another network?") from error
    prefixes = [f"{member}." for member in range(count)] or [""]

    def shape(key: str, dims: int) -> torch.Size:
        found = tensors[key].shape if key in tensors else torch.Size()
        if len(found) != dims or 0 in found:
            raise NetworkError(
                f"{file}: '{key}' has shape {tuple(found)}, expected {dims} dimensions; is it for another network?"
            )
        return found

    widths = [shape(f"{prefixes[0]}conv{block}_1.weight", 4)[0] for block in range(1, 6)]
    dense, _, side, _ = shape(f"{prefixes[0]}fc6.weight", 4)
    members, scaled = [], _scaled(tensors)
    for prefix in prefixes:
        with torch.device("meta"):
            layers = build_vgg(widths, dense, len(wnids), window=32 * side, average=True)
        fill(layers, scaled, file, {name: f"{prefix}{name}" for name in layers})
        members.append(layers)
    return Bundle(tuple(members), wnids, 32 * side)


def _scaled(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Multiply integer weights by their scales; weights whose scale does not fit stay unchanged."""
    scaled = dict(tensors)
    for key, scale in tensors.items():
        weight = tensors.get(weight_key := f"{key.removesuffix('scale')}weight")
        if key.endswith(".scale") and weight is not None and scale.shape == weight.shape[:1]:
            scaled[weight_key] = weight * scale.view(-1, *[1] * (weight.ndim - 1))
    return scaled


def shipped() -> Path:
    """Return the file that comes with the program.

    Raises:
        NetworkError: the installation lacks it.
    """
    try:
        return asset(FILE)
    except FileNotFoundError as error:
        raise NetworkError(str(error)) from error
