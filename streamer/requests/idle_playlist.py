"""Chooses subjects when nobody asks: random ones that go well together, or from the operator's list. Not thread-safe."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Sequence
from pathlib import Path
from random import Random

from streamer.messages.refused import Refused
from streamer.messages.scenes import Target
from streamer.requests.schema import QueueError
from streamer.requests.subjects import OPERATOR, Subjects

logger = logging.getLogger(__name__)

REMEMBERED = 12
"""Latest random subjects, which are not chosen again."""


class IdlePlaylist:
    """Chooses subjects, different ones each time if possible."""

    def __init__(self, among: Sequence[str], subjects: Subjects, random: Random) -> None:
        """Check the operator's list.

        Args:
            among: subjects in the form of ``queue.wander_among``; none: random ones.
            subjects: all subjects, of any network.

        Raises:
            QueueError: an entry cannot be understood.
        """
        self._among, self._random = tuple(among), random
        self._lately: deque[Target] = deque(maxlen=REMEMBERED)
        self._deck: list[str] = []
        """Entries not yet played in this round of the operator's list."""
        self._warned: set[str] = set()
        for text in self._among:
            try:
                match = subjects.match(text, OPERATOR, peek=True)
            except Refused as refused:
                raise QueueError(f"'queue.wander_among' holds '{text}': {refused}") from None
            if not match.exact:
                logger.info("'%s' of queue.wander_among is read as %s (%s)", text, match.title, match.note)

    def choose(self, subjects: Subjects, shown: Collection[Target]) -> tuple[Target, ...]:
        """Return the next subjects.

        Args:
            subjects: those of the network in use.
            shown: those on air, which are avoided.
        """
        if self._among and (targets := self._chosen(subjects, shown)):
            return targets
        targets = subjects.vocabulary.idle_subjects(self._random, {*shown, *self._lately})
        if set(shown).issuperset(targets):
            self._lately.clear()
            targets = subjects.vocabulary.idle_subjects(self._random, shown)
        self._lately.extend(targets)
        return targets

    def _chosen(self, subjects: Subjects, shown: Collection[Target]) -> tuple[Target, ...]:
        """Return the next entry of the operator's list that the network can dream; empty if there is none."""
        same: tuple[Target, ...] = ()
        for _ in range(2 * len(self._among)):
            if not self._deck:
                self._deck = self._random.sample(self._among, len(self._among))
            text = self._deck.pop()
            try:
                targets = subjects.match(text, OPERATOR).targets
            except Refused as refused:
                self._warn(text, str(refused))
                continue
            if lost := [target.guide for target in targets if target.guide and not Path(target.guide).expanduser().is_file()]:
                self._warn(text, f"there is no picture '{lost[0]}'")
                continue
            if set(targets) != set(shown):
                return targets
            same = targets
            if self._deck:  # play it after something else
                self._deck.insert(0, text)
        return same

    def _warn(self, text: str, why: str) -> None:
        """Warn once about an entry, although it is tried in every round."""
        if text not in self._warned:
            logger.warning("left out '%s' of queue.wander_among: %s", text, why)
            self._warned.add(text)
