"""Admission to the queue: who may request what, and how often. Pure functions; ``order`` decides what comes next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.role import Role
from streamer.config import QueueConfig
from streamer.messages.refused import Reason, Refused, Vote
from streamer.messages.requests import Priority, Waiting
from streamer.messages.scenes import Target
from streamer.requests.blocks import Blocks
from streamer.requests.order import viewer_of

SPARE = 10
"""Places beyond the capacity, reserved for moderators and for bits, which cannot be refunded."""


@dataclass(frozen=True, slots=True)
class DraftRequest:
    """A request that has not been admitted yet."""

    user: str
    """Cleaned."""
    text: str
    """Cleaned."""
    targets: tuple[Target, ...]
    role: Role = Role.EVERYONE
    source: str = "web"
    priority: Priority = Priority.NONE
    amount: int = 0

    @property
    def title(self) -> str:
        """The understood subjects."""
        return " + ".join(target.label for target in self.targets)


@dataclass(frozen=True, slots=True)
class TimeSinceRequests:
    """Seconds since the latest requests; infinite for never."""

    anyone_s: float = math.inf
    """Since anybody's request."""
    viewer_s: float = math.inf
    """Since the viewer's own request."""


NEVER = TimeSinceRequests()


def admit(
    draft: DraftRequest, waiting: Sequence[Waiting], rules: QueueConfig, blocks: Blocks, since: TimeSinceRequests = NEVER
) -> None:
    """Check whether a request may join the queue.

    For moderators and the broadcaster, only blocks and duplicates count. Paid requests skip cooldowns; bits also skip the limit
    per viewer and, like moderators, use the spare places.

    Args:
        waiting: waiting requests, next one first.

    Raises:
        Refused: ``BLOCKED``; ``CLOSED``; ``DUPLICATE``, the same subjects are waiting already (the caller counts the vote);
            ``LIMIT``, too soon, or the queue or the viewer's share of it is full, with ``retry_s``.
    """
    refuse_blocked(draft, blocks)
    moderates = draft.role.moderates
    if not rules.open and not moderates:
        raise Refused(Reason.CLOSED, "requests are closed at the moment")
    if (duplicate := find_duplicate(draft, waiting)) is not None:
        raise Refused(Reason.DUPLICATE, f"{duplicate.request.title} is already waiting, {ordinal(duplicate.position)} in line")
    if not moderates and draft.priority is Priority.NONE:
        _keep_pace(rules, since)
    favoured = moderates or draft.priority is Priority.BITS
    if not favoured:
        share = rules.per_user + {Role.SUBSCRIBER: rules.subscriber_bonus, Role.VIP: rules.vip_bonus}.get(draft.role, 0)
        viewer = viewer_of(draft.user, draft.source)
        own = [entry for entry in waiting if viewer_of(entry.request.user, entry.request.source) == viewer]
        if len(own) >= share:
            requests = "a request" if len(own) == 1 else f"{len(own)} requests"
            raise Refused(Reason.LIMIT, f"you have {requests} waiting already", retry_s=own[0].eta_s)
    if len(waiting) >= rules.capacity + (SPARE if favoured else 0):
        requests = "a request" if len(waiting) == 1 else f"{len(waiting)} requests"
        raise Refused(Reason.LIMIT, f"the queue is full with {requests}", retry_s=waiting[0].eta_s)


def refuse_blocked(draft: DraftRequest, blocks: Blocks) -> None:
    """Refuse blocked viewers, words and classes, for every role.

    Raises:
        Refused: ``BLOCKED``; the message does not repeat the word.
    """
    if blocks.blocks_user(draft.user):
        raise Refused(Reason.BLOCKED, "requests from this name are not accepted here")
    if blocks.word_in(draft.user) is not None:
        raise Refused(Reason.BLOCKED, "that name is not shown here")
    if any(target.wnid in blocks.wnids for target in draft.targets):
        raise Refused(Reason.BLOCKED, "that is blocked here")
    if blocks.word_in(draft.text, *(target.label for target in draft.targets)) is not None:
        raise Refused(Reason.BLOCKED, "that contains a word that is blocked here")


def find_duplicate(draft: DraftRequest, waiting: Sequence[Waiting]) -> Waiting | None:
    """Return the waiting request with the same subjects, in any order; None if there is none."""
    wanted = set(map(_identity, draft.targets))
    return next((entry for entry in waiting if set(map(_identity, entry.request.targets)) == wanted), None)


def _identity(target: Target) -> Target:
    """The target without its label, which does not matter for equality."""
    return replace(target, label="")


def _keep_pace(rules: QueueConfig, since: TimeSinceRequests) -> None:
    left_s = rules.user_cooldown_s - since.viewer_s
    if left_s > 0:
        raise Refused(Reason.LIMIT, f"you asked {_ago(since.viewer_s)}", retry_s=left_s)
    left_s = rules.cooldown_s - since.anyone_s
    if left_s > 0:
        raise Refused(Reason.LIMIT, "requests are coming in fast", retry_s=left_s)


def explain_duplicate(vote: Vote, *, own: bool) -> str:
    """Return the message for a viewer whose request is waiting already."""
    where = f", {ordinal(vote.position)} in line" if vote.position is not None else ""
    if vote.counted:
        return f"{vote.title} is waiting already{where}; your vote counts for it"
    if own:
        return f"you asked for {vote.title} already{where}"
    return f"you voted for {vote.title} already{where}"


def votes_needed(rules: QueueConfig, seen: int) -> int:
    """Return the votes needed to skip a scene while ``seen`` viewers are present."""
    return max(rules.voteskip_votes, math.ceil(rules.voteskip_share * seen))


def etas(count: int, until_free_s: float, hold_s: float) -> list[float]:
    """Return the seconds until each of ``count`` waiting requests goes on air, the first in ``until_free_s``."""
    return [until_free_s + position * hold_s for position in range(count)]


def ordinal(position: int) -> str:
    """Return a position in words: ``next``, ``second``, ``12th``."""
    words = {1: "next", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
    if position in words:
        return words[position]
    last = position % 10 if position % 100 not in (11, 12, 13) else 0
    return f"{position}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"


def _ago(seconds: float) -> str:
    return "just now" if seconds < 2 else f"{seconds:.0f} s ago"
