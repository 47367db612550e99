"""The worker that waits to take the place of another. No torch here."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streamer.dream.worker.process import WorkerProcess
from streamer.dream.worker.protocol import Elsewhere, Failed, Linked, Prepared, log_again

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpareLimits:
    """When there is a spare."""

    after_s: float = 2.0
    """Seconds that a worker has dreamt before the first spare is made: at a start all are busy enough."""
    loading_s: float = 300.0
    """Without a sign of life before it is prepared."""
    pause_s: float = 10.0
    """Before another is made where a spare ended; doubles with each until one was of use."""
    pause_most_s: float = 600.0


class Spare:
    """None or one worker that is prepared and waits; made late, watched, and made again when it ends. For one thread at a time.

    Args:
        make: Starts one.
        clock: Monotonic seconds.
        on_lost: Told where one was to compute that has ended by itself; returns whether another is to be made at once.
    """

    def __init__(
        self,
        make: Callable[[], WorkerProcess],
        limits: SpareLimits,
        clock: Callable[[], float],
        on_lost: Callable[[Elsewhere | None, Failed], bool] = lambda elsewhere, failed: False,
    ) -> None:
        self._make, self._limits, self._clock, self._on_lost = make, limits, clock, on_lost
        self._hand: WorkerProcess | None = None
        self._due_s = math.inf
        """When one is to be made, or is given up: nothing else happens by itself."""
        self._failures = 0
        self._first = True
        self.lost: Failed | None = None
        """How the latest one ended by itself; None where none has since one was taken."""

    @property
    def watched(self) -> list[Any]:
        """What ``multiprocessing.connection.wait`` is to wait for besides; ``look`` then."""
        return [] if self._hand is None else [self._hand.connection, self._hand.sentinel]

    @property
    def left_s(self) -> float:
        """Seconds until ``look`` has something to do even so."""
        return self._due_s - self._clock()

    @property
    def elsewhere(self) -> Elsewhere | None:
        """Where the spare computes; None where it does here, or there is none."""
        return None if self._hand is None else self._hand.elsewhere

    @property
    def waits(self) -> bool:
        """Whether there is one that has done all it can before it is taken."""
        return self._hand is not None and self._due_s == math.inf

    def want(self) -> None:
        """A worker dreams: in a while there is to be a spare for it."""
        if self._hand is None and self._due_s == math.inf:
            self._due_s = self._clock() + (self._limits.after_s if self._first else 0.0)

    def look(self, ready: list[Any]) -> None:
        """Do what is due, and hear what it says.

        Args:
            ready: What was waited for and came.
        """
        if self._hand is None:
            if self.left_s <= 0:
                try:
                    self._hand, self._due_s = self._make(), self._clock() + self._limits.loading_s
                    self._first = False
                except (OSError, RuntimeError) as error:
                    self._wait_longer(f"the spare worker cannot be started: {why(error)}")
            return
        if self._hand.connection in ready:
            try:
                self._hear(self._hand)
            except (EOFError, OSError):
                self._lose(self._hand.obituary())
        elif self._hand.sentinel in ready:
            self._lose(self._hand.obituary())
        elif self.left_s <= 0:
            self._lose(Failed(f"it was silent for {self._limits.loading_s:g} s", "", lasting=False))

    def take(self) -> WorkerProcess | None:
        """The spare, prepared or about to be, for others to care for from now on; None if there is none that lives."""
        hand, self._hand, self._due_s, self.lost = self._hand, None, math.inf, None
        if hand is not None and not hand.lives:
            hand.dismiss(0.0)
            return None
        self._failures = 0
        return hand

    def dismiss(self) -> None:
        """End it at once; there is none then, until one is wanted."""
        hand = self.take()
        if hand is not None:
            hand.dismiss(0.0)

    def _hear(self, hand: WorkerProcess) -> None:
        report, _ = hand.receive()
        match report:
            case Failed():
                self._lose(report)
            case Prepared():
                self._due_s = math.inf
            case logging.LogRecord():
                log_again(report)
            case Linked() if self.waits:
                pass
            case _:
                self._due_s = self._clock() + self._limits.loading_s

    def _lose(self, failed: Failed) -> None:
        assert self._hand is not None
        elsewhere = self._hand.elsewhere
        self._hand.dismiss(0.0)
        self._hand, self.lost = None, failed
        if failed.trace:
            log.info("where the spare worker failed:\n%s", failed.trace)
        if self._on_lost(elsewhere, failed):
            self._due_s = self._clock()
            log.info("the spare worker ended: %s; another is made at once", failed.message)
            return
        self._wait_longer(f"the spare worker ended: {failed.message}")

    def _wait_longer(self, what: str) -> None:
        pause_s = grown_s(self._limits.pause_s, self._failures, self._limits.pause_most_s)
        self._failures += 1
        self._due_s = self._clock() + pause_s
        log.warning("%s; another is made in %g s, the dream goes on", what, pause_s)


def grown_s(first_s: float, failures: int, most_s: float) -> float:
    """A pause that doubles with each failure; the exponent is bounded, or after days of them no float could hold it."""
    return min(first_s * 2.0 ** min(failures, 64), most_s)


def why(error: OSError | RuntimeError) -> str:
    """Why the system started no process, in its own words."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
