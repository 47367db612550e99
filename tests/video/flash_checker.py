"""Count flashes in a finished video as WCAG 2.2's success criterion 2.3.1 defines them, pixel by pixel.

It follows the definition alone, in floating point and at full resolution. It shares no code with the limiter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

FIELDS = ((256 / 768, 341 / 1024), (256 / 768, 341 / 1366))
"""Ten degrees as fractions of (height, width): on the definition's 4:3 screen, and on a 16:9 screen of the same height."""


TO_XYZ = np.array(((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041)))
TOO_DARK = 0.03
"""Least sum of linear red, green and blue, of 3, that counts as a colour."""


def worst(frames: Sequence[np.ndarray], fps: float) -> int:
    """Return the most flashes of failing size, general or red, in any second. More than 3 is a failure."""
    return max(general(frames, fps), red(frames, fps))


def general(frames: Sequence[np.ndarray], fps: float) -> int:
    """Return the most general flashes in any second over more than a quarter of any field."""
    light = np.stack([_linear(frame) @ (0.2126, 0.7152, 0.0722) for frame in frames]).astype(np.float32)
    rises, falls = _transitions(light, lambda low, high: (high - low >= 0.1) & (low < 0.8))
    return _most(rises, falls, fps)


def red(frames: Sequence[np.ndarray], fps: float) -> int:
    """Return the most red flashes in any second over more than a quarter of any field.

    A transition is a change of more than 0.2 in the (u', v') diagram between two states, one of them a saturated red. Pixels
    too dark to have a colour count as grey.
    """
    linear = [_linear(frame) for frame in frames]
    saturated = [rgb[..., 0] >= 0.8 * np.maximum(rgb.sum(2), TOO_DARK) for rgb in linear]
    colours = [_chromaticity(rgb + 0.001) for rgb in linear]
    rises, falls = (np.zeros((len(frames), *frames[0].shape[:2]), bool) for _ in range(2))
    last = np.zeros(frames[0].shape[:2], int)  # when each pixel's last transition ended
    for now in range(1, len(frames)):
        for then in range(max(0, now - int(fps)), now):
            one = (saturated[now] != saturated[then]) & (then >= last)
            if one.any():
                one[one] = np.linalg.norm(colours[now][one] - colours[then][one], axis=1) > 0.2
                rises[now] |= one & saturated[now]
                falls[now] |= one & saturated[then]
        last[rises[now] | falls[now]] = now
    return _most(rises, falls, fps)


def _linear(frame: np.ndarray) -> np.ndarray:
    value = frame / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _chromaticity(rgb: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(rgb @ TO_XYZ.T, 2, 0)
    return np.stack((4 * x, 9 * y), 2) / (x + 15 * y + 3 * z)[..., None]


def _transitions(signal: np.ndarray, counts: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return at which frames each pixel completes a rise or a fall, between neighbouring valley and peak, that counts.

    Track the highest value since the last rise and the lowest since the last fall. The first change may be either.
    """
    low, high = signal[0].copy(), signal[0].copy()
    rising, falling = np.ones(low.shape, bool), np.ones(low.shape, bool)  # which changes may come next
    rises, falls = np.zeros(signal.shape, bool), np.zeros(signal.shape, bool)
    for time, value in enumerate(signal):
        low, high = np.minimum(low, value), np.maximum(high, value)
        up = rising & counts(low, value)
        down = falling & ~up & counts(value, high)
        rises[time], falls[time] = up, down
        high, low = np.where(up, value, high), np.where(down, value, low)
        rising, falling = (rising & ~up) | down, (falling & ~down) | up
    return rises, falls


def _most(rises: np.ndarray, falls: np.ndarray, fps: float) -> int:
    size, found = rises.shape[1:], 0
    again = _again(rises | falls, fps)
    for field in FIELDS:
        window = tuple(max(1, min(side, round(side * part))) for side, part in zip(size, field, strict=True))
        # By pixel: flashes within a second that more than a quarter of the field's pixels go through.
        for count in _per_second(rises.astype(np.int8) + falls, fps):
            while _quarter(count >= 2 * (found + 1), window).any():
                found += 1
        # By frame: flashes that end in the same frame, in the same direction, over more than a quarter of the field.
        up, down = (np.stack([_quarter(moment, window) for moment in change & again]) for change in (rises, falls))
        for moments in (_once(up, down), _once(down, up)):
            found = max(found, *(int(count.max()) for count in _per_second(moments, fps)))
    return found


def _once(happens: np.ndarray, opposite: np.ndarray) -> np.ndarray:
    """Drop changes that continue those of the frame before, with none opposite in either: that is one soft flash, not two."""
    going_on = happens[1:] & happens[:-1] & ~opposite[1:] & ~opposite[:-1]
    return np.concatenate((happens[:1], happens[1:] & ~going_on))


def _again(happens: np.ndarray, fps: float) -> np.ndarray:
    """Return, for each frame, where a change happened within the second before it."""
    totals = np.concatenate((np.zeros((1, *happens.shape[1:]), np.int32), np.cumsum(happens, 0, dtype=np.int32)))
    return np.stack([totals[now] > totals[max(0, now - int(fps))] for now in range(len(happens))])


def _per_second(happens: np.ndarray, fps: float) -> Iterator[np.ndarray]:
    """Yield the sums over the second from each frame on."""
    span = max(1, int(fps))
    totals = np.concatenate((np.zeros((1, *happens.shape[1:]), np.int32), np.cumsum(happens, 0, dtype=np.int32)))
    for start in range(max(1, len(happens) - span + 1)):
        yield totals[min(start + span, len(happens))] - totals[start]


def _quarter(marked: np.ndarray, window: tuple[int, int]) -> np.ndarray:
    """Return, for every position of the window, whether more than a quarter of it is marked."""
    high, wide = window
    positions = marked.shape[0] - high + 1, marked.shape[1] - wide + 1
    if np.count_nonzero(marked) <= high * wide / 4:
        return np.zeros(positions, bool)
    total = np.pad(np.cumsum(np.cumsum(marked, 0, dtype=np.int32), 1, dtype=np.int32), ((1, 0), (1, 0)))
    sums = total[high:, wide:] - total[:-high, wide:] - total[high:, :-wide] + total[:-high, :-wide]
    return np.asarray(sums > high * wide / 4)
