"""Records the requests that show something else than their viewers were told, because the network has changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from streamer.messages.requests import Request, Substitution

KEPT = 200
"""Changes kept until bots have read them; when full, the oldest are dropped."""


class Substitutions:
    """The latest title that viewers were told for each request, and the changes of it. Not thread-safe."""

    def __init__(self) -> None:
        self._answered: dict[int, str] = {}
        """The latest title of each request whose title has changed, by id."""
        self._kept: deque[Substitution] = deque(maxlen=KEPT)
        self._count = 0

    def note(self, request: Request, title: str) -> None:
        """Note that a request will be shown as ``title``; empty if it is left out."""
        answered = self._answered.get(request.id, request.title)
        if title == answered:
            return
        self._count += 1
        self._kept.append(Substitution(self._count, request.id, request.user, request.source, answered, title))
        self._answered[request.id] = title

    def includes(self, request: Request) -> bool:
        """Return whether the request's title has changed."""
        return request.id in self._answered

    def keep(self, request_ids: Collection[int]) -> None:
        """Forget all other requests, which have ended."""
        self._answered = {number: title for number, title in self._answered.items() if number in request_ids}

    def since(self, number: int, source: str) -> tuple[Substitution, ...]:
        """Return the changes after change ``number`` of requests from one source, oldest first."""
        return tuple(change for change in self._kept if change.number > number and change.source == source)

    @property
    def latest(self) -> int:
        """The number of the latest change; 0 before the first."""
        return self._count
