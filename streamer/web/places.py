"""Places that visitors hold for a while, some in all and some for an address: as streams, in the line, in a poll."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from aiohttp import web

from streamer.messages import Reason
from streamer.web.allowances import REMEMBERED, factor_of, payer
from streamer.web.errors import ApiError
from streamer.web.refusals import Refusals


class Places:
    """Places for streams of a kind. Belongs to one thread.

    Args:
        what: the streams are, in the plural.
        most: how many there may be.
        share: how many of them a payer may have.
    """

    def __init__(self, what: str, most: int, share: Callable[[str], int], refused: Refusals) -> None:
        self._what, self._most, self._share, self._refused = what, most, share, refused
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, request: web.Request) -> Iterator[None]:
        """Hold a place.

        Raises:
            ApiError: 503 if all are taken, 429 if this address has its share.
        """
        key = payer(request.remote or "")
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


class Line:
    """Who asked for what waits. Belongs to one thread.

    Args:
        each: how many requests of one address may wait.
    """

    def __init__(self, each: int, refused: Refusals) -> None:
        self._each, self._refused = each, refused
        self._asked: OrderedDict[str, list[int]] = OrderedDict()

    def has_room(self, address: str, waiting: Collection[int]) -> None:
        """See whether one more request of an address may wait.

        Args:
            waiting: all that do, by id.

        Raises:
            ApiError: 429 if not.
        """
        key = payer(address)
        mine = [number for number in self._asked.pop(key, ()) if number in waiting]
        if mine:
            self._asked[key] = mine
        if len(mine) >= self._each * factor_of(key):
            self._refused("requests", key)
            raise ApiError(429, Reason.LIMIT.value, f"{len(mine)} requests from your address are in line already", retry_s=30.0)

    def joins(self, address: str, number: int) -> None:
        """A request of that address waits."""
        self._asked.setdefault(payer(address), []).append(number)
        self._asked.move_to_end(payer(address))
        if len(self._asked) > REMEMBERED:
            self._asked.popitem(last=False)


class Voters:
    """Under which names each address votes in a poll. Belongs to one thread.

    Args:
        each: how many names an address may use.
    """

    def __init__(self, each: int, refused: Refusals) -> None:
        self._each, self._refused = each, refused
        self._poll = ""
        self._names: OrderedDict[str, set[str]] = OrderedDict()

    def admit(self, address: str, poll: str, name: str) -> None:
        """Let an address vote under a name.

        Args:
            poll: by id; a new one begins with no names.

        Raises:
            ApiError: 429 for one name too many.
        """
        if poll != self._poll:
            self._poll = poll
            self._names.clear()
        key = payer(address)
        names = self._names.setdefault(key, set())
        self._names.move_to_end(key)
        if len(self._names) > REMEMBERED:
            self._names.popitem(last=False)
        if name not in names and len(names) >= self._each * factor_of(key):
            self._refused("votes", key)
            raise ApiError(429, Reason.LIMIT.value, f"{len(names)} viewers from your address have voted already")
        names.add(name)
