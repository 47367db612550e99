"""A network's layers by readable names: what there is, and how to look at one in passing.

Layers in sequence are called as in their network (``conv4_2``, ``fire5``, ``inception4c``). A block, which is a layer made of
branches, also has parts: ``fire5.squeeze``, ``inception4c.3x3``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from streamer.messages import LayerEntry


class Tap(NamedTuple):
    """A place in the network at which to look."""

    layer: str
    """``fire5``, or a part of a block: ``fire5.squeeze``."""
    raw: bool = False
    """Before the ReLU that ends the layer, where it has one: what is below zero shows there, and has a gradient."""


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


class Block(nn.Module):
    """A layer made of branches, each of which ends in a ReLU; so does the whole."""

    stride = 1
    """Positions of the map that comes in for one of the whole's."""

    @property
    @abstractmethod
    def parts(self) -> Mapping[str, int]:
        """Channels of the parts that can be looked at, by name."""

    @property
    def part_strides(self) -> Mapping[str, int]:
        """The same as ``stride``, of those parts in which it is another."""
        return {}

    @property
    @abstractmethod
    def channels(self) -> int:
        """Channels of the whole."""

    @abstractmethod
    def raw(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The whole and its parts, before their ReLUs; nobody has written over them."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, channels, h, w)."""
        return self.raw(x)[0].relu_()


def entries(layers: Iterable[tuple[str, nn.Module]]) -> tuple[LayerEntry, ...]:
    """What there is to look at in a sequence of layers, from the picture on.

    Raises:
        TypeError: a layer of a kind that no network here is made of.
    """
    found: list[LayerEntry] = []
    channels, stride = 3, 1
    for name, layer in layers:
        match layer:
            case nn.Conv2d():
                channels, stride = layer.out_channels, stride * int(layer.stride[0])
            case nn.MaxPool2d() | nn.AvgPool2d():
                step = layer.stride
                stride *= step if isinstance(step, int) else step[0]
            case Block():
                channels, before, stride = layer.channels, stride, stride * layer.stride
                strides = {part: before * each for part, each in layer.part_strides.items()}
                found += [LayerEntry(f"{name}.{part}", width, strides.get(part, stride)) for part, width in layer.parts.items()]
            case nn.ReLU():
                pass
            case _:
                raise TypeError(f"'{name}' is a {type(layer).__name__}, of which it is not known what it does to a map")
        found.append(LayerEntry(name, channels, stride))
    return tuple(found)


def look(x: Tensor, layers: Iterable[tuple[str, nn.Module]], taps: Collection[Tap]) -> dict[Tap, Tensor]:
    """Send a picture through a sequence of layers, no further than the last place that is looked at.

    Args:
        x: (N, 3, H, W), as the first layer takes it.
        layers: with their names, in order.
        taps: all of them in these layers.

    Returns:
        What each tap shows, (N, C, h, w).
    """
    found: dict[Tap, Tensor] = {}
    missing = set(taps)
    for name, layer in layers:
        if not missing:
            break
        here = {tap for tap in missing if tap.layer == name or tap.layer.startswith(f"{name}.")}
        if not here:
            x = layer(x)
            continue
        missing -= here
        if isinstance(layer, Block):
            whole, parts = layer.raw(x)
            x = whole.relu()
            for tap in here:
                seen = whole if tap.layer == name else parts[tap.layer.removeprefix(f"{name}.")]
                found[tap] = seen if tap.raw else x if seen is whole else seen.relu()
        else:
            given = x.clone() if isinstance(layer, nn.ReLU) and layer.inplace else x
            x = layer(x)
            found |= {tap: given if tap.raw and isinstance(layer, nn.ReLU) else x for tap in here}
        if missing:
            x = x.clone()  # the next layer may work in place
    return {tap: found[tap] for tap in cast("Iterable[Tap]", taps)}
