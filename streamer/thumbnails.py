"""Pictures of classes: those that are shipped, and those that the stream takes of its own dreams.

A picture is taken of a keyframe, so that no caption is in it and the frames' thread has nothing to do with it, once its subject
has been dreamt alone for some seconds. A thread of its own makes it small and writes it.
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
"""In the shipped folder: what the thumbnails were made by."""
NAME = re.compile(rf"(n\d{{8}}){re.escape(SUFFIX)}")
WAITING = 1
"""Pictures that may wait to be written. When there is one, another is left out: its subject will be on air again."""

LOOK_S = 1.0
"""Seconds from one look whether it is to end to the next."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture of a class."""

    file: Path
    version: int
    """Another number for another picture at the same place."""


class Thumbnails:
    """Knows the pictures there are and takes new ones. ``keyframe`` belongs to one thread; the rest is thread-safe."""

    def __init__(self, folder: Path, settings: ThumbnailsConfig) -> None:
        """Look for what is there.

        Args:
            folder: of the pictures that the stream takes; made when there is one.
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
        """Why they cannot be kept, in one line; empty while they can."""

    def start(self) -> None:
        """Begin to take pictures, if the settings say so."""
        if self._settings.enabled:
            self._loop.start()

    def close(self, deadline_s: float = 1.0) -> bool:
        """Write what was taken, and end; returns whether that was done within ``deadline_s``."""
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        ended = self._loop.stop(deadline_s)
        if ended and not self._waiting.empty():
            self._write_next()
        return ended

    def all(self) -> Mapping[str, Thumbnail]:
        """The pictures there are, by wnid; the shipped ones go before those of the stream's own."""
        return {**self._own, **self._shipped}

    def of(self, wnid: str) -> Thumbnail | None:
        """The picture of a class; None if there is none."""
        return self._shipped.get(wnid) or self._own.get(wnid)

    def keyframe(self, keyframe: Keyframe) -> None:
        """See a keyframe, and take it when its time has come. Quick: for whoever has keyframes to deliver."""
        if not self._settings.enabled:
            return
        if keyframe.scene.id != self._scene:
            self._scene, self._since_s, self._taken = keyframe.scene.id, keyframe.time_s, False
        if self._taken or keyframe.time_s - self._since_s < self._settings.after_s:
            return
        self._taken = True
        wnid = alone(keyframe.scene)
        if wnid is not None and wnid not in self._shipped and keyframe.ridden is None:
            with suppress(queue.Full):
                self._waiting.put_nowait((wnid, keyframe.image))

    def _write_next(self) -> None:
        try:
            taken = self._waiting.get(timeout=LOOK_S)
        except queue.Empty:
            return
        if taken is None:  # it is to end
            return
        wnid, image = taken
        file = self._folder / f"{wnid}{SUFFIX}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(file, thumbnail(image))
            self._own = self._thinned(_there(self._folder), kept=wnid)
        except OSError as error:
            if not self.trouble:
                self.trouble = f"pictures of what was dreamt cannot be kept in '{self._folder}': {error.strerror or error}"
                log.warning("%s; the stream goes on, and the next one is tried again", self.trouble)
            return
        if self.trouble:
            log.info("pictures of what was dreamt are kept again")
        self.trouble = ""

    def _thinned(self, there: Mapping[str, Thumbnail], kept: str) -> dict[str, Thumbnail]:
        """Remove the oldest pictures until the rest is within the settings' bounds; returns what is left."""
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
    """The pictures that come with the program, by wnid; none where the installation lacks them."""
    try:
        return _there(asset(f"{FOLDER}/{MADE_BY}").parent)
    except FileNotFoundError:
        return {}


def alone(scene: Scene) -> str | None:
    """The wnid of the class that fills a scene; None where there is anything else in it."""
    targets = {region.target for region in scene.regions}
    if len(targets) != 1:
        return None
    target = targets.pop()
    return target.wnid if target.kind == Kind.CLASS else None


def _there(folder: Path) -> dict[str, Thumbnail]:
    """The pictures in a folder, by wnid; an unfinished one that a killed program left is removed."""
    found = {}
    with suppress(OSError):
        for file in folder.iterdir():
            if (name := NAME.fullmatch(file.name)) is not None:
                found[name[1]] = Thumbnail(file, file.stat().st_mtime_ns // 1_000_000)
            elif file.name.startswith(".") and file.name.endswith(f"{SUFFIX}{PART}"):
                file.unlink(missing_ok=True)
    return found
