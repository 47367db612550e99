"""Draws the frame number into a frame so that machines can read it back after any encoder, player and scaler, to measure lag.

One row along the bottom edge, from the left corner: the number's low sixteen bits as squares (white is 1, highest first), the
same sixteen inverted, then the number in digits for people. All positions are fractions of the picture's size, so that a scaled
picture can still be read, as long as it is not cropped.
"""

from __future__ import annotations

import cv2
import numpy as np

BITS = 16
NUMBERS = 1 << BITS
"""Number of different readable numbers; they wrap around."""
PER_HEIGHT = 30
"""A square is at most the picture's height divided by this: 8 px at 240 lines, 18 px at 540…"""
DIGIT_SQUARES = 6
"""Width of the digits, in squares."""
PER_WIDTH = 2 * BITS + DIGIT_SQUARES
"""…and at most the picture's width divided by this, the squares in a row."""
LEAST_CONTRAST = 48
"""Least difference between the darkest white and the brightest black, of 255. Less means no counter, or two blended frames."""
LEAST_SIDE = 1.2
"""Smallest readable square, in pixels; below it a neighbour may be read instead."""
SHIFTS = (0.0, -0.25, 0.25)
"""Offsets to try, in squares, because a player may shift the picture a little."""
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(image: np.ndarray, number: int) -> None:
    """Draw a frame's number into it.

    Args:
        image: (h, w, 3) uint8; changed in place. Below 46 pixels of width or 36 of height the number is unreadable.
        number: 0 or more; its low sixteen bits can be read back.
    """
    side = _side(image)
    height = image.shape[0]
    top = round(height - side)
    for place, bit in enumerate(_bits(number % NUMBERS)):
        image[top:, round(place * side) : round((place + 1) * side)] = 255 if bit else 0
    plate = image[top:, round(2 * BITS * side) : round(PER_WIDTH * side)]
    plate[:] = 0
    _write(plate, str(number))


def read(image: np.ndarray) -> int | None:
    """Read the number that ``draw`` drew.

    Args:
        image: (h, w, 3) or (h, w) uint8: the whole picture, at any size, from any decoder.

    Returns:
        The number's low sixteen bits; None if there is no counter, or no unambiguous one.
    """
    side = _side(image)
    if side < LEAST_SIDE:
        return None
    last = np.asarray(image[int(image.shape[0] - 1.5 * side) :], np.float32)
    strip = last.mean(2) if last.ndim == 3 else last
    for down in SHIFTS:
        for right in SHIFTS:
            number = _read(strip, side, right * side, strip.shape[0] - side + down * side)
            if number is not None:
                return number
    return None


def frames_between(older: int, newer: int) -> int:
    """Return the frames from one number to a later one, each from ``read`` or a full number; up to half of ``NUMBERS``.

    Negative if ``newer`` is the earlier one.
    """
    half = NUMBERS // 2
    return (newer - older + half) % NUMBERS - half


def _side(image: np.ndarray) -> float:
    height, width = image.shape[:2]
    return float(min(height / PER_HEIGHT, width / PER_WIDTH))


def _bits(number: int) -> list[bool]:
    bits = [bool(number >> place & 1) for place in reversed(range(BITS))]
    return bits + [not bit for bit in bits]


def _read(strip: np.ndarray, side: float, left: float, top: float) -> int | None:
    """Read squares from their middle halves; ``left`` and ``top`` are the corner of the first, in pixels."""
    rows = _middle(top, side, strip.shape[0])
    squares = [float(strip[rows, _middle(left + place * side, side, strip.shape[1])].mean()) for place in range(2 * BITS)]
    pairs = list(zip(squares[:BITS], squares[BITS:], strict=True))
    white, black = min(map(max, pairs)), max(map(min, pairs))
    if white - black < LEAST_CONTRAST:
        return None
    return sum(1 << place for place, (bit, inverse) in enumerate(reversed(pairs)) if bit > inverse)


def _middle(start: float, side: float, end: int) -> slice:
    first = min(max(0, round(start + side / 4)), end - 1)
    return slice(first, max(first + 1, round(start + side * 3 / 4)))


def _write(plate: np.ndarray, text: str) -> None:
    """Write white text, centred and as large as it fits."""
    height, width = plate.shape[:2]
    (wide, high), _ = cv2.getTextSize(text, FONT, 1.0, 1)
    scale = min(0.7 * height / high, 0.9 * width / wide)
    at = round((width - wide * scale) / 2), round((height + high * scale) / 2)
    thick = max(1, round(height / 12))
    written = np.zeros((height, width), np.uint8)
    cv2.putText(written, text, at, FONT, scale, 255, thick, cv2.LINE_AA)
    plate[:] = written[..., None]
