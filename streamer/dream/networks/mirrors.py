"""Weights fetched into the cache ahead of time: from torchvision's server, a mirror, or a folder."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from streamer.dream.networks.architecture import Architecture
from streamer.dream.networks.torchvision_import import torchvision
from streamer.dream.networks.weight_checks import NOTED_HASH, NetworkError, intact
from streamer.dream.networks.weights import cache_folder, fetch


@dataclass(frozen=True, slots=True)
class Fetched:
    """Weights in the cache."""

    file: Path
    new: bool
    """Whether they were not in the cache before."""


def is_url(source: str) -> bool:
    """Return whether a source is a URL, rather than a folder or a file."""
    return urlsplit(source).scheme.lower() in ("http", "https")


def obtain(architecture: Architecture, source: str | None = None, *, cache: Path | None = None) -> Fetched:
    """Fetch a network's weights into the cache, completely or not at all, checked by the hash in their name.

    Args:
        architecture: a network that torchvision has.
        source: URL of a mirror's folder or of the file itself, or such a path; None for torchvision's URL.
        cache: the target folder; None for the user's cache folder.

    Raises:
        NetworkError: the weights are unavailable or damaged; a partial download is kept for the next attempt.
    """
    folder = cache or cache_folder()
    before = set(folder.glob(f"{architecture.name}-*.pth"))
    if source is not None and not is_url(source):
        file = _copied(architecture, Path(source).expanduser(), folder)
    else:
        url = None if source is None else _address(architecture, source)
        file = fetch(architecture.name, str(architecture.torchvision), cache=folder, url=url)
    return Fetched(file, file not in before)


def file_name(architecture: Architecture) -> str:
    """Return torchvision's name of the weights: ``<name>-<first digits of their SHA-256>.pth``.

    Raises:
        NetworkError: torchvision does not import, or does not have them.
    """
    try:
        url = getattr(torchvision().models, str(architecture.torchvision)).IMAGENET1K_V1.url
    except (ImportError, AttributeError) as error:
        raise NetworkError(f"torchvision does not name {architecture.name}'s weights: {error}") from error
    return str(url).rpartition("/")[2]


def _address(architecture: Architecture, source: str) -> str:
    """Return the file's URL on a mirror."""
    if NOTED_HASH.search(urlsplit(source).path):
        return source.partition("#")[0].partition("?")[0]
    return f"{source.rstrip('/')}/{file_name(architecture)}"


def _copied(architecture: Architecture, source: Path, folder: Path) -> Path:
    """Copy a file, or the matching one in a folder, into the cache."""
    if not source.exists():
        raise NetworkError(f"there is no '{source}'; --from takes a folder, a file or an address that begins with http")
    if source.is_dir():
        found = sorted(source.glob(f"{architecture.name}-*.pth"))
        if not found:
            raise NetworkError(f"'{source}' does not hold {file_name(architecture)}, the weights of {architecture.name}")
        source = found[-1]
    elif not NOTED_HASH.search(source.name):
        raise NetworkError(f"the name of '{source}' holds no hash to check it by; it should be {file_name(architecture)}")
    target = folder / source.name
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        if target.exists() and intact(target):
            return target
        if not intact(source):
            raise NetworkError(f"{source} is damaged: its hash is not the one in its name; copy it again")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, part)
        if not intact(part, target.name):
            raise NetworkError(f"{source} changed while it was copied")
        os.replace(part, target)
    except OSError as error:
        raise NetworkError(f"cannot copy '{source}' to '{folder}': {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return target
