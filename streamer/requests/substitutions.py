"""Who is to be told that a request is dreamt as something else than was answered: the network at work may be another by now."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from streamer.messages.requests import Request, Substitution

KEPT = 200
"""Changes that are kept for who has not asked yet; when full: the oldest are forgotten."""


class Substitutions:
    """What was answered to each request in line, and what has become of that. Not thread-safe."""

    def __init__(self) -> None:
        self._answered: dict[int, str] = {}
        """By request, the latest answer where it is not the request's own title."""
        self._kept: deque[Substitution] = deque(maxlen=KEPT)
        self._count = 0

    def note(self, request: Request, title: str) -> None:
        """A request is dreamt as ``title``, or left out where that is empty."""
        answered = self._answered.get(request.id, request.title)
        if title == answered:
            return
        self._count += 1
        self._kept.append(Substitution(self._count, request.id, request.user, request.source, answered, title))
        self._answered[request.id] = title

    def includes(self, request: Request) -> bool:
        """Whether it was ever to be dreamt as something else."""
        return request.id in self._answered

    def keep(self, request_ids: Collection[int]) -> None:
        """Forget what was answered to all others: they are over."""
        self._answered = {number: title for number, title in self._answered.items() if number in request_ids}

    def since(self, number: int, source: str) -> tuple[Substitution, ...]:
        """Changes after the one with that number, of requests from one place; the oldest first."""
        return tuple(change for change in self._kept if change.number > number and change.source == source)

    @property
    def latest(self) -> int:
        """The number of the latest change; 0 before the first."""
        return self._count
