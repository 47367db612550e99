"""The current poll: its choices, its votes and its end. Independent of the queue.

Polls are kept in memory only: when the program ends, the poll ends without a winner.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from secrets import token_hex

from streamer.messages.refused import Reason, Refused
from streamer.messages.viewer_polls import LEAST_CHOICES, MOST_CHOICES, Poll, PollChoice, PollState
from streamer.requests.vote_counts import PollTally

SHOWN_S = 8.0
"""Seconds for which a poll that has ended is still shown."""
_FIRM = re.compile(r"\s*[/|]\s*")
_LOOSE = re.compile(r"\s*[,;]\s*|\s+(?:or|vs\.?)\s+", re.IGNORECASE)
"""Separates choices if nothing firmer does."""


def split(text: str) -> tuple[str, ...]:
    """Return the choices in a line: ``fox / pizza / castle``, or separated by commas or ``or`` if there is no slash.

    Raises:
        Refused: ``BAD_INPUT``, too few or too many.
    """
    parts = _FIRM.split(text)
    if len(parts) < LEAST_CHOICES:
        parts = _LOOSE.split(text)
    named = tuple(part.strip() for part in parts if part.strip())
    if not LEAST_CHOICES <= len(named) <= MOST_CHOICES:
        raise Refused(
            Reason.BAD_INPUT,
            f"a poll has {LEAST_CHOICES} to {MOST_CHOICES} choices with / between them, for example: goldfish / pizza / lion",
        )
    return named


class CurrentPoll:
    """The poll that is open, or the last one. Not thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._poll: Poll | None = None
        self._tally = PollTally(LEAST_CHOICES)
        self._end_s = self._ended_s = 0.0

    @property
    def open(self) -> bool:
        """Whether a poll takes votes."""
        return self._poll is not None and self._poll.state is PollState.OPEN

    @property
    def due(self) -> bool:
        """Whether an open poll's time is over."""
        return self.open and self._clock() >= self._end_s

    @property
    def now(self) -> Poll | None:
        """The poll that is open or ended within SHOWN_S; None if there is none."""
        poll = self._poll
        if poll is None or (poll.state is not PollState.OPEN and self._clock() - self._ended_s >= SHOWN_S):
            return None
        counts = self._tally.counts
        choices = tuple(replace(choice, votes=counts[choice.number - 1]) for choice in poll.choices)
        left_s = max(0.0, self._end_s - self._clock()) if poll.state is PollState.OPEN else 0.0
        return replace(poll, choices=choices, left_s=left_s)

    def begin(self, choices: Sequence[PollChoice], length_s: float, user: str) -> None:
        """Open a poll.

        Args:
            user: who opens it; empty for the stream itself.

        Raises:
            Refused: ``DUPLICATE``, a poll is open.
        """
        if self.open:
            raise Refused(Reason.DUPLICATE, "a poll is open already; end it first")
        self._tally = PollTally(len(choices))
        self._poll = Poll(token_hex(6), tuple(choices), PollState.OPEN, length_s, length_s, user)
        self._end_s = self._clock() + length_s

    def must_be_open(self, poll_id: str | None = None) -> Poll:
        """Return the open poll.

        Args:
            poll_id: the poll that is meant; None for any.

        Raises:
            Refused: ``NOT_FOUND``, it is over, or there is none.
        """
        poll = self._poll
        if poll is None or not self.open or self.due or poll_id not in (None, poll.id):
            raise Refused(Reason.NOT_FOUND, "there is no poll to vote in" if poll_id is None else "that poll is over")
        return poll

    def cast(self, voter: str, number: int) -> bool:
        """Count a vote, which replaces the voter's last one; returns whether it counts."""
        poll = self._poll
        return poll is not None and 1 <= number <= len(poll.choices) and self._tally.cast(voter, number - 1)

    def count(self, source: str, counts: Sequence[int]) -> None:
        """Set the totals of votes that are cast elsewhere; single votes from the same source are dropped.

        Args:
            counts: one for each choice.

        Raises:
            Refused: ``BAD_INPUT``, another number of them.
        """
        poll = self._poll
        assert poll is not None, "asked only while one is open"
        if len(counts) != len(poll.choices):
            raise Refused(Reason.BAD_INPUT, f"counts: the poll has {len(poll.choices)} choices, not {len(counts)}")
        if poll.outside != source:
            self._tally.forget(f"{source}:")
            self._poll = replace(poll, outside=source)
        self._tally.count(source, counts)

    def end(self, *, cancelled: bool = False) -> PollChoice | None:
        """End the poll; returns the winner, None if the poll is cancelled or nobody voted."""
        poll = self._poll
        assert poll is not None, "asked only while one is open"
        leaders = () if cancelled else self._tally.leaders
        self._ended_s = self._clock()
        state = PollState.CANCELLED if cancelled else PollState.DECIDED
        winner = leaders[0] + 1 if leaders else None
        self._poll = replace(poll, state=state, left_s=0.0, winner=winner, tied=len(leaders) > 1)
        return poll.choices[leaders[0]] if leaders else None
