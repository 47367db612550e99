"""The networks that dream: VGG-16 with its dense layers as convolutions, SqueezeNet 1.1, GoogLeNet, and the bundled slim VGG.

All are one plain sequence of named layers that ends in a dense map of class logits, one position per ``stride`` pixels.
Fractions of a stride at the right and lower edge are dropped by the VGGs and make one more position with the others, whose
pooling rounds up.

| network | stride | window | map of 224x224 | of 472x840 | of 270x480 |
|---|---|---|---|---|---|
| vgg16 | 32 | 224 | 1x1 | 8x20 | 2x9 |
| squeezenet1_1 | 16 | 32 | 13x13 | 29x52 | 16x29 |
| googlenet | 32 | 32 | 7x7 | 15x26 | 8x15 |
| bundled | 32 | 64 | 6x6 | 13x25 | 7x14 |
"""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from streamer.assets import asset
from streamer.config import NetworkConfig
from streamer.dream.networks.architectures import (
    CLASSES,
    VGG_DENSE,
    VGG_WIDTHS,
    Wide,
    build_squeezenet,
    build_vgg,
    fill,
    torchvision_keys,
)
from streamer.dream.networks.bundled import read_bundle
from streamer.dream.networks.download import Progress
from streamer.dream.networks.googlenet import build_googlenet, folded
from streamer.dream.networks.layers import Tap, entries, look
from streamer.dream.networks.weights import NetworkError, fetch, read_weights

__all__ = ["Network", "NetworkError", "compute_dtype", "load"]

log = logging.getLogger(__name__)

MEAN = (0.485, 0.456, 0.406)
"""Of ImageNet's training pictures, RGB in 0..1; torchvision's networks and the bundled one expect it taken off."""
STD = (0.229, 0.224, 0.225)

BUNDLED_FILE = "bundled_net.safetensors"


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
        favourite: The layer to dream when none is named; None for one in the middle.
        mean: Of the pictures it was trained on, RGB in 0..1.
        std: Their standard deviation.
    """

    mean: Tensor
    scale: Tensor

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
        favourite: str | None = None,
        mean: tuple[float, float, float] = MEAN,
        std: tuple[float, float, float] = STD,
    ) -> None:
        super().__init__()
        self.name = name
        self.wnids = tuple(wnids)
        self.stride, self.window, self.trained_px, self.min_size = stride, window, trained_px, min_size
        self.layers = nn.Sequential(OrderedDict(layers))
        self.layer_entries = entries((key, layer) for key, layer in layers.items() if not isinstance(layer, Wide))
        """What can be looked at, from the picture to the classes."""
        names = [entry.name for entry in self.layer_entries]
        self.favourite = favourite if favourite in names else names[len(names) // 2]
        """The layer to dream when none is named."""
        self.dtype = dtype
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("scale", 1 / (torch.tensor(std).view(1, 3, 1, 1) * 255), persistent=False)
        self.peers: tuple[Network, ...] = ()
        """Others with the same classes and the same layers: a dream of classes takes all of them in turn, one a step. What only
        one of them takes for a thing does not last. They move from device to device with this one."""
        self._enlarge = Wide(min_size)
        self.layers.to(dtype)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.eval().requires_grad_(False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Network:
        for peer in getattr(self, "peers", ()):
            peer._apply(fn, recurse)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

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

    def preprocess(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in 0..255 to what the first layer takes: normalised, in ``dtype``, channels-last."""
        x = (self._enlarge(x) - self.mean) * self.scale
        return x.to(self.dtype, memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) float32 RGB in 0..255 to (N, classes, h, w) float32 logits."""
        logits: Tensor = self.layers(self.preprocess(x))
        return logits.float()

    def activations(self, x: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """What the named layers give, (N, C, h, w) float32 each, computed no further than needed.

        Raises:
            NetworkError: the network has no layer of that name.
        """
        return {tap.layer: value for tap, value in self.look(x, [Tap(name) for name in layers]).items()}

    def look(self, x: Tensor, taps: Collection[Tap]) -> dict[Tap, Tensor]:
        """What the network shows at some places, (N, C, h, w) float32 each, computed no further than needed.

        Args:
            x: (N, 3, H, W) float32 RGB in 0..255.
            taps: where to look.

        Raises:
            NetworkError: the network has no layer of that name.
        """
        if unknown := [tap.layer for tap in taps if tap.layer not in self.layer_names]:
            raise NetworkError(f"{self.name} has no layer '{unknown[0]}'; it has {', '.join(self.layer_names)}")
        found = look(self.preprocess(x), self.layers.named_children(), taps)
        return {tap: value.float() for tap, value in found.items()}


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


@lru_cache(maxsize=1)
def imagenet_wnids() -> tuple[str, ...]:
    """ImageNet-1k's classes in the order of torchvision's logits."""
    return tuple(entry["wnid"] for entry in json.loads(asset("classes.json").read_text(encoding="utf-8"))["classes"])


_MARKS = {
    "vgg16": "classifier.6.weight",
    "squeezenet1_1": "classifier.1.weight",
    "googlenet": "inception4c.branch1.conv.weight",
    "bundled": "fc8.weight",
}
"""A tensor by which a file of weights is known; a number may stand before it, where a file holds several networks."""
_FACTS = {
    "vgg16": (32, 224, 32, "relu4_3"),
    "squeezenet1_1": (16, 32, 17, "fire6"),
    "googlenet": (32, 32, 32, "inception4c"),
}
"""Stride, window, smallest side and favourite layer of torchvision's networks."""


def _make(name: str | None, file: Path, dtype: torch.dtype) -> Network:
    """The network of a weights file; without a name, the one that the file is for."""
    tensors, metadata = read_weights(file)
    if name is None:
        name = next((candidate for candidate, key in _MARKS.items() if key in tensors or f"0.{key}" in tensors), None)
    if name is None:
        raise NetworkError(f"{file}: holds none of {', '.join(_MARKS)}; its first tensor is '{next(iter(tensors), '')}'")
    if name == "bundled":
        return _make_bundled(file, tensors, metadata, dtype)
    with torch.device("meta"):
        if name == "vgg16":
            layers, keys = build_vgg(VGG_WIDTHS, VGG_DENSE, CLASSES, window=224), torchvision_keys(name)
        elif name == "googlenet":
            layers, keys, tensors = build_googlenet(), None, folded(tensors, file)
        else:
            layers, keys = build_squeezenet(), torchvision_keys(name)
    fill(layers, tensors, file, keys)
    stride, window, min_size, favourite = _FACTS[name]
    mean, std = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)) if name == "googlenet" else (MEAN, STD)  # it was trained elsewhere
    return Network(
        name,
        layers,
        imagenet_wnids(),
        stride=stride,
        window=window,
        trained_px=224,
        min_size=min_size,
        dtype=dtype,
        favourite=favourite,
        mean=mean,
        std=std,
    )


def skeleton(name: str) -> tuple[Mapping[str, nn.Module], str]:
    """A network's layers on torch's meta device, which tells shapes and computes nothing; no weights are needed.

    Returns:
        The layers in order, by name, and the layer to dream when none is named.

    Raises:
        NetworkError: the installation lacks the bundled network.
    """
    if name == "bundled":
        network = _make(name, _bundled_file(), torch.float32).to("meta")
        return dict(network.layers.named_children()), network.favourite
    with torch.device("meta"):
        if name == "vgg16":
            layers = build_vgg(VGG_WIDTHS, VGG_DENSE, CLASSES, window=224)
        else:
            layers = build_googlenet() if name == "googlenet" else build_squeezenet()
    return layers, _FACTS[name][3]


def _make_bundled(file: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], dtype: torch.dtype) -> Network:
    bundle = read_bundle(file, tensors, metadata)
    first, *peers = (
        Network(
            "bundled",
            layers,
            bundle.wnids,
            stride=32,
            window=bundle.window,
            trained_px=bundle.window,
            min_size=32,
            dtype=dtype,
            favourite="relu4_2",
        )
        for layers in bundle.members
    )
    first.peers = tuple(peers)
    return first


def load(
    config: NetworkConfig, device: torch.device, *, progress: Progress | None = None, cache: Path | None = None
) -> Network:
    """The network that the settings ask for, ready on its device.

    ``auto`` falls back to the bundled network, with one warning that says why, where its first choice is not to be had; a
    network asked for by name is downloaded however long it takes.

    Args:
        progress: Told of a download's progress, as ``weights.fetch`` says.
        cache: Where downloads are kept; None for the user's cache folder.

    Raises:
        NetworkError: its weights cannot be read or downloaded, or do not fit.
    """
    dtype, automatic = compute_dtype(device), config.name == "auto"
    if config.weights is not None:
        network = _make(None if automatic else config.name, config.weights.expanduser(), dtype).to(device)
        log.info("dreaming with %s from %s on %s in %s", network.name, config.weights, device, dtype)
        return network
    name: str = config.name
    if automatic:
        name = "vgg16" if device.type == "cuda" else "squeezenet1_1"
    if name == "bundled":
        file = _bundled_file()
    else:
        try:
            file = fetch(name, limit_s=config.download_s if automatic else None, progress=progress, cache=cache)
        except NetworkError as error:
            if not automatic:
                raise
            log.warning(
                "dreaming with the bundled network, because %s's weights are not at hand: %s. To cure it, connect and start "
                "again, or name a file in 'network.weights'; 'network.name: bundled' silences this.",
                name,
                error,
            )
            name, file = "bundled", _bundled_file()
    network = _make(name, file, dtype).to(device)
    log.info("dreaming with %s from %s on %s in %s", name, file, device, dtype)
    return network


def _bundled_file() -> Path:
    try:
        return asset(BUNDLED_FILE)
    except FileNotFoundError as error:
        raise NetworkError(str(error)) from error
