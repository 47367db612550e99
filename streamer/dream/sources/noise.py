"""Coloured noise to start a dream from."""

from __future__ import annotations

import numpy as np


def noise(size: tuple[int, int], rng: np.random.Generator, contrast: float = 24.0) -> np.ndarray:
    """Return coloured noise about mid-grey with the 1/f spectrum of natural pictures, which looks like clouds.

    Args:
        size: (height, width).
        rng: the random number generator.
        contrast: standard deviation of each channel, in levels of 255.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    h, w = size
    frequency = np.hypot(np.fft.fftfreq(h)[:, None] * h, np.fft.rfftfreq(w)[None, :] * w)
    amplitude = 1 / np.maximum(frequency, 3.0)  # with a floor; otherwise one blob fills the picture
    amplitude[0, 0] = 0
    spectrum = np.fft.rfft2(rng.standard_normal((4, h, w))) * amplitude
    planes = np.fft.irfft2(spectrum, s=(h, w))
    planes /= np.maximum(planes.std(axis=(1, 2), keepdims=True), 1e-9)
    channels = 0.85 * planes[:1] + 0.53 * planes[1:]  # mostly light and dark, a little colour, as in photographs
    return np.clip(128 + contrast * channels, 0, 255).round().astype(np.uint8).transpose(1, 2, 0).copy()
