"""The layers of a network and the sizes of their maps, without weights and without computing."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import nn

from streamer.dream.networks import bundled
from streamer.dream.networks.layers import LayerHook, PadToSize, entries, run_layers
from streamer.dream.networks.registry import ARCHITECTURES
from streamer.dream.networks.weights import read_weights
from streamer.messages.network_contents import LayerEntry


@dataclass(frozen=True, slots=True)
class LayerShape:
    """A layer and its map."""

    entry: LayerEntry
    map_size: tuple[int, int]
    """(height, width) in positions."""
    default_layer: bool
    """Whether it is the network's default layer."""


def layer_shapes(name: str, size: tuple[int, int]) -> tuple[LayerShape, ...]:
    """Return a network's layers, from the picture to the classes.

    Args:
        name: a name in ``network.name`` other than ``auto``.
        size: (height, width) of the picture, px.

    Raises:
        NetworkError: the installation lacks the bundled network.
    """
    layers, default_layer = _skeleton(name)
    known = entries((key, layer) for key, layer in layers.items() if not isinstance(layer, PadToSize))
    with torch.no_grad():
        seen = run_layers(torch.empty(1, 3, *size, device="meta"), layers.items(), [LayerHook(entry.name) for entry in known])
    shapes = {hook.layer: tuple(found.shape[2:]) for hook, found in seen.items()}
    return tuple(
        LayerShape(entry, (shapes[entry.name][0], shapes[entry.name][1]), entry.name == default_layer) for entry in known
    )


def _skeleton(name: str) -> tuple[OrderedDict[str, nn.Module], str]:
    """Return a network's layers on torch's meta device, in order, by name, and its default layer."""
    if name == bundled.NAME:
        file = bundled.shipped()
        layers = bundled.read_bundle(file, *read_weights(file)).members[0]
        for layer in layers.values():
            layer.to("meta")
        return layers, bundled.DEFAULT_LAYER
    architecture = ARCHITECTURES[name]
    with torch.device("meta"):
        return architecture.build(), architecture.default_layer
