"""Measures the throughput of a link and chooses the coding that gives the wanted keyframe rate over it. Pure.

Arriving keyframes are the measurement: each occupies the link from its departure, or from the arrival of the previous one,
until its arrival, less the latency of the link.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from streamer.config_renderer import Compress
from streamer.dream.worker.remote.picture_coding import Coding

SHARE = 0.7
"""Share of the link's throughput for keyframes; the rest is for other traffic and measurement errors."""
ROOM = 0.85
"""A better coding is chosen only if it needs no more than this part of that share for ``BETTER_S``."""
BETTER_S = 5.0
"""Seconds for which there must be room before a better coding is chosen; a worse one is chosen immediately."""
LEAST_S = 0.002
"""Transfers shorter than this are too quick to measure; they only give a lower bound."""
CALL_S = 0.002
"""Overhead of a keyframe in seconds on any link: pickling, handing over and unpickling."""
SMOOTHING = 0.15
"""Weight of the latest keyframe in the average size."""
PROMPT_S = 0.02
"""Pictures are sent uncompressed only if one crosses the link within this time and the round trip is at most ``NEAR_S``."""
NEAR_S = 0.03
"""On slower links the additional lag costs more than an invisible loss of quality."""
MOST_WINDOW = 8
"""Most keyframes in flight."""
QUALITIES = {95: 0.75, 90: 0.50, 85: 0.36, 80: 0.30}
"""JPEG qualities and the bytes per pixel that dreams take; at fewer bytes, H.264 looks better."""
LEAST_BITS_PER_S, LEAST_BITS = 200_000, 0.02
"""Lowest rate of H.264: in total, and per pixel of each keyframe."""
STEP = 1.25
"""Ratio by which a new H.264 rate must differ to be worth an IDR picture."""
CODE_S = 0.004
"""Seconds that a keyframe is in flight in addition to its transfer: encoding, handing over, decoding."""
LATELY = 24
"""Number of recent keyframes over which measurements are taken."""


@dataclass(frozen=True, slots=True)
class KeyframeDemand:
    """The wanted keyframes."""

    pixels: int
    """Pixels per keyframe; twice the canvas's with a moving source, whose picture is sent too."""
    per_s: float
    """Keyframes per second."""

    @property
    def least_bits_per_s(self) -> float:
        """Lowest rate of H.264 that still looks acceptable."""
        return max(LEAST_BITS_PER_S, LEAST_BITS * self.pixels * self.per_s)


class Throughput:
    """Measures the throughput of a link.

    Args:
        bytes_per_s: The first estimate.
        trip_s: Returns the shortest round trip in seconds.
    """

    def __init__(self, bytes_per_s: float, trip_s: Callable[[], float]) -> None:
        self._trip_s = trip_s
        self._through_s = -math.inf
        self._carried: deque[tuple[int, float]] = deque(maxlen=LATELY)  # bytes and transfer seconds
        self.probed(bytes_per_s)

    def probed(self, bytes_per_s: float) -> None:
        """Set the throughput that was measured while nothing else crossed the link."""
        self.bytes_per_s = bytes_per_s
        self._carried.extend([(round(bytes_per_s * LEAST_S), LEAST_S)] * LATELY)

    def carried(self, count: int, sent_s: float, got_s: float) -> None:
        """Record the arrival of ``count`` bytes; both times are on the same clock."""
        behind = sent_s + self._trip_s() / 2 + CALL_S <= self._through_s
        began_s = self._through_s if behind else sent_s + self._trip_s() / 2 + CALL_S
        self._through_s = max(self._through_s, got_s)
        took_s = max(got_s - began_s, LEAST_S)
        if took_s == LEAST_S and behind:  # they came together, and share the transfer time of the first
            before, took_s = self._carried.pop()
            self._carried.append((before + count, took_s))
        elif took_s > LEAST_S or count >= LEAST_S * self.bytes_per_s:  # else it is too little to measure
            self._carried.append((count, took_s))
        # The median, since now and then a transfer waits for a busy CPU.
        self.bytes_per_s = median(count / took_s for count, took_s in self._carried)


def measured(count: int, took_s: float, trip_s: float) -> float:
    """Return the bytes per second of a link over which ``count`` bytes arrived ``took_s`` after the request."""
    return count / max(took_s - trip_s, LEAST_S)


class CodingChooser:
    """Chooses the coding of keyframes for a link.

    Args:
        asked: ``renderer.compress`` of the settings.
        clock: Monotonic seconds.
    """

    def __init__(self, asked: Compress, clock: Callable[[], float]) -> None:
        self._asked, self._clock = asked, clock
        self._coding: Coding | None = None
        self._better_since_s: float | None = None
        self._run = 0
        self._size = 1.0  # of JPEGs, relative to QUALITIES
        self._bytes: deque[int] = deque(maxlen=LATELY)

    def sent(self, coding: Coding, count: int, pixels: int) -> None:
        """Record the size in bytes of a keyframe of ``pixels``."""
        self._bytes.append(count)
        if coding.kind == "jpeg" and coding.quality in QUALITIES and pixels:
            found = count / (QUALITIES[coding.quality] * pixels)
            self._size += SMOOTHING * (min(max(found, 0.05), 8.0) - self._size)

    @property
    def keyframe_bytes(self) -> int:
        """Mean bytes of recent keyframes; 0 before the first."""
        return round(sum(self._bytes) / len(self._bytes)) if self._bytes else 0

    def renew(self) -> None:
        """Start a new run, since a picture was lost that the next one would depend on."""
        self._run += 1

    def __call__(self, wanted: KeyframeDemand, bytes_per_s: float, trip_s: float) -> Coding:
        """Return the coding to use now."""
        ladder = self._ladder(wanted, bytes_per_s, trip_s)
        room = SHARE * bytes_per_s / max(wanted.per_s, 0.1)
        fits = next((rung for rung, (_, needs) in enumerate(ladder) if needs <= room), len(ladder) - 1)
        now_s = self._now(ladder)
        if now_s is None or fits > now_s:
            self._better_since_s = None
            return self._take(ladder[fits][0])
        easily = next((rung for rung, (_, needs) in enumerate(ladder) if needs <= ROOM * room), len(ladder) - 1)
        if easily >= now_s:
            self._better_since_s = None
            return self._take(ladder[now_s][0])
        if self._better_since_s is None:
            self._better_since_s = self._clock()
        if self._clock() - self._better_since_s < BETTER_S:
            return self._take(ladder[now_s][0])
        self._better_since_s = None
        return self._take(ladder[easily][0])

    def _ladder(self, wanted: KeyframeDemand, bytes_per_s: float, trip_s: float) -> Sequence[tuple[Coding, float]]:
        """Return the codings, best first, with the bytes per keyframe of each."""
        plain = 3.0 * wanted.pixels
        if self._asked == "none":
            return [(Coding("none"), plain)]
        jpegs = [(Coding("jpeg", quality), self._size * each * wanted.pixels) for quality, each in QUALITIES.items()]
        if self._asked == "jpeg":
            return jpegs
        bits_per_s = max(wanted.least_bits_per_s, SHARE * 8 * bytes_per_s)
        film = (Coding("h264", 0, round(bits_per_s), wanted.per_s), bits_per_s / 8 / max(wanted.per_s, 0.1))
        if self._asked == "h264":
            return [film]
        prompt = plain / bytes_per_s <= PROMPT_S and trip_s <= NEAR_S
        return [*([(Coding("none"), plain)] if prompt else []), *jpegs, film]

    def _now(self, ladder: Sequence[tuple[Coding, float]]) -> int | None:
        """Return the position of the current coding on the ladder; None if it is not on it, or there is none."""
        if self._coding is None:
            return None
        current = (self._coding.kind, self._coding.quality)
        return next((rung for rung, (each, _) in enumerate(ladder) if (each.kind, each.quality) == current), None)

    def _take(self, coding: Coding) -> Coding:
        """Use the coding, with the old rate if that is about the same."""
        before = self._coding
        if coding.kind == "h264":
            if before is not None and before.kind == "h264" and not _differs(before, coding):
                coding = before
            coding = Coding("h264", 0, coding.bits_per_s, coding.pictures_per_s, self._run)
        self._coding = coding
        return coding


def pictures_in_flight(keyframe_bytes: float, per_s: float, bytes_per_s: float, trip_s: float) -> int:
    """Return the number of keyframes allowed in flight: as many as fill the link and one more, so that none queues."""
    rate = min(per_s, SHARE * bytes_per_s / max(keyframe_bytes, 1.0))
    return min(MOST_WINDOW, 1 + math.ceil(rate * (trip_s + CODE_S + keyframe_bytes / bytes_per_s)))


def _differs(one: Coding, other: Coding) -> bool:
    """Return whether two H.264 rates differ by more than ``STEP``."""
    pairs = ((one.bits_per_s, other.bits_per_s), (one.pictures_per_s, other.pictures_per_s))
    return any(max(pair) > STEP * min(pair) for pair in pairs)
