"""Keeps the queue and its rules in memory, where they are read, and in an SQLite file that survives a crash.

One connection, one writer, and one process at a time use the file. A request is acknowledged only once it is in the file.
Changes that happen in any case, such as the end of a request, are always made in memory: if the file cannot be written, it is
updated from memory in one go as soon as it can be.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from streamer.requests.schema import VERSION, DamagedFile, QueueError, bring_up_to_date, check_file, salvage
from streamer.requests.store_file import (
    acquire,
    copied,
    file_fingerprint,
    one_line_error,
    raising_damaged_file,
    set_aside,
    sqlite_error_code,
)

logger = logging.getLogger(__name__)

_Values = Sequence[object]


class Transaction:
    """Statements that are written together; they are executed in memory first."""

    def __init__(self, memory: sqlite3.Connection) -> None:
        self._cursor = memory.cursor()
        self.statements: list[tuple[str, _Values]] = []
        """The statements that change something, to be executed on the file."""

    def execute(self, statement: str, values: _Values = ()) -> sqlite3.Cursor:
        """Execute a statement in memory."""
        if not statement.startswith("SELECT"):
            self.statements.append((statement, values))
        return self._cursor.execute(statement, values)


class Store:
    """The open store. Hold ``lock`` around every use of its connection."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        """Open or create the file.

        A damaged file is renamed, with a warning, and what can be read of it is kept. If the file cannot be written, everything
        is in memory only until it can.

        Args:
            path: the SQLite file; None keeps everything in memory only.
            clock: gives Unix time.

        Raises:
            QueueError: another process uses the file, or it belongs to another program or a newer version.
        """
        self._path, self._clock = path, clock
        self.lock = threading.RLock()
        self.closed = False
        """Whether ``close`` was called."""
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        """The data in memory, for reading."""
        self._file: sqlite3.Connection | None = None
        self._reason = ""  # why the file is behind memory
        self._promised = False  # whether there was a file: from then on, acknowledged requests are in it
        self._written = 0  # number of changes in memory that the file has
        self._known: object = None  # fingerprint of the file when a copy of it was read
        try:
            if path is None:
                bring_up_to_date(self.connection, 0)
            else:
                self._begin(path)
                self._written = self.connection.total_changes
        except BaseException:
            self.connection.close()
            self._let_go()
            raise

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"queue '{self._path}'" if self._path else "queue in memory"

    @property
    def trouble(self) -> str:
        """Why the file is behind memory, and what that means, in one line; empty if it is not."""
        if not self._reason:
            return ""
        means = "no requests are taken" if self._promised else "requests are kept in memory only"
        return f"{means}, {self.name} cannot be written: {self._reason}"

    def close(self) -> None:
        """Close it; a second call does nothing."""
        with self.lock:
            if self.closed:
                return
            self.retry_writes()
            if self._reason:
                self.retry_writes()  # with a new connection
            if self._reason and self.connection.total_changes != self._written:
                logger.warning("%s: what could not be written is lost now: %s", self.name, self._reason)
            self.closed = True
            self.connection.close()
            self._let_go()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Write everything or nothing; after an exit without an error, it is on disk.

        Raises:
            sqlite3.Error: it cannot be written. If there never was a file, it is kept in memory instead.
        """
        with self._in_memory() as transaction:
            yield transaction
            if self._reason and self._promised:
                raise sqlite3.OperationalError(self._reason)
            self._write(transaction)

    def note(self, *statements: tuple[str, _Values]) -> None:
        """Make changes that happen in any case; if they cannot be written now, that is done as soon as possible."""
        with self._in_memory() as transaction:
            for statement, values in statements:
                transaction.execute(statement, values)
            with suppress(sqlite3.Error):
                self._write(transaction)

    def retry_writes(self) -> None:
        """Write what is missing in the file, if that works again; call it every few seconds."""
        with self.lock:
            if self._path is None or self.closed:
                return
            try:
                if self._file is not None and not self._path.exists():
                    self._let_go()
                    self._fall_behind("it was deleted")
                if not self._reason:
                    return
                if self._file is None:
                    self._file = self._open_again(self._path)
                self._file.execute("BEGIN IMMEDIATE")  # fails if another process uses the file; a backup would wait forever
                self._file.execute("COMMIT")
                self.connection.backup(self._file)  # in one transaction
            except (OSError, sqlite3.Error, QueueError, DamagedFile) as error:
                self._fall_behind(one_line_error(error))
                if sqlite_error_code(error) != sqlite3.SQLITE_FULL:
                    self._let_go()  # a new connection may succeed, or find out what is wrong
            else:
                self._reason, self._promised, self._written = "", True, self.connection.total_changes
                logger.info("%s is written again, with all that happened meanwhile", self.name)

    @contextmanager
    def _in_memory(self) -> Iterator[Transaction]:
        with self.lock:
            self.connection.execute("BEGIN")
            try:
                yield Transaction(self.connection)
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def _write(self, transaction: Transaction) -> None:
        """Execute the statements on the file, unless it is behind."""
        if self._file is None or self._reason or not transaction.statements:
            return
        try:
            self._file.execute("BEGIN IMMEDIATE")
            for statement, values in transaction.statements:
                self._file.execute(statement, values)
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._file.rollback()
            self._fall_behind(one_line_error(error))
            raise
        self._written = self.connection.total_changes

    def _fall_behind(self, reason: str) -> None:
        was_behind, self._reason = bool(self._reason), reason
        if not was_behind:
            logger.error("%s; what happens meanwhile is written as soon as it can be", self.trouble)

    def _let_go(self) -> None:
        if self._file is not None:
            with suppress(sqlite3.Error):
                self._file.close()
            self._file = None

    # Opening the file

    def _begin(self, path: Path) -> None:
        try:
            self._file = self._read_in(path)
        except DamagedFile as damage:
            count = self._salvage(path)
            salvaged = f"{self.name} is damaged ({damage}); {count} requests that wait in it could be read"
            try:
                aside = set_aside(path, self._clock())
                logger.warning("%s; they go on in a new one, the old one is set aside as '%s'", salvaged, aside)
                self._file = acquire(path, self.name)
                self.connection.backup(self._file)
            except (OSError, sqlite3.Error) as error:
                self._let_go()
                self._fall_behind(f"it is damaged ({damage}), and no new one can be begun: {one_line_error(error)}")
                return
        except (OSError, sqlite3.Error) as error:
            self._read_unopened(path)
            self._fall_behind(one_line_error(error))
            return
        self._promised = True
        self.note((f"PRAGMA user_version = {VERSION}", ()))  # reports a read-only file now, not at the first request

    def _read_in(self, path: Path) -> sqlite3.Connection:
        file = acquire(path, self.name)
        try:
            if self._read(file) != VERSION:
                self.connection.backup(file)
        except BaseException:
            file.close()
            raise
        return file

    def _read(self, file: sqlite3.Connection) -> int:
        """Read a file into memory, and migrate that; returns the file's version.

        Raises:
            QueueError: it belongs to another program or a newer version.
            DamagedFile: it is damaged.
            sqlite3.OperationalError: it cannot be read now.
        """
        with raising_damaged_file():
            version = check_file(file, self.name)
            file.backup(self.connection)
        if version != VERSION:
            bring_up_to_date(self.connection, version)
        return version

    def _read_unopened(self, path: Path) -> None:
        """Read a copy of a file that cannot be written; start empty if it cannot be read either."""
        try:
            if path.is_file():
                self._known = file_fingerprint(path)
                with copied(path) as copy:
                    self._read(copy)
                return
        except DamagedFile as damage:
            count = self._salvage(path)
            logger.warning("%s is damaged (%s); %d requests that wait in it could be read", self.name, damage, count)
            return
        except (OSError, sqlite3.Error) as error:
            self._known = None
            logger.warning("%s: what is in it cannot be read: %s", self.name, one_line_error(error))
        self._empty()

    def _salvage(self, path: Path) -> int:
        """Read what is readable of a damaged file; returns how many requests wait in it."""
        self._empty()
        with suppress(OSError, sqlite3.Error), copied(path) as broken:
            self._known = file_fingerprint(path)
            return salvage(broken, self.connection)
        return 0

    def _empty(self) -> None:
        self.connection.close()
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        bring_up_to_date(self.connection, 0)

    def _open_again(self, path: Path) -> sqlite3.Connection:
        """Open the file to write memory to it; rename it first if it is damaged or has data that was never read."""
        before = file_fingerprint(path)
        try:
            file = acquire(path, self.name)
            try:
                with raising_damaged_file():
                    version = check_file(file, self.name)
            except BaseException:
                file.close()
                raise
        except DamagedFile as damage:
            aside = set_aside(path, self._clock())
            logger.warning("%s is damaged (%s); set aside as '%s', nothing is lost", self.name, damage, aside)
            return acquire(path, self.name)
        if version and not self._promised and before != self._known:
            file.close()
            aside = set_aside(path, self._clock())
            logger.warning("%s has requests that could not be read at the start; set aside as '%s'", self.name, aside)
            return acquire(path, self.name)
        return file
