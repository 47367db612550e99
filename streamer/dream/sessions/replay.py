"""Renders a past run again, event by event from its journal."""

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
    """Repeats the events of a past run.

    Args:
        make: Builds the dream as the run's worker did.
        motion: The camera's motion at the start.
        config: The settings at the start; the defaults if not given.
        sizes: Whether the canvas takes the recorded sizes; else it keeps its own.
        compute_with: Sets the number of threads that the dream computes with.
        latest: The keyframe that the run resumed from; None if it started a new dream.
        kept: The dream's state at that keyframe.
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
        """Keyframes whose checksum is in the journal, and those of them whose pixels are the same."""

    def keyframes(self, from_ms: int = 0) -> Iterator[Keyframe]:
        """Render the run again; the times of keyframes are seconds since its start.

        Args:
            from_ms: events before this moment are skipped: the dream starts there, with the scene that was on air.
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
                    log.warning("a step ran out of memory here: from now on the pixels may differ from those shown")
                try:
                    session.apply(event)
                except DreamError as error:  # the live run had the same error
                    log.warning("%s", error)
            if number in self._keeps:
                session.keep()
            keyframe = session.keyframe()
            if past_run.checksum is not None:
                self.compared += 1
                self.alike += checksum(keyframe) == past_run.checksum
            yield keyframe


def _keeps(past_run: RecordedRun) -> Iterator[int]:
    """Yield the indices of the keyframes whose state a later worker resumed from."""
    for number, keyframe in enumerate(past_run.keyframes):
        for event in keyframe.events:
            if isinstance(event, DreamStarted) and event.resumed and event.kept is not None:
                yield number - 1 - event.kept
