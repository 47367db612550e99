"""What to dream when nobody asks: whatever goes well together, or what the operator chose. Not thread-safe."""

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
"""Subjects of the latest wanderings that are not wandered to again."""


class IdlePlaylist:
    """Chooses subjects, differently each time as far as there is a choice."""

    def __init__(self, among: Sequence[str], subjects: Subjects, random: Random) -> None:
        """Take in the operator's choice.

        Args:
            among: subjects as ``queue.wander_among`` has them; none: anything.
            subjects: what there could be with any network.

        Raises:
            QueueError: one of them means nothing.
        """
        self._among, self._random = tuple(among), random
        self._lately: deque[Target] = deque(maxlen=REMEMBERED)
        self._deck: list[str] = []
        """What is still to come before the operator's choice is gone through once more."""
        self._warned: set[str] = set()
        for text in self._among:
            try:
                match = subjects.match(text, OPERATOR, peek=True)
            except Refused as refused:
                raise QueueError(f"'queue.wander_among' holds '{text}': {refused}") from None
            if not match.exact:
                logger.info("'%s' of queue.wander_among is read as %s (%s)", text, match.title, match.note)

    def choose(self, subjects: Subjects, shown: Collection[Target]) -> tuple[Target, ...]:
        """What to dream next.

        Args:
            subjects: what there is with the network in use.
            shown: what is on air; it is avoided.
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
        """The next of the operator's choice that the network can dream; empty if it can dream none of it."""
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
            if self._deck:  # its turn comes when something else was shown
                self._deck.insert(0, text)
        return same

    def _warn(self, text: str, why: str) -> None:
        """Once for each subject: it is tried again every time."""
        if text not in self._warned:
            logger.warning("left out '%s' of queue.wander_among: %s", text, why)
            self._warned.add(text)
