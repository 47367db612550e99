"""The rules of the queue: who may ask for what, and what comes next. Pure functions of what waits."""

from __future__ import annotations

from collections.abc import Sequence

from streamer.config import QueueConfig
from streamer.messages import Reason, Refused, Request, Target, Waiting


def admit(waiting: Sequence[Waiting], user: str, targets: Sequence[Target], config: QueueConfig) -> None:
    """Let a request in.

    Args:
        waiting: what is in line, next one first.
        user: the cleaned name of who asks; upper and lower case are the same person.

    Raises:
        Refused: ``DUPLICATE``, the same subjects wait already; ``LIMIT``, the queue or this viewer's share of it is full, with
            ``retry_s``.
    """
    wanted = {target.wnid for target in targets}
    for entry in waiting:
        if {target.wnid for target in entry.request.targets} == wanted:
            raise Refused(
                Reason.DUPLICATE,
                f"{entry.request.title} is already waiting, {place(entry.position)} in line",
                retry_s=entry.eta_s,
            )
    own = [entry for entry in waiting if entry.request.user.casefold() == user.casefold()]
    if len(own) >= config.per_user:
        requests = "a request" if config.per_user == 1 else f"{config.per_user} requests"
        raise Refused(Reason.LIMIT, f"you have {requests} waiting already; wait until one is on air", retry_s=own[0].eta_s)
    if len(waiting) >= config.capacity:
        raise Refused(
            Reason.LIMIT, f"the queue is full with {len(waiting)} requests; try again later", retry_s=waiting[0].eta_s
        )


def next_up(waiting: Sequence[Request]) -> Request | None:
    """The request to be dreamt next: first come, first served."""
    return waiting[0] if waiting else None


def etas(count: int, until_free_s: float, hold_s: float) -> list[float]:
    """Seconds until each of ``count`` waiting requests goes on air, the picture being free in ``until_free_s``."""
    return [until_free_s + position * hold_s for position in range(count)]


def place(position: int) -> str:
    """A position in words: ``next``, ``second``, ``12th``."""
    words = {1: "next", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
    if position in words:
        return words[position]
    last = position % 10 if position % 100 not in (11, 12, 13) else 0
    return f"{position}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"
