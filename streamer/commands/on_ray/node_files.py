"""Sends files that a node may lack: weights, which it keeps, and guide pictures, which it does not.

A file is only sent when a node asks for it; a node with the weights in its cache does not ask.
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
"""Prefix of files in a node's cache with weights from a file that the settings name."""


@dataclass(frozen=True, slots=True, eq=False)
class WeightsFile:
    """A weights file."""

    network: str
    """The network; empty if the settings name one file for the only network."""
    file: str
    """The name in a cache. It contains a checksum, which is verified on reading."""
    given: bool
    """Whether the settings name the file; otherwise it is the one that would be downloaded."""
    content: tuple[Any]
    """Ray's reference to its bytes, an array. In a tuple, because Ray resolves bare references before a task starts."""


def dream_settings(config: Config, device: str) -> dict[str, Any]:
    """Return the settings that a node needs, ready for JSON: those that the pixels depend on, without files or addresses."""
    needed = config.model_dump(mode="json", include=set(SETTINGS))
    needed["device"] = device
    needed["network"]["weights"] = None
    needed["source"].update(kind="noise", path=None)  # pictures are sent as pixels
    return needed


def weights(config: Config, node_pool: NodePool) -> tuple[WeightsFile, ...]:
    """Return the weights that the settings name and this machine has; nothing is downloaded.

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
    """Save missing weights in the cache; runs on a node.

    Returns:
        The value of ``network.weights`` for this node.

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
    """Return references to the guide pictures of some scenes, by their paths.

    Raises:
        SourceError: one cannot be read.
    """
    named = dict.fromkeys(region.target.guide for scene in scenes for region in scene.regions if region.target.guide)
    return tuple((name, (node_pool.put(read_image(Path(name).expanduser())),)) for name in named)


def pictures(sent: tuple[tuple[str, tuple[Any]], ...]) -> dict[str, np.ndarray]:
    """Return the guide pictures by path; runs on a node."""
    return {name: np.array(fetched(content)) for name, (content,) in sent}


def _at_hand(name: str) -> Path | None:
    """Return the file with a network's weights in a cache of this machine; None if there is none, or it is included."""
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
    """Save weights atomically; several workers of a node may do so at the same time."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, memoryview(fetched(parcel.content[0])), alone=False)
    except OSError as error:
        raise NetworkError(f"cannot keep {place}: {error.strerror or error}") from error
