"""Counts votes: to skip the scene on air, and for the choices of a poll."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 10_000
"""Most voters counted against one scene."""
VOTERS = 100_000
"""Most voters counted in one poll; votes of further ones do not count."""


class SkipVotes:
    """Votes to skip the current scene; a new scene starts without votes. Not thread-safe."""

    def __init__(self) -> None:
        self._scene: int | None = None
        self._voters: set[str] = set()

    def cast(self, scene: int, voter: str) -> int:
        """Count a vote to skip a scene, one per voter; returns how many there are."""
        if scene != self._scene:
            self._scene, self._voters = scene, set()
        if len(self._voters) < MOST:
            self._voters.add(voter)
        return len(self._voters)


class PollTally:
    """Votes for choices, numbered from 0; each voter's last vote counts. Not thread-safe."""

    def __init__(self, choices: int) -> None:
        self._choice_of: dict[str, int] = {}
        self._counts = [0] * choices
        self._since = [0] * choices
        """Number of the change at which each choice got its present count."""
        self._changes = 0
        self._outside: dict[str, tuple[int, ...]] = {}

    @property
    def counts(self) -> tuple[int, ...]:
        """Votes of each choice."""
        return tuple(self._counts)

    @property
    def leaders(self) -> tuple[int, ...]:
        """The choices with the most votes; empty without votes.

        First the one that has had so many for the longest; if several got them in the same change, the first of these.
        """
        most = max(self._counts)
        leading = [choice for choice, count in enumerate(self._counts) if count == most and most]
        return tuple(sorted(leading, key=lambda choice: self._since[choice]))

    def cast(self, voter: str, choice: int) -> bool:
        """Count a vote, which replaces the voter's last one; returns False if there are too many voters."""
        before = self._choice_of.get(voter)
        if before is None and len(self._choice_of) >= VOTERS:
            return False
        if before != choice:
            self._changes += 1
            self._choice_of[voter] = choice
            self._add(choice, 1)
            if before is not None:
                self._add(before, -1)
        return True

    def count(self, source: str, counts: Sequence[int]) -> None:
        """Set the totals of votes that are cast elsewhere, which replace the last ones from that source.

        Args:
            counts: one for each choice.
        """
        before = self._outside.get(source, (0,) * len(self._counts))
        self._outside[source] = tuple(counts)
        self._changes += 1
        for choice, (now, then) in enumerate(zip(counts, before, strict=True)):
            if now != then:
                self._add(choice, now - then)

    def forget(self, prefix: str) -> None:
        """Drop the votes of all voters whose name starts with ``prefix``."""
        self._changes += 1
        for voter in [voter for voter in self._choice_of if voter.startswith(prefix)]:
            self._add(self._choice_of.pop(voter), -1)

    def _add(self, choice: int, votes: int) -> None:
        self._counts[choice] += votes
        self._since[choice] = self._changes
