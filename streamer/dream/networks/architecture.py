"""The description of a network without its weights: its layers, its properties, and the layout of its weight files.

One file for each network holds its ``Architecture``; ``registry`` lists them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from streamer.dream.networks.weights import NetworkError

CLASSES = 1000
"""Number of classes of ImageNet-1k."""
MEAN = (0.485, 0.456, 0.406)
"""Mean of ImageNet's training pictures, RGB in 0..1; torchvision's networks and the bundled ones expect it subtracted."""
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network of ImageNet's thousand classes, and its properties."""

    name: str
    """The name in ``network.name``."""
    build: Callable[[], OrderedDict[str, nn.Module]]
    """Builds its layers, in order, by name; the last one computes the logits."""
    key_suffix: str
    """The end of a key that identifies a file of its weights."""
    stride: int
    """Pixels from one position of the map of logits to the next."""
    window: int
    """Side in pixels of the square of one position."""
    min_size: int
    """Smallest side that the layers accept, px."""
    default_layer: str
    """The layer to use when none is named."""
    keys: Mapping[str, str] | None = None
    """Maps our layers' names to those in a weights file; None if they are the same."""
    convert: Callable[[Mapping[str, Tensor], Path], Mapping[str, Tensor]] | None = None
    """Converts a file's tensors to those that ``keys`` names; raises ``NetworkError`` if they do not fit."""
    trained_px: int = 224
    """Side of the pictures it was trained on."""
    mean: tuple[float, float, float] = MEAN
    """Mean of the pictures it was trained on, RGB in 0..1."""
    std: tuple[float, float, float] = STD
    torchvision: str | None = None
    """torchvision's enum with the weights' URL; None if torchvision does not have the network."""


def fill(
    layers: Mapping[str, nn.Module], tensors: Mapping[str, Tensor], file: Path, keys: Mapping[str, str] | None = None
) -> None:
    """Load a file's tensors into layers; dense weights (out, in * h * w) become convolutions (out, in, h, w), same numbers.

    The layers may be on the meta device, which avoids drawing random weights first.

    Args:
        layers: the layers by name.
        tensors: the file's tensors by key.
        file: the file, for messages.
        keys: maps our layers' names to the file's; None if they are the same.

    Raises:
        NetworkError: the message names the file and the first key that is missing, of another shape or not finite.
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
