"""What makes a network besides its weights: its layers, its facts, and how weight files fill it.

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
"""Of ImageNet-1k."""
MEAN = (0.485, 0.456, 0.406)
"""Of ImageNet's training pictures, RGB in 0..1; torchvision's networks and the bundled one expect it taken off."""
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network of ImageNet's thousand classes, and all there is to know of it."""

    name: str
    """As in ``network.name``."""
    build: Callable[[], OrderedDict[str, nn.Module]]
    """Makes its layers, in order, by name; the last gives the logits."""
    key_suffix: str
    """The end of a key by which a file of its weights is known."""
    stride: int
    """Pixels from one position of the map of logits to the next."""
    window: int
    """Side in pixels of the square that counts as one position's own."""
    min_size: int
    """Smallest side that the layers can take, px."""
    default_layer: str
    """The layer to dream when none is named."""
    keys: Mapping[str, str] | None = None
    """Our layers' names to those in a weights file; None: the same."""
    convert: Callable[[Mapping[str, Tensor], Path], Mapping[str, Tensor]] | None = None
    """Makes a file's tensors those that ``keys`` speaks of; raises ``NetworkError`` where they do not fit."""
    trained_px: int = 224
    """Side of the pictures it was trained on."""
    mean: tuple[float, float, float] = MEAN
    """Of the pictures it was trained on, RGB in 0..1."""
    std: tuple[float, float, float] = STD
    torchvision: str | None = None
    """Where torchvision keeps its weights' address; None where it has none."""


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
