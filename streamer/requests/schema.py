"""The schema of the queue's file, by version: checks files, migrates older ones, and salvages damaged ones."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from streamer.errors import ZoomdreamError

VERSION = 4
"""Version of the schema, stored in SQLite's ``user_version``."""

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
    3: "ALTER TABLE requests ADD COLUMN aired_s REAL NOT NULL DEFAULT 0",
}
"""Migrations from each version to the next; a new file starts at version 1 and is migrated."""
_PROBES = {
    1: ("SELECT id, place, state, user, text, targets, role, source, created_s, message_id FROM requests LIMIT 1",),
    2: (
        "SELECT priority, amount, settled FROM requests LIMIT 1",
        "SELECT request, voter FROM votes LIMIT 1",
        "SELECT name, value FROM rules LIMIT 1",
        "SELECT kind, value, blocked FROM blocks LIMIT 1",
    ),
    3: (),
    4: ("SELECT aired_s FROM requests LIMIT 1",),
}
"""Queries that work with an intact file of each version, besides those of the versions before."""
TABLES = ("requests", "votes", "rules", "blocks")


class QueueError(ZoomdreamError):
    """The queue's file cannot be used or written, or the config of the queue is invalid."""


class DamagedFile(Exception):
    """The file is damaged."""


def check_file(connection: sqlite3.Connection, name: str) -> int:
    """Check whether a file is intact; returns its version, 0 if it is new.

    Args:
        name: its name in messages.

    Raises:
        QueueError: it belongs to another program or a newer version.
        DamagedFile: it is damaged.
        sqlite3.OperationalError: it cannot be read now.
    """
    version: int
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise QueueError(f"{name} was made by a newer zoomdream (version {version}, this one knows {VERSION})")
    if version == 0:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
            raise QueueError(f"{name} belongs to another program; set another queue.path")
        return 0
    for known in range(1, version + 1):
        for probe in _PROBES[known]:
            try:
                connection.execute(probe)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                    raise
                raise DamagedFile(str(error)) from error  # a table or a column is missing
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise DamagedFile(" ".join(str(verdict).split()))
    return version


def bring_up_to_date(connection: sqlite3.Connection, version: int) -> None:
    """Migrate a file from the version that ``check_file`` returned to this program's, in one transaction.

    Raises:
        DamagedFile: it fails, because the file does not have the schema of its version.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        if version == 0:
            _run(connection, _SCHEMA)
            version = 1
        for older in range(version, VERSION):
            _run(connection, _MIGRATIONS[older])
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        connection.rollback()
        raise DamagedFile(str(error)) from error


def salvage(broken: sqlite3.Connection, into: sqlite3.Connection) -> int:
    """Copy what can be read from a damaged file into an empty one of this version; returns how many requests wait in it.

    Each table is read from both ends, to get the rows on both sides of a damaged page.
    """
    for table in TABLES:
        try:
            there = {row[1] for row in broken.execute(f"PRAGMA table_info({table})")}
            columns = [row[1] for row in into.execute(f"PRAGMA table_info({table})") if row[1] in there]
            keys = ", ".join(row[1] for row in into.execute(f"PRAGMA table_info({table})") if row[5])
        except sqlite3.DatabaseError:
            continue
        if not columns:
            continue
        names, places = ", ".join(columns), ", ".join("?" * len(columns))
        for way in ("ASC", "DESC"):
            order = ", ".join(f"{key} {way}" for key in keys.split(", "))
            try:
                for row in broken.execute(f"SELECT {names} FROM {table} NOT INDEXED ORDER BY {order}"):
                    with suppress(sqlite3.Error):  # a value of the wrong kind
                        into.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})", row)
            except (sqlite3.Error, UnicodeDecodeError):  # the rows before the damage are copied
                continue
    count: int
    (count,) = into.execute("SELECT count(*) FROM requests WHERE state IN ('queued', 'on_air')").fetchone()
    return count


def _run(connection: sqlite3.Connection, statements: str) -> None:
    """Execute statements within the current transaction, which ``executescript`` would end."""
    for statement in filter(str.strip, statements.split(";")):
        connection.execute(statement)
