"""Fused layers that pass over memory fewer times than torch's own, on a CPU; on other devices, torch's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_UNFUSED: ContextVar[bool] = ContextVar("unfused", default=False)


class _ConvRelu(torch.autograd.Function):
    """A convolution and the ReLU after it in one pass over memory. The weights are frozen: they have no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: nn.Conv2d) -> Tensor:
        """Compute the layers; see ``conv_relu``."""
        shape = [*layer.padding], [*layer.stride], [*layer.dilation], layer.groups
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(x, layer.weight, layer.bias, *shape, "relu", [], "")
        ctx.layer = layer
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        """Return the gradient over ``x``."""
        x, y = ctx.saved_tensors
        layer: nn.Conv2d = ctx.layer
        slope = torch.ops.aten.threshold_backward(slope, y, 0)
        shape = layer.stride, layer.padding, layer.dilation, False, (0, 0), layer.groups, (True, False, False)
        gradient, _, _ = torch.ops.aten.convolution_backward(slope, x, layer.weight, [layer.out_channels], *shape)
        return gradient, None


class _ConvReluPool(torch.autograd.Function):
    """A convolution, the ReLU after it and the max pooling after that, in one. The weights are frozen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: nn.Conv2d, pool: nn.MaxPool2d) -> Tensor:
        """Compute the layers; see ``conv_relu_pool``."""
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
        """Return the gradient over ``x``."""
        x, y, peaks, places = ctx.saved_tensors
        layer: nn.Conv2d = ctx.layer
        # The maxima, of which there are fewer, show where the ReLU stops the gradient.
        slope = torch.ops.aten.threshold_backward(slope, peaks, 0)
        slope = torch.ops.aten.max_pool2d_with_indices_backward(slope, y, *ctx.window, places)
        shape = layer.stride, layer.padding, layer.dilation, False, (0, 0), layer.groups, (True, False, False)
        gradient, _, _ = torch.ops.aten.convolution_backward(slope, x, layer.weight, [layer.out_channels], *shape)
        return gradient, None, None


@lru_cache(maxsize=1)
def _bfloat16_by_mkldnn() -> bool:
    """Return whether torch has native bfloat16 convolutions for this CPU; torch has no public function for this."""
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):
        return False


@contextmanager
def unfused() -> Iterator[None]:
    """In this context, compute layers one after the other: torch's own ReLU passes NaN on, a fused one does not."""
    before = _UNFUSED.set(True)
    try:
        yield
    finally:
        _UNFUSED.reset(before)


def _can_fuse(layer: nn.Conv2d, x: Tensor) -> bool:
    """Return whether a convolution and its ReLU can be computed in one pass."""
    plain = layer.padding_mode == "zeros" and not isinstance(layer.padding, str) and not layer.weight.requires_grad
    return plain and not _UNFUSED.get() and x.device.type == "cpu" and x.dtype == torch.bfloat16 and _bfloat16_by_mkldnn()


def conv_relu(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """Compute a convolution and a ReLU with the same result, in one pass over memory on CPUs with bfloat16 instructions."""
    if _can_fuse(layer, x):
        y: Tensor = _ConvRelu.apply(x, layer)  # type: ignore[no-untyped-call]
        return y
    return F.relu_(layer(x))


def conv_relu_pool(layer: nn.Conv2d, pool: nn.MaxPool2d, x: Tensor) -> Tensor:
    """Compute a convolution, a ReLU and max pooling with the same result, and their gradient in less time."""
    if _can_fuse(layer, x):
        y: Tensor = _ConvReluPool.apply(x, layer, pool)  # type: ignore[no-untyped-call]
        return y
    return cast("Tensor", pool(F.relu_(layer(x))))


class _AvgPool(torch.autograd.Function):
    """Average pooling of 2x2 squares, with a gradient that takes a third of the time of torch's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Map (N, C, h, w) to (N, C, h // 2, w // 2)."""
        ctx.size = x.shape[-2:]
        return F.avg_pool2d(x, 2)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        """Return the gradient over the input; an odd last row or column, which the pooling leaves out, gets 0."""
        height, width = ctx.size
        spread = F.interpolate(slope / 4, scale_factor=2, mode="nearest")
        if spread.shape[-2:] == ctx.size:
            return spread
        return F.pad(spread, (0, width - spread.shape[-1], 0, height - spread.shape[-2]))


def fast_avg_pool(layer: nn.AvgPool2d, x: Tensor) -> Tensor:
    """Compute average pooling, with a faster gradient where possible."""
    if x.device.type == "cpu" and layer.kernel_size == 2 and layer.stride == 2 and not layer.padding and not layer.ceil_mode:
        y: Tensor = _AvgPool.apply(x)  # type: ignore[no-untyped-call]
        return y
    return cast("Tensor", layer(x))
