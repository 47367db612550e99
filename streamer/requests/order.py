"""Sorts the queue. Pure functions of the waiting requests and the rules.

Requests that a moderator has moved come first, in that order. Then come paid ones; then, if ``fair`` is set, viewers take
turns; then ``order`` decides.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, deque
from collections.abc import Sequence
from functools import lru_cache

from streamer.config import QueueConfig
from streamer.messages.requests import Request
from streamer.requests.blocks import comparable_name

MOST_TICKETS = 50
"""Most tickets of a request in random order; further votes add none."""

_Key = tuple[int, int, float, float, int]


@lru_cache(maxsize=20_000)
def viewer_of(user: str, source: str) -> str:
    """Return the identity of a viewer: the name, ignoring case, within its source."""
    return f"{source}:{comparable_name(user)}"


def sort_queue(waiting: Sequence[Request], rules: QueueConfig, last: str | None = None) -> tuple[Request, ...]:
    """Sort the waiting requests, next one first.

    Args:
        waiting: in order of arrival.
        last: the viewer (``viewer_of``) who had the latest turn; None for nobody.
    """
    pinned = sorted(
        (request for request in waiting if request.pinned_position is not None),
        key=lambda request: request.pinned_position or 0,
    )
    free = [request for request in waiting if request.pinned_position is None]
    keys = _preferences(free, rules)
    free.sort(key=lambda request: keys[request.id])
    if not rules.fair:
        return (*pinned, *free)
    turns = Counter(viewer_of(request.user, request.source) for request in pinned)
    if last is not None:
        turns[last] += 1
    if pinned:
        last = viewer_of(pinned[-1].user, pinned[-1].source)
    return (*pinned, *_take_turns(free, keys, turns, last))


def moved(queue: Sequence[Request], request_id: int, position: int) -> tuple[int, ...]:
    """Return the ids to pin, in order, so that a request is at ``position`` (1 is next; beyond the end is the end).

    Requests before it are pinned, too; the rules continue to sort only those after it.
    """
    (request,) = (request for request in queue if request.id == request_id)
    others = [request for request in queue if request.id != request_id]
    position = max(1, min(position, len(queue)))
    kept = sum(other.pinned_position is not None for other in others)
    ids = [other.id for other in others]
    ids.insert(position - 1, request.id)
    return tuple(ids[: max(position, kept + 1)])


def _preferences(free: Sequence[Request], rules: QueueConfig) -> dict[int, _Key]:
    """The sort key of each request: kind and amount paid, then the rules' order, then arrival."""
    keys: dict[int, _Key] = {}
    for place, request in enumerate(free):
        match rules.order:
            case "fifo":
                # Each vote is worth one place; if two get the same place, the one with more votes wins.
                first, second = float(place - request.votes), float(-request.votes)
            case "votes":
                first, second = float(-request.votes), 0.0
            case "random":
                first, second = _luck(request), 0.0
        paid = (-request.priority.rank, -request.amount) if rules.paid_first and request.priority.rank else (0, 0)
        keys[request.id] = (*paid, first, second, place)
    return keys


def _luck(request: Request) -> float:
    """The lowest of a request's tickets, 0 to 1. It depends on the request only, so positions are known in advance."""
    tickets = min(request.votes, MOST_TICKETS - 1) + 1
    drawn = (
        hashlib.blake2b(f"{request.id} {request.created_s!r} {ticket}".encode(), digest_size=8).digest()
        for ticket in range(tickets)
    )
    return min(int.from_bytes(ticket) for ticket in drawn) / 2**64


def _take_turns(free: Sequence[Request], keys: dict[int, _Key], turns: Counter[str], last: str | None) -> list[Request]:
    """Deal out turns: first to those who paid most, then to viewers with the fewest turns.

    Nobody gets two turns in a row while another viewer has paid as much.

    Args:
        free: in order of preference.
        turns: turns of each viewer so far; updated here.
    """
    own: dict[str, deque[Request]] = {}
    for request in free:
        own.setdefault(viewer_of(request.user, request.source), deque()).append(request)

    def claim(viewer: str) -> tuple[int, int, _Key, str]:
        key = keys[own[viewer][0].id]
        return key[0], turns[viewer], key, viewer

    claims = [claim(viewer) for viewer in own]
    heapq.heapify(claims)
    dealt: list[Request] = []
    while claims:
        best = heapq.heappop(claims)
        if best[3] == last and claims and claims[0][0] == best[0]:
            best = heapq.heapreplace(claims, best)
        last = best[3]
        dealt.append(own[last].popleft())
        turns[last] += 1
        if own[last]:
            heapq.heappush(claims, claim(last))
    return dealt
