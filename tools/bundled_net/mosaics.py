"""Pack Tiny ImageNet for transfer: one WebP a class and twenty to validate, 118 MB at quality 62, not 110,000 files.

A mosaic holds up to 500 pictures of 64x64 pixels, 25 a row; the last row may end in black. ``index.json`` lists the
classes, how many training pictures each has, and the class of each validation picture. The files may be spread over several
folders, in case you can transfer only a part at a time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from bundled_net import TrainingError
from bundled_net.pictures import SIDE, decode, list_files, on_all_cores, pixels_of

INDEX = "index.json"
COLUMNS = 25
HELD_SHEET = 500
"""Validation pictures in a mosaic."""
QUALITY = 62
"""WebP's; a mean PSNR of 31 dB. The shipped networks were trained on such pictures."""


@dataclass(frozen=True, slots=True)
class Index:
    """The content of ``index.json``."""

    wnids: tuple[str, ...]
    """The classes in label order."""
    train: tuple[int, ...]
    """Training pictures of each class."""
    held_labels: tuple[int, ...]
    """Labels of the validation pictures, in the order of the mosaics."""


def pack(folder: Path, out: Path, quality: int, console: Console) -> None:
    """Write the mosaics and the index of an unpacked data set.

    Raises:
        TrainingError: the data set is incomplete, or ``out`` cannot be written.
    """
    found = list_files(folder)
    sheets = {train_name(wnid): files for wnid, files in zip(found.wnids, found.train, strict=True)}
    for first in range(0, len(found.held), HELD_SHEET):
        sheets[held_name(first // HELD_SHEET)] = found.held[first : first + HELD_SHEET]
    index = Index(found.wnids, tuple(len(files) for files in found.train), found.held_labels)

    def write(name: str) -> int:
        part = out / f"{name}.part"
        Image.fromarray(compose(decode(sheets[name]))).save(part, format="WEBP", quality=quality, method=4)
        os.replace(part, out / name)
        return (out / name).stat().st_size

    try:
        out.mkdir(parents=True, exist_ok=True)
        size = sum(on_all_cores(write, list(sheets), "packing", console))
        (out / INDEX).write_text(json.dumps(asdict(index)), encoding="utf-8")  # last: a folder with it is complete
    except OSError as error:
        raise TrainingError(f"{out}: cannot be written: {error}") from error
    console.print(
        f"{out}: {sum(index.train)} and {len(found.held)} pictures of {len(found.wnids)} classes, {size / 1e6:.1f} MB"
    )


def train_name(wnid: str) -> str:
    """Return the file name of a class's mosaic."""
    return f"train_{wnid}.webp"


def held_name(number: int) -> str:
    """Return the file name of a mosaic of validation pictures."""
    return f"val_{number:02d}.webp"


def compose(pixels: np.ndarray) -> np.ndarray:
    """Lay pictures out row by row: (N, 64, 64, 3) to (rows * 64, 25 * 64, 3) uint8."""
    rows = -(-len(pixels) // COLUMNS)
    grid = np.zeros((rows * COLUMNS, SIDE, SIDE, 3), np.uint8)
    grid[: len(pixels)] = pixels
    grid = grid.reshape(rows, COLUMNS, SIDE, SIDE, 3).swapaxes(1, 2)
    return grid.reshape(rows * SIDE, COLUMNS * SIDE, 3)


def split(file: Path, count: int) -> np.ndarray:
    """Return the first ``count`` pictures of a mosaic, (count, 64, 64, 3) uint8.

    Raises:
        TrainingError: it cannot be read or has too few.
    """
    mosaic = pixels_of(file)
    rows = mosaic.shape[0] // SIDE
    if mosaic.shape != (rows * SIDE, COLUMNS * SIDE, 3) or rows * COLUMNS < count:
        raise TrainingError(f"{file}: {mosaic.shape[1]}x{mosaic.shape[0]} pixels hold no {count} pictures, {COLUMNS} a row")
    grid = mosaic.reshape(rows, SIDE, COLUMNS, SIDE, 3).swapaxes(1, 2)
    return grid.reshape(-1, SIDE, SIDE, 3)[:count]


def read_index(folders: Sequence[Path]) -> Index:
    """Read the index of a packed data set.

    Raises:
        TrainingError: there is none, or it is not what ``pack`` writes.
    """
    file = find(folders, INDEX)
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        index = Index(tuple(said["wnids"]), tuple(map(int, said["train"])), tuple(map(int, said["held_labels"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{file}: not an index as 'pack' writes it: {error!r}") from error
    if len(index.train) != len(index.wnids) or not set(index.held_labels) <= set(range(len(index.wnids))):
        raise TrainingError(f"{file}: counts or labels do not fit its {len(index.wnids)} classes; pack again")
    return index


def find(folders: Sequence[Path], name: str) -> Path:
    """Return the path of a file in one of some folders.

    Raises:
        TrainingError: no folder has it.
    """
    for folder in folders:
        if (file := folder / name).is_file():
            return file
    raise TrainingError(
        f"'{name}' is not in {' or '.join(map(str, folders))}; name every folder that the packed data is spread over"
    )
