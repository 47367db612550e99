"""The worker that waits to take the place of another. No torch here."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streamer.dream.worker.process import WorkerProcess
from streamer.dream.worker.protocol import ClusterPlacement, Failed, LinkReport, Prepared, forward_log_record

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


class SpareWorker:
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
        on_lost: Callable[[ClusterPlacement | None, Failed], bool] = lambda cluster_placement, failed: False,
    ) -> None:
        self._make, self._limits, self._clock, self._on_lost = make, limits, clock, on_lost
        self._worker: WorkerProcess | None = None
        self._due_s = math.inf
        """When one is to be made, or is given up: nothing else happens by itself."""
        self._failures = 0
        self._first = True
        self.lost: Failed | None = None
        """How the latest one ended by itself; None where none has since one was taken."""

    @property
    def watched(self) -> list[Any]:
        """What ``multiprocessing.connection.wait`` is to wait for besides; ``look`` then."""
        return [] if self._worker is None else [self._worker.connection, self._worker.sentinel]

    @property
    def left_s(self) -> float:
        """Seconds until ``look`` has something to do even so."""
        return self._due_s - self._clock()

    @property
    def cluster_placement(self) -> ClusterPlacement | None:
        """Where the spare computes; None where it does here, or there is none."""
        return None if self._worker is None else self._worker.cluster_placement

    @property
    def waits(self) -> bool:
        """Whether there is one that has done all it can before it is taken."""
        return self._worker is not None and self._due_s == math.inf

    def want(self) -> None:
        """A worker dreams: in a while there is to be a spare for it."""
        if self._worker is None and self._due_s == math.inf:
            self._due_s = self._clock() + (self._limits.after_s if self._first else 0.0)

    def look(self, ready: list[Any]) -> None:
        """Do what is due, and hear what it says.

        Args:
            ready: What was waited for and came.
        """
        if self._worker is None:
            if self.left_s <= 0:
                try:
                    self._worker, self._due_s = self._make(), self._clock() + self._limits.loading_s
                    self._first = False
                except (OSError, RuntimeError) as error:
                    self._wait_longer(f"the spare worker cannot be started: {error_text(error)}")
            return
        if self._worker.connection in ready:
            try:
                self._hear(self._worker)
            except (EOFError, OSError):
                self._lose(self._worker.exit_reason())
        elif self._worker.sentinel in ready:
            self._lose(self._worker.exit_reason())
        elif self.left_s <= 0:
            self._lose(Failed(f"it was silent for {self._limits.loading_s:g} s", "", lasting=False))

    def take(self) -> WorkerProcess | None:
        """The spare, prepared or about to be, for others to care for from now on; None if there is none that lives."""
        worker, self._worker, self._due_s, self.lost = self._worker, None, math.inf, None
        if worker is not None and not worker.lives:
            worker.dismiss(0.0)
            return None
        self._failures = 0
        return worker

    def dismiss(self) -> None:
        """End it at once; there is none then, until one is wanted."""
        worker = self.take()
        if worker is not None:
            worker.dismiss(0.0)

    def _hear(self, worker: WorkerProcess) -> None:
        report, _ = worker.receive()
        match report:
            case Failed():
                self._lose(report)
            case Prepared():
                self._due_s = math.inf
            case logging.LogRecord():
                forward_log_record(report)
            case LinkReport() if self.waits:
                pass
            case _:
                self._due_s = self._clock() + self._limits.loading_s

    def _lose(self, failed: Failed) -> None:
        assert self._worker is not None
        cluster_placement = self._worker.cluster_placement
        self._worker.dismiss(0.0)
        self._worker, self.lost = None, failed
        if failed.trace:
            log.info("where the spare worker failed:\n%s", failed.trace)
        if self._on_lost(cluster_placement, failed):
            self._due_s = self._clock()
            log.info("the spare worker ended: %s; another is made at once", failed.message)
            return
        self._wait_longer(f"the spare worker ended: {failed.message}")

    def _wait_longer(self, what: str) -> None:
        pause_s = doubled_pause_s(self._limits.pause_s, self._failures, self._limits.pause_most_s)
        self._failures += 1
        self._due_s = self._clock() + pause_s
        log.warning("%s; another is made in %g s, the dream goes on", what, pause_s)


def doubled_pause_s(first_s: float, failures: int, most_s: float) -> float:
    """A pause that doubles with each failure; the exponent is bounded, or after days of them no float could hold it."""
    return min(first_s * 2.0 ** min(failures, 64), most_s)


def error_text(error: OSError | RuntimeError) -> str:
    """Why the system started no process, in its own words."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
