"""Outputs on the web server: live video at their own addresses, encoded only while somebody watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

from streamer.config import MjpegOutput, MpegtsHttpOutput
from streamer.video.encoding.encoders import Encoders
from streamer.video.encoding.subscription import Subscription
from streamer.video.sinks.sink import SinkState, SinkStatus

SubscribeWithCallback = Callable[[Callable[[], None]], Subscription]
"""Subscribes to what an output serves; takes a function to call when there may be something to read."""


class HttpSubscription:
    """One viewer's subscription to an HTTP output; for one reader."""

    def __init__(
        self, subscription: Subscription, on_read: Callable[[int], None], on_close: Callable[[HttpSubscription], None]
    ) -> None:
        self._subscription = subscription
        self._on_read, self._on_close = on_read, on_close

    @property
    def closed(self) -> bool:
        """Whether it is closed, by its reader or by the output."""
        return self._subscription.closed

    @property
    def dropped(self) -> int:
        """Number of pictures dropped because they were not fetched in time."""
        return self._subscription.dropped

    def read(self, timeout: float | None = None) -> bytes | None:
        """Return the next piece, or None if there was none within ``timeout`` seconds."""
        piece = self._subscription.read(timeout)
        if piece is not None:
            self._on_read(len(piece))
        return piece

    def close(self) -> None:
        """End the subscription; a second call does nothing."""
        self._subscription.close()
        self._on_close(self)


class HttpOutput:
    """Serves video at one address. Thread-safe; ``start``, ``stop`` and ``status`` work as in ``Sink``."""

    def __init__(
        self,
        name: str,
        path: str,
        kind: Literal["ts", "jpeg"],
        subscribe: SubscribeWithCallback,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Serve pieces of a ``kind`` from ``subscribe`` at a ``path`` of the web server."""
        self.name, self.path = name, path
        self.kind: Literal["ts", "jpeg"] = kind
        self._subscribe = subscribe
        self._clock = clock
        self._lock = threading.Lock()
        self._shares: list[HttpSubscription] = []
        self._state, self._since_s = SinkState.STOPPED, clock()
        self._delivered = self._bytes = self._dropped = 0

    def start(self) -> None:
        """Accept viewers."""
        with self._lock:
            self._set(SinkState.WAITING)

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Accept no more viewers, and end all subscriptions; return whether that was done within the deadline."""
        with self._lock:
            self._set(SinkState.STOPPED)
            shares = list(self._shares)
        for share in shares:
            share.close()
        return True

    def subscribe(self, on_ready: Callable[[], None]) -> HttpSubscription:
        """Subscribe; ``on_ready`` is called from any thread when there may be something to read, or at the end."""
        share = HttpSubscription(self._subscribe(on_ready), self._read, self._left)
        with self._lock:
            stopped = self._state is SinkState.STOPPED
            if not stopped:
                self._shares.append(share)
        if stopped:
            share.close()
        return share

    def status(self) -> SinkStatus:
        """Return state and counts, at one moment; live means that somebody watches."""
        with self._lock:
            dropped = self._dropped + sum(share.dropped for share in self._shares)
            return SinkStatus(
                self.name, self._state, self._delivered, self._bytes, dropped, 0, since_s=self._clock() - self._since_s
            )

    def _read(self, size: int) -> None:
        with self._lock:
            self._delivered += 1
            self._bytes += size
            if self._state is SinkState.WAITING:
                self._set(SinkState.LIVE)

    def _left(self, share: HttpSubscription) -> None:
        with self._lock:
            if share not in self._shares:
                return
            self._shares.remove(share)
            self._dropped += share.dropped
            if not self._shares and self._state is SinkState.LIVE:
                self._set(SinkState.WAITING)

    def _set(self, state: SinkState) -> None:
        if state is not self._state:
            self._state, self._since_s = state, self._clock()


def make_http_output(output: MpegtsHttpOutput | MjpegOutput, encoders: Encoders, name: str) -> HttpOutput:
    """Make the output for a block of ``outputs:``; nothing is encoded for it until somebody watches."""
    if isinstance(output, MjpegOutput):
        pictures = encoders.spec(width=output.width, height=output.height, jpeg_quality=output.quality)
        return HttpOutput(
            name,
            output.path,
            "jpeg",
            lambda on_ready: encoders.encoder(pictures).subscribe("jpeg", on_ready=on_ready, images_s=output.fps),
        )
    video = encoders.spec_of(output)
    kind = "ts+audio" if output.audio else "ts"
    return HttpOutput(name, output.path, "ts", lambda on_ready: encoders.encoder(video).subscribe(kind, on_ready=on_ready))
