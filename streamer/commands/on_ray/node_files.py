"""What a node needs and may not have: weights, which it keeps, and pictures to be alike, which it does not.

Each parcel is sent when a node asks for it, which one that has the weights in its own cache does not.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamer.atomic_files import write_atomically
from streamer.cluster import fetched
from streamer.commands.on_ray.node_pool import NodePool
from streamer.commands.render_facts import SETTINGS
from streamer.config import Config
from streamer.dream.networks.caffe_squeezenet import CACHED, packaged_squeezenet
from streamer.dream.networks.loading import PACKAGED, first_choice
from streamer.dream.networks.registry import ARCHITECTURES
from streamer.dream.networks.weight_checks import check_weights
from streamer.dream.networks.weights import NetworkError, cache_folder, fetch
from streamer.dream.sources.picture import read_image
from streamer.messages.scenes import Scene

SENT = "sent"
"""Prefix of files in a node's cache that hold weights which the settings name a file for."""


@dataclass(frozen=True, slots=True, eq=False)
class WeightsFile:
    """A file of weights."""

    network: str
    """Whose they are; empty where the settings name one file, for whichever network it is."""
    file: str
    """Its name in a cache. The checksum in it is compared when it is read."""
    given: bool
    """Whether the settings name it; else it is what would be downloaded."""
    content: tuple[Any]
    """What stands for its bytes, as an array. In a tuple: a task is only brought what stands there by itself."""


def dream_settings(config: Config, device: str) -> dict[str, Any]:
    """What of the settings a node needs, as JSON has it: what a dream depends on, and no file or address."""
    told = config.model_dump(mode="json", include=set(SETTINGS))
    told["device"] = device
    told["network"]["weights"] = None
    told["source"].update(kind="noise", path=None)  # what it begins with is sent, and what it rides on
    return told


def weights(config: Config, node_pool: NodePool) -> tuple[WeightsFile, ...]:
    """The weights that are here, of those that the settings ask for; nothing is downloaded.

    Raises:
        NetworkError: a file that the settings name cannot be read.
    """
    network = config.network
    if isinstance(network.weights, Path):
        return (_given("", network.weights, node_pool),)
    given = dict(network.weights or {})
    found = [_given(name, file, node_pool) for name, file in given.items()]
    names = [name for name in network.names or (first_choice(node_pool.device), PACKAGED) if name not in given]
    here = [(name, file) for name in names if (file := _at_hand(name)) is not None]
    return (*found, *(WeightsFile(name, file.name, False, (node_pool.put(_bytes(file)),)) for name, file in here))


def received(parcels: tuple[WeightsFile, ...]) -> Path | dict[str, Path] | None:
    """On a node: take what is not there, and put it into its cache.

    Returns:
        What ``network.weights`` is to be there.

    Raises:
        NetworkError: the cache cannot be written.
    """
    given: dict[str, Path] = {}
    for parcel in parcels:
        place = cache_folder() / parcel.file
        if parcel.given:
            if not place.is_file():
                _keep(place, parcel)
            given[parcel.network] = place
        elif _at_hand(parcel.network) is None:
            _keep(place, parcel)
    return given.get("", given or None)


def sent_guides(scenes: tuple[Scene, ...], node_pool: NodePool) -> tuple[tuple[str, tuple[Any]], ...]:
    """The pictures whose likeness some scenes ask for, by the path that the scenes name, each as what stands for it.

    Raises:
        SourceError: one cannot be read.
    """
    named = dict.fromkeys(region.target.guide for scene in scenes for region in scene.regions if region.target.guide)
    return tuple((name, (node_pool.put(read_image(Path(name).expanduser())),)) for name in named)


def pictures(sent: tuple[tuple[str, tuple[Any]], ...]) -> dict[str, np.ndarray]:
    """On a node: the guides, by path."""
    return {name: np.array(fetched(content)) for name, (content,) in sent}


def _at_hand(name: str) -> Path | None:
    """The file that holds a network's weights in a cache of this machine; None where it is in none, or comes along anyway."""
    if name not in ARCHITECTURES:
        return None
    architecture = ARCHITECTURES[name]
    with suppress(NetworkError):
        if architecture.torchvision is not None:
            return fetch(name, architecture.torchvision, limit_s=0)
        file = packaged_squeezenet(cache_folder()).file
        return file if file.name == CACHED else None
    return None


def _given(network: str, file: Path, node_pool: NodePool) -> WeightsFile:
    check_weights(file)
    content = _bytes(file)
    name = f"{SENT}-{hashlib.sha256(content.data).hexdigest()[:16]}{file.suffix.lower()}"
    return WeightsFile(network, name, True, (node_pool.put(content),))


def _bytes(file: Path) -> np.ndarray:
    try:
        return np.fromfile(file, np.uint8)
    except OSError as error:
        raise NetworkError(f"{file}: cannot be read: {error.strerror or error}") from error


def _keep(place: Path, parcel: WeightsFile) -> None:
    """Write a parcel, whole; several workers of a node may do so at once."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, memoryview(fetched(parcel.content[0])), alone=False)
    except OSError as error:
        raise NetworkError(f"cannot keep {place}: {error.strerror or error}") from error
