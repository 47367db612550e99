"""Weight files: where they come from, and what is in them."""

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
"""Seconds of silence after which a server counts as gone: where the bundled network can step in, and where nothing can."""


def fetch(
    name: str,
    enum: str,
    *,
    limit_s: float | None = None,
    progress: Progress | None = None,
    cache: Path | None = None,
    url: str | None = None,
) -> Path:
    """The weights file of a torchvision network: from the cache, ours or torch's own, or else downloaded.

    Args:
        name: torchvision's, with which its files' names begin: ``vgg16``.
        enum: where torchvision keeps the address: ``VGG16_Weights``.
        limit_s: Seconds a download may take; what came by then is kept for the next time. 0 downloads nothing, None waits.
        progress: Told of the download, which shows a bar too if there is a terminal.
        cache: Folder of downloads; None for the user's cache folder.
        url: None for torchvision's; its last part is ``<name>-<first digits of the SHA-256>.pth``.

    Raises:
        NetworkError: it is not at hand and cannot be downloaded, or not in time.
    """
    searched = [cache] if cache is not None else list(weight_folders())
    for place in searched:
        for found in sorted(place.glob(f"{name}-*.pth"), reverse=True):
            if intact(found):
                return found
            log.warning("%s is damaged: its hash is not the one in its name; it is ignored", found)
    if limit_s == 0:
        raise NetworkError(f"{searched[0]} does not hold them and 'network.download_s' is 0")
    try:
        url = url or str(getattr(torchvision().models, enum).IMAGENET1K_V1.url)
        target = searched[0] / url.rpartition("/")[2]
        with bar(f"downloading {name}") as show:

            def tell(received: int, total: int | None) -> None:
                show(received, total)
                if progress is not None:
                    progress(received, total)

            download(url, target, progress=tell, limit_s=limit_s, silence_s=PATIENT_S if limit_s is None else HURRIED_S)
    except (ImportError, DownloadError) as error:
        raise NetworkError(str(error)) from error
    return target


def cache_folder() -> Path:
    """Where downloaded weights are kept."""
    return Path(platformdirs.user_cache_dir("zoomdream")) / "weights"


def weight_folders() -> tuple[Path, ...]:
    """The folders where a network's weights are looked for: ours, which downloads go to, and torch's own."""
    return cache_folder(), Path(torch.hub.get_dir()) / "checkpoints"


@contextmanager
def bar(what: str) -> Iterator[Progress]:
    """A progress bar on standard error; nothing where that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=console, disable=not console.is_terminal, transient=True) as shown:
        task = shown.add_task(what, total=None)
        yield lambda received, total: shown.update(task, completed=received, total=total)


def read_weights(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A file's tensors by key, on the CPU as stored, and its metadata (empty but for safetensors).

    Safetensors are the safe form: ``weights_only``, with which the others are read, was bypassed before (CVE-2025-32434,
    CVE-2026-24747). What it refuses, such as a checkpoint with its optimiser and settings, ``checkpoint`` reads.

    Raises:
        NetworkError: names the file and says what is wrong with it.
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
    raise AssertionError("the name was looked at")


def _named_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a file that ``torch.save`` wrote; nothing in it is run."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")  # another than torch's own is no fault
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # it names more than tensors
        return read_checkpoint(file)
    return state_dict(loaded, Tensor)
