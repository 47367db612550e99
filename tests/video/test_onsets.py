"""Onsets in click tracks and drums with known times."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.video.sound.onsets import WINDOW, Bands, Onset, Onsets
from tests.sounds import RATE, beats_at, click, kick, pad, pink, sine, strokes

NEAR_S = 0.03
SECONDS = 6.0
BEDS = {
    "alone": lambda: np.zeros((round(SECONDS * RATE), 2), np.float32),
    "in noise": lambda: pink(SECONDS, -26),
    "in music": lambda: pink(SECONDS, -32) + pad(SECONDS),
}


def found(samples: np.ndarray, piece: int = 12_000, rate: int = RATE) -> list[Onset]:
    onsets = Onsets(rate)
    return [onset for at in range(0, len(samples), piece) for onset in onsets.find(samples[at : at + piece])]


def times(onsets: list[Onset], rate: int = RATE) -> list[float]:
    return [onset.at / rate for onset in onsets]


@pytest.fixture(scope="module", params=BEDS)
def bed(request):
    return BEDS[request.param]()


@pytest.mark.parametrize("bpm", [60, 90, 120, 180])
@pytest.mark.parametrize("sound", [click, kick])
def test_each_stroke_is_found_within_30_ms_and_nothing_else(bpm, bed, sound):
    expected = beats_at(SECONDS, bpm)
    heard = times(found(bed + strokes(SECONDS, expected, sound())))
    assert len(heard) == len(expected)
    assert np.abs(np.array(heard) - expected).max() < NEAR_S


def test_at_another_rate_too():
    expected = beats_at(SECONDS, 120)
    heard = times(found(strokes(SECONDS, expected, click(44_100), 44_100), rate=44_100), 44_100)
    assert heard == pytest.approx(expected, abs=NEAR_S)


@pytest.mark.parametrize("level_db", [-60, -40, -20])
def test_none_is_invented_in_silence_and_steady_noise(level_db):
    assert found(np.zeros((10 * RATE, 2), np.float32)) == []
    for steady in (pink(10.0, level_db, seed=level_db + 100), pad(10.0)):
        assert [onset for onset in found(steady) if onset.at > 0.1 * RATE] == []  # its beginning is an onset


def test_a_tone_that_begins_is_one_onset():
    (onset,) = found(np.concatenate((np.zeros((RATE, 2), np.float32), sine(2.0))))
    assert abs(onset.at - RATE) < NEAR_S * RATE


@pytest.mark.parametrize("piece", [1, 17, 480, 100_000])
def test_in_whatever_pieces_sound_comes_the_onsets_are_the_same(piece):
    samples = (pink(1.5, -30) + strokes(1.5, [0.7, 1.0], kick()))[: RATE if piece == 1 else None]
    assert found(samples, piece) == found(samples)


def test_bands_are_triangles_that_share_each_line_between_two():
    bands = Bands(RATE)
    flat = bands.of(np.ones((1, WINDOW // 2 + 1)))[0]
    edges = bands._edges
    assert flat == pytest.approx((edges[2:] - edges[:-2]) / 2)
    line = np.zeros((1, WINDOW // 2 + 1))
    line[0, edges[5]] = 2.0
    assert bands.of(line)[0].nonzero()[0].tolist() == [4]
    assert bands.of(line)[0, 4] == 2.0
