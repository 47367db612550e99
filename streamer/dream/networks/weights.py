"""Weight files: download, cache and contents."""

from __future__ import annotations

import logging
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
import torch
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as RichProgress
from safetensors import SafetensorError, safe_open
from torch import Tensor

from streamer.dream.networks.checkpoint import read_checkpoint, state_dict
from streamer.dream.networks.download import DownloadError, Progress, download
from streamer.dream.networks.torchvision_import import torchvision
from streamer.dream.networks.weight_checks import NetworkError, check_weights, intact

__all__ = ["NetworkError", "cache_folder", "fetch", "read_weights"]

log = logging.getLogger(__name__)

HURRIED_S, PATIENT_S = 5.0, 30.0
"""Seconds of silence after which a server counts as gone: if the bundled network can replace it, and if nothing can."""


def fetch(
    name: str,
    enum: str,
    *,
    limit_s: float | None = None,
    progress: Progress | None = None,
    cache: Path | None = None,
    url: str | None = None,
) -> Path:
    """Return the weights file of a torchvision network: from our cache, torch's own, or else downloaded.

    Args:
        name: torchvision's name, with which its file names start: ``vgg16``.
        enum: torchvision's enum with the URL: ``VGG16_Weights``.
        limit_s: time limit of a download in seconds, after which the partial file is kept; 0 downloads nothing, None waits.
        progress: called with the download's progress; on a terminal there is a progress bar too.
        cache: folder of downloads; None for the user's cache folder.
        url: its last part is ``<name>-<first digits of the SHA-256>.pth``; None for torchvision's URL.

    Raises:
        NetworkError: it is not in the cache and cannot be downloaded in time.
    """
    searched = [cache] if cache is not None else list(weight_folders())
    for place in searched:
        for found in sorted(place.glob(f"{name}-*.pth"), reverse=True):
            if intact(found):
                return found
            log.warning("%s is damaged: its hash is not the one in its name; it is ignored", found)
    if limit_s == 0:
        raise NetworkError(f"'{searched[0]}' does not contain them and 'network.download_s' is 0")
    try:
        url = url or str(getattr(torchvision().models, enum).IMAGENET1K_V1.url)
        target = searched[0] / url.rpartition("/")[2]
        with bar(f"downloading {name}") as show:

            def report(received: int, total: int | None) -> None:
                show(received, total)
                if progress is not None:
                    progress(received, total)

            download(url, target, progress=report, limit_s=limit_s, silence_s=PATIENT_S if limit_s is None else HURRIED_S)
    except (ImportError, DownloadError) as error:
        raise NetworkError(str(error)) from error
    return target


def cache_folder() -> Path:
    """Return the folder of downloaded weights."""
    return Path(platformdirs.user_cache_dir("zoomdream")) / "weights"


def weight_folders() -> tuple[Path, ...]:
    """Return the folders to search for weights: ours, which downloads go to, and torch's own."""
    return cache_folder(), Path(torch.hub.get_dir()) / "checkpoints"


@contextmanager
def bar(what: str) -> Iterator[Progress]:
    """Show a progress bar on standard error; do nothing if that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=console, disable=not console.is_terminal, transient=True) as shown:
        task = shown.add_task(what, total=None)
        yield lambda received, total: shown.update(task, completed=received, total=total)


def read_weights(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a file's tensors by key, on the CPU as stored, and its metadata (empty except for safetensors).

    Safetensors is the safe format: ``weights_only``, with which other files are read, has been bypassed before (CVE-2025-32434,
    CVE-2026-24747). ``checkpoint`` reads files that it rejects, such as a checkpoint with its optimiser and settings.

    Raises:
        NetworkError: the message names the file and what is wrong with it.
    """
    check_weights(file)
    try:
        match file.suffix.lower():
            case ".safetensors":
                with safe_open(file, framework="pt", device="cpu") as opened:
                    return {key: opened.get_tensor(key) for key in opened.keys()}, opened.metadata() or {}  # noqa: SIM118
            case ".pth" | ".pt" | ".ckpt":
                return _named_tensors(file), {}
    except FileNotFoundError as error:
        raise NetworkError(f"{file}: there is no such file") from error
    except OSError as error:
        raise NetworkError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, TypeError) as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise NetworkError(f"{file}: damaged or truncated, or not such a file: {reason}") from error
    raise AssertionError("check_weights accepts no other suffix")


def _named_tensors(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a file that ``torch.save`` wrote, without running code from it."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")  # a protocol other than torch's is harmless
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # it contains more than tensors
        return read_checkpoint(file)
    return state_dict(loaded, Tensor)
