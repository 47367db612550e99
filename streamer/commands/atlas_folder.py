"""The folder of an atlas: a picture and a thumbnail of each class, their recipe, and a contact sheet.

    FOLDER/index.html               the contact sheet
    FOLDER/atlas.json               the recipe, and how long each class took
    FOLDER/pictures/n01443537.png   a class, by WordNet id
    FOLDER/thumbnails/n01443537.webp

A class is finished once its picture exists. The picture is written last and atomically, so the same call can always continue.
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
"""Extensions of pictures, and Pillow's options for each."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the pictures of an atlas depend on; the same for all in one folder."""

    network: str
    classes: int
    """How many classes the network knows."""
    size: str
    """``256x256``: width and height in pixels."""
    iterations: int
    octaves: int
    seed: int
    format: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings of the dream that differ from the defaults."""

    def __str__(self) -> str:
        settings = "".join(f", {key}={json.dumps(value)}" for key, value in self.settings.items())
        octaves = "" if self.octaves == 1 else f" in {self.octaves} octaves"
        return f"{self.network}, {self.iterations} iterations{octaves} at {self.size}, seed {self.seed}{settings}"


class AtlasFolder:
    """An atlas on disk. Only one program may write to it at a time."""

    def __init__(self, path: Path, recipe: Recipe, kinds: tuple[ClassKind, ...]) -> None:
        """Create an atlas, or continue one.

        Args:
            kinds: The groups of classes on the contact sheet, in order.

        Raises:
            CommandError: the folder is unusable, or its pictures have another recipe.
        """
        self.path, self._recipe, self._kinds = path, recipe, kinds
        self._seconds: dict[str, float] = {}
        try:
            for folder in (path / PICTURES, path / THUMBNAILS):
                folder.mkdir(parents=True, exist_ok=True)
                for part in folder.glob(f".*{PART}"):  # left by a program that was killed while writing
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
        """Seconds that each finished class took, oldest first."""
        return tuple(self._seconds.values())

    def picture(self, wnid: str) -> Path:
        """Return the path of a class's picture."""
        return self.path / PICTURES / f"{wnid}.{self._recipe.format}"

    def has(self, wnid: str) -> bool:
        """Return whether a class is finished."""
        try:
            return self.picture(wnid).stat().st_size > 0
        except OSError:
            return False

    def put(self, entry: ClassEntry, image: np.ndarray, seconds: float) -> None:
        """Save a class.

        Args:
            image: (H, W, 3) uint8 RGB.
            seconds: How long it took.

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
        """Write the contact sheet of the finished classes.

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
            saved = json.loads(manifest.read_text(encoding="utf-8"))
            recipe, seconds = saved["recipe"], {str(wnid): float(took) for wnid, took in saved["seconds"].items()}
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
            was, now = (", ".join(f"{key} {values.get(key)}" for key in differ) for values in (recipe, ours))
            raise CommandError(
                f"'{self.path}' was started with {was}, not {now}; name another folder, or use the same options", WRONG_CALL
            )
        self._seconds = {wnid: took for wnid, took in seconds.items() if self.has(wnid)}

    def _write_manifest(self) -> None:
        manifest = {"about": "made by zoomdream atlas", "recipe": asdict(self._recipe), "seconds": self._seconds}
        write_atomically(self.path / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())

    def _unwritable(self, error: OSError) -> CommandError:
        return CommandError(f"cannot write '{self.path}': {error.strerror or error}", WRONG_CALL)
