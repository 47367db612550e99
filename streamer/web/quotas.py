"""Quotas in total and per client: for streams, for waiting requests, and for voters in a poll."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from aiohttp import web

from streamer.messages.refused import Reason
from streamer.web.errors import ApiError
from streamer.web.refusal_counter import RefusalCounter
from streamer.web.token_buckets import REMEMBERED, allowance_factor, client_key


class StreamQuota:
    """Limits the open streams of one kind. Belongs to one thread.

    Args:
        what: name of the streams in messages, in the plural.
        most: how many there may be.
        share: returns how many of them a client may have.
    """

    def __init__(self, what: str, most: int, share: Callable[[str], int], refused: RefusalCounter) -> None:
        self._what, self._most, self._share, self._refused = what, most, share, refused
        self._taken: Counter[str] = Counter()

    @contextmanager
    def hold(self, request: web.Request) -> Iterator[None]:
        """Hold a place while a stream is open.

        Raises:
            ApiError: 503 if all are taken, 429 if this address has its share.
        """
        key = client_key(request.remote or "")
        if self._taken.total() >= self._most:
            self._refused(self._what, key)
            raise ApiError(503, "full", f"too many {self._what} at once", retry_s=10.0)
        if self._taken[key] >= self._share(key):
            self._refused(self._what, key)
            raise ApiError(429, "too_many", f"too many {self._what} from one address at once", retry_s=10.0)
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]


class WaitingQuota:
    """Limits the waiting requests per client. Belongs to one thread.

    Args:
        each: how many requests of one client may wait.
    """

    def __init__(self, each: int, refused: RefusalCounter) -> None:
        self._each, self._refused = each, refused
        self._asked: OrderedDict[str, list[int]] = OrderedDict()

    def require_room(self, address: str, waiting: Collection[int]) -> None:
        """Check whether one more request from an address may wait.

        Args:
            waiting: ids of all waiting requests.

        Raises:
            ApiError: 429 if not.
        """
        key = client_key(address)
        mine = [number for number in self._asked.pop(key, ()) if number in waiting]
        if mine:
            self._asked[key] = mine
        if len(mine) >= self._each * allowance_factor(key):
            self._refused("requests", key)
            raise ApiError(429, Reason.LIMIT.value, f"{len(mine)} requests from your address are waiting already", retry_s=30.0)

    def add(self, address: str, number: int) -> None:
        """Count a request from an address."""
        self._asked.setdefault(client_key(address), []).append(number)
        self._asked.move_to_end(client_key(address))
        if len(self._asked) > REMEMBERED:
            self._asked.popitem(last=False)


class VoterQuota:
    """Limits the names under which a client votes in a poll. Belongs to one thread.

    Args:
        each: how many names a client may use.
    """

    def __init__(self, each: int, refused: RefusalCounter) -> None:
        self._each, self._refused = each, refused
        self._poll = ""
        self._names: OrderedDict[str, set[str]] = OrderedDict()

    def admit(self, address: str, poll: str, name: str) -> None:
        """Let an address vote under a name.

        Args:
            poll: id of the poll; a new one starts without names.

        Raises:
            ApiError: 429 for one name too many.
        """
        if poll != self._poll:
            self._poll = poll
            self._names.clear()
        key = client_key(address)
        names = self._names.setdefault(key, set())
        self._names.move_to_end(key)
        if len(self._names) > REMEMBERED:
            self._names.popitem(last=False)
        if name not in names and len(names) >= self._each * allowance_factor(key):
            self._refused("votes", key)
            raise ApiError(429, Reason.LIMIT.value, f"{len(names)} viewers from your address have voted already")
        names.add(name)
