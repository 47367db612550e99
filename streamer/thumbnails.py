"""Pictures of classes: shipped ones, and those that the stream takes from its own dreams.

A picture is taken from a keyframe once its subject has been shown alone for some seconds: keyframes have no captions, and the
frames thread is not involved. A separate thread scales and writes it.
"""

from __future__ import annotations

import logging
import queue
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamer.assets import asset
from streamer.atomic_files import PART, write_atomically
from streamer.config import ThumbnailsConfig
from streamer.loop import Loop
from streamer.media.thumbnail import SUFFIX, thumbnail
from streamer.messages.keyframes import Keyframe
from streamer.messages.scenes import Kind, Scene

log = logging.getLogger(__name__)

FOLDER = "thumbnails"
MADE_BY = "atlas.json"
"""File in the shipped folder that records how the thumbnails were made."""
NAME = re.compile(rf"(n\d{{8}}){re.escape(SUFFIX)}")
WAITING = 1
"""Most pictures that wait to be written. When full, new ones are dropped: their subjects will be on air again."""

LOOK_S = 1.0
"""Longest wait for a picture, so that stopping takes no longer."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture of a class."""

    file: Path
    version: int
    """Changes when the file gets another picture."""


class Thumbnails:
    """Lists the existing pictures and takes new ones. Call ``keyframe`` from one thread; the rest is thread-safe."""

    def __init__(self, folder: Path, settings: ThumbnailsConfig) -> None:
        """List the existing pictures.

        Args:
            folder: folder for the pictures that the stream takes; created with the first.
        """
        self._folder, self._settings = folder, settings
        self._shipped = shipped()
        self._own = _there(folder)
        self._waiting: queue.Queue[tuple[str, np.ndarray] | None] = queue.Queue(WAITING)
        self._loop = Loop("thumbnails", self._write_next)
        self._scene: int | None = None
        self._since_s = 0.0
        self._taken = False
        self.trouble = ""
        """Why pictures cannot be saved, in one line; empty while they can."""

    def start(self) -> None:
        """Start taking pictures, if the settings enable it."""
        if self._settings.enabled:
            self._loop.start()

    def close(self, deadline_s: float = 1.0) -> bool:
        """Write the waiting picture, and stop; return whether that was done within ``deadline_s``."""
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        ended = self._loop.stop(deadline_s)
        if ended and not self._waiting.empty():
            self._write_next()
        return ended

    def all(self) -> Mapping[str, Thumbnail]:
        """Return all pictures, by WordNet id; shipped ones take precedence over the stream's own."""
        return {**self._own, **self._shipped}

    def of(self, wnid: str) -> Thumbnail | None:
        """Return the picture of a class; None if there is none."""
        return self._shipped.get(wnid) or self._own.get(wnid)

    def keyframe(self, keyframe: Keyframe) -> None:
        """Take a picture of this keyframe if one is due. Returns quickly, so it does not delay the caller."""
        if not self._settings.enabled:
            return
        if keyframe.scene.id != self._scene:
            self._scene, self._since_s, self._taken = keyframe.scene.id, keyframe.time_s, False
        if self._taken or keyframe.time_s - self._since_s < self._settings.after_s:
            return
        self._taken = True
        wnid = alone(keyframe.scene)
        if wnid is not None and wnid not in self._shipped and keyframe.source_picture is None:
            with suppress(queue.Full):
                self._waiting.put_nowait((wnid, keyframe.image))

    def _write_next(self) -> None:
        try:
            taken = self._waiting.get(timeout=LOOK_S)
        except queue.Empty:
            return
        if taken is None:  # it should stop
            return
        wnid, image = taken
        file = self._folder / f"{wnid}{SUFFIX}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(file, thumbnail(image))
            self._own = self._thinned(_there(self._folder), kept=wnid)
        except OSError as error:
            if not self.trouble:
                self.trouble = f"thumbnails cannot be saved in '{self._folder}': {error.strerror or error}"
                log.warning("%s; the stream continues, and the next one is tried again", self.trouble)
            return
        if self.trouble:
            log.info("thumbnails are saved again")
        self.trouble = ""

    def _thinned(self, there: Mapping[str, Thumbnail], kept: str) -> dict[str, Thumbnail]:
        """Remove the oldest pictures until the rest is within the configured limits; return what is left."""
        newest_first = sorted(there, key=lambda wnid: (wnid != kept, -there[wnid].version))
        left: dict[str, Thumbnail] = {}
        size, most = 0, self._settings.max_mb * 1_000_000
        for wnid in newest_first:
            file = there[wnid].file
            size += file.stat().st_size
            if len(left) < self._settings.keep and (size <= most or not left):
                left[wnid] = there[wnid]
            else:
                file.unlink(missing_ok=True)
        return left


def shipped() -> dict[str, Thumbnail]:
    """Return the shipped pictures, by WordNet id; empty if the installation has none."""
    try:
        return _there(asset(f"{FOLDER}/{MADE_BY}").parent)
    except FileNotFoundError:
        return {}


def alone(scene: Scene) -> str | None:
    """Return the WordNet id of the class that fills a scene; None if the scene has anything else."""
    targets = {region.target for region in scene.regions}
    if len(targets) != 1:
        return None
    target = targets.pop()
    return target.wnid if target.kind == Kind.CLASS else None


def _there(folder: Path) -> dict[str, Thumbnail]:
    """Return the pictures in a folder, by WordNet id; remove unfinished files that a killed program left."""
    found = {}
    with suppress(OSError):
        for file in folder.iterdir():
            if (name := NAME.fullmatch(file.name)) is not None:
                found[name[1]] = Thumbnail(file, file.stat().st_mtime_ns // 1_000_000)
            elif file.name.startswith(".") and file.name.endswith(f"{SUFFIX}{PART}"):
                file.unlink(missing_ok=True)
    return found
