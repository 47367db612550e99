"""Read Tiny ImageNet into memory, all of it or a share of each class."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from bundled_net import TrainingError
from bundled_net.mosaics import HELD_SHEET, INDEX, find, held_name, read_index, split, train_name
from bundled_net.pictures import WNIDS, Sheet, decode, gather, list_files


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures and their labels."""

    pixels: Tensor
    """(N, 64, 64, 3) uint8 RGB: a quarter of float32's memory, small enough to fit on a GPU."""
    labels: Tensor
    """(N,) int64, on the same device."""

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Pictures:
        """Return the same on a device."""
        return Pictures(self.pixels.to(device), self.labels.to(device))


@dataclass(frozen=True, slots=True, eq=False)
class TinyImageNet:
    """The data set."""

    wnids: tuple[str, ...]
    """The classes in label order."""
    train: Pictures
    """Sorted by class."""
    held: Pictures
    """Validation pictures, in the order of their annotations."""

    def to(self, device: torch.device) -> TinyImageNet:
        """Return the same on a device."""
        return TinyImageNet(self.wnids, self.train.to(device), self.held.to(device))


def read(folders: Sequence[Path], console: Console, fraction: float = 1.0, *, held_only: bool = False) -> TinyImageNet:
    """Read the unpacked data set from its one folder, or a packed one from all its folders.

    Args:
        fraction: Share of each class's pictures, validation included; takes the first ones, at least one.
        held_only: Read no training pictures.

    Raises:
        TrainingError: the folders have neither, or not all of it.
    """
    if any((folder / INDEX).is_file() for folder in folders):
        return _packed(folders, console, fraction, held_only)
    if len(folders) == 1 and (folders[0] / WNIDS).is_file():
        return _unpacked(folders[0], console, fraction, held_only)
    inner = [folder / "tiny-imagenet-200" for folder in folders if (folder / "tiny-imagenet-200" / WNIDS).is_file()]
    hint = f"; {inner[0]} is it" if inner else ""
    raise TrainingError(
        f"{' and '.join(map(str, folders))}: neither an unpacked tiny-imagenet-200, with its {WNIDS}, nor packed by 'pack', "
        f"with its {INDEX}{hint}"
    )


def _unpacked(folder: Path, console: Console, fraction: float, held_only: bool) -> TinyImageNet:
    found = list_files(folder)
    counts = [0 if held_only else _share(len(files), fraction) for files in found.train]
    train: list[Sheet] = [
        (count, partial(decode, files[:count])) for files, count in zip(found.train, counts, strict=True) if count
    ]
    kept = _first_of_each(found.held_labels, fraction)
    held: list[Sheet] = [(1, partial(decode, [found.held[i]])) for i in kept]
    labels = [found.held_labels[i] for i in kept]
    return _made(found.wnids, counts, gather(train, "reading", console), gather(held, "reading", console), labels)


def _packed(folders: Sequence[Path], console: Console, fraction: float, held_only: bool) -> TinyImageNet:
    index = read_index(folders)
    counts = [0 if held_only else _share(count, fraction) for count in index.train]
    train: list[Sheet] = [
        (count, partial(split, find(folders, train_name(wnid)), count))
        for wnid, count in zip(index.wnids, counts, strict=True)
        if count
    ]
    held: list[Sheet] = []
    for first in range(0, len(index.held_labels), HELD_SHEET):
        file, count = find(folders, held_name(first // HELD_SHEET)), min(HELD_SHEET, len(index.held_labels) - first)
        held.append((count, partial(split, file, count)))
    kept = _first_of_each(index.held_labels, fraction)
    labels = [index.held_labels[i] for i in kept]
    pixels = gather(held, "reading", console)[kept]
    return _made(index.wnids, counts, gather(train, "reading", console), pixels, labels)


def _made(
    wnids: tuple[str, ...], counts: Sequence[int], train: np.ndarray, held: np.ndarray, held_labels: Sequence[int]
) -> TinyImageNet:
    labels = torch.arange(len(wnids)).repeat_interleave(torch.tensor(counts))
    held_part = Pictures(torch.from_numpy(held), torch.tensor(held_labels))
    return TinyImageNet(wnids, Pictures(torch.from_numpy(train), labels), held_part)


def _share(count: int, fraction: float) -> int:
    return max(1, math.ceil(count * fraction - 1e-9))


def _first_of_each(labels: Sequence[int], fraction: float) -> list[int]:
    """Return the indices of the first share of each label, in order."""
    wanted = {label: _share(count, fraction) for label, count in Counter(labels).items()}
    seen: Counter[int] = Counter()
    kept = []
    for place, label in enumerate(labels):
        seen[label] += 1
        if seen[label] <= wanted[label]:
            kept.append(place)
    return kept
