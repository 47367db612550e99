from __future__ import annotations

import threading

import numpy as np

from streamer.video.sound.reservoir import FADE_S, Reservoir
from tests.sounds import RATE, sine

FADE = round(FADE_S * RATE)
STEP = 2 * np.pi * 440 / RATE * 0.5
"""Most that a 440 Hz sine of peak 0.5 changes from one sample to the next."""
SMOOTH = STEP + 0.5 * np.pi / 2 / FADE
"""The same while it fades."""


def steepest(samples: np.ndarray) -> float:
    return float(np.abs(np.diff(samples, axis=0)).max())


def test_sound_goes_through_as_it_is():
    reservoir = Reservoir(RATE, 4, 0.1)
    samples = sine(1.0)
    for at in range(0, len(samples), 1500):
        assert reservoir.put(samples[at : at + 1500])
    taken = np.concatenate([reservoir.take(1024) for _ in range(40)])
    np.testing.assert_array_equal(taken[FADE:], samples[FADE : len(taken)])
    assert reservoir.playing
    assert reservoir.breaks == 0


def test_it_begins_when_enough_has_come_together():
    reservoir = Reservoir(RATE, 4, 0.5)
    reservoir.put(sine(0.4))
    assert not reservoir.take(1024).any()
    assert not reservoir.playing
    reservoir.put(sine(0.2))
    assert reservoir.take(1024).any()
    assert reservoir.count == round(0.6 * RATE) - 1024


def test_sound_that_stops_and_comes_back_does_not_click():
    reservoir = Reservoir(RATE, 4, 0.1)
    taken = []
    for start_s in (0.0, 0.1234, 0.77):
        reservoir.put(sine(0.2, start_s=start_s))
        taken += [reservoir.take(1024) for _ in range(15)]
    heard = np.concatenate(taken)
    assert reservoir.breaks == 3
    assert not reservoir.playing
    assert steepest(heard) <= SMOOTH
    assert np.abs(heard).max() > 0.49


def test_a_break_within_what_waits_does_not_click():
    reservoir = Reservoir(RATE, 4, 0.1)
    reservoir.put(sine(0.5))
    reservoir.cut()
    reservoir.put(sine(0.5, start_s=0.0011))
    heard = np.concatenate([reservoir.take(1024) for _ in range(45)])
    assert reservoir.breaks == 0
    assert steepest(heard) <= SMOOTH
    assert np.abs(heard[round(0.5 * RATE) - 20 : round(0.5 * RATE) + 20]).max() < 0.02


def test_a_full_one_makes_the_writer_wait_for_the_reader():
    reservoir = Reservoir(RATE, 1, 0.1)
    written = threading.Event()

    def write() -> None:
        while not written.is_set() and reservoir.put(sine(0.25)):
            pass

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(200):
            reservoir.take(1024)
            assert reservoir.count < 1.25 * RATE
    finally:
        written.set()
        reservoir.close()
        thread.join()


def test_a_writer_whom_nobody_listens_to_learns_of_it():
    reservoir = Reservoir(RATE, 0.1, 0.05)
    assert reservoir.put(sine(0.2))
    assert not reservoir.put(sine(0.2), patience_s=0.01)
    assert reservoir.count == round(0.2 * RATE)
    reservoir.clear()
    assert reservoir.put(sine(0.2), patience_s=0.01)


def test_a_closed_one_takes_nothing_and_lets_everybody_go():
    reservoir = Reservoir(RATE, 0.1, 0.05)
    reservoir.put(sine(0.2))
    reservoir.close()
    reservoir.wait_until_taken()
    assert not reservoir.put(sine(0.2))
    assert reservoir.take(1024).any()
