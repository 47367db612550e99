"""Layers that go over memory fewer times than torch's own, on a CPU; elsewhere they are torch's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_UNFUSED: ContextVar[bool] = ContextVar("layers apart", default=False)


class _ConvRelu(torch.autograd.Function):
    """A convolution and the ReLU after it in one pass over memory. The weights are frozen: they have no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: nn.Conv2d) -> Tensor:
        """As ``conv_relu`` says."""
        shape = [*layer.padding], [*layer.stride], [*layer.dilation], layer.groups
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(x, layer.weight, layer.bias, *shape, "relu", [], "")
        ctx.layer = layer
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        """The gradient over ``x``."""
        x, y = ctx.saved_tensors
        layer: nn.Conv2d = ctx.layer
        slope = torch.ops.aten.threshold_backward(slope, y, 0)
        shape = layer.stride, layer.padding, layer.dilation, False, (0, 0), layer.groups, (True, False, False)
        gradient, _, _ = torch.ops.aten.convolution_backward(slope, x, layer.weight, [layer.out_channels], *shape)
        return gradient, None


class _ConvReluPool(torch.autograd.Function):
    """A convolution, the ReLU after it and a pooling by maxima after that, in one. The weights are frozen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: nn.Conv2d, pool: nn.MaxPool2d) -> Tensor:
        """As ``conv_relu_pool`` says."""
        shape = [*layer.padding], [*layer.stride], [*layer.dilation], layer.groups
        y = torch.ops.mkldnn._convolution_pointwise(x, layer.weight, layer.bias, *shape, "relu", [], "")
        sizes = pool.kernel_size, pool.stride, pool.padding, pool.dilation
        window = *((each, each) if isinstance(each, int) else each for each in sizes), pool.ceil_mode
        peaks, places = torch.ops.aten.max_pool2d_with_indices(y, *window)
        ctx.layer, ctx.window = layer, window
        ctx.save_for_backward(x, y, peaks, places)
        return cast("Tensor", peaks)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        """The gradient over ``x``."""
        x, y, peaks, places = ctx.saved_tensors
        layer: nn.Conv2d = ctx.layer
        # What the ReLU stops can be told from the maxima, of which there are fewer.
        slope = torch.ops.aten.threshold_backward(slope, peaks, 0)
        slope = torch.ops.aten.max_pool2d_with_indices_backward(slope, y, *ctx.window, places)
        shape = layer.stride, layer.padding, layer.dilation, False, (0, 0), layer.groups, (True, False, False)
        gradient, _, _ = torch.ops.aten.convolution_backward(slope, x, layer.weight, [layer.out_channels], *shape)
        return gradient, None, None


@lru_cache(maxsize=1)
def _bfloat16_by_mkldnn() -> bool:
    """Whether torch has its CPU's own convolutions for bfloat16; it does not say so in public."""
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):
        return False


@contextmanager
def unfused() -> Iterator[None]:
    """Within, layers are computed one after the other: what is not a number passes through a ReLU of torch's, and no other."""
    before = _UNFUSED.set(True)
    try:
        yield
    finally:
        _UNFUSED.reset(before)


def _at_once(layer: nn.Conv2d, x: Tensor) -> bool:
    """Whether a convolution and its ReLU can be done in one pass."""
    plain = layer.padding_mode == "zeros" and not isinstance(layer.padding, str) and not layer.weight.requires_grad
    return plain and not _UNFUSED.get() and x.device.type == "cpu" and x.dtype == torch.bfloat16 and _bfloat16_by_mkldnn()


def conv_relu(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """What a convolution gives, after a ReLU: the same numbers, on CPUs that multiply bfloat16 in one pass over memory."""
    if _at_once(layer, x):
        y: Tensor = _ConvRelu.apply(x, layer)  # type: ignore[no-untyped-call]
        return y
    return F.relu_(layer(x))


def conv_relu_pool(layer: nn.Conv2d, pool: nn.MaxPool2d, x: Tensor) -> Tensor:
    """What a pooling by maxima gives of a convolution after a ReLU: the same numbers, and their gradient in less time."""
    if _at_once(layer, x):
        y: Tensor = _ConvReluPool.apply(x, layer, pool)  # type: ignore[no-untyped-call]
        return y
    return cast("Tensor", pool(F.relu_(layer(x))))


class _AvgPool(torch.autograd.Function):
    """The mean of squares of 2x2, with a gradient that takes a third of the time of torch's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """(N, C, h, w) to (N, C, h // 2, w // 2)."""
        ctx.size = x.shape[-2:]
        return F.avg_pool2d(x, 2)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        """Of the shape that came in; what the mean left out has none."""
        height, width = ctx.size
        spread = F.interpolate(slope / 4, scale_factor=2, mode="nearest")
        if spread.shape[-2:] == ctx.size:
            return spread
        return F.pad(spread, (0, width - spread.shape[-1], 0, height - spread.shape[-2]))


def fast_avg_pool(layer: nn.AvgPool2d, x: Tensor) -> Tensor:
    """What a pooling by means gives."""
    if x.device.type == "cpu" and layer.kernel_size == 2 and layer.stride == 2 and not layer.padding and not layer.ceil_mode:
        y: Tensor = _AvgPool.apply(x)  # type: ignore[no-untyped-call]
        return y
    return cast("Tensor", layer(x))
