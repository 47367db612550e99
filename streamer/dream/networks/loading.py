"""Loads the networks that ``network.name`` names, from a file, a download, a package or the program itself."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from streamer.assets import asset
from streamer.config import NetworkConfig
from streamer.dream.device import keep_freed_memory
from streamer.dream.networks import bundled
from streamer.dream.networks.architecture import Architecture, fill
from streamer.dream.networks.caffe_squeezenet import packaged_squeezenet
from streamer.dream.networks.download import Progress
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.network import MEMORY_FORMATS, PRECISIONS, Network, compute_dtype
from streamer.dream.networks.registry import ARCHITECTURES
from streamer.dream.networks.weights import NetworkError, cache_folder, fetch, read_weights
from streamer.network_names import NetworkName

__all__ = ["NetworkError", "load"]

log = logging.getLogger(__name__)

PACKAGED: Final = "squeezenet1_1_caffe"
"""The network whose weights come from a Python package."""


def load(
    config: NetworkConfig, device: torch.device, *, progress: Progress | None = None, cache: Path | None = None
) -> Ensemble:
    """Load the networks that the settings name, on their device.

    If its first choice is unavailable, ``auto`` takes the next best and logs the reason; a network that is set by name is
    downloaded without a time limit.

    Args:
        config: the ``network`` block of the settings.
        device: the device to load to.
        progress: called with a download's progress, see ``weights.fetch``.
        cache: folder of downloads; None for the user's cache folder.

    Raises:
        NetworkError: weights cannot be read or downloaded, or do not fit.
    """
    if device.type == "cpu":
        keep_freed_memory()
    loader = _Loader(config, device, progress, cache)
    if isinstance(config.weights, Path):
        members = make(config.names[0] if config.names else None, config.weights, device, config)
    elif config.name == "auto":
        members = loader.automatic()
    else:
        members = [member for name in config.names for member in loader.named(name)]
    ensemble = Ensemble(*members)
    log.info("dreaming with %s on %s in %s", ensemble.sources, device, ensemble.first.form)
    return ensemble


def first_choice(device: str) -> NetworkName:
    """Return the network that ``auto`` tries first on a device: ``cpu`` or ``cuda``."""
    return "vgg16" if device == "cuda" else "squeezenet1_1"


class _Loader:
    """Finds the weights of networks."""

    def __init__(self, config: NetworkConfig, device: torch.device, progress: Progress | None, cache: Path | None) -> None:
        self._config, self._device, self._progress, self._cache = config, device, progress, cache

    def named(self, name: NetworkName, limit_s: float | None = None) -> list[Network]:
        """Load a network by its name, from the file in the settings, or else from its package or download.

        Args:
            name: a name in ``network.name``.
            limit_s: time limit of a download, in seconds; None for no limit.
        """
        given = self._config.weights
        if isinstance(given, Mapping) and name in given:
            return make(name, given[name], self._device, self._config)
        if name == bundled.NAME:
            return make(name, bundled.shipped(), self._device, self._config)
        architecture = ARCHITECTURES[name]
        if architecture.torchvision is None:
            packaged = packaged_squeezenet(self._cache or cache_folder())
            return [_imagenet(architecture, packaged.file, packaged.tensors, self._device, self._config)]
        file = fetch(name, architecture.torchvision, limit_s=limit_s, progress=self._progress, cache=self._cache)
        return make(name, file, self._device, self._config)

    def automatic(self) -> list[Network]:
        """Load the best networks that are available for the device; they make better pictures together than each alone.

        VGG-16, for which a GPU is fast enough, runs alone: it has not been measured together with others.
        """
        found: list[Network] = []
        missing: list[str] = []
        for name in (first_choice(self._device.type), PACKAGED):
            try:
                found += self.named(name, limit_s=self._config.download_s)
            except NetworkError as error:
                missing.append(f"{name}: {error}")
            if name == "vgg16" and found:
                return found
        fallback = self.named(bundled.NAME)
        if found:
            for why in missing:
                log.info("dreaming without %s", why)
        else:
            log.warning(
                "dreaming with the bundled network alone, which knows %d things, because no other weights are available: %s. "
                "Connect to the internet and start again, or set 'network.weights'; 'network.name: bundled' silences this.",
                len(fallback[0].wnids),
                "; ".join(missing),
            )
        return found + fallback


def make(name: str | None, file: Path, device: torch.device, config: NetworkConfig | None = None) -> list[Network]:
    """Make the networks of a weights file: one ImageNet network, or all networks of a bundled file.

    Args:
        name: a name in ``network.name``; None to recognise it from the file.
        file: the weights file.
        device: the device to load to.
        config: uses ``precision`` and ``layout``; None for the defaults.

    Raises:
        NetworkError: the message names the file and what is wrong with it.
    """
    tensors, metadata = read_weights(file)
    name = name or _recognised(file, tensors, metadata)
    if name == bundled.NAME:
        bundle = bundled.read_bundle(file, tensors, metadata)
        return [
            Network(
                name,
                layers,
                bundle.wnids,
                stride=bundled.STRIDE,
                window=bundle.window,
                trained_px=bundle.window,
                min_size=bundled.MIN_SIZE,
                dtype=dtype_for(config, device),
                memory_format=memory_format_for(config),
                default_layer=bundled.DEFAULT_LAYER,
                source=str(file),
            ).to(device)
            for layers in bundle.members
        ]
    return [_imagenet(ARCHITECTURES[name], file, tensors, device, config)]


def dtype_for(config: NetworkConfig | None, device: torch.device) -> torch.dtype:
    """Return the precision in the settings, or the default of a device."""
    asked = "auto" if config is None else config.precision
    return compute_dtype(device) if asked == "auto" else PRECISIONS[asked]


def memory_format_for(config: NetworkConfig | None) -> torch.memory_format:
    """Return the memory layout in the settings, or the default."""
    asked = "auto" if config is None else config.layout
    return torch.channels_last if asked == "auto" else MEMORY_FORMATS[asked]


def _imagenet(
    architecture: Architecture,
    file: Path,
    tensors: Mapping[str, Tensor],
    device: torch.device,
    config: NetworkConfig | None = None,
) -> Network:
    with torch.device("meta"):
        layers = architecture.build()
    converted = architecture.convert(tensors, file) if architecture.convert else tensors
    fill(layers, converted, file, architecture.keys)
    return Network(
        architecture.name,
        layers,
        imagenet_wnids(),
        stride=architecture.stride,
        window=architecture.window,
        trained_px=architecture.trained_px,
        min_size=architecture.min_size,
        dtype=dtype_for(config, device),
        memory_format=memory_format_for(config),
        default_layer=architecture.default_layer,
        mean=architecture.mean,
        std=architecture.std,
        source=str(file),
    ).to(device)


def _recognised(file: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Return the name of the network that a file belongs to."""
    if (named := metadata.get("network")) in ARCHITECTURES:
        return str(named)
    suffixes = {bundled.NAME: bundled.KEY_SUFFIX} | {name: each.key_suffix for name, each in ARCHITECTURES.items()}
    for name, key_suffix in suffixes.items():
        if any(key == key_suffix or key.endswith(f".{key_suffix}") for key in tensors):
            return name
    raise NetworkError(f"{file}: holds none of {', '.join(suffixes)}; its first tensor is '{next(iter(tensors), '')}'")


@lru_cache(maxsize=1)
def imagenet_wnids() -> tuple[str, ...]:
    """Return the WordNet ids of ImageNet-1k's classes, in the order of their logits."""
    return tuple(entry["wnid"] for entry in json.loads(asset("classes.json").read_text(encoding="utf-8"))["classes"])
