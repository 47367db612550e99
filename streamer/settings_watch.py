"""Notices that a file has changed: written in place, put in the place of another, or swapped by a link.

The folders are watched, not the file: editors and configuration systems put a new file in its place, and Kubernetes swaps a
link two steps away. Besides, the file is looked at now and then, for network drives tell of nothing.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from watchfiles import watch

from streamer.processes import RoundClock

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Longest time from one look at the file to the next."""
SETTLE_S = 0.6
"""How long the file has to stay as it is before it is read…"""
UNENDED_S = 3.0
"""…and one that does not end with a line's end: it may be half of what is being written."""
SETTLE_MOST_S = 10.0
"""Longest wait for that; then it is read as it is."""
STEP_S = 0.1
LINKS = 40
"""Links one behind the other that are followed, as many as Linux does."""

Mark = tuple[int, int, int, int]
"""What tells one state of a file from another: device, inode, time, size."""


class FileWatch:
    """Calls back, in a thread of its own, when a file has changed and come to rest, or when asked to.

    The first time is at the start: the file may have changed since it was read.
    """

    def __init__(self, path: Path | None, changed: Callable[[], None]) -> None:
        """Watch ``path``; None watches nothing, and only listens for ``ask``."""
        self._path, self._changed = path, changed
        self._stopping, self._asked = threading.Event(), threading.Event()
        self._warned = False
        self._thread = threading.Thread(target=self._run, name="settings", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask(self) -> None:
        """Call back soon, whether the file has changed or not; from any thread, also from a signal's handler."""
        self._asked.set()

    def stop(self, deadline_s: float = 2.0) -> bool:
        """End; returns whether it did in time. Harmless before ``start``."""
        self._stopping.set()
        if self._thread.ident is None:
            return True
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def is_set(self) -> bool:
        """Whether watching is to be broken off: this is the event that ``watchfiles`` looks at."""
        return self._stopping.is_set() or self._asked.is_set()

    def _run(self) -> None:
        seen: Mark | None = None
        known = False
        while not self._stopping.is_set():
            folders = folders_of(self._path)
            for _ in self._moments(folders):
                mark = mark_of(self._path)
                if mark != seen or self._asked.is_set() or not known:
                    seen = self._settled(mark) if known else mark
                    known = True
                    self._asked.clear()  # whoever asked so far is heard by what comes now
                    self._call()
                if self._stopping.is_set() or folders_of(self._path) != folders:
                    break

    def _call(self) -> None:
        if self._stopping.is_set():
            return
        try:
            self._changed()
        except Exception:  # ours: it would end unseen with this thread
            log.exception("the config could not be read again; the previous settings stay in force")

    def _moments(self, folders: tuple[Path, ...]) -> Iterator[None]:
        """Give a turn at once, whenever something moves in the folders, and now and then besides; ends when asked for one."""
        yield
        try:
            if folders:
                for _ in watch(
                    *folders,
                    watch_filter=None,
                    debounce=500,
                    step=round(STEP_S * 1000),
                    stop_event=self,
                    rust_timeout=round(LOOK_S * 1000),
                    yield_on_timeout=True,
                    raise_interrupt=False,
                    recursive=False,
                ):
                    yield
                return
        except FileNotFoundError:
            pass  # a folder was removed since it was looked for; it is looked for again
        except (OSError, RuntimeError) as error:  # the latter is what its Rust part raises
            if not self._warned:
                log.warning("the config's folder cannot be watched, so the file is looked at every %g s: %s", LOOK_S, error)
            self._warned = True
        until_s = time.monotonic() + LOOK_S
        while not self.is_set() and time.monotonic() < until_s:
            self._stopping.wait(STEP_S)

    def _settled(self, mark: Mark | None) -> Mark | None:
        """Wait until the file stays as it is, or somebody asks; returns how it is then."""
        clock = RoundClock()  # while all stood still, nobody wrote either
        began_s = since_s = clock()
        while not self.is_set() and clock() - began_s < SETTLE_MOST_S:
            self._stopping.wait(STEP_S)
            clock.look(STEP_S)
            before, mark = mark, mark_of(self._path)
            if mark != before:
                since_s = clock()
            elif clock() - since_s >= (SETTLE_S if ends_whole(self._path) else UNENDED_S):
                break
        return mark


def mark_of(path: Path | None) -> Mark | None:
    """What tells this state of a file from others; None where there is none."""
    if path is None:
        return None
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def ends_whole(path: Path | None) -> bool:
    """Whether a file ends with a line's end, or cannot be looked at."""
    if path is None or not os.path.isfile(path):  # of a pipe nothing may be taken
        return True
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) in (b"\n", b"\r")
    except OSError:  # empty, or gone
        return True


def folders_of(path: Path | None) -> tuple[Path, ...]:
    """The folders in which something moves when a file, or a link on the way to it, is put in place of another.

    Where one is missing, the nearest above it that is there.
    """
    if path is None:
        return ()
    found: list[Path] = []
    followed: list[Path] = []
    todo = [Path(os.path.abspath(path))]
    while todo and len(followed) < LINKS:
        step = todo.pop(0)
        if step in followed:
            continue
        followed.append(step)
        folder = next((there for there in step.parents if os.path.isdir(there)), step.parent)
        if folder not in found:
            found.append(folder)
        todo += [above for above in step.parents if os.path.islink(above)]
        try:
            todo.append(Path(os.path.abspath(os.path.join(os.path.realpath(step.parent), os.readlink(step)))))
        except (OSError, ValueError):
            continue  # no link
    return tuple(found)
