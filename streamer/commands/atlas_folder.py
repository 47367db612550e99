"""The folder of an atlas: a picture and a thumbnail of each class, what they were made by, and a contact sheet.

    FOLDER/index.html               the contact sheet
    FOLDER/atlas.json               what the pictures were made by, and how long each took
    FOLDER/pictures/n01443537.png   a class, by WordNet id
    FOLDER/thumbnails/n01443537.webp

A class is finished once its picture is there, which comes last and whole: whatever ends the program, the same call goes on.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from streamer.atomic_files import PART, write_atomically
from streamer.commands import WRONG_CALL, CommandError
from streamer.commands.contact_sheet import Cell, SheetSection, contact_sheet
from streamer.media.thumbnail import SUFFIX, thumbnail
from streamer.messages.network_contents import ClassEntry, ClassKind

MANIFEST, SHEET = "atlas.json", "index.html"
PICTURES, THUMBNAILS = "pictures", "thumbnails"
FORMATS: Final[Mapping[str, Mapping[str, Any]]] = {
    "png": {"optimize": False},
    "jpg": {"quality": 92, "subsampling": 0},
    "webp": {"quality": 90, "method": 4},
}
"""Endings of pictures, and how Pillow writes them."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What pictures of an atlas are made by: all of one folder by the same."""

    network: str
    classes: int
    """How many the network knows."""
    size: str
    """``256x256``: width and height in pixels."""
    iterations: int
    octaves: int
    seed: int
    format: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the dream, as far as they are not the usual ones."""

    def __str__(self) -> str:
        settings = "".join(f", {key}={json.dumps(value)}" for key, value in self.settings.items())
        octaves = "" if self.octaves == 1 else f" in {self.octaves} octaves"
        return f"{self.network}, {self.iterations} iterations{octaves} at {self.size}, seed {self.seed}{settings}"


class AtlasFolder:
    """An atlas as far as it is there. One program writes it at a time."""

    def __init__(self, path: Path, recipe: Recipe, kinds: tuple[ClassKind, ...]) -> None:
        """Begin an atlas, or go on with one.

        Args:
            kinds: under which its sheet groups the classes, in their order.

        Raises:
            CommandError: the folder cannot be used, or its pictures were made by something else.
        """
        self.path, self._recipe, self._kinds = path, recipe, kinds
        self._seconds: dict[str, float] = {}
        try:
            for folder in (path / PICTURES, path / THUMBNAILS):
                folder.mkdir(parents=True, exist_ok=True)
                for part in folder.glob(f".*{PART}"):  # a program was killed while it wrote
                    part.unlink()
            self._read()
        except OSError as error:
            raise self._unwritable(error) from error

    @property
    def sheet(self) -> Path:
        """The contact sheet."""
        return self.path / SHEET

    @property
    def seconds(self) -> tuple[float, ...]:
        """How long each of the classes took that are there, in the order in which they were made."""
        return tuple(self._seconds.values())

    def picture(self, wnid: str) -> Path:
        """Where a class has its picture."""
        return self.path / PICTURES / f"{wnid}.{self._recipe.format}"

    def has(self, wnid: str) -> bool:
        """Whether a class is finished."""
        try:
            return self.picture(wnid).stat().st_size > 0
        except OSError:
            return False

    def put(self, entry: ClassEntry, image: np.ndarray, seconds: float) -> None:
        """Put a class in.

        Args:
            image: (H, W, 3) uint8 RGB.
            seconds: that it took.

        Raises:
            CommandError: it cannot be written.
        """
        file = io.BytesIO()
        options = FORMATS[self._recipe.format]
        Image.fromarray(image).save(file, {"jpg": "JPEG"}.get(self._recipe.format, self._recipe.format.upper()), **options)
        self._seconds[entry.wnid] = round(seconds, 2)
        try:
            write_atomically(self.path / THUMBNAILS / f"{entry.wnid}{SUFFIX}", thumbnail(image))
            write_atomically(self.picture(entry.wnid), file.getvalue())
            self._write_manifest()
        except OSError as error:
            raise self._unwritable(error) from error

    def show(self, entries: Mapping[str, ClassEntry]) -> None:
        """Write the contact sheet of what is there.

        Args:
            entries: the network's classes, by wnid.

        Raises:
            CommandError: it cannot be written.
        """
        there = {wnid: entry for wnid, entry in entries.items() if self.has(wnid)}
        sections = []
        for kind in self._kinds:
            cells = [
                Cell(entry.label, f"{PICTURES}/{self.picture(wnid).name}", f"{THUMBNAILS}/{wnid}{SUFFIX}")
                for wnid, entry in sorted(there.items(), key=lambda item: item[1].label.casefold())
                if entry.kind == kind.name
            ]
            if cells:
                sections.append(SheetSection(kind.title, tuple(cells)))
        known = f"{len(there)} of the {len(entries)} classes that it knows"
        try:
            write_atomically(
                self.sheet, contact_sheet(f"What {self._recipe.network} dreams", f"{known}. {self._recipe}", sections)
            )
        except OSError as error:
            raise self._unwritable(error) from error

    def _read(self) -> None:
        manifest = self.path / MANIFEST
        try:
            told = json.loads(manifest.read_text(encoding="utf-8"))
            recipe, seconds = told["recipe"], {str(wnid): float(took) for wnid, took in told["seconds"].items()}
        except FileNotFoundError:
            if any((self.path / PICTURES).iterdir()):
                raise CommandError(
                    f"'{self.path / PICTURES}' holds pictures of something else; name another folder", WRONG_CALL
                ) from None
            self._write_manifest()
            return
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CommandError(
                f"'{manifest}' is damaged; remove it with its folder, or name another folder", WRONG_CALL
            ) from None
        ours = json.loads(json.dumps(asdict(self._recipe)))
        differ = [key for key in ours if recipe.get(key) != ours[key]]
        if differ:
            was, now = (", ".join(f"{key} {told.get(key)}" for key in differ) for told in (recipe, ours))
            raise CommandError(
                f"'{self.path}' was begun with {was}, not {now}; name another folder, or go on with that", WRONG_CALL
            )
        self._seconds = {wnid: took for wnid, took in seconds.items() if self.has(wnid)}

    def _write_manifest(self) -> None:
        told = {"about": "made by zoomdream atlas", "recipe": asdict(self._recipe), "seconds": self._seconds}
        write_atomically(self.path / MANIFEST, (json.dumps(told, indent=1) + "\n").encode())

    def _unwritable(self, error: OSError) -> CommandError:
        return CommandError(f"cannot write '{self.path}': {error.strerror or error}", WRONG_CALL)
