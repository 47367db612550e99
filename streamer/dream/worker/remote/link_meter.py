"""Measures a relay's link, and derives what to request from the host. Thread-safe."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from streamer.config import Config
from streamer.dream.device import most_pixels
from streamer.dream.worker.protocol import KeyframeReady
from streamer.dream.worker.remote.link_coding import CodingChooser, KeyframeDemand, Throughput, pictures_in_flight
from streamer.dream.worker.remote.picture_coding import UNCOMPRESSED, Coding
from streamer.dream.worker.remote.relay_protocol import MOST_PARTS, PART_BYTES, FetchRequest, SentKeyframe
from streamer.dream.worker.remote.remote_clock import RemoteClock
from streamer.dream_state import DreamState
from streamer.messages.renderer_status import LinkStatus

HOLD_S = 0.5
"""Seconds that a host waits for something to send before it answers with an empty batch."""
KEPT_SHARE = 0.03
"""Share of the link for the dream's state, from which another worker can resume."""
KEPT_BYTES_A_PIXEL = 6
"""Assumed size of the state until the first arrives: momentum of three channels as float16."""
FIRST_BYTES_PER_S = 1e6
"""Assumed throughput of a link before any measurement."""
LATELY = 24
"""Number of recent keyframes that determine the wanted rate."""


class LinkMeter:
    """Measures a link.

    Args:
        config: Settings of the dream; they determine which keyframes to expect.
        node: Name of the node at the other end.
        clock: Monotonic seconds.
    """

    def __init__(self, config: Config, node: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._node, self._clock = node, clock
        self._theirs = RemoteClock(clock)
        self._line = Throughput(FIRST_BYTES_PER_S, lambda: self._theirs.trip_s)
        self._choice = CodingChooser(config.renderer.compress, clock)
        self._coding = UNCOMPRESSED
        apart_s = config.dream.keyframe_s
        self._most_per_s = min(config.video.fps, 1 / apart_s) if isinstance(apart_s, int | float) else float(config.video.fps)
        self._pixels = most_pixels(config.canvas, config.video)
        self._steps: deque[int] = deque(maxlen=LATELY)
        self._step_s = 0.0
        self._kept_bytes = KEPT_BYTES_A_PIXEL * self._pixels
        self._lags: deque[float] = deque(maxlen=LATELY)
        self._arrived = 0

    def answered(self, asked_s: float, told_s: float, got_s: float) -> None:
        """Record an answer with the other machine's clock; see ``RemoteClock.add_answer``."""
        with self._lock:
            self._theirs.add_answer(asked_s, told_s, got_s)

    def probed(self, bytes_per_s: float) -> None:
        """Set the throughput that was measured while nothing else crossed the link."""
        with self._lock:
            self._line.probed(bytes_per_s)

    @property
    def trip_s(self) -> float:
        """Shortest round trip in seconds."""
        with self._lock:
            return self._theirs.trip_s

    def ours(self, theirs_s: float) -> float:
        """Convert a time of the other machine's clock to ours."""
        with self._lock:
            return theirs_s + self._theirs.offset_s

    def theirs(self, ours_s: float) -> float:
        """Convert a time of our clock to the other machine's."""
        with self._lock:
            return ours_s - self._theirs.offset_s

    def came(self, sent: SentKeyframe, sent_s: float, got_s: float) -> None:
        """Record the arrival of a keyframe; ``sent_s`` is on the other machine's clock."""
        with self._lock:
            keyframe_ready, count = sent.keyframe_ready, sent.bytes
            held = count + (0 if sent.kept is None else self._weigh(sent.kept))
            self._line.carried(held, sent_s + self._theirs.offset_s, got_s)
            self._pixels = keyframe_ready.size[0] * keyframe_ready.size[1] * (1 if sent.source_picture is None else 2)
            self._choice.sent(sent.coding, count, self._pixels)
            if keyframe_ready.steps:
                self._steps.append(keyframe_ready.steps)
                self._step_s = keyframe_ready.step_s

    def shown(self, keyframe_ready: KeyframeReady) -> None:
        """Record that a keyframe was passed on, its times on our clock; this acknowledges it."""
        with self._lock:
            self._arrived += 1
            self._lags.append(self._clock() - keyframe_ready.time_s)

    def lost(self) -> None:
        """Record a keyframe that cannot be decoded."""
        with self._lock:
            self._arrived += 1
            self._choice.renew()

    def ask(self) -> FetchRequest:
        """Return the next request to the host."""
        with self._lock:
            wanted, line = KeyframeDemand(self._pixels, self._per_s()), self._line.bytes_per_s
            self._coding = self._choice(wanted, line, self._theirs.trip_s)
            size = self._choice.keyframe_bytes or 0.25 * self._pixels
            under_way = pictures_in_flight(size, wanted.per_s, line, self._theirs.trip_s)
            parts = math.ceil((1.3 * size + self._kept_bytes) / PART_BYTES)
            keep_s = self._kept_bytes / (KEPT_SHARE * line)
            return FetchRequest(self._arrived, self._coding, under_way, keep_s, HOLD_S, min(parts, MOST_PARTS))

    @property
    def coding(self) -> Coding:
        """The coding that was requested last."""
        return self._coding

    def status(self) -> LinkStatus:
        """Return the status of the link."""
        with self._lock:
            lags = sorted(self._lags)
            return LinkStatus(
                self._node,
                coding=str(self._coding) if self._arrived else "",
                bytes_per_s=self._line.bytes_per_s,
                round_trip_s=self._theirs.trip_s,
                keyframe_bytes=self._choice.keyframe_bytes,
                lag_s=lags[len(lags) // 2] if lags else 0.0,
            )

    def _per_s(self) -> float:
        """Return the keyframes per second that the dream would give over an unlimited link."""
        if not self._steps or self._step_s <= 0:
            return self._most_per_s
        return min(self._most_per_s, 1 / (min(self._steps) * self._step_s))

    def _weigh(self, kept: DreamState) -> int:
        self._kept_bytes = max(1, sum(array.nbytes for array in kept.arrays.values()))
        return self._kept_bytes
