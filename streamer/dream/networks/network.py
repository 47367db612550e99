"""A network to dream with: one plain sequence of named layers that ends in a dense map of class logits.

The map has one position per ``stride`` pixels. VGGs drop fractions of a stride at the right and lower edge; with the other
networks, whose pooling rounds up, they make one more position.

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
from streamer.dream.networks.layers import Block, LayerHook, PadToSize, entries, run_layers
from streamer.dream.networks.weights import NetworkError

MEMORY_FORMATS: dict[Layout, torch.memory_format] = {
    "channels_last": torch.channels_last,
    "channels_first": torch.contiguous_format,
}
PRECISIONS: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Network(nn.Module):
    """A frozen classifier as a function from pictures to maps.

    It computes in its own ``dtype``; input and output are float32. Gradients flow to the picture, not to the weights.

    Args:
        name: the name in ``network.name``.
        layers: the layers in order, by name; the last one computes the logits. A ``ReLU`` may be in place.
        wnids: the classes' WordNet ids, in the order of the logits.
        stride: pixels from one position of the map to the next.
        window: side in pixels of the square of one position: position i covers pixels ``stride * i`` to
            ``stride * i + window``, and its centre is the middle of these.
        trained_px: side of the pictures it was trained on: the size at which it knows its objects.
        min_size: smallest side that the layers accept; the border of smaller pictures is repeated up to it.
        dtype: the precision in which it computes.
        memory_format: memory layout of pictures and weights.
        default_layer: the layer to use when none is named; None for one in the middle.
        mean: mean of the pictures it was trained on, RGB in 0..1.
        std: their standard deviation.
        source: source of its weights, for display.
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
        """The layers and parts that a hook can name, from the picture to the classes."""
        names = [entry.name for entry in self.layer_entries]
        self.default_layer = default_layer if default_layer in names else names[len(names) // 2]
        """The layer to use when none is named."""
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("scale", 1 / (torch.tensor(std).view(1, 3, 1, 1) * 255), persistent=False)
        self.register_buffer("_offset", -self.mean * self.scale, persistent=False)
        self._enlarge = PadToSize(min_size)
        self._adopt(dtype, memory_format)
        self.eval().requires_grad_(False)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the layers that a hook can name, in order; a block's parts come before the block."""
        return tuple(entry.name for entry in self.layer_entries)

    @property
    def classes_layer(self) -> str:
        """The layer that computes the logits."""
        return self.layer_entries[-1].name

    @property
    def device(self) -> torch.device:
        """The device that it computes on."""
        return self.mean.device

    @property
    def form(self) -> ComputeFormat:
        """Its precision and memory layout."""
        precision: Precision = "bfloat16" if self.dtype == torch.bfloat16 else "float32"
        return ComputeFormat(precision, "channels_last" if self.memory_format == torch.channels_last else "channels_first")

    @contextmanager
    def trial(self) -> Iterator[Callable[[ComputeFormat], None]]:
        """Yield a function that changes the network's format; restore the network at the end, to the last bit."""
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
        """Convert (N, 3, H, W) RGB in 0..255 to the first layer's input: normalised, in its own precision and layout."""
        x = torch.addcmul(self._offset, self._enlarge(x), self.scale)
        return x.to(self.dtype, memory_format=self.memory_format)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) float32 RGB in 0..255 to (N, classes, h, w) float32 logits."""
        logits = LayerHook(self.classes_layer)
        return self.hook_outputs(x, [logits])[logits]

    def activations(self, x: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Return the outputs of the named layers, (N, C, h, w) float32 each, and compute no further than needed.

        Raises:
            NetworkError: the network has no layer of that name.
        """
        return {hook.layer: value for hook, value in self.hook_outputs(x, [LayerHook(name) for name in layers]).items()}

    def hook_outputs(self, x: Tensor, hooks: Collection[LayerHook]) -> dict[LayerHook, Tensor]:
        """Return the outputs of the hooks, (N, C, h, w) float32 each, and compute no further than needed.

        Args:
            x: (N, 3, H, W) float32 RGB in 0..255.
            hooks: the hooks.

        Raises:
            NetworkError: the network has no layer of that name.
        """
        if unknown := [hook.layer for hook in hooks if hook.layer not in self.layer_names]:
            raise NetworkError(f"{self.name} has no layer '{unknown[0]}'; it has {', '.join(self.layer_names)}")
        found = run_layers(self.preprocess(x), self.layers.named_children(), hooks)
        return {hook: value.float() for hook, value in found.items()}


def compute_dtype(device: torch.device) -> torch.dtype:
    """Return the precision in which a network is fastest without losing its gradient.

    bfloat16 if the hardware supports it, otherwise float32: CPUs without AVX-512 BF16 or AMX emulate bfloat16, ten times slower
    than float32. Never float16: a logit's gradient, spread over a whole map, is below its smallest number.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "cpu":
        # torch has no public function for these two; a missing one counts as False.
        answers = [getattr(torch.cpu, name, bool) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
        return torch.bfloat16 if any(answer() for answer in answers) else torch.float32
    return torch.float32
