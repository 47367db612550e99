"""The spare worker, which waits to replace the active one. No torch here."""

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
    """When a spare starts, and when it is given up."""

    after_s: float = 2.0
    """Seconds that a worker renders before the first spare starts, since the machine is busy at start."""
    loading_s: float = 300.0
    """Longest silence of a spare that is preparing."""
    pause_s: float = 10.0
    """Seconds before the next spare after one has failed; doubles with each failure until one takes over."""
    pause_most_s: float = 600.0
    """Longest pause."""


class SpareWorker:
    """Keeps at most one prepared spare worker; starts it late, watches it, and replaces it when it ends. Not thread-safe.

    Args:
        make: Starts one.
        clock: Monotonic seconds.
        on_lost: Called with the place and the failure of a spare that has failed; returns whether to start another immediately.
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
        """When to start a spare, or to give up the one that prepares; infinite when there is nothing to do."""
        self._failures = 0
        self._first = True
        self.lost: Failed | None = None
        """How the last spare failed; None if none has failed since one was taken."""

    @property
    def watched(self) -> list[Any]:
        """Handles for ``multiprocessing.connection.wait``; call ``tick`` when one is ready."""
        return [] if self._worker is None else [self._worker.connection, self._worker.sentinel]

    @property
    def left_s(self) -> float:
        """Seconds until ``tick`` has something to do even if no handle is ready."""
        return self._due_s - self._clock()

    @property
    def cluster_placement(self) -> ClusterPlacement | None:
        """Where the spare runs; None for this machine or if there is no spare."""
        return None if self._worker is None else self._worker.cluster_placement

    @property
    def waits(self) -> bool:
        """Whether there is a fully prepared spare."""
        return self._worker is not None and self._due_s == math.inf

    def want(self) -> None:
        """Start a spare after a while, since a worker renders now."""
        if self._worker is None and self._due_s == math.inf:
            self._due_s = self._clock() + (self._limits.after_s if self._first else 0.0)

    def tick(self, ready: list[Any]) -> None:
        """Do what is due, and handle the spare's reports.

        Args:
            ready: The handles that are ready.
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
        """Return the spare, prepared or not, and stop watching it; None if there is none alive."""
        worker, self._worker, self._due_s, self.lost = self._worker, None, math.inf, None
        if worker is not None and not worker.lives:
            worker.dismiss(0.0)
            return None
        self._failures = 0
        return worker

    def dismiss(self) -> None:
        """End the spare immediately; there is none until the next ``want``."""
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
            case LinkReport():  # from the local relay: no sign of life of the spare
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
            log.info("the spare worker ended: %s; starting another immediately", failed.message)
            return
        self._wait_longer(f"the spare worker ended: {failed.message}")

    def _wait_longer(self, what: str) -> None:
        pause_s = doubled_pause_s(self._limits.pause_s, self._failures, self._limits.pause_most_s)
        self._failures += 1
        self._due_s = self._clock() + pause_s
        log.warning("%s; starting another in %g s, the dream continues", what, pause_s)


def doubled_pause_s(first_s: float, failures: int, most_s: float) -> float:
    """Return a pause that doubles with each failure; the exponent is bounded, since after days it would overflow a float."""
    return min(first_s * 2.0 ** min(failures, 64), most_s)


def error_text(error: OSError | RuntimeError) -> str:
    """Return the system's message on why it started no process."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
