"""What every sink does: take a share of the encoded video and deliver it, in a thread of its own, while the stream runs.

A sink that fails (a full disk, a lost server) says so, pauses and tries again; the picture and the other sinks don't notice.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from streamer.video.encode import EncoderError
from streamer.video.subscription import Subscription

log = logging.getLogger(__name__)

Subscribe = Callable[[], Subscription]
"""Opens a share of the kind that the sink wants."""

READ_S = 0.5
"""Longest wait for a piece before looking whether to stop."""
RETRY_S = 5.0
"""Pause after a failure."""


class SinkState(StrEnum):
    """Where a sink stands."""

    STOPPED = "stopped"
    CONNECTING = "connecting"
    WAITING = "waiting"
    """Open, with nothing delivered yet."""
    LIVE = "live"
    RETRYING = "retrying"
    """Failed; it will be tried again."""
    FAILED = "failed"
    """Failed in a way that nobody foresaw; it will not be tried again."""


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """How a sink does, at one moment."""

    name: str
    state: SinkState
    delivered: int
    """Pieces delivered since the start."""
    delivered_bytes: int
    dropped: int
    """Pictures left out because it was too slow."""
    failures: int
    error: str = ""
    """Why it is not live, in one line; empty when it is."""


class SinkError(Exception):
    """A sink cannot deliver at the moment; another try may succeed."""


class Sink(ABC):
    """Base of all sinks. ``open``, ``deliver`` and ``finish`` run in the sink's thread, everything else anywhere."""

    def __init__(self, name: str, subscribe: Subscribe, *, retry_s: float = RETRY_S) -> None:
        self.name = name
        self._subscribe = subscribe
        self._retry_s = retry_s
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._subscription: Subscription | None = None
        self._state, self._error = SinkState.STOPPED, ""
        self._delivered = self._delivered_bytes = self._dropped = self._failures = 0

    @abstractmethod
    def open(self) -> None:
        """Get ready for the first piece; raises SinkError or OSError."""

    @abstractmethod
    def deliver(self, piece: bytes) -> None:
        """Deliver a piece; raises SinkError or OSError."""

    @abstractmethod
    def finish(self) -> None:
        """Close what ``open`` opened, also after a failure; raises SinkError or OSError."""

    def start(self) -> None:
        """Start delivering; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"sink-{self.name}", daemon=True)
            self._set(SinkState.CONNECTING)
            self._thread.start()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Deliver nothing more and close; whether it ended within the deadline. A second call does nothing."""
        self._stopping.set()
        with self._changed:
            subscription = self._subscription
        if subscription is not None:
            subscription.close()
        if self._thread is None:
            return True
        self._thread.join(deadline_s)
        if self._thread.is_alive():
            log.warning("output %s did not end within %.1f s", self.name, deadline_s)
            return False
        return True

    def status(self) -> SinkStatus:
        """Everything countable, at one moment."""
        with self._changed:
            dropped = self._dropped + (self._subscription.dropped if self._subscription is not None else 0)
            return SinkStatus(
                self.name, self._state, self._delivered, self._delivered_bytes, dropped, self._failures, self._error
            )

    def wait_until(self, met: Callable[[SinkStatus], bool], timeout_s: float) -> bool:
        """Wait until a status meets a condition; whether it did in time."""
        with self._changed:
            return self._changed.wait_for(lambda: met(self.status()), timeout_s)

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._once()
                except EncoderError:
                    self._stopping.set()  # there will be nothing more to deliver
                except (SinkError, OSError) as error:
                    with self._changed:
                        self._failures += 1
                    self._set(SinkState.RETRYING, str(error))
                    log.warning("output %s failed, next try in %.0f s: %s", self.name, self._retry_s, error)
                    self._stopping.wait(self._retry_s)
            self._set(SinkState.STOPPED)
        except Exception as error:
            self._set(SinkState.FAILED, f"{type(error).__name__}: {error}")
            log.exception("output %s died", self.name)

    def _once(self) -> None:
        """Deliver until stopped, until the encoder ends, or until it fails."""
        self.open()
        try:
            subscription = self._subscribe()
            with self._changed:
                self._subscription = subscription
            self._set(SinkState.WAITING)
            try:
                self._pass_on(subscription)
            finally:
                subscription.close()
                with self._changed:
                    self._dropped += subscription.dropped
                    self._subscription = None
        finally:
            self.finish()

    def _pass_on(self, subscription: Subscription) -> None:
        while not self._stopping.is_set():
            piece = subscription.read(READ_S)
            if piece is None:
                if subscription.closed and not self._stopping.is_set():
                    self._stopping.set()  # the encoder ended
                continue
            self.deliver(piece)
            with self._changed:
                self._delivered += 1
                self._delivered_bytes += len(piece)
            self._set(SinkState.LIVE)

    def _set(self, state: SinkState, error: str = "") -> None:
        with self._changed:
            self._state, self._error = state, error
            self._changed.notify_all()
