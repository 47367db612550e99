"""Runs polls against the queue: what may be chosen, who may vote, and how the winner becomes a request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from shared.clean import LINE_GRAPHEMES, clean, clean_name, clean_text
from shared.role import Role
from streamer.messages.refused import Reason, Refused
from streamer.messages.scenes import Target
from streamer.messages.viewer_polls import Poll, PollChoice, PollVote
from streamer.requests import order, policy
from streamer.requests.audience import Audience
from streamer.requests.current_poll import SHOWN_S, CurrentPoll, split
from streamer.requests.queue import RequestQueue
from streamer.requests.rules import ActiveRules, Rulebook
from streamer.requests.scheduler import SceneScheduler
from streamer.requests.schema import QueueError
from streamer.requests.subjects import rights_of

logger = logging.getLogger(__name__)

ASKER, SOURCE = "the poll", "poll"
"""User and source of the winner's request."""
SHORTEST_S, LONGEST_S = 5.0, 1800.0
"""Limits of a poll's length in seconds."""


class PollRunner:
    """Opens polls, counts votes, and requests the winner. Not thread-safe: the director holds a lock."""

    def __init__(
        self, queue: RequestQueue, rulebook: Rulebook, scheduler: SceneScheduler, audience: Audience, clock: Callable[[], float]
    ) -> None:
        self._queue, self._rulebook, self._scheduler, self._audience, self._clock = queue, rulebook, scheduler, audience, clock
        self._polls = CurrentPoll(clock)
        self._rests_until_s = clock()
        """When the next poll may start by itself."""

    @property
    def now(self) -> Poll | None:
        """The poll that is open or ended a few seconds ago; None if there is none."""
        return self._polls.now

    def tick(self) -> None:
        """End the poll when its time is over; start one when nobody asks, if ``queue.wander`` is ``poll``."""
        if self._polls.due:
            self._conclude()
        if self._wants_poll():
            choices = [_choice(number, targets) for number, targets in enumerate(self._candidates(), 1)]
            if len(choices) > 1:
                self._begin(choices, self._rules.config.poll_s, "")
            else:  # nothing to choose from: try again later
                self._rests_until_s = self._clock() + self._rules.config.wander_s
        poll = self._polls.now
        alone = poll is not None and not poll.user and not self._queue.waiting()
        self._scheduler.poll_decides_next = self._polls.open and alone

    def begin(self, user: str, text: str, seconds: float | None, role: Role) -> Poll:
        """Open a poll for a moderator.

        Args:
            text: ``fox / pizza / castle``, as it came.
            seconds: how long it is open; None: ``poll_s``.

        Raises:
            Refused: for a choice that could not be requested; ``BAD_INPUT``, too few or too many choices, one twice, or a
                length outside the limits; ``DUPLICATE``, a poll is open.
        """
        user = clean_name(user) or "a moderator"
        length_s = self._rules.config.poll_s if seconds is None else seconds
        if not SHORTEST_S <= length_s <= LONGEST_S:
            raise Refused(Reason.BAD_INPUT, f"a poll is open for {SHORTEST_S:.0f} to {LONGEST_S:.0f} s, not {length_s:g}")
        choices: list[PollChoice] = []
        for number, said in enumerate(split(clean(text, LINE_GRAPHEMES)), 1):
            match = self._scheduler.subjects.match(said, rights_of(role))
            policy.refuse_blocked(policy.DraftRequest(user, clean_text(said), match.targets, role), self._rules.blocks)
            if any(set(match.targets) == set(other.targets) for other in choices):
                raise Refused(Reason.BAD_INPUT, f"{match.title} is in it twice; the choices of a poll must differ")
            choices.append(_choice(number, match.targets, clean_text(said)))
        self._begin(choices, length_s, user)
        poll = self._polls.now
        assert poll is not None, "it has just begun"
        return poll

    def vote(self, votes: Sequence[PollVote], source: str, poll_id: str | None) -> tuple[Poll, int]:
        """Count votes; each viewer's last one counts. Returns the poll, and how many of the votes count.

        Args:
            poll_id: the poll that they are for; None for the open one.

        Raises:
            Refused: ``NOT_FOUND``, that poll is over.
        """
        self._polls.must_be_open(poll_id)
        blocks = self._rules.blocks
        counted = 0
        for vote in votes:
            name = clean_name(vote.user)
            if not name or blocks.blocks_user(name):
                continue
            viewer = order.viewer_of(name, source)
            if self._polls.cast(viewer, vote.choice):
                self._audience.note_activity(viewer)
                counted += 1
        poll = self._polls.now
        assert poll is not None, "it is open"
        return poll, counted

    def count(self, source: str, counts: Sequence[int], poll_id: str) -> Poll:
        """Set the totals of votes that are cast elsewhere.

        Raises:
            Refused: ``NOT_FOUND``, that poll is over; ``BAD_INPUT``, another number of choices.
        """
        self._polls.must_be_open(poll_id)
        self._polls.count(source, counts)
        poll = self._polls.now
        assert poll is not None, "it is open"
        return poll

    def end(self, *, cancelled: bool) -> Poll:
        """End the poll now.

        Raises:
            Refused: ``NOT_FOUND``, none is open.
        """
        if not self._polls.open:
            raise Refused(Reason.NOT_FOUND, "there is no poll to end")
        self._conclude(cancelled=cancelled)
        poll = self._polls.now
        assert poll is not None, "it has just ended"
        return poll

    def apply_blocks(self) -> None:
        """Cancel the poll if one of its choices has been blocked."""
        poll, blocks = self._polls.now, self._rules.blocks
        if poll is None or not self._polls.open:
            return
        if any(blocks.blocks(poll.user, " ".join(choice.names), choice.targets) for choice in poll.choices):
            logger.info("a choice of the poll is blocked now; the poll is cancelled")
            self._conclude(cancelled=True)

    @property
    def _rules(self) -> ActiveRules:
        return self._rulebook.now

    def _begin(self, choices: Sequence[PollChoice], length_s: float, user: str) -> None:
        self._polls.begin(choices, length_s, user)
        logger.info("a poll for %.0f s: %s", length_s, " / ".join(choice.title for choice in choices))

    def _wants_poll(self) -> bool:
        """Whether a poll should start by itself."""
        return (
            self._rules.config.wander == "poll"
            and not self._polls.open
            and self._clock() >= self._rests_until_s
            and self._scheduler.scene is not None
            and self._scheduler.request is None
            and not self._scheduler.paused
            and not self._queue.waiting()
        )

    def _candidates(self) -> Sequence[tuple[Target, ...]]:
        blocks = self._rules.blocks
        found = self._scheduler.candidates(self._rules.config.poll_choices)
        return [targets for targets in found if not blocks.blocks("", "", targets)]

    def _conclude(self, *, cancelled: bool = False) -> None:
        """End the poll and request the winner: next in line if a moderator opened the poll, else like a viewer's request."""
        poll = self._polls.now
        assert poll is not None, "asked only while one is open"
        winner = self._polls.end(cancelled=cancelled)
        config = self._rules.config
        self._rests_until_s = self._clock() + (SHOWN_S if winner or poll.user else max(SHOWN_S, config.wander_s))
        if winner is None:
            logger.info("the poll %s", "is cancelled" if cancelled else "ended without a vote")
            return
        votes = next(choice.votes for choice in poll.choices if choice.number == winner.number)
        logger.info("the poll's winner is %s with %d of %d votes", winner.title, votes, poll.votes)
        duplicate = policy.find_duplicate(policy.DraftRequest(ASKER, winner.title, winner.targets), self._scheduler.waiting())
        try:
            number = (
                duplicate.request.id if duplicate else self._queue.add(ASKER, winner.title, winner.targets, source=SOURCE).id
            )
        except QueueError as error:
            logger.error("the poll's winner cannot be requested: %s", error)
            return
        if poll.user:
            self._queue.pin(order.moved(self._scheduler.ordered(), number, 1))


def _choice(number: int, targets: tuple[Target, ...], said: str = "") -> PollChoice:
    title = " + ".join(target.label for target in targets)
    return PollChoice(number, title, targets, tuple(dict.fromkeys(filter(None, (title, said)))))
