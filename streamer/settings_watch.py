"""Detects that a file has changed: written in place, replaced, or swapped by a link.

It watches the folders, not the file: editors and configuration systems replace the file, and Kubernetes swaps a link two steps
away. It also polls the file, since network drives send no events.
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
"""Longest time between polls of the file."""
SETTLE_S = 0.6
"""Seconds for which the file must stay unchanged before it is read."""
UNENDED_S = 3.0
"""The same for a file that does not end with a newline, since it may be half-written."""
SETTLE_MOST_S = 10.0
"""Longest wait for that; then the file is read as it is."""
STEP_S = 0.1
LINKS = 40
"""Most links that are followed in a chain, the same as in Linux."""

Mark = tuple[int, int, int, int]
"""Identifies a state of a file: device, inode, modification time, size."""


class FileWatch:
    """Calls back, in a thread of its own, when a file has changed and is stable again, or after ``ask``.

    The first call is at the start, since the file may have changed after it was read.
    """

    def __init__(self, path: Path | None, changed: Callable[[], None]) -> None:
        """Watch ``path``; with None, react only to ``ask``."""
        self._path, self._changed = path, changed
        self._stopping, self._asked = threading.Event(), threading.Event()
        self._warned = False
        self._thread = threading.Thread(target=self._run, name="settings", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def ask(self) -> None:
        """Request a call soon, whether the file has changed or not; from any thread, also from a signal handler."""
        self._asked.set()

    def stop(self, deadline_s: float = 2.0) -> bool:
        """Stop; return whether the thread ended within ``deadline_s``. Safe before ``start``."""
        self._stopping.set()
        if self._thread.ident is None:
            return True
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def is_set(self) -> bool:
        """Return whether to stop waiting; ``watchfiles`` takes this object as its stop event."""
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
                    self._asked.clear()  # the next call answers all requests up to now
                    self._call()
                if self._stopping.is_set() or folders_of(self._path) != folders:
                    break

    def _call(self) -> None:
        if self._stopping.is_set():
            return
        try:
            self._changed()
        except Exception:  # a bug here would end this thread unnoticed
            log.exception("the config could not be read again; the previous settings stay in force")

    def _moments(self, folders: tuple[Path, ...]) -> Iterator[None]:
        """Yield immediately, after each event in the folders, and every ``LOOK_S``; end at ``ask`` or ``stop``."""
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
            pass  # a folder was removed meanwhile; the caller determines the folders again
        except (OSError, RuntimeError) as error:  # the latter is what its Rust part raises
            if not self._warned:
                log.warning("the config's folder cannot be watched, so the file is checked every %g s: %s", LOOK_S, error)
            self._warned = True
        until_s = time.monotonic() + LOOK_S
        while not self.is_set() and time.monotonic() < until_s:
            self._stopping.wait(STEP_S)

    def _settled(self, mark: Mark | None) -> Mark | None:
        """Wait until the file is stable, or for ``ask``; return its state then."""
        clock = RoundClock()  # while the system was suspended, no other program wrote either
        began_s = since_s = clock()
        while not self.is_set() and clock() - began_s < SETTLE_MOST_S:
            self._stopping.wait(STEP_S)
            clock.end_round(STEP_S)
            before, mark = mark, mark_of(self._path)
            if mark != before:
                since_s = clock()
            elif clock() - since_s >= (SETTLE_S if ends_whole(self._path) else UNENDED_S):
                break
        return mark


def mark_of(path: Path | None) -> Mark | None:
    """Return the current state of a file; None if it does not exist."""
    if path is None:
        return None
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def ends_whole(path: Path | None) -> bool:
    """Return whether a file ends with a newline, or cannot be checked."""
    if path is None or not os.path.isfile(path):  # reading from a pipe would consume its data
        return True
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) in (b"\n", b"\r")
    except OSError:  # empty, or gone
        return True


def folders_of(path: Path | None) -> tuple[Path, ...]:
    """Return the folders in which an event occurs when a file, or a link on the way to it, is replaced.

    For a missing folder, return its nearest parent that exists.
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
            continue  # not a link
    return tuple(found)
