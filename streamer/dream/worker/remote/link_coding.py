"""What a link carries, and which coding gives the keyframes that are wanted over it. Pure.

What keyframes take on their way is measured as they come: each occupies the link from when it left, or from when the one before
it was through, until it is here, less the time that the way itself takes.
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
"""Part of what a link carries that keyframes may take: the rest is for what else crosses it, and for errors of measurement."""
ROOM = 0.85
"""A better coding is taken only if it needs no more than this part of that…"""
BETTER_S = 5.0
"""…for so many seconds; a worse one at once."""
LEAST_S = 0.002
"""What crosses in less time than this has met no limit: it tells of one that is no lower."""
CALL_S = 0.002
"""That a keyframe takes besides, on any link: it is packed, handed over, and unpacked."""
SMOOTHING = 0.15
"""Weight of the latest keyframe in what is measured."""
PROMPT_S = 0.02
"""As they are, pictures are sent only if one crosses within this time…"""
NEAR_S = 0.03
"""…and the round trip is no longer than that: elsewhere a lag that nobody needs costs more than a loss that nobody sees."""
MOST_WINDOW = 8
QUALITIES = {95: 0.75, 90: 0.50, 85: 0.36, 80: 0.30}
"""Of JPEG, with bytes a pixel of a dream takes; below, H.264 looks better for as many."""
LEAST_BITS_PER_S, LEAST_BITS = 200_000, 0.02
"""Of H.264: in all, and for a pixel of each keyframe."""
STEP = 1.25
"""By so much another rate of H.264 has to differ to be worth a picture that needs none before it."""
CODE_S = 0.004
"""That a keyframe is under way beyond what the link takes: it is coded, handed over, unpacked."""
LATELY = 24
"""Keyframes by which all this is told."""


@dataclass(frozen=True, slots=True)
class KeyframeDemand:
    """The keyframes that are wanted."""

    pixels: int
    """Of each; twice the canvas' where it rides on a picture, which comes along."""
    per_s: float

    @property
    def least_bits_per_s(self) -> float:
        """Of H.264: below, it is not worth looking at."""
        return max(LEAST_BITS_PER_S, LEAST_BITS * self.pixels * self.per_s)


class Throughput:
    """What a link carries.

    Args:
        bytes_per_s: As it was first measured.
        trip_s: Tells how long the shortest round trip takes.
    """

    def __init__(self, bytes_per_s: float, trip_s: Callable[[], float]) -> None:
        self._trip_s = trip_s
        self._through_s = -math.inf
        self._carried: deque[tuple[int, float]] = deque(maxlen=LATELY)  # bytes, and the seconds that they took
        self.probed(bytes_per_s)

    def probed(self, bytes_per_s: float) -> None:
        """So much came through while nothing else did."""
        self.bytes_per_s = bytes_per_s
        self._carried.extend([(round(bytes_per_s * LEAST_S), LEAST_S)] * LATELY)

    def carried(self, count: int, sent_s: float, got_s: float) -> None:
        """So many bytes came, all times on one clock."""
        behind = sent_s + self._trip_s() / 2 + CALL_S <= self._through_s
        began_s = self._through_s if behind else sent_s + self._trip_s() / 2 + CALL_S
        self._through_s = max(self._through_s, got_s)
        took_s = max(got_s - began_s, LEAST_S)
        if took_s == LEAST_S and behind:  # they came together, and share the time that the first has taken
            before, took_s = self._carried.pop()
            self._carried.append((before + count, took_s))
        elif took_s > LEAST_S or count >= LEAST_S * self.bytes_per_s:  # else it is too little to tell
            self._carried.append((count, took_s))
        # The median, since now and then one waits for a busy processor.
        self.bytes_per_s = median(count / took_s for count, took_s in self._carried)


def measured(count: int, took_s: float, trip_s: float) -> float:
    """Bytes a second of a link over which so many came in that time after they were asked for."""
    return count / max(took_s - trip_s, LEAST_S)


class CodingChooser:
    """Chooses how keyframes cross a link.

    Args:
        asked: What the settings say.
        clock: Monotonic seconds.
    """

    def __init__(self, asked: Compress, clock: Callable[[], float]) -> None:
        self._asked, self._clock = asked, clock
        self._coding: Coding | None = None
        self._better_since_s: float | None = None
        self._run = 0
        self._size = 1.0  # of JPEGs, beside what the table says
        self._bytes: deque[int] = deque(maxlen=LATELY)

    def sent(self, coding: Coding, count: int, pixels: int) -> None:
        """A keyframe of so many pixels took so many bytes."""
        self._bytes.append(count)
        if coding.kind == "jpeg" and coding.quality in QUALITIES and pixels:
            found = count / (QUALITIES[coding.quality] * pixels)
            self._size += SMOOTHING * (min(max(found, 0.05), 8.0) - self._size)

    @property
    def keyframe_bytes(self) -> int:
        """What a keyframe takes, lately; 0 before the first."""
        return round(sum(self._bytes) / len(self._bytes)) if self._bytes else 0

    def renew(self) -> None:
        """A picture was lost: the next one is not to go on from it."""
        self._run += 1

    def __call__(self, wanted: KeyframeDemand, bytes_per_s: float, trip_s: float) -> Coding:
        """The coding to use now."""
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
        """Codings, the best first, with the bytes that a keyframe takes in each."""
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
        """Where the coding in use stands; None where it does not any more, or there is none."""
        if self._coding is None:
            return None
        told = (self._coding.kind, self._coding.quality)
        return next((rung for rung, (each, _) in enumerate(ladder) if (each.kind, each.quality) == told), None)

    def _take(self, coding: Coding) -> Coding:
        """Use it, with its rate as it was where that is about the same."""
        before = self._coding
        if coding.kind == "h264":
            if before is not None and before.kind == "h264" and not _differs(before, coding):
                coding = before
            coding = Coding("h264", 0, coding.bits_per_s, coding.pictures_per_s, self._run)
        self._coding = coding
        return coding


def pictures_in_flight(keyframe_bytes: float, per_s: float, bytes_per_s: float, trip_s: float) -> int:
    """Keyframes that may be under way at once: as many as fill the link, and one more, so that none waits on its way."""
    rate = min(per_s, SHARE * bytes_per_s / max(keyframe_bytes, 1.0))
    return min(MOST_WINDOW, 1 + math.ceil(rate * (trip_s + CODE_S + keyframe_bytes / bytes_per_s)))


def _differs(one: Coding, other: Coding) -> bool:
    """Whether two rates of H.264 are far enough apart."""
    pairs = ((one.bits_per_s, other.bits_per_s), (one.pictures_per_s, other.pictures_per_s))
    return any(max(pair) > STEP * min(pair) for pair in pairs)
