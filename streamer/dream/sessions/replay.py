"""A past run dreamt again, event by event as its journal tells."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from streamer.config import Config
from streamer.dream.interface import DreamError, Dreaming
from streamer.dream.sessions.session import Session
from streamer.dream_state import DreamState
from streamer.events import DreamStarted, StepFailed
from streamer.journal_reader import RecordedRun
from streamer.journal_writer import checksum
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion

log = logging.getLogger(__name__)


class Replay:
    """Does again what was done to a dream.

    Args:
        make: Puts the dream together as the run's worker did.
        motion: How the camera moved at the start.
        config: The settings at the start; the usual ones if not given.
        sizes: Whether the canvas takes the sizes it had; else it keeps its own.
        compute_with: Has the dream compute with so many threads.
        latest: What the run went on from; None where it began by itself.
        kept: What was kept of that besides.
    """

    def __init__(
        self,
        past_run: RecordedRun,
        make: Callable[[], Dreaming],
        motion: Motion,
        config: Config | None = None,
        *,
        sizes: bool = True,
        compute_with: Callable[[int], None] = lambda threads: None,
        latest: Keyframe | None = None,
        kept: DreamState | None = None,
    ) -> None:
        self._past_run = past_run
        self._session = Session(
            make,
            motion,
            config,
            at_s=past_run.begins_ms / 1000,
            sizes=sizes,
            compute_with=compute_with,
            latest=latest,
            kept=kept,
        )
        self._keeps = frozenset(_keeps(past_run))
        self.compared = self.alike = 0
        """Keyframes whose pixels the journal knows, and those of them that came out the same."""

    def keyframes(self, from_ms: int = 0) -> Iterator[Keyframe]:
        """Dream the run again; keyframes' times are seconds since its start.

        Args:
            from_ms: what was done before this moment is passed over: the dream begins there, with what was on air.
        """
        session, begun = self._session, False
        for number, past_run in enumerate(self._past_run.keyframes):
            if past_run.at_ms < from_ms and number < len(self._past_run.keyframes) - 1:
                for event in past_run.events:
                    session.skip(event)
                continue
            if not begun and number:
                session.start_midway()
            begun = True
            for event in past_run.events:
                if isinstance(event, StepFailed):
                    log.warning("a step failed for want of memory here: from now on the pixels may differ from those shown")
                try:
                    session.apply(event)
                except DreamError as error:  # it was so when the run was live
                    log.warning("%s", error)
            if number in self._keeps:
                session.keep()
            keyframe = session.keyframe()
            if past_run.checksum is not None:
                self.compared += 1
                self.alike += checksum(keyframe) == past_run.checksum
            yield keyframe


def _keeps(past_run: RecordedRun) -> Iterator[int]:
    """The keyframes, by their place, with which a worker kept what a later one took up."""
    for number, keyframe in enumerate(past_run.keyframes):
        for event in keyframe.events:
            if isinstance(event, DreamStarted) and event.resumed and event.kept is not None:
                yield number - 1 - event.kept
