"""Base of all sinks: subscribes to the encoded video and delivers it, in a thread of its own, while the stream runs.

A sink that fails (a full disk, a lost server) reports it, pauses and tries again; the video and other sinks are not affected.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from streamer.errors import ZoomdreamError
from streamer.video.encoding.shared_encoder import EncoderError
from streamer.video.encoding.subscription import Subscription
from streamer.video.sinks.backoff import BackOff

log = logging.getLogger(__name__)

Subscribe = Callable[[], Subscription]
"""Opens a subscription of the kind that the sink wants."""

READ_S = 0.5
"""Longest wait for a piece, in seconds, before checking whether to stop."""


class SinkState(StrEnum):
    """State of a sink."""

    STOPPED = "stopped"
    CONNECTING = "connecting"
    WAITING = "waiting"
    """Open, but nothing is delivered yet."""
    LIVE = "live"
    RETRYING = "retrying"
    """Failed; it tries again, now or after a pause."""
    FAILED = "failed"
    """Failed with an unexpected error; it does not try again."""


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """Status of a sink, at one moment."""

    name: str
    state: SinkState
    delivered: int
    """Number of pieces delivered since the start."""
    delivered_bytes: int
    dropped: int
    """Number of pictures dropped because the sink was too slow."""
    failures: int
    error: str = ""
    """Why it is not live, in one line; empty when it is."""
    kind: str = ""
    """The ``kind`` in its block of ``outputs:``."""
    since_s: float = 0.0
    """Seconds in this state."""
    retry_in_s: float | None = None
    """Seconds until the next try; None unless it waits for one."""
    file: Path | None = None
    """For a recording, the current or last file."""


class SinkError(ZoomdreamError):
    """A sink cannot deliver at the moment; a retry may succeed."""


class Sink(ABC):
    """Base of all sinks. ``open``, ``deliver``, ``tick`` and ``finish`` run in the sink's thread, everything else anywhere."""

    state_when_open: SinkState | None = SinkState.WAITING
    """State between ``open`` and the first piece; None keeps the current one."""

    def __init__(
        self,
        name: str,
        subscribe: Subscribe,
        *,
        kind: str = "",
        back_off: BackOff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.kind = kind
        self._subscribe = subscribe
        self._back_off = BackOff() if back_off is None else back_off
        self._clock = clock
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._subscription: Subscription | None = None
        self._state, self._error = SinkState.STOPPED, ""
        self._since_s, self._retry_at_s = clock(), 0.0
        self._reported = ""
        self._delivered = self._delivered_bytes = self._dropped = self._failures = 0

    @abstractmethod
    def open(self) -> None:
        """Prepare for the first piece; raises SinkError or OSError."""

    @abstractmethod
    def deliver(self, piece: bytes) -> None:
        """Deliver a piece; raises SinkError or OSError."""

    @abstractmethod
    def finish(self) -> None:
        """Close what ``open`` opened, also after a failure; raises SinkError or OSError."""

    def tick(self) -> bool:
        """Do periodic work, after every piece and at least every READ_S.

        Returns:
            Whether the sink takes another piece. If not, this call has waited a little, and pieces stay in the subscription,
            which drops up to the next video keyframe when it is full.
        """
        return True

    def taken(self, piece: bytes) -> None:
        """Count a piece that ``deliver`` took, and set the state to live."""
        self._count(1, len(piece))
        self._set(SinkState.LIVE)

    def start(self) -> None:
        """Start delivering; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"sink-{self.name}", daemon=True)
            self._set(SinkState.CONNECTING)
            self._thread.start()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Stop delivering and close; return whether it ended within the deadline. A second call does nothing."""
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
        """Return state and counts, at one moment."""
        with self._changed:
            now_s = self._clock()
            waits = self._state is SinkState.RETRYING and self._retry_at_s > now_s
            return SinkStatus(
                name=self.name,
                state=self._state,
                delivered=self._delivered,
                delivered_bytes=self._delivered_bytes,
                dropped=self._dropped + (self._subscription.dropped if self._subscription is not None else 0),
                failures=self._failures,
                error=self._error,
                kind=self.kind,
                since_s=max(0.0, now_s - self._since_s),
                retry_in_s=self._retry_at_s - now_s if waits else None,
            )

    def wait_until(self, met: Callable[[SinkStatus], bool], timeout_s: float) -> bool:
        """Wait until the status meets a condition; return whether it did in time."""
        with self._changed:
            return self._changed.wait_for(lambda: met(self.status()), timeout_s)

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._once()
                except EncoderError:
                    self._stopping.set()  # there is nothing more to deliver
                except (SinkError, OSError) as error:
                    self._stopping.wait(self._failed(str(error)))
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
            if self.state_when_open is not None:
                self._set(self.state_when_open)
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
        takes = True
        while not self._stopping.is_set():
            piece = subscription.read(READ_S) if takes else None
            if piece is not None:
                self.deliver(piece)
                self.taken(piece)
            elif subscription.closed and not self._stopping.is_set():
                self._stopping.set()  # the encoder ended
            takes = self.tick()

    def _failed(self, reason: str, worked_s: float | None = None) -> float:
        """Count and report a failure; return the seconds to wait before the next try.

        Args:
            worked_s: How long it had worked; None: as long as it was live.
        """
        with self._changed:
            now_s = self._clock()
            if worked_s is None:
                worked_s = now_s - self._since_s if self._state is SinkState.LIVE else 0.0
            pause_s = self._back_off.pause_s(worked_s)
            self._failures += 1
            self._retry_at_s = now_s + pause_s
        self._set(SinkState.RETRYING, reason)
        # A server that is down all night causes one warning, not a thousand.
        level = logging.INFO if reason == self._reported else logging.WARNING
        self._reported = reason
        log.log(level, "output %s failed, next try in %.1f s: %s", self.name, pause_s, reason)
        return pause_s

    def _count(self, pieces: int, size: int) -> None:
        with self._changed:
            self._delivered += pieces
            self._delivered_bytes += size

    def _set(self, state: SinkState, error: str = "") -> None:
        with self._changed:
            if state is not self._state:
                self._since_s = self._clock()
            if state is SinkState.LIVE and self._reported:
                self._reported = ""
                log.info("output %s is live again", self.name)
            self._state, self._error = state, error
            self._changed.notify_all()
