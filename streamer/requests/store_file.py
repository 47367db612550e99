"""The queue's file on disk: opens it for one process, reads a copy of it, or renames it."""

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
"""Suffixes of the files that SQLite creates beside a database."""
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def acquire(path: Path, name: str) -> sqlite3.Connection:
    """Open or create a file for writing, exclusively for this process.

    Args:
        name: its name in messages.

    Raises:
        QueueError: another process uses it.
        DamagedFile: it is not an intact SQLite file.
        OSError, sqlite3.OperationalError: it cannot be opened or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(error.errno, f"its folder cannot be made: {error.strerror}") from error
    connection = _connect(path)
    try:
        with raising_damaged_file():
            # Exclusive: no other process can write, and WAL needs no shared memory.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        connection.close()
        if sqlite_error_code(error) in BUSY:
            raise QueueError(f"{name} is in use by another process; stop that one or set another queue.path") from error
        for place, what in ((path, "it"), (path.parent, "its folder")):  # SQLite reports these as I/O errors
            if place.exists() and not os.access(place, os.W_OK):
                raise PermissionError(errno.EACCES, f"{what} is read-only") from error
        raise
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def copied(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a copy of a file within the context; the file itself is not changed and may be read-only.

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
    """Rename a file and its companions to a name with the time in it; returns the new path.

    Raises:
        OSError: it cannot be renamed.
    """
    aside = path.with_name(f"{path.name}.broken-{datetime.fromtimestamp(now_s):%Y%m%d-%H%M%S}")
    path.replace(aside)
    for ending in COMPANIONS:
        if (companion := _beside(path, ending)).exists():
            companion.replace(_beside(aside, ending))
    return aside


def file_fingerprint(path: Path) -> object:
    """Return a value that changes with the file; all missing files have the same.

    Raises:
        OSError: its metadata cannot be read.
    """
    files = [_beside(path, ending) for ending in ("", "-wal")]
    return [(found.st_ino, found.st_size, found.st_mtime_ns) for file in files if file.exists() and (found := file.stat())]


@contextmanager
def raising_damaged_file() -> Iterator[None]:
    """Convert SQLite's errors about damaged files to DamagedFile within the context."""
    try:
        yield
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise DamagedFile(one_line_error(error)) from error


def sqlite_error_code(error: Exception) -> int:
    """Return SQLite's primary error code; 0 for other errors."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def one_line_error(error: Exception) -> str:
    """Return an error's message in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False, cached_statements=32)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
