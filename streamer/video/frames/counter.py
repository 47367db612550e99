"""The frame's number drawn into it so that machines read it back after any encoder, player and scaler: lag is then a count.

One row along the bottom edge, from the left corner: the number's low sixteen bits as squares (white is 1, highest first), the
same sixteen inverted, then the number in digits for people. All places are parts of the picture's own size, so that a scaled
picture reads the same as long as all of it is there.
"""

from __future__ import annotations

import cv2
import numpy as np

BITS = 16
NUMBERS = 1 << BITS
"""Numbers begin anew after so many."""
PER_HEIGHT = 30
"""A square is at most this part of the picture's height: 8 px at 240 lines, 18 px at 540."""
DIGIT_SQUARES = 6
"""Squares' width that the digits have…"""
PER_WIDTH = 2 * BITS + DIGIT_SQUARES
"""…so that a row is so many squares wide, which bounds them in narrow pictures."""
LEAST_CONTRAST = 48
"""Least difference of the darkest white from the brightest black, of 255: less is no counter, or two frames blended."""
LEAST_SIDE = 1.2
"""Pixels of a square below which a neighbour may be read in its place."""
SHIFTS = (0.0, -0.25, 0.25)
"""Where else to look, in squares, when a player moved the picture by a little."""
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(image: np.ndarray, number: int) -> None:
    """Draw a frame's number into it.

    Args:
        image: (h, w, 3) uint8; changed in place. Below 46 pixels of width or 36 of height nobody can read it.
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
    """Read the number that ``draw`` left.

    Args:
        image: (h, w, 3) or (h, w) uint8: the whole picture, at any size, from any decoder.

    Returns:
        The number's low sixteen bits; None where there is no counter, or none that is beyond doubt.
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
    """How many frames lie from one number to a later one, either as ``read`` or as counted: a lag of up to half the numbers.

    Negative when ``newer`` is the earlier one.
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
    """Read squares from their middle halves; ``left`` and ``top`` are where the first begins, in pixels."""
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
    """Centre white text, as large as it fits."""
    height, width = plate.shape[:2]
    (wide, high), _ = cv2.getTextSize(text, FONT, 1.0, 1)
    scale = min(0.7 * height / high, 0.9 * width / wide)
    at = round((width - wide * scale) / 2), round((height + high * scale) / 2)
    thick = max(1, round(height / 12))
    written = np.zeros((height, width), np.uint8)
    cv2.putText(written, text, at, FONT, scale, 255, thick, cv2.LINE_AA)
    plate[:] = written[..., None]
