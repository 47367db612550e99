"""Read Tiny ImageNet's pictures from its unpacked archive: ``wnids.txt``, ``train/<wnid>/images`` and ``val/images``.

Source: cs231n.stanford.edu/tiny-imagenet-200.zip (Stanford CS231N), 200 classes, 100,000 training pictures, 10,000 to validate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from bundled_net import TrainingError

SIDE = 64
"""Side of the pictures in pixels."""
WNIDS = "wnids.txt"

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of an unpacked data set."""

    wnids: tuple[str, ...]
    """The classes' WordNet ids in label order, that of ``wnids.txt``."""
    train: tuple[tuple[Path, ...], ...]
    """Each class's training pictures, sorted by name."""
    held: tuple[Path, ...]
    """Validation pictures in the order of their annotations."""
    held_labels: tuple[int, ...]


def list_files(folder: Path) -> Listing:
    """Find the files of an unpacked data set.

    Raises:
        TrainingError: something is missing, or a validation picture is of a class that ``wnids.txt`` does not list.
    """
    wnids = tuple(_text(folder / WNIDS).split())
    train = tuple(tuple(sorted((folder / "train" / wnid / "images").glob("*.JPEG"))) for wnid in wnids)
    for wnid, files in zip(wnids, train, strict=True):
        if not files:
            raise TrainingError(f"{folder}: {WNIDS} lists {wnid}, but train/{wnid}/images holds no .JPEG")
    annotations = folder / "val" / "val_annotations.txt"
    label = {wnid: i for i, wnid in enumerate(wnids)}
    held, held_labels = [], []
    for number, line in enumerate(_text(annotations).splitlines(), 1):
        name, wnid, *_ = [*line.split("\t"), ""]
        if wnid not in label:
            raise TrainingError(f"{annotations}:{number}: the class is '{wnid}'; must be one of {WNIDS}")
        held.append(folder / "val" / "images" / name)
        held_labels.append(label[wnid])
    return Listing(wnids, train, tuple(held), tuple(held_labels))


def decode(files: Sequence[Path]) -> np.ndarray:
    """Decode files to (files, 64, 64, 3) uint8 RGB.

    Raises:
        TrainingError: one is missing, damaged or of another size.
    """
    found = np.empty((len(files), SIDE, SIDE, 3), np.uint8)
    for place, file in enumerate(files):
        pixels = pixels_of(file)
        if pixels.shape[:2] != (SIDE, SIDE):
            raise TrainingError(f"{file}: {pixels.shape[1]}x{pixels.shape[0]} pixels; must be {SIDE}x{SIDE}")
        found[place] = pixels
    return found


def pixels_of(file: Path) -> np.ndarray:
    """Decode a picture file of any size to (H, W, 3) uint8 RGB.

    Raises:
        TrainingError: it is missing or damaged.
    """
    try:
        with Image.open(file) as picture:
            return np.asarray(picture.convert("RGB"))
    except OSError as error:
        raise TrainingError(f"{file}: cannot be read as a picture: {error}") from error


Sheet = tuple[int, Callable[[], np.ndarray]]
"""A number of pictures, and their decoder: (number, 64, 64, 3) uint8."""


def gather(sheets: Sequence[Sheet], what: str, console: Console) -> np.ndarray:
    """Decode sheets into one array, (all pictures, 64, 64, 3) uint8, in their order, on all cores.

    Raises:
        TrainingError: a sheet raises it.
    """
    ends = np.cumsum([count for count, _ in sheets], dtype=np.int64)
    pixels = np.empty((int(ends[-1]) if sheets else 0, SIDE, SIDE, 3), np.uint8)

    def fill(number: int) -> None:
        count, pictures = sheets[number]
        pixels[ends[number] - count : ends[number]] = pictures()

    on_all_cores(fill, range(len(sheets)), what, console)
    return pixels


def on_all_cores(work: Callable[[Item], Result], items: Sequence[Item], what: str, console: Console) -> list[Result]:
    """Return ``work`` of each item, in order, with a progress bar on a terminal; stop at the first error."""
    with ThreadPoolExecutor() as pool:  # Pillow releases the GIL while it decodes and encodes
        done = pool.map(work, items)
        return list(track(done, what, len(items), console=console, disable=not console.is_terminal, transient=True))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{file}: cannot be read: {error}") from error
