"""The SQLite file under the queue and its rules: one connection, one writer, so that what was taken in outlives a crash."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

logger = logging.getLogger(__name__)

VERSION = 3
"""Of the schema, kept in SQLite's ``user_version``."""

_SCHEMA = """
CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    place REAL NOT NULL,
    state TEXT NOT NULL,
    user TEXT NOT NULL,
    text TEXT NOT NULL,
    targets TEXT NOT NULL,
    role TEXT NOT NULL,
    source TEXT NOT NULL,
    created_s REAL NOT NULL,
    message_id TEXT
);
CREATE UNIQUE INDEX requests_message ON requests (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX requests_state ON requests (state, place);
"""
_MIGRATIONS = {
    1: """
ALTER TABLE requests ADD COLUMN priority TEXT NOT NULL DEFAULT 'none';
ALTER TABLE requests ADD COLUMN amount INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN settled INTEGER;
CREATE TABLE votes (request INTEGER NOT NULL, voter TEXT NOT NULL, PRIMARY KEY (request, voter)) WITHOUT ROWID;
CREATE TABLE rules (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE blocks (kind TEXT, value TEXT, blocked INTEGER NOT NULL, PRIMARY KEY (kind, value)) WITHOUT ROWID;
""",
    2: "",  # targets may be layers, which version 2 cannot read
}
"""From each version to the next; a new file starts at 1 and takes the same way."""
_PROBES = {
    1: ("SELECT id, place, state, user, text, targets, role, source, created_s, message_id FROM requests LIMIT 1",),
    2: (
        "SELECT priority, amount, settled FROM requests LIMIT 1",
        "SELECT request, voter FROM votes LIMIT 1",
        "SELECT name, value FROM rules LIMIT 1",
        "SELECT kind, value, blocked FROM blocks LIMIT 1",
    ),
    3: (),
}
"""What a sound file of each version answers, besides what those before it do."""


class QueueError(Exception):
    """The queue's file cannot be used, or something cannot be kept in it."""


class Store:
    """The file, open. ``lock`` is held around every use of it; one process at a time has it."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        """Open the file, or make it. One that is damaged is set aside under another name, with a warning.

        Args:
            path: the SQLite file; None keeps everything in memory only.
            clock: gives Unix time.

        Raises:
            QueueError: another process has the file, it cannot be opened or written, or a newer version of the program made it.
        """
        self._path, self._clock = path, clock
        self.lock = threading.RLock()
        self._closed = False
        self.connection = self._open()

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return f"queue '{self._path}'" if self._path else "queue in memory"

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self.lock:
            if not self._closed:
                self._closed = True
                self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        """All of it is written, or nothing."""
        with self.lock:
            cursor = self.connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except BaseException:
                if self.connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    def note(self, *statements: tuple[str, tuple[object, ...]], lost: str = "finished requests may come back") -> None:
        """Write what became of something. The show goes on if that fails; ``lost`` says what a restart will bring then."""
        try:
            with self.transaction() as cursor:
                for statement, values in statements:
                    cursor.execute(statement, values)
        except sqlite3.Error as error:
            logger.error("%s cannot be written, %s after a restart: %s", self.name, lost, error)

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return self._connect()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise QueueError(f"{self.name}: its folder cannot be made: {error.strerror}") from error
        try:
            return self._connect()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise QueueError(
                    f"{self.name} is in use by another process; stop that one or set another queue.path"
                ) from error
            raise QueueError(f"{self.name} cannot be opened: {error}") from error
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
        try:
            return self._connect()
        except sqlite3.Error as error:
            raise QueueError(f"{self.name} cannot be made anew: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path or ":memory:", timeout=1.0, isolation_level=None, check_same_thread=False, cached_statements=32
        )
        try:
            # Exclusive: no second process ever writes, and WAL needs no shared memory then.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            self._bring_up_to_date(connection)
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise QueueError(f"{self.name} was made by a newer zoomdream (version {version}, this one knows {VERSION})")
        if version == 0:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
                raise QueueError(f"{self.name} belongs to another program; set another queue.path")
            _run(connection, _SCHEMA)
            version = 1
        else:
            for known in range(1, version + 1):
                for probe in _PROBES[known]:
                    connection.execute(probe)
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
        for older in range(version, VERSION):
            _run(connection, _MIGRATIONS[older])
        connection.execute(f"PRAGMA user_version = {VERSION}")

    def _set_aside(self, error: sqlite3.Error) -> None:
        assert self._path is not None
        stamp = datetime.fromtimestamp(self._clock()).strftime("%Y%m%d-%H%M%S")
        aside = self._path.with_name(f"{self._path.name}.broken-{stamp}")
        try:
            self._path.replace(aside)
            for suffix in ("-wal", "-shm", "-journal"):
                companion = self._path.with_name(self._path.name + suffix)
                if companion.exists():
                    companion.replace(aside.with_name(aside.name + suffix))
        except OSError as failure:
            raise QueueError(f"{self.name} is damaged ({error}) and cannot be set aside: {failure.strerror}") from failure
        logger.warning("%s is damaged (%s); set aside as '%s', starting with an empty one", self.name, error, aside)


def _run(connection: sqlite3.Connection, statements: str) -> None:
    """Execute some, within the transaction at hand: ``executescript`` would end it."""
    for statement in filter(str.strip, statements.split(";")):
        connection.execute(statement)
