"""A thread that repeats a step, and reports its failures."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

log = logging.getLogger(__name__)

MAX_FAILURES, WITHIN_S = 10, 60.0
"""A loop that fails this often within this many seconds ends, since the cause is permanent."""
PAUSE_S = 0.5
"""Seconds to wait after a failure."""


class Loop:
    """Calls a step until it is stopped. If a step raises, it logs the error, waits and goes on; after too many it ends."""

    def __init__(
        self,
        name: str,
        step: Callable[[], None],
        *,
        every_s: float = 0.0,
        pause_s: float = PAUSE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the thread.

        Args:
            name: name of the thread, also in log lines.
            step: the function to call; it must return soon, or stopping takes long.
            every_s: seconds to wait after each step; 0 for steps that wait themselves.
            pause_s: seconds to wait after a failure.
        """
        self.name = name
        self._step = step
        self._every_s, self._pause_s = every_s, pause_s
        self._clock = clock
        self._stopping = threading.Event()
        self._failed_at: deque[float] = deque(maxlen=MAX_FAILURES)
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def failure(self) -> Exception | None:
        """The exception that ended the loop; None while it runs or if it was stopped."""
        return self._failure

    def start(self) -> None:
        """Start the thread; a loop can start only once."""
        self._thread.start()

    def stop(self, deadline_s: float = 1.0) -> bool:
        """Stop after the current step; return whether it ended within ``deadline_s``. Safe before ``start``, and twice."""
        self._stopping.set()
        if self._thread.ident is None:
            return True
        self._thread.join(deadline_s)
        if self._thread.is_alive():
            log.warning("the %s thread did not end within %.1f s", self.name, deadline_s)
            return False
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._step()
            except Exception as error:
                log.exception("%s failed and continues", self.name)
                now_s = self._clock()
                self._failed_at.append(now_s)
                if len(self._failed_at) == MAX_FAILURES and now_s - self._failed_at[0] <= WITHIN_S:
                    self._failure = error
                    return
                self._stopping.wait(self._pause_s)
            else:
                if self._every_s:
                    self._stopping.wait(self._every_s)
