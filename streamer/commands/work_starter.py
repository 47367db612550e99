"""The works of one call, begun or gone on with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from streamer.commands.resumable_work import Facts, ResumableWork, ResumeOptions, folder_of, read_saved, undecided


class WorkStarter:
    """Begins the work on the outputs of one call, or goes on with it; all of them have one seed."""

    def __init__(self, facts: Facts, again: ResumeOptions, tell: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            facts: What makes them what they are; where ``seed`` is None, any will do.
            tell: Says to whoever waits that it goes on.
        """
        self.again = again
        self._facts, self._tell = dict(facts), tell
        self._seed: int | None = None
        self._lock = threading.Lock()  # several may be begun at once

    def check(self, outputs: Sequence[Path]) -> None:
        """See, before anything is done, that there is no work begun of which nobody said what to do with it.

        Raises:
            CommandError: there is.
        """
        for output in outputs if not (self.again.resume or self.again.fresh) else ():
            if (saved := read_saved(folder_of(output), output)) is not None:
                raise undecided(output, saved)

    def __call__(self, output: Path) -> ResumableWork:
        """The work on an output; raises CommandError as ``ResumableWork`` does."""
        with self._lock:
            work = ResumableWork(output, self._facts, self.again, self._tell, seed=self._seed)
            self._seed = work.seed
        return work
