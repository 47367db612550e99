"""A network's layers by readable names, and their outputs during a forward pass.

Layers in sequence have the names of their network (``conv4_2``, ``fire5``, ``inception4c``). A block, which is a layer made of
branches, also has parts: ``fire5.squeeze``, ``inception4c.3x3``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamer.dream.networks.fused import conv_relu, conv_relu_pool, fast_avg_pool
from streamer.messages.network_contents import LayerEntry

MEAN = -1
"""Value of ``LayerHook.channel`` for the mean of all channels."""


class LayerHook(NamedTuple):
    """A layer, or part of one, whose output is wanted."""

    layer: str
    """``fire5``, or a part of a block: ``fire5.squeeze``."""
    raw: bool = False
    """Whether to take the output before the layer's final ReLU, if any: negative values show there, and have a gradient."""
    channel: int | None = None
    """The only channel to take, or ``MEAN``; None for all channels."""


class PadToSize(nn.Module):
    """Repeats the border of a map that is smaller than the next layer's kernel, so that tiny canvases have one position too.

    Written with ``expand`` because the gradient of torch's replication padding is not deterministic on CUDA.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, h, w) to (N, C, max(h, side), max(w, side))."""
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
    """A layer made of branches; each branch and the whole layer end in a ReLU."""

    stride = 1
    """Positions of the input map per position of the output."""

    @property
    @abstractmethod
    def parts(self) -> Mapping[str, int]:
        """Channels of the parts that a hook can name, by name."""

    @property
    def part_strides(self) -> Mapping[str, int]:
        """The strides of those parts whose stride differs from the block's."""
        return {}

    @property
    @abstractmethod
    def channels(self) -> int:
        """Channels of the whole block."""

    def pooled(self, x: Tensor, pool: nn.MaxPool2d) -> Tensor:
        """Compute the block and max pooling."""
        return cast("Tensor", pool(self(x)))

    def forget(self) -> None:
        """Drop everything derived from the weights, after they have changed."""

    @abstractmethod
    def raw(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the whole block and its parts, before their ReLUs and not overwritten."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, h, w) to (N, channels, h, w)."""
        return self.raw(x)[0].relu_()


def entries(layers: Iterable[tuple[str, nn.Module]]) -> tuple[LayerEntry, ...]:
    """List the layers and parts that a hook can name in a sequence of layers, from the picture on.

    Raises:
        TypeError: a layer is of an unknown type.
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
                raise TypeError(f"'{name}' is a {type(layer).__name__}, and its effect on the size of a map is unknown")
        found.append(LayerEntry(name, channels, stride))
    return tuple(found)


def run_layers(x: Tensor, layers: Iterable[tuple[str, nn.Module]], hooks: Collection[LayerHook]) -> dict[LayerHook, Tensor]:
    """Send a picture through a sequence of layers, up to the last hook.

    Args:
        x: (N, 3, H, W), preprocessed for the first layer.
        layers: names and layers, in order.
        hooks: hooks of these layers.

    Returns:
        The output of each hook, (N, C, h, w); (N, 1, h, w) for one channel.
    """
    found: dict[LayerHook, Tensor] = {}
    missing = set(hooks)
    for name, layer in _joined(list(layers), missing):
        if not missing:
            break
        here = {hook for hook in missing if hook.layer == name or hook.layer.startswith(f"{name}.")}
        if not here:
            x = layer(x)
            continue
        missing -= here
        if not missing and isinstance(layer, nn.Conv2d) and layer.groups == 1 and None not in {hook.channel for hook in here}:
            found |= _channels(layer, x, list(here))
            break
        if isinstance(layer, Block):
            whole, parts = layer.raw(x)
            x = whole.relu()
            for hook in here:
                seen = whole if hook.layer == name else parts[hook.layer.removeprefix(f"{name}.")]
                found[hook] = seen if hook.raw else x if seen is whole else seen.relu()
        else:
            before = x.clone() if isinstance(layer, nn.ReLU) and layer.inplace else x
            x = layer(x)
            found |= {hook: before if hook.raw and isinstance(layer, nn.ReLU) else x for hook in here}
        if missing:
            x = x.clone()  # the next layer may work in place
    return {hook: _of(found[hook], hook.channel) for hook in hooks}


def _of(seen: Tensor, channel: int | None) -> Tensor:
    """Return a hook's channel of a map, unless the map has only that one."""
    if channel is None or seen.shape[1] == 1:
        return seen
    return seen.mean(1, keepdim=True) if channel == MEAN else seen[:, channel : channel + 1]


def _channels(layer: nn.Conv2d, x: Tensor, hooks: Sequence[LayerHook]) -> dict[LayerHook, Tensor]:
    """Compute only some channels of a convolution: all thousand logits would take a fifth of SqueezeNet's time."""

    def rows(weights: Tensor) -> Tensor:
        chosen = [weights.float().mean(0) if hook.channel == MEAN else weights[hook.channel].float() for hook in hooks]
        return torch.stack(chosen).to(weights.dtype)

    bias = None if layer.bias is None else rows(layer.bias)
    seen = F.conv2d(x, rows(layer.weight), bias, layer.stride, layer.padding, layer.dilation)
    return {hook: seen[:, place : place + 1] for place, hook in enumerate(hooks)}


def _joined(
    layers: Sequence[tuple[str, nn.Module]], hooks: Collection[LayerHook]
) -> Iterator[tuple[str, Callable[[Tensor], Tensor]]]:
    """Yield layers with their names; a convolution, its ReLU and its pooling as one if there is no hook in between."""
    hooked = {hook.layer.partition(".")[0] for hook in hooks}
    place = 0
    while place < len(layers):
        name, layer = layers[place]
        (after, second), (last, third) = [*layers[place + 1 : place + 3], ("", None), ("", None)][:2]
        if isinstance(layer, nn.Conv2d) and isinstance(second, nn.ReLU) and name not in hooked:
            if isinstance(third, nn.MaxPool2d) and after not in hooked:
                place += 3
                yield last, partial(conv_relu_pool, layer, third)
                continue
            if LayerHook(after, raw=True) not in hooks:
                place += 2
                yield after, partial(conv_relu, layer)
                continue
        if isinstance(layer, Block) and isinstance(second, nn.MaxPool2d) and name not in hooked:
            place += 2
            yield after, partial(layer.pooled, pool=second)
            continue
        place += 1
        yield name, partial(fast_avg_pool, layer) if isinstance(layer, nn.AvgPool2d) else layer
