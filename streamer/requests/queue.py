"""The durable queue of requests.

Waiting requests are also in memory, where they are read; a request is accepted only after it has been written to the file.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import platformdirs

from shared.role import Role
from streamer.messages.refused import Reason, Refused
from streamer.messages.requests import Priority, Request, RequestState
from streamer.messages.scenes import Target
from streamer.requests.rows import COLUMNS, packed_targets, request_of
from streamer.requests.schema import QueueError as QueueError
from streamer.requests.store import Store

logger = logging.getLogger(__name__)

MAX_VOTES = 10_000
"""Most votes counted for a request."""
KEPT = 10_000
"""Finished requests kept to recognise messages delivered twice; older ones are deleted."""
AIRED_S = 5.0
"""Interval at which time on air is written: after a crash, a request gets at most this much extra time."""


class DuplicateMessage(Exception):
    """The message was delivered before."""

    def __init__(self, request_id: int) -> None:
        super().__init__(f"message already taken as request {request_id}")
        self.request_id = request_id


def default_path() -> Path:
    """Return the default path of the queue's file, in the user's state folder."""
    return Path(platformdirs.user_state_dir("zoomdream", appauthor=False)) / "queue.sqlite3"


class RequestQueue:
    """Requests and their states. Thread-safe. ``order`` decides which comes next."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        """Open or create the file; the request that was on air at the last run waits again, in front.

        A damaged file is renamed, with a warning. If the file cannot be written, requests are kept in memory until it can;
        ``trouble`` says so.

        Args:
            path: the SQLite file; None keeps requests in memory only.
            clock: gives Unix time.

        Raises:
            QueueError: another process uses the file, or it belongs to another program or a newer version.
        """
        self._clock = clock
        self.store = Store(path, clock)
        """The file; it also has the rules."""
        self._lock = self.store.lock
        self._waiting: dict[int, Request] = {}
        """In order of arrival."""
        self._on_air: dict[int, Request] = {}
        self._noted_s: dict[int, float] = {}
        """Time on air of each, as last written."""
        self._voters: dict[int, set[str]] = {}
        self._sorted: tuple[Request, ...] | None = None
        self._load()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def trouble(self) -> str:
        """Why what happens is not on disk, in one line; empty when it is."""
        return self.store.trouble

    def retry_writes(self) -> None:
        """Write what could not be written before, if that works now; call it every few seconds."""
        self.store.retry_writes()

    def add(
        self,
        user: str,
        text: str,
        targets: Sequence[Target],
        *,
        role: Role = Role.EVERYONE,
        source: str = "web",
        message_id: str | None = None,
        priority: Priority = Priority.NONE,
        amount: int = 0,
    ) -> Request:
        """Add a request at the end; it is on disk when this returns, unless there never was a file.

        Raises:
            DuplicateMessage: a request with this message id was accepted before, whatever its state.
            QueueError: it cannot be written.
        """
        created_s = self._clock()
        packed = packed_targets(targets)
        values = (RequestState.QUEUED, user, text, packed, role, source, created_s, message_id, priority, amount)
        with self._lock:
            try:
                with self.store.transaction() as transaction:
                    if message_id is not None:
                        known = transaction.execute("SELECT id FROM requests WHERE message_id = ?", (message_id,)).fetchone()
                        if known:
                            raise DuplicateMessage(known[0])
                    inserted = transaction.execute(
                        "INSERT INTO requests"
                        " (place, state, user, text, targets, role, source, created_s, message_id, priority, amount)"
                        " VALUES ((SELECT coalesce(max(place), 0) + 1 FROM requests), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        values,
                    )
                    number = inserted.lastrowid
            except sqlite3.Error as error:
                raise QueueError(f"{self.store.name}: the request cannot be kept: {error}") from error
            assert number is not None
            request = Request(
                number,
                user,
                text,
                tuple(targets),
                role,
                source,
                created_s,
                message_id=message_id,
                priority=priority,
                amount=amount,
            )
            self._waiting[number] = request
            self._sorted = None
            return request

    def waiting(self) -> tuple[Request, ...]:
        """Return the waiting requests: first those that a moderator has moved, then the others in order of arrival.

        The tuple is the same object until something changes.
        """
        with self._lock:
            if self._sorted is None:
                pinned = [request for request in self._waiting.values() if request.pinned_position is not None]
                pinned.sort(key=lambda request: request.pinned_position or 0)
                self._sorted = (*pinned, *(request for request in self._waiting.values() if request.pinned_position is None))
            return self._sorted

    def find(self, request_id: int) -> Request:
        """Return a request, whatever its state.

        Raises:
            Refused: ``NOT_FOUND``, there never was such a request, or it has been deleted.
            QueueError: the file cannot be read.
        """
        with self._lock:
            if (known := self._waiting.get(request_id) or self._on_air.get(request_id)) is not None:
                return known
            try:
                row = self.store.connection.execute(f"SELECT {COLUMNS} FROM requests WHERE id = ?", (request_id,)).fetchone()
            except sqlite3.Error as error:
                raise QueueError(f"{self.store.name} cannot be read: {error}") from error
        found = self._read(row) if row else None
        if found is None:
            raise Refused(Reason.NOT_FOUND, f"there is no request {request_id}")
        return found

    def take(self, request_id: int) -> Request:
        """Put a waiting request on air.

        Raises:
            Refused: ``NOT_FOUND``, it does not wait.
        """
        with self._lock:
            request = self._pop(request_id)
            request = self._on_air[request_id] = replace(request, state=RequestState.ON_AIR)
            self._noted_s[request_id] = request.aired_s
            self.store.note(("UPDATE requests SET state = ? WHERE id = ?", (RequestState.ON_AIR, request_id)))
            return request

    def put_back(self, request_id: int) -> None:
        """Put a request on air back at the front of the queue; does nothing if it is not on air."""
        with self._lock:
            if (request := self._on_air.pop(request_id, None)) is not None:
                self._noted_s.pop(request_id, None)
                front = (
                    min(
                        (waiting.pinned_position for waiting in self._waiting.values() if waiting.pinned_position is not None),
                        default=1,
                    )
                    - 1
                )
                votes = self.store.connection.execute("SELECT voter FROM votes WHERE request = ?", (request_id,))
                self._voters[request_id] = {voter for (voter,) in votes}
                self._put(replace(request, state=RequestState.QUEUED, pinned_position=front))
                self.store.note(
                    (
                        "UPDATE requests SET state = ?, settled = ?, aired_s = ? WHERE id = ?",
                        (RequestState.QUEUED, front, request.aired_s, request_id),
                    )
                )

    def aired(self, request_id: int, seconds: float) -> None:
        """Note how long a request on air has been shown in total; a restart continues from there."""
        with self._lock:
            if (request := self._on_air.get(request_id)) is not None:
                self._on_air[request_id] = replace(request, aired_s=seconds)
                if abs(seconds - self._noted_s.get(request_id, 0.0)) >= AIRED_S:
                    self._note_aired(request_id)

    def finish(self, request_id: int, *, shown: bool = True) -> None:
        """End a request on air for good; does nothing if it is not on air.

        Args:
            shown: whether it has been shown; otherwise it counts as removed.
        """
        with self._lock:
            if self._on_air.pop(request_id, None) is not None:
                self._noted_s.pop(request_id, None)
                state = RequestState.DONE if shown else RequestState.REMOVED
                self.store.note(
                    ("UPDATE requests SET state = ? WHERE id = ?", (state, request_id)),
                    (
                        "DELETE FROM requests WHERE id <= ? AND state IN (?, ?)",
                        (request_id - KEPT, RequestState.DONE, RequestState.REMOVED),
                    ),
                    # Not by id: a request that still waits may be older than the finished one.
                    (
                        "DELETE FROM votes WHERE request NOT IN (SELECT id FROM requests WHERE state IN (?, ?))",
                        (RequestState.QUEUED, RequestState.ON_AIR),
                    ),
                )

    def remove(self, request_id: int) -> Request:
        """Remove a waiting request.

        Raises:
            Refused: ``NOT_FOUND``, it does not wait.
        """
        with self._lock:
            request = replace(self._pop(request_id), state=RequestState.REMOVED)
            self.store.note(("UPDATE requests SET state = ? WHERE id = ?", (RequestState.REMOVED, request_id)))
            return request

    def clear(self) -> int:
        """Remove all waiting requests; returns how many there were."""
        with self._lock:
            count = len(self._waiting)
            self._waiting.clear()
            self._voters.clear()
            self._sorted = None
            self.store.note(
                ("UPDATE requests SET state = ? WHERE state = ?", (RequestState.REMOVED, RequestState.QUEUED)),
            )
            return count

    def vote(self, request_id: int, voter: str) -> bool:
        """Count a vote for a waiting request; returns False if it does not count, because ``voter`` has voted already.

        Raises:
            Refused: ``NOT_FOUND``, it does not wait.
        """
        with self._lock:
            request = self._get(request_id)
            voters = self._voters.setdefault(request_id, set())
            if voter in voters or len(voters) >= MAX_VOTES:
                return False
            voters.add(voter)
            self._put(replace(request, votes=len(voters)))
            self.store.note(("INSERT OR IGNORE INTO votes VALUES (?, ?)", (request_id, voter)))
            return True

    def raise_priority(self, request_id: int, priority: Priority, amount: int) -> None:
        """Raise the priority of a waiting request; amounts of the same kind add up.

        Raises:
            Refused: ``NOT_FOUND``, it does not wait.
        """
        with self._lock:
            request = self._get(request_id)
            if priority.rank < request.priority.rank:
                return
            total = amount + request.amount if priority is request.priority else amount
            self._put(replace(request, priority=priority, amount=total))
            self.store.note(
                ("UPDATE requests SET priority = ?, amount = ? WHERE id = ?", (priority, total, request_id)),
            )

    def pin(self, request_ids: Sequence[int]) -> None:
        """Pin requests in this order, before all others, until they have been shown.

        Raises:
            Refused: ``NOT_FOUND``, one of them does not wait.
        """
        with self._lock:
            for request_id in request_ids:
                self._get(request_id)
            for place, request_id in enumerate(request_ids, 1):
                self._put(replace(self._waiting[request_id], pinned_position=place))
            self.store.note(
                *(
                    ("UPDATE requests SET settled = ? WHERE id = ?", (place, request_id))
                    for place, request_id in enumerate(request_ids, 1)
                ),
            )

    def close(self) -> None:
        """Close the file; a second call does nothing. A request on air waits at the next start, for the rest of its time."""
        with self._lock:
            if not self.store.closed:
                for request_id in self._on_air:
                    self._note_aired(request_id)
            self.store.close()

    def _note_aired(self, request_id: int) -> None:
        seconds = self._on_air[request_id].aired_s
        if seconds != self._noted_s.get(request_id):
            self._noted_s[request_id] = seconds
            self.store.note(("UPDATE requests SET aired_s = ? WHERE id = ?", (seconds, request_id)))

    def _get(self, request_id: int) -> Request:
        try:
            return self._waiting[request_id]
        except KeyError:
            raise Refused(Reason.NOT_FOUND, f"request {request_id} is not waiting") from None

    def _put(self, request: Request) -> None:
        self._waiting[request.id] = request
        self._sorted = None

    def _pop(self, request_id: int) -> Request:
        request = self._get(request_id)
        del self._waiting[request_id]
        self._voters.pop(request_id, None)
        self._sorted = None
        return request

    def _read(self, row: tuple[Any, ...]) -> Request | None:
        """Convert a row of the file to a request; None, with a warning, if it is invalid."""
        try:
            return request_of(row)
        except (ValueError, TypeError) as error:
            logger.warning("%s: request %s cannot be read and is left out: %s", self.store.name, row[0], error)
            return None

    def _load(self) -> None:
        """Read the waiting requests; the one that was on air goes in front."""
        self.store.note(
            (
                "UPDATE requests SET state = ?, settled = (SELECT coalesce(min(settled), 1) - 1 FROM requests WHERE state = ?)"
                " WHERE state = ?",
                (RequestState.QUEUED, RequestState.QUEUED, RequestState.ON_AIR),
            )
        )
        with self._lock:
            rows = self.store.connection.execute(
                f"SELECT {COLUMNS} FROM requests WHERE state = ? ORDER BY place, id", (RequestState.QUEUED,)
            ).fetchall()
            votes = self.store.connection.execute("SELECT request, voter FROM votes").fetchall()
        for request_id, voter in votes:
            self._voters.setdefault(request_id, set()).add(voter)
        for row in rows:
            if (request := self._read(row)) is not None:
                self._waiting[request.id] = replace(request, votes=len(self._voters.get(request.id, ())))
        self._voters = {number: voters for number, voters in self._voters.items() if number in self._waiting}
        if self._waiting:
            logger.info("%s: %d requests are still waiting from the last run", self.store.name, len(self._waiting))
