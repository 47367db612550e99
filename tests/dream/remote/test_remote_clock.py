"""The estimated clock of another machine: ours is hand-driven, and answers are delayed."""

import itertools
import random

import pytest

from streamer.dream.worker.remote.remote_clock import SLEW, RemoteClock
from tests.fakes import HandClock

AHEAD_S = 5000.0
"""By how much the other clock is ahead of ours."""


class Stage:
    def __init__(self):
        self.ours = HandClock(100.0)
        self.other = RemoteClock(self.ours)

    def ask(self, there_s, back_s, ahead_s=AHEAD_S):
        asked_s = self.ours()
        self.ours.advance(there_s)
        told_s = self.ours() + ahead_s
        self.ours.advance(back_s)
        self.other.add_answer(asked_s, told_s, self.ours())


def test_nothing_is_known_at_first():
    stage = Stage()
    assert (stage.other.offset_s, stage.other.trip_s) == (0.0, 0.0)


def test_the_quickest_answer_is_believed():
    stage = Stage()
    for way_s in (0.5, 0.01, 0.3):
        stage.ask(way_s, way_s / 4)
    assert stage.other.trip_s == pytest.approx(0.0125)
    assert stage.other.offset_s == pytest.approx(-AHEAD_S, abs=0.01), "no more wrong than half of its way"


def test_many_answers_over_an_uneven_way_tell_the_time_to_a_millisecond():
    stage, dice = Stage(), random.Random(1)
    for _ in range(64):
        stage.ask(0.02 + dice.expovariate(50), 0.02 + dice.expovariate(50))
    assert stage.other.offset_s == pytest.approx(-AHEAD_S, abs=0.003)


def test_times_keep_their_order_while_the_offset_is_mended():
    stage = Stage()
    stage.ask(0.5, 0.0)
    first_s = stage.other.offset_s
    assert first_s == pytest.approx(-AHEAD_S - 0.25)
    stage.ask(0.001, 0.001)
    shown = []
    for _ in range(3000):
        stage.ours.advance(0.01)
        shown.append(stage.ours() + AHEAD_S + stage.other.offset_s)
    apart = [after - before for before, after in itertools.pairwise(shown)]
    assert min(apart) >= 0.01 * (1 - SLEW) - 1e-9
    assert max(apart) <= 0.01 * (1 + SLEW) + 1e-9
    assert shown[-1] == pytest.approx(stage.ours(), abs=0.002), "and it is mended in the end"


def test_clocks_that_come_apart_are_followed():
    stage = Stage()
    stage.ask(0.001, 0.001)
    for number in range(1, 200):
        stage.ours.advance(10.0)
        stage.ask(0.002, 0.002, AHEAD_S + 50e-6 * 10.0 * number)
        offset_s = stage.other.offset_s
    assert offset_s == pytest.approx(-AHEAD_S - 50e-6 * 10.0 * 199, abs=0.006)
