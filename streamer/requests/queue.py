"""The durable queue of requests: SQLite with one writer, so that what was taken in outlives a crash.

Everything waiting is kept in memory too, and read from there; the file is written before a request counts as taken.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import platformdirs

from streamer.messages import Reason, Refused, Request, RequestState, Role, Target

logger = logging.getLogger(__name__)

VERSION = 1
"""Of the schema, kept in SQLite's ``user_version``."""
KEPT = 10_000
"""Finished requests remembered, against messages delivered again; older ones are forgotten."""

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
_COLUMNS = "id, place, state, user, text, targets, role, source, created_s, message_id"


class QueueError(Exception):
    """The queue's file cannot be used, or a request cannot be kept in it."""


class MessageKnown(Exception):
    """A message was delivered before."""

    def __init__(self, request_id: int) -> None:
        super().__init__(f"message already taken as request {request_id}")
        self.request_id = request_id


def default_path() -> Path:
    """Where the queue lies when the config does not say: in the user's state folder."""
    return Path(platformdirs.user_state_dir("zoomdream", appauthor=False)) / "queue.sqlite3"


class RequestQueue:
    """Requests in the order in which they are to be dreamt. Thread-safe; one process at a time has the file."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        """Open the file, or make it; what was on air when it was last used waits again, in front.

        A file that is damaged is set aside under another name, with a warning.

        Args:
            path: the SQLite file; None keeps requests in memory only.
            clock: gives Unix time.

        Raises:
            QueueError: another process has the file, it cannot be opened or written, or a newer version of the program made it.
        """
        self._path, self._clock = path, clock
        self._lock = threading.Lock()
        self._closed = False
        self._waiting: dict[int, Request] = {}
        """In order."""
        self._on_air: dict[int, Request] = {}
        self._connection = self._open()
        self._load()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def add(
        self,
        user: str,
        text: str,
        targets: Sequence[Target],
        *,
        role: Role = Role.EVERYONE,
        source: str = "web",
        message_id: str | None = None,
    ) -> Request:
        """Put a request at the end; it is on disk when this returns.

        Raises:
            MessageKnown: a request with this message id was taken before, whatever became of it.
            QueueError: it cannot be written.
        """
        created_s = self._clock()
        packed = json.dumps([[target.wnid, target.label] for target in targets])
        values = (RequestState.QUEUED, user, text, packed, role, source, created_s, message_id)
        with self._lock:
            try:
                with self._transaction() as cursor:
                    if message_id is not None:
                        cursor.execute("SELECT id FROM requests WHERE message_id = ?", (message_id,))
                        if known := cursor.fetchone():
                            raise MessageKnown(known[0])
                    cursor.execute(
                        "INSERT INTO requests (place, state, user, text, targets, role, source, created_s, message_id)"
                        " VALUES ((SELECT coalesce(max(place), 0) + 1 FROM requests), ?, ?, ?, ?, ?, ?, ?, ?)",
                        values,
                    )
                    number = cursor.lastrowid
            except sqlite3.Error as error:
                raise QueueError(f"{self._name}: the request cannot be kept: {error}") from error
            assert number is not None
            request = Request(number, user, text, tuple(targets), role, source, created_s, message_id=message_id)
            self._waiting[number] = request
            return request

    def waiting(self) -> tuple[Request, ...]:
        """The requests in line, next one first."""
        with self._lock:
            return tuple(self._waiting.values())

    def take(self, request_id: int) -> Request:
        """Put a waiting request on air.

        Raises:
            Refused: ``NOT_FOUND``, it does not wait.
        """
        with self._lock:
            request = self._pop(request_id)
            request = self._on_air[request_id] = replace(request, state=RequestState.ON_AIR)
            self._note("UPDATE requests SET state = ? WHERE id = ?", (RequestState.ON_AIR, request_id))
            return request

    def finish(self, request_id: int) -> None:
        """A request on air has been dreamt; it never comes back. One that is not on air is left as it is."""
        with self._lock:
            if self._on_air.pop(request_id, None) is not None:
                self._note("UPDATE requests SET state = ? WHERE id = ?", (RequestState.DONE, request_id))
                self._note(
                    "DELETE FROM requests WHERE id <= ? AND state IN (?, ?)",
                    (request_id - KEPT, RequestState.DONE, RequestState.REMOVED),
                )

    def remove(self, request_id: int) -> Request:
        """Take a waiting request out.

        Raises:
            Refused: ``NOT_FOUND``, it does not wait.
        """
        with self._lock:
            request = replace(self._pop(request_id), state=RequestState.REMOVED)
            self._note("UPDATE requests SET state = ? WHERE id = ?", (RequestState.REMOVED, request_id))
            return request

    def clear(self) -> int:
        """Take all waiting requests out; returns how many there were."""
        with self._lock:
            count = len(self._waiting)
            self._waiting.clear()
            self._note("UPDATE requests SET state = ? WHERE state = ?", (RequestState.REMOVED, RequestState.QUEUED))
            return count

    def close(self) -> None:
        """Close the file; a second call does nothing. What is on air will wait again at the next start."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._connection.close()

    @property
    def _name(self) -> str:
        return f"queue '{self._path}'" if self._path else "queue in memory"

    def _pop(self, request_id: int) -> Request:
        try:
            return self._waiting.pop(request_id)
        except KeyError:
            raise Refused(Reason.NOT_FOUND, f"request {request_id} is not waiting") from None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            yield cursor
        except BaseException:
            if self._connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")

    def _note(self, statement: str, values: tuple[object, ...]) -> None:
        """Write what became of a request. The show goes on if that fails; then it may come back after a restart."""
        try:
            with self._transaction() as cursor:
                cursor.execute(statement, values)
        except sqlite3.Error as error:
            logger.error("%s cannot be written, finished requests may come back after a restart: %s", self._name, error)

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return self._connect()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise QueueError(f"{self._name}: its folder cannot be made: {error.strerror}") from error
        try:
            return self._connect()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise QueueError(
                    f"{self._name} is in use by another process; stop that one or set another queue.path"
                ) from error
            raise QueueError(f"{self._name} cannot be opened: {error}") from error
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
        try:
            return self._connect()
        except sqlite3.Error as error:
            raise QueueError(f"{self._name} cannot be made anew: {error}") from error

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
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise QueueError(f"{self._name} was made by a newer zoomdream (version {version}, this one knows {VERSION})")
            if version == 0:
                if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
                    raise QueueError(f"{self._name} belongs to another program; set another queue.path")
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            else:
                connection.execute(f"SELECT {_COLUMNS} FROM requests LIMIT 1")
                (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if verdict != "ok":
                    raise sqlite3.DatabaseError(verdict)
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

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
            raise QueueError(f"{self._name} is damaged ({error}) and cannot be set aside: {failure.strerror}") from failure
        logger.warning("%s is damaged (%s); set aside as '%s', starting with an empty one", self._name, error, aside)

    def _load(self) -> None:
        """Read what waits; what was on air goes in front of it."""
        with self._transaction() as cursor:
            cursor.execute(
                "UPDATE requests SET state = ?, place = (SELECT min(place) FROM requests) - 1 WHERE state = ?",
                (RequestState.QUEUED, RequestState.ON_AIR),
            )
            rows = cursor.execute(
                f"SELECT {_COLUMNS} FROM requests WHERE state = ? ORDER BY place, id", (RequestState.QUEUED,)
            ).fetchall()
        for number, _, _, user, text, targets, role, source, created_s, message_id in rows:
            try:
                wanted = tuple(Target(wnid, label) for wnid, label in json.loads(targets))
                request = Request(number, user, text, wanted, Role(role), source, created_s, message_id=message_id)
            except (ValueError, TypeError) as error:
                logger.warning("%s: request %s cannot be read and is left out: %s", self._name, number, error)
                continue
            self._waiting[number] = request
        if self._waiting:
            logger.info("%s: %d requests still wait from before", self._name, len(self._waiting))
