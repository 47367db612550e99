"""Beats and loudness of sound before it is played."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.video.sound.sound_analysis import KEEP_S, SoundAnalyser
from tests.sounds import RATE, beats_at, hat, kick, sine, strokes

APART = 0.3 * RATE


def listening(samples: np.ndarray, start: int = 0, piece: int = 12_000) -> SoundAnalyser:
    analyser = SoundAnalyser(RATE)
    analyser.listen(True)
    for at in range(0, len(samples), piece):
        analyser.analyse(start + at, samples[at : at + piece])
    return analyser


def test_it_analyses_nothing_until_asked_to():
    analyser, track = SoundAnalyser(RATE), strokes(3.0, [1.0, 2.0], kick())
    analyser.analyse(0, track)
    assert analyser.beats(0, 3 * RATE, APART) == []
    assert analyser.loudness(RATE) == 0.0
    analyser.listen(True)
    analyser.analyse(len(track), track)
    assert [round(beat.at / RATE, 1) for beat in analyser.beats(0, 9 * RATE, APART)] == [4.0, 5.0]
    analyser.listen(False)
    assert analyser.beats(0, 9 * RATE, APART) == []


def test_sounds_between_the_beats_are_no_beats():
    expected = beats_at(6.0, 120)
    between = [at + 0.25 for at in expected]
    analyser = listening(strokes(6.0, expected, kick()) + strokes(6.0, between, hat()))
    beats = analyser.beats(0, 6 * RATE, APART)
    assert [beat.at / RATE for beat in beats] == pytest.approx(expected, abs=0.03)
    assert len(analyser.beats(0, 6 * RATE, 0.1 * RATE)) == len(expected) + len(between)
    assert min(beat.strength for beat in beats) > 0.9


def test_a_beat_before_a_louder_one_is_none_even_if_it_was_the_loudest_so_far():
    analyser = listening(strokes(2.0, [0.8], hat()) + strokes(2.0, [1.0], kick()))
    assert [beat.at / RATE for beat in analyser.beats(0, 2 * RATE, APART)] == pytest.approx([1.0], abs=0.03)


def test_quieter_beats_are_weaker_until_the_loud_ones_are_forgotten():
    loud, quiet = strokes(30.0, [1.0], kick()), 0.25 * strokes(30.0, [3.0, 28.0], kick())
    first, soon, late = listening(loud + quiet).beats(0, 30 * RATE, APART)
    assert first.strength == 1.0
    assert 0.2 < soon.strength < 0.4
    assert late.strength == 1.0


def test_loudness_follows_the_sound_and_is_measured_by_itself():
    for factor in (1.0, 0.1):
        track = factor * np.concatenate([sine(2.0, peak=0.5), sine(2.0, peak=0.15), np.zeros((2 * RATE, 2), np.float32)])
        analyser = listening(track.astype(np.float32))
        assert analyser.loudness(1.5 * RATE) == 1.0
        assert 0.4 < analyser.loudness(3.5 * RATE) < 0.6
        assert analyser.loudness(5.5 * RATE) == 0.0
    assert analyser.loudness(100 * RATE) == 0.0


def test_silence_is_never_loud():
    analyser = listening(1e-4 * sine(3.0))
    assert analyser.loudness(2 * RATE) == 0.0


def test_samples_are_counted_like_in_playback():
    analyser = listening(strokes(3.0, [1.0], kick()), start=1_000_000)
    (beat,) = analyser.beats(0, 10_000_000, APART)
    assert beat.at == pytest.approx(1_000_000 + RATE, abs=0.03 * RATE)
    assert analyser.loudness(1_000_000 + RATE) > 0.5
    analyser.analyse(5_000_000, strokes(3.0, [2.0], kick()))  # the sound in between was never played
    assert [beat.at for beat in analyser.beats(0, 10_000_000, APART)] == pytest.approx([5_000_000 + 2 * RATE], abs=0.03 * RATE)


def test_old_beats_are_forgotten():
    analyser = listening(strokes(KEEP_S + 20, np.arange(1.0, KEEP_S + 19), kick()))
    beats = analyser.beats(0, 1e9, APART)
    assert KEEP_S - 3 < len(beats) <= KEEP_S
    assert len(analyser._loud) == KEEP_S * 100
