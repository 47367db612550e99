"""Starts or resumes the work on each output of a call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from streamer.commands.resumable_work import Facts, ResumableWork, ResumeOptions, folder_of, read_saved, undecided


class WorkStarter:
    """Starts or resumes the work on the outputs of one call; all share a seed."""

    def __init__(self, facts: Facts, again: ResumeOptions, tell: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            facts: Everything the pixels depend on; ``seed`` None means any seed.
            tell: Reports to the user that work is resumed.
        """
        self.again = again
        self._facts, self._tell = dict(facts), tell
        self._seed: int | None = None
        self._lock = threading.Lock()  # several may start at the same time

    def check(self, outputs: Sequence[Path]) -> None:
        """Check, before anything is done, that no output has unfinished work, unless the call says what to do with it.

        Raises:
            CommandError: one has.
        """
        for output in outputs if not (self.again.resume or self.again.fresh) else ():
            if (saved := read_saved(folder_of(output), output)) is not None:
                raise undecided(output, saved)

    def __call__(self, output: Path) -> ResumableWork:
        """Return the work on an output; raises CommandError as ``ResumableWork`` does."""
        with self._lock:
            work = ResumableWork(output, self._facts, self.again, self._tell, seed=self._seed)
            self._seed = work.seed
        return work
