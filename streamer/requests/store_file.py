"""The queue's file on disk: opened for one process alone, read by way of a copy, or given another name."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from streamer.requests.schema import DamagedFile, QueueError

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a file, by their endings."""
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def acquire(path: Path, name: str) -> sqlite3.Connection:
    """Open a file for writing, so that no other process can; it is made if it is not there.

    Args:
        name: what to call it in a message.

    Raises:
        QueueError: another process has it.
        DamagedFile: it is no sound SQLite file.
        OSError, sqlite3.OperationalError: it cannot be opened or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(error.errno, f"its folder cannot be made: {error.strerror}") from error
    connection = _connect(path)
    try:
        with raising_damaged_file():
            # Exclusive: no second process ever writes, and WAL needs no shared memory then.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        connection.close()
        if sqlite_error_code(error) in BUSY:
            raise QueueError(f"{name} is in use by another process; stop that one or set another queue.path") from error
        for place, what in ((path, "it"), (path.parent, "its folder")):  # which SQLite calls an I/O error
            if place.exists() and not os.access(place, os.W_OK):
                raise PermissionError(errno.EACCES, f"{what} is read-only") from error
        raise
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def copied(path: Path) -> Iterator[sqlite3.Connection]:
    """A copy of a file, open until this is left: the file is not touched, and need not be writable.

    Raises:
        OSError, sqlite3.Error: it cannot be copied or opened.
    """
    with TemporaryDirectory() as folder:
        for ending in ("", *COMPANIONS):
            if (source := _beside(path, ending)).exists():
                shutil.copyfile(source, Path(folder, f"copy{ending}"))
        with closing(_connect(Path(folder, "copy"))) as connection:
            yield connection


def set_aside(path: Path, now_s: float) -> Path:
    """Give a file, and what belongs to it, a name with the time in it; returns that.

    Raises:
        OSError: it cannot be.
    """
    aside = path.with_name(f"{path.name}.broken-{datetime.fromtimestamp(now_s):%Y%m%d-%H%M%S}")
    path.replace(aside)
    for ending in COMPANIONS:
        if (companion := _beside(path, ending)).exists():
            companion.replace(_beside(aside, ending))
    return aside


def file_fingerprint(path: Path) -> object:
    """What differs when a file has changed; the same for all files that are not there.

    Raises:
        OSError: it cannot be looked at.
    """
    files = [_beside(path, ending) for ending in ("", "-wal")]
    return [(found.st_ino, found.st_size, found.st_mtime_ns) for file in files if file.exists() and (found := file.stat())]


@contextmanager
def raising_damaged_file() -> Iterator[None]:
    """Within, what SQLite finds to be no sound file is raised as DamagedFile."""
    try:
        yield
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise DamagedFile(one_line_error(error)) from error


def sqlite_error_code(error: Exception) -> int:
    """SQLite's primary error code; 0 for an error of something else."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def one_line_error(error: Exception) -> str:
    """An error in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False, cached_statements=32)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
