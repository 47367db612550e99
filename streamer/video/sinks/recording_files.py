"""The files of one recording: names new ones and deletes old ones."""

from __future__ import annotations

import io
import logging
import os
import re
from datetime import datetime
from pathlib import Path

log = logging.getLogger(__name__)


class RecordingFiles:
    """Names the files of a recording, creates them, and deletes the oldest.

    Existing files are never overwritten: ``dream.mp4`` is followed by ``dream-2.mp4``, and so on. Only files created here are
    deleted; a hidden list beside them (``.dream.mp4.pieces``) records them across restarts.
    """

    def __init__(self, path: Path, keep: int) -> None:
        """Name files after ``path``, which may contain strftime fields; keep the newest ``keep``, 0: all."""
        self._path, self._keep = path, keep
        fixed = next(folder for folder in path.parents if "%" not in str(folder))
        self.folder = fixed
        """The folder that contains all of them, at any depth."""
        self._list = fixed / f".{path.name}.pieces"

    def create(self, now: datetime) -> tuple[io.FileIO, Path]:
        """Create the next file, empty, and delete the oldest beyond ``keep``; missing folders are created."""
        path = Path(now.strftime(str(self._path)))
        path.parent.mkdir(parents=True, exist_ok=True)
        number = _last_number(path) + 1
        while True:
            numbered = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
            try:
                file = io.FileIO(numbered, "xb")
                break
            except FileExistsError:
                number += 1
        if self._keep:
            try:
                self._remember(numbered)
            except OSError:
                file.close()
                numbered.unlink(missing_ok=True)
                raise
        return file, numbered

    def _remember(self, newest: Path) -> None:
        """Add the newest file to the list, and remove those beyond ``keep`` from the list and the disk."""
        known = [name for name in self._known() if (self.folder / name).exists()]
        known.append(str(newest.relative_to(self.folder)))
        old, kept = known[: -self._keep], known[-self._keep :]
        for name in old:
            try:
                (self.folder / name).unlink(missing_ok=True)
                log.info("deleted %s, keeping the newest %d", self.folder / name, self._keep)
            except OSError as error:
                log.warning("an old recording could not be deleted: %s", error)
        new_list = self._list.with_name(self._list.name + ".new")
        new_list.write_text("".join(f"{name}\n" for name in kept))
        os.replace(new_list, self._list)

    def _known(self) -> list[str]:
        try:
            return self._list.read_text().splitlines()
        except FileNotFoundError:
            return []


def _last_number(path: Path) -> int:
    """Return the highest number among ``path`` and its successors; 0: there is none."""
    pattern = re.compile(rf"{re.escape(path.stem)}(?:-(\d{{1,9}}))?{re.escape(path.suffix)}")
    found = (pattern.fullmatch(name) for name in os.listdir(path.parent))
    return max((int(match[1] or 1) for match in found if match), default=0)
