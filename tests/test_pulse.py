"""Pulses of the zoom."""

import itertools
import math

import pytest

from streamer.pulse import FALL_S, OVER_S, RISE_S, Pulse, Pulses


def test_a_pulse_is_closest_at_its_moment_and_comes_and_goes_without_a_jump():
    pulse = Pulse(10.0, 0.1)
    assert pulse.extra_octaves(10.0) == 0.1
    assert pulse.extra_octaves(10.0 + FALL_S) == pytest.approx(0.1 / math.e)
    assert pulse.extra_octaves(10.0 - RISE_S - 1e-9) == 0.0
    assert pulse.extra_octaves(10.0 + OVER_S + 1e-9) == 0.0
    course = [pulse.extra_octaves(10.0 + at / 1000) for at in range(-200, 1500)]
    assert max(abs(b - a) for a, b in itertools.pairwise(course)) < 0.003
    assert max(course) == 0.1


def test_of_several_the_strongest_counts_and_those_that_are_over_are_let_go():
    pulses = Pulses([Pulse(2.0, 0.05), Pulse(1.0, 0.1)])
    assert pulses.extra_octaves(1.0) == 0.1
    assert pulses.extra_octaves(2.0) == 0.05
    pulses.add(Pulse(3.0, 0.02))
    assert pulses.extra_octaves(3.0) == 0.02
    assert len(pulses._pulses) == 2
    assert pulses.extra_octaves(60.0) == 0.0
    assert len(pulses._pulses) == 0
