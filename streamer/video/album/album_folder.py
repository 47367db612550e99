"""The folder of saved dreams: a few files for each, with unguessable names; the oldest are deleted to make room.

Pictures and clips are written first and the entry that lists them last, each to a temporary file that is then moved. So however
the program ends, a dream exists with all its files or not at all. One program at a time uses the folder.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from streamer.messages.album_entry import AlbumEntry
from streamer.target_record import target_as_record, target_from_record
from streamer.video.files import partial_output

log = logging.getLogger(__name__)

LETTERS, LENGTH = "abcdefghijklmnopqrstuvwxyz234567", 12
"""Alphabet and length of an id: 60 random bits."""
ID = re.compile(r"[a-z2-7]{12}")
VERSION = 1
"""Version of an entry; other versions are not read."""
ENTRY = ".json"
MOST_BYTES = 64 << 10
"""Largest entry, in bytes."""
FileKind = Literal["picture", "small", "clip", "gif"]
ENDINGS: dict[FileKind, str] = {"picture": ".jpg", "small": ".small.jpg", "clip": ".mp4", "gif": ".gif"}


def new_id() -> str:
    """Return a random id for a dream."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


class AlbumFolder:
    """The saved dreams. Thread-safe."""

    def __init__(self, path: Path, keep: int, most_bytes: int) -> None:
        """Load complete dreams of an earlier run, within the limits; the folder is created when needed."""
        self.path = path
        self._keep, self._most_bytes = keep, most_bytes
        self._lock = threading.Lock()
        self._kept: dict[str, AlbumEntry] = {}
        """Saved dreams by id, oldest first."""
        self._sizes: dict[str, int] = {}
        self.changes = 0
        """Increases whenever a dream is added or removed."""
        self._load()

    @property
    def entries(self) -> tuple[AlbumEntry, ...]:
        """All saved dreams, newest first."""
        with self._lock:
            return tuple(reversed(self._kept.values()))

    def find(self, dream_id: str) -> AlbumEntry | None:
        """Return a dream by its id; None if there is none."""
        with self._lock:
            return self._kept.get(dream_id)

    def file(self, dream_id: str, kind: FileKind) -> Path:
        """Return the path of a dream's file, whether or not it exists."""
        assert ID.fullmatch(dream_id), "ids come from new_id"
        return self.path / f"{dream_id}{ENDINGS[kind]}"

    def add(self, dream: AlbumEntry, files: dict[FileKind, Callable[[Path], object]]) -> None:
        """Save a dream, and delete the oldest if there are too many.

        Args:
            files: functions that write each of its files to a given path.

        Raises:
            OSError, ValueError, av.FFmpegError: a file cannot be written; nothing of the dream is left then.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            sizes = {kind: self._write(self.file(dream.id, kind), write) for kind, write in files.items()}
            entry = json.dumps(_record(dream, sizes), ensure_ascii=False).encode()
            self._write(self._entry(dream.id), lambda part: part.write_bytes(entry))
        except BaseException:
            with suppress(OSError):
                self._unlink(dream.id)
            raise
        with self._lock:
            self._kept[dream.id] = dream
            self._sizes[dream.id] = sum(sizes.values())
            self.changes += 1
        self._make_room()

    def add_file(self, dream_id: str, kind: FileKind, write: Callable[[Path], object]) -> bool:
        """Add a file to a dream; return whether the dream still exists afterwards. Raises the same as ``add``."""
        size = self._write(self.file(dream_id, kind), write)
        with self._lock:
            there = dream_id in self._kept
            if there:
                self._sizes[dream_id] += size
        if not there:
            self._unlink(dream_id)
        self._make_room()
        return there

    def remove(self, dream_id: str) -> bool:
        """Delete a dream and all its files; return whether it existed."""
        with self._lock:
            if self._kept.pop(dream_id, None) is None:
                return False
            del self._sizes[dream_id]
            self.changes += 1
        try:
            self._unlink(dream_id)
        except OSError as error:
            log.warning("a dream cannot be removed from '%s': %s; it is hidden until the next start", self.path, error)
        return True

    def _make_room(self) -> None:
        while True:
            with self._lock:
                too_many = len(self._kept) > self._keep or sum(self._sizes.values()) > self._most_bytes
                oldest = next(iter(self._kept)) if too_many and len(self._kept) > 1 else None
            if oldest is None:
                return
            self.remove(oldest)

    def _write(self, path: Path, write: Callable[[Path], object]) -> int:
        room = partial_output.beside(path)
        try:
            part = room / path.name
            write(part)
            size = part.stat().st_size
            partial_output.put_in_place(part, path)
        finally:
            partial_output.remove(room)
        return size

    def _unlink(self, dream_id: str) -> None:
        """Delete a dream's files, the entry first; raises OSError."""
        for path in (self._entry(dream_id), *(self.file(dream_id, kind) for kind in ENDINGS)):
            path.unlink(missing_ok=True)

    def _entry(self, dream_id: str) -> Path:
        return self.path / f"{dream_id}{ENTRY}"

    # Loading

    def _load(self) -> None:
        try:
            names = [path.name for path in self.path.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return  # if nothing can be saved there, the first save says so
        except OSError as error:
            log.warning("the dreams in '%s' cannot be read: %s", self.path, error.strerror or error)
            return
        found = []
        for name in names:
            dream_id, _, ending = name.partition(".")
            if ID.fullmatch(dream_id) and f".{ending}" == ENTRY and (known := self._read(dream_id)) is not None:
                found.append(known)
        for dream, size in sorted(found, key=lambda each: (each[0].at_s, each[0].id)):
            self._kept[dream.id], self._sizes[dream.id] = dream, size
        for name in names:
            self._tidy(name)
        self._make_room()

    def _read(self, dream_id: str) -> tuple[AlbumEntry, int] | None:
        """Return a dream and its size in bytes; None if it is incomplete."""
        path = self._entry(dream_id)
        try:
            with path.open("rb") as file:
                record = json.loads(file.read(MOST_BYTES))
            dream = _dream(dream_id, record)
            kinds: tuple[FileKind, ...] = ("picture", "small", "clip")
            wanted = {kind: record["files"].get(kind) for kind in kinds}
            sizes = {kind: self.file(dream_id, kind).stat().st_size for kind, size in wanted.items() if size is not None}
            complete = all(sizes.get(kind) == size for kind, size in wanted.items())
            if not complete or "picture" not in sizes or "small" not in sizes or (dream.clip_s > 0) != ("clip" in sizes):
                raise ValueError("its files are incomplete")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            log.warning("a dream in '%s' is left out: %s", path, error)
            return None
        with suppress(OSError):
            sizes["gif"] = self.file(dream_id, "gif").stat().st_size
        return dream, sum(sizes.values())

    def _tidy(self, name: str) -> None:
        """Delete a file that belongs to no loaded dream; files with other names than ours stay."""
        dream_id, _, ending = name.partition(".")
        ours = ID.fullmatch(dream_id) and f".{ending}" in (ENTRY, *ENDINGS.values()) and dream_id not in self._kept
        if ours or (name.startswith(partial_output.BEGIN) and name.endswith(partial_output.END)):
            with suppress(OSError):
                (self.path / name).unlink()


def _record(dream: AlbumEntry, sizes: dict[FileKind, int]) -> dict[str, Any]:
    return {
        "version": VERSION,
        "title": dream.title,
        "targets": [target_as_record(target) for target in dream.targets],
        "user": dream.user,
        "at_s": dream.at_s,
        "size": dream.size,
        "clip_s": dream.clip_s,
        "clipped_by": dream.clipped_by,
        "files": sizes,
    }


def _dream(dream_id: str, record: Any) -> AlbumEntry:
    """Convert a record back to a dream.

    Raises:
        ValueError, KeyError, TypeError: the record is invalid.
    """
    if record["version"] != VERSION:
        raise ValueError(f"it is of version {str(record['version'])[:20]}, and this program reads version {VERSION}")
    height, width = (int(side) for side in record["size"])
    return AlbumEntry(
        dream_id,
        str(record["title"]),
        tuple(target_from_record(target) for target in record["targets"]),
        str(record["user"]),
        float(record["at_s"]),
        (height, width),
        float(record["clip_s"]),
        str(record["clipped_by"]),
    )
