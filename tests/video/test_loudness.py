from __future__ import annotations

import numpy as np
import pytest

from streamer.video.sound.loudness import AHEAD, CEILING, Limiter, to_factor
from tests.sounds import RATE, sine


def limit(samples: np.ndarray, block: int = 1024) -> np.ndarray:
    limiter = Limiter(RATE)
    return np.concatenate([limiter.process(samples[at : at + block]) for at in range(0, len(samples) - block + 1, block)])


def test_what_is_not_too_loud_is_not_touched():
    samples = sine(1.0, peak=0.88)
    limited = limit(samples)
    np.testing.assert_array_equal(limited[AHEAD:], samples[: len(limited) - AHEAD])


@pytest.mark.parametrize("peak", [0.95, 1.5, 8.0])
def test_nothing_comes_out_louder_than_the_ceiling(peak):
    samples = sine(1.0, peak=0.3)
    samples[20_000:20_500] = peak
    samples[30_000] = -peak  # a single sample inside a block
    samples[40_960] = peak  # the first sample of a block
    assert np.abs(limit(samples)).max() <= CEILING + 1e-6


def test_a_steady_tone_that_is_too_loud_keeps_its_shape():
    limited = limit(sine(1.0, peak=4.0))[RATE // 2 :]
    spectrum = np.abs(np.fft.rfft(limited[:, 0] * np.hanning(len(limited))))
    tone = spectrum.argmax()
    assert spectrum[tone + 20 :].max() < 0.001 * spectrum[tone]  # clipped peaks would show as harmonics
    assert np.abs(limited).max() > 0.95 * CEILING


def test_the_volume_comes_back_after_a_loud_moment():
    samples = sine(3.0, peak=0.3)
    samples[10_000:10_100] = 3.0
    limited = limit(samples)
    assert np.abs(limited[10_000:12_000]).max() <= CEILING + 1e-6
    assert np.abs(limited[12_000:14_000]).max() < 0.25  # still turned down
    np.testing.assert_allclose(limited[-RATE // 4 :], samples[: len(limited) - AHEAD][-RATE // 4 :], atol=2e-3)


def test_decibels():
    assert to_factor(0) == 1
    assert to_factor(-20) == pytest.approx(0.1)
    assert to_factor(6.0206) == pytest.approx(2, abs=1e-4)
