"""The folder in which dreams are kept: a few files for each, under a name that nobody can guess, the oldest making room.

Pictures and clips are written first, the entry that tells of them last; each beside its place and then moved there. So whatever
ends the program, a dream is there with all its files, or it is not there. It belongs to one program at a time.
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
"""Of an id: 60 bits of chance."""
ID = re.compile(r"[a-z2-7]{12}")
VERSION = 1
"""Of an entry; others are not read."""
ENTRY = ".json"
MOST_BYTES = 64 << 10
"""Of an entry."""
FileKind = Literal["picture", "small", "clip", "gif"]
ENDINGS: dict[FileKind, str] = {"picture": ".jpg", "small": ".small.jpg", "clip": ".mp4", "gif": ".gif"}


def new_id() -> str:
    """A name for a dream."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


class AlbumFolder:
    """What is kept, newest first. Thread-safe."""

    def __init__(self, path: Path, keep: int, most_bytes: int) -> None:
        """Take up what an earlier run kept, as far as it is whole and there is room; the folder is made when it is needed."""
        self.path = path
        self._keep, self._most_bytes = keep, most_bytes
        self._lock = threading.Lock()
        self._kept: dict[str, AlbumEntry] = {}
        """By id, oldest first."""
        self._sizes: dict[str, int] = {}
        self.changes = 0
        """Rises whenever something comes or goes."""
        self._take_up()

    @property
    def entries(self) -> tuple[AlbumEntry, ...]:
        """All that is kept, newest first."""
        with self._lock:
            return tuple(reversed(self._kept.values()))

    def find(self, dream_id: str) -> AlbumEntry | None:
        """A dream by its id; None if there is none."""
        with self._lock:
            return self._kept.get(dream_id)

    def file(self, dream_id: str, kind: FileKind) -> Path:
        """Where a file of a dream is, or would be."""
        assert ID.fullmatch(dream_id), "an id is made here"
        return self.path / f"{dream_id}{ENDINGS[kind]}"

    def add(self, dream: AlbumEntry, files: dict[FileKind, Callable[[Path], object]]) -> None:
        """Keep a dream, and remove the oldest where there are too many.

        Args:
            files: what writes each of its files, given a path.

        Raises:
            OSError, ValueError, av.FFmpegError: as those do, or it cannot be kept; nothing of it is left then.
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
        """Add a file to a dream; whether that is still there when it is done. Raises as ``add`` does."""
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
        """Remove a dream and all its files; whether there was one."""
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
        """Remove what there is of a dream, the entry first; raises OSError."""
        for path in (self._entry(dream_id), *(self.file(dream_id, kind) for kind in ENDINGS)):
            path.unlink(missing_ok=True)

    def _entry(self, dream_id: str) -> Path:
        return self.path / f"{dream_id}{ENTRY}"

    # What an earlier run left

    def _take_up(self) -> None:
        try:
            names = [path.name for path in self.path.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return  # that nothing can be kept there is told when something is
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
        """A dream and its size, if all of it is there."""
        path = self._entry(dream_id)
        try:
            with path.open("rb") as file:
                record = json.loads(file.read(MOST_BYTES))
            dream = _dream(dream_id, record)
            kinds: tuple[FileKind, ...] = ("picture", "small", "clip")
            wanted = {kind: record["files"].get(kind) for kind in kinds}
            sizes = {kind: self.file(dream_id, kind).stat().st_size for kind, size in wanted.items() if size is not None}
            whole = all(sizes.get(kind) == size for kind, size in wanted.items())
            if not whole or "picture" not in sizes or "small" not in sizes or (dream.clip_s > 0) != ("clip" in sizes):
                raise ValueError("its files are not whole")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            log.warning("a dream in '%s' is left out: %s", path, error)
            return None
        with suppress(OSError):
            sizes["gif"] = self.file(dream_id, "gif").stat().st_size
        return dream, sum(sizes.values())

    def _tidy(self, name: str) -> None:
        """Remove a file that belongs to no dream that was found; what has another name than ours, stays."""
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
    """The other way.

    Raises:
        ValueError, KeyError, TypeError: it is none.
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
