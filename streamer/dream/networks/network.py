"""A network that dreams: one plain sequence of named layers that ends in a dense map of class logits.

The map has one position per ``stride`` pixels. Fractions of a stride at the right and lower edge are dropped by the VGGs and
make one more position with the others, whose pooling rounds up.

| network | stride | window | map of 224x224 | of 472x840 | of 270x480 |
|---|---|---|---|---|---|
| vgg16 | 32 | 224 | 1x1 | 8x20 | 2x9 |
| squeezenet1_1, squeezenet1_1_caffe | 16 | 32 | 13x13 | 29x52 | 16x29 |
| googlenet, resnet50 | 32 | 32 | 7x7 | 15x26 | 8x15 |
| bundled | 32 | 64 | 6x6 | 13x25 | 7x14 |
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from streamer.dream.compute_formats import ComputeFormat, Layout, Precision
from streamer.dream.networks.architecture import MEAN, STD
from streamer.dream.networks.layers import Block, LayerHook, PadToSize, entries, look
from streamer.dream.networks.weights import NetworkError

MEMORY_FORMATS: dict[Layout, torch.memory_format] = {
    "channels_last": torch.channels_last,
    "channels_first": torch.contiguous_format,
}
PRECISIONS: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Network(nn.Module):
    """A frozen classifier seen as a function from pictures to maps.

    It computes in its own ``dtype``; what goes in and comes out is float32. Gradients flow to the picture, not to the weights.

    Args:
        layers: In order, by name; the last gives the logits. A ``ReLU`` may be in place.
        wnids: The classes' WordNet ids, in the order of the logits.
        stride: Pixels from one position of the map to the next.
        window: Side in pixels of the square that counts as one position's own: position i stands over pixels
            ``stride * i`` to ``stride * i + window``, and its centre is the middle of these.
        trained_px: Side of the pictures it was trained on: the size at which it knows its objects.
        min_size: Smallest side the layers can take; smaller pictures get their border repeated up to it.
        memory_format: How pictures and weights lie in memory.
        default_layer: The layer to dream when none is named; None for one in the middle.
        mean: Of the pictures it was trained on, RGB in 0..1.
        std: Their standard deviation.
        source: Where its weights come from, for people.
    """

    mean: Tensor
    scale: Tensor
    _offset: Tensor

    def __init__(
        self,
        name: str,
        layers: Mapping[str, nn.Module],
        wnids: Sequence[str],
        *,
        stride: int,
        window: int,
        trained_px: int,
        min_size: int,
        dtype: torch.dtype = torch.float32,
        memory_format: torch.memory_format = torch.channels_last,
        default_layer: str | None = None,
        mean: tuple[float, float, float] = MEAN,
        std: tuple[float, float, float] = STD,
        source: str = "",
    ) -> None:
        super().__init__()
        self.name, self.source = name, source
        self.wnids = tuple(wnids)
        self.stride, self.window, self.trained_px, self.min_size = stride, window, trained_px, min_size
        self.layers = nn.Sequential(OrderedDict(layers))
        self.layer_entries = entries((key, layer) for key, layer in layers.items() if not isinstance(layer, PadToSize))
        """What can be looked at, from the picture to the classes."""
        names = [entry.name for entry in self.layer_entries]
        self.default_layer = default_layer if default_layer in names else names[len(names) // 2]
        """The layer to dream when none is named."""
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("scale", 1 / (torch.tensor(std).view(1, 3, 1, 1) * 255), persistent=False)
        self.register_buffer("_offset", -self.mean * self.scale, persistent=False)
        self._enlarge = PadToSize(min_size)
        self._adopt(dtype, memory_format)
        self.eval().requires_grad_(False)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The layers that can be looked at, in order; a block's parts stand before the block."""
        return tuple(entry.name for entry in self.layer_entries)

    @property
    def classes_layer(self) -> str:
        """The layer that gives the logits."""
        return self.layer_entries[-1].name

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.mean.device

    @property
    def form(self) -> ComputeFormat:
        """Its precision and layout."""
        precision: Precision = "bfloat16" if self.dtype == torch.bfloat16 else "float32"
        return ComputeFormat(precision, "channels_last" if self.memory_format == torch.channels_last else "channels_first")

    @contextmanager
    def trial(self) -> Iterator[Callable[[ComputeFormat], None]]:
        """Within, what is given puts the network into another form; afterwards it is as it was, to the last bit."""
        kept = [(parameter, parameter.data) for parameter in self.layers.parameters()]
        before = self.dtype, self.memory_format

        def take(form: ComputeFormat) -> None:
            for parameter, data in kept:
                parameter.data = data
            self._adopt(PRECISIONS[form.precision], MEMORY_FORMATS[form.layout])

        try:
            yield take
        finally:
            for parameter, data in kept:
                parameter.data = data
            self._adopt(*before)

    def _adopt(self, dtype: torch.dtype, memory_format: torch.memory_format) -> None:
        self.dtype, self.memory_format = dtype, memory_format
        self.layers.to(dtype)
        self.layers.to(memory_format=memory_format)  # type: ignore[call-overload]
        for layer in self.layers.modules():
            if isinstance(layer, Block):
                layer.forget()

    def preprocess(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in 0..255 to what the first layer takes: normalised, in its own precision and layout."""
        x = torch.addcmul(self._offset, self._enlarge(x), self.scale)
        return x.to(self.dtype, memory_format=self.memory_format)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) float32 RGB in 0..255 to (N, classes, h, w) float32 logits."""
        logits = LayerHook(self.classes_layer)
        return self.look(x, [logits])[logits]

    def activations(self, x: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """What the named layers give, (N, C, h, w) float32 each, computed no further than needed.

        Raises:
            NetworkError: the network has no layer of that name.
        """
        return {hook.layer: value for hook, value in self.look(x, [LayerHook(name) for name in layers]).items()}

    def look(self, x: Tensor, hooks: Collection[LayerHook]) -> dict[LayerHook, Tensor]:
        """What the network shows at some places, (N, C, h, w) float32 each, computed no further than needed.

        Args:
            x: (N, 3, H, W) float32 RGB in 0..255.
            hooks: where to look.

        Raises:
            NetworkError: the network has no layer of that name.
        """
        if unknown := [hook.layer for hook in hooks if hook.layer not in self.layer_names]:
            raise NetworkError(f"{self.name} has no layer '{unknown[0]}'; it has {', '.join(self.layer_names)}")
        found = look(self.preprocess(x), self.layers.named_children(), hooks)
        return {hook: value.float() for hook, value in found.items()}


def compute_dtype(device: torch.device) -> torch.dtype:
    """The precision in which a network is fastest without losing its gradient.

    bfloat16 where the hardware multiplies it, else float32: CPUs without AVX-512 BF16 or AMX emulate it, ten times slower than
    float32. float16 is never taken: a logit's gradient, spread over a whole map, falls below its smallest number.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "cpu":
        # torch has no public question for these two; one that it no longer answers counts as no.
        answers = [getattr(torch.cpu, name, bool) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
        return torch.bfloat16 if any(answer() for answer in answers) else torch.float32
    return torch.float32
