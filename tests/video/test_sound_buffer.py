from __future__ import annotations

import threading

import numpy as np

from streamer.video.sound.sound_buffer import FADE_S, SoundBuffer
from tests.sounds import RATE, sine

FADE = round(FADE_S * RATE)
STEP = 2 * np.pi * 440 / RATE * 0.5
"""Largest change of a 440 Hz sine of peak 0.5 from one sample to the next."""
SMOOTH = STEP + 0.5 * np.pi / 2 / FADE
"""Largest change of that sine while it fades."""


def steepest(samples: np.ndarray) -> float:
    return float(np.abs(np.diff(samples, axis=0)).max())


def test_sound_goes_through_as_it_is():
    sound_buffer = SoundBuffer(RATE, 4, 0.1)
    samples = sine(1.0)
    for at in range(0, len(samples), 1500):
        assert sound_buffer.put(samples[at : at + 1500])
    taken = np.concatenate([sound_buffer.take(1024) for _ in range(40)])
    np.testing.assert_array_equal(taken[FADE:], samples[FADE : len(taken)])
    assert sound_buffer.playing
    assert sound_buffer.breaks == 0


def test_it_begins_when_enough_has_come_together():
    sound_buffer = SoundBuffer(RATE, 4, 0.5)
    sound_buffer.put(sine(0.4))
    assert not sound_buffer.take(1024).any()
    assert not sound_buffer.playing
    sound_buffer.put(sine(0.2))
    assert sound_buffer.take(1024).any()
    assert sound_buffer.count == round(0.6 * RATE) - 1024


def test_sound_that_stops_and_comes_back_does_not_click():
    sound_buffer = SoundBuffer(RATE, 4, 0.1)
    taken = []
    for start_s in (0.0, 0.1234, 0.77):
        sound_buffer.put(sine(0.2, start_s=start_s))
        taken += [sound_buffer.take(1024) for _ in range(15)]
    heard = np.concatenate(taken)
    assert sound_buffer.breaks == 3
    assert not sound_buffer.playing
    assert steepest(heard) <= SMOOTH
    assert np.abs(heard).max() > 0.49


def test_a_break_within_what_waits_does_not_click():
    sound_buffer = SoundBuffer(RATE, 4, 0.1)
    sound_buffer.put(sine(0.5))
    sound_buffer.cut()
    sound_buffer.put(sine(0.5, start_s=0.0011))
    heard = np.concatenate([sound_buffer.take(1024) for _ in range(45)])
    assert sound_buffer.breaks == 0
    assert steepest(heard) <= SMOOTH
    assert np.abs(heard[round(0.5 * RATE) - 20 : round(0.5 * RATE) + 20]).max() < 0.02


def test_a_full_one_makes_the_writer_wait_for_the_reader():
    sound_buffer = SoundBuffer(RATE, 1, 0.1)
    written = threading.Event()

    def write() -> None:
        while not written.is_set() and sound_buffer.put(sine(0.25)):
            pass

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(200):
            sound_buffer.take(1024)
            assert sound_buffer.count < 1.25 * RATE
    finally:
        written.set()
        sound_buffer.close()
        thread.join()


def test_a_writer_without_listeners_learns_of_it():
    sound_buffer = SoundBuffer(RATE, 0.1, 0.05)
    assert sound_buffer.put(sine(0.2))
    assert not sound_buffer.put(sine(0.2), patience_s=0.01)
    assert sound_buffer.count == round(0.2 * RATE)
    sound_buffer.clear()
    assert sound_buffer.put(sine(0.2), patience_s=0.01)


def test_a_closed_one_takes_nothing_and_lets_everybody_go():
    sound_buffer = SoundBuffer(RATE, 0.1, 0.05)
    sound_buffer.put(sine(0.2))
    sound_buffer.close()
    sound_buffer.wait_until_taken()
    assert not sound_buffer.put(sine(0.2))
    assert sound_buffer.take(1024).any()
