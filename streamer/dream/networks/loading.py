"""Loads what ``network.name`` asks for: one network or several, from a file, a download, a package or the program itself."""

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
from streamer.config import NetworkConfig, NetworkName
from streamer.dream.device import keep_freed_memory
from streamer.dream.networks import bundled
from streamer.dream.networks.architecture import Architecture, fill
from streamer.dream.networks.caffe_squeezenet import packaged_squeezenet
from streamer.dream.networks.download import Progress
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.network import MEMORY_FORMATS, PRECISIONS, Network, compute_dtype
from streamer.dream.networks.registry import ARCHITECTURES
from streamer.dream.networks.weights import NetworkError, cache_folder, fetch, read_weights

__all__ = ["NetworkError", "load"]

log = logging.getLogger(__name__)

PACKAGED: Final = "squeezenet1_1_caffe"
"""The network whose weights a package brings along."""


def load(
    config: NetworkConfig, device: torch.device, *, progress: Progress | None = None, cache: Path | None = None
) -> Ensemble:
    """The networks that the settings ask for, ready on their device.

    ``auto`` takes the next best, with one line that says why, where its first choice is not to be had; a network asked for by
    name is downloaded however long it takes.

    Args:
        progress: Told of a download's progress, as ``weights.fetch`` says.
        cache: Where downloads are kept; None for the user's cache folder.

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
    """The network that ``auto`` begins with on a device: ``cpu`` or ``cuda``."""
    return "vgg16" if device == "cuda" else "squeezenet1_1"


class _Loader:
    """Finds the weights of networks."""

    def __init__(self, config: NetworkConfig, device: torch.device, progress: Progress | None, cache: Path | None) -> None:
        self._config, self._device, self._progress, self._cache = config, device, progress, cache

    def named(self, name: NetworkName, limit_s: float | None = None) -> list[Network]:
        """A network by its name, from the file that the settings name for it or from wherever it is to be had.

        Args:
            limit_s: Seconds that a download may take; None for any time.
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
        """All of the best that are to be had for the device, which dream better together than each alone.

        VGG-16, for which a GPU has the time, is left to itself: it has not been measured in company.
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
        always = self.named(bundled.NAME)
        if found:
            for why in missing:
                log.info("dreaming without %s", why)
        else:
            log.warning(
                "dreaming with the bundled network alone, which knows %d things, because no other's weights are at hand: %s. "
                "To cure it, connect and start again, or set 'network.weights'; 'network.name: bundled' silences this.",
                len(always[0].wnids),
                "; ".join(missing),
            )
        return found + always


def make(name: str | None, file: Path, device: torch.device, config: NetworkConfig | None = None) -> list[Network]:
    """The networks of a weights file: one of ImageNet's, or as many as a bundled file holds.

    Args:
        name: as in ``network.name``; None for whichever the file is for.
        config: its precision and layout are heeded; None for the usual ones.

    Raises:
        NetworkError: names the file and what is wrong with it.
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
    """The precision that the settings ask for, or the usual one on a device."""
    asked = "auto" if config is None else config.precision
    return compute_dtype(device) if asked == "auto" else PRECISIONS[asked]


def memory_format_for(config: NetworkConfig | None) -> torch.memory_format:
    """The layout that the settings ask for, or the usual one."""
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
    """The name of the network that a file is for."""
    if (said := metadata.get("network")) in ARCHITECTURES:
        return str(said)
    marks = {bundled.NAME: bundled.KEY_SUFFIX} | {name: each.key_suffix for name, each in ARCHITECTURES.items()}
    for name, key_suffix in marks.items():
        if any(key == key_suffix or key.endswith(f".{key_suffix}") for key in tensors):
            return name
    raise NetworkError(f"{file}: holds none of {', '.join(marks)}; its first tensor is '{next(iter(tensors), '')}'")


@lru_cache(maxsize=1)
def imagenet_wnids() -> tuple[str, ...]:
    """ImageNet-1k's classes in the order of their logits."""
    return tuple(entry["wnid"] for entry in json.loads(asset("classes.json").read_text(encoding="utf-8"))["classes"])
