"""The spare's rules, with a hand-driven clock and fake workers; test_renderer.py uses real ones."""

import errno
import math
import os

import pytest

from streamer.dream.worker.protocol import Busy, Failed, LinkReport, Prepared
from streamer.dream.worker.spare_worker import SpareLimits, SpareWorker, doubled_pause_s
from streamer.messages.renderer_status import LinkStatus
from tests.fakes import HandClock

LIMITS = SpareLimits(after_s=2.0, loading_s=100.0, pause_s=10.0, pause_most_s=30.0)


class HandWorker:
    """Sends the reports that a test sets."""

    sentinel = object()
    cluster_placement = None

    def __init__(self):
        self.connection = object()
        self.said, self.lives, self.dismissed = [], True, False

    def receive(self):
        if not self.said:
            raise EOFError
        return self.said.pop(0), None

    def exit_reason(self):
        return Failed("killed", "", lasting=False)

    def dismiss(self, seconds):
        self.dismissed = True


class Stage:
    def __init__(self):
        self.clock, self.made, self.no_room = HandClock(0.0), [], None
        self.spare = SpareWorker(self.make, LIMITS, self.clock)

    def make(self):
        if self.no_room is not None:
            raise self.no_room
        self.made.append(HandWorker())
        return self.made[-1]

    def says(self, *reports):
        for report in reports:
            self.made[-1].said.append(report)
            self.spare.tick([self.made[-1].connection])

    def dies(self):
        self.spare.tick([self.made[-1].connection])

    def after(self, seconds):
        """Do what is due after some seconds; return the number of workers made so far."""
        self.clock.advance(seconds)
        self.spare.tick([])
        return len(self.made)


def test_it_is_made_a_while_after_a_worker_dreams():
    stage = Stage()
    assert (stage.after(1000.0), stage.spare.left_s) == (0, math.inf)
    stage.spare.want()
    assert stage.spare.left_s == 2.0
    assert stage.after(1.5) == 0
    stage.spare.want()
    assert stage.after(0.5) == 1
    assert stage.spare.watched == [stage.made[0].connection, stage.made[0].sentinel]
    assert not stage.spare.waits
    stage.says(Prepared())
    assert stage.spare.waits
    assert (stage.after(10_000.0), stage.spare.left_s) == (1, math.inf), "it waits for ever, and nobody looks at it"


def test_it_is_taken_once():
    stage = Stage()
    stage.spare.want()
    stage.after(2.0)
    assert stage.spare.take() is stage.made[0]
    assert stage.spare.take() is None
    assert not stage.made[0].dismissed
    stage.spare.want()
    assert stage.after(0.0) == 2, "a worker that took over soon gets a spare"


def test_one_that_is_dead_is_of_no_use():
    stage = Stage()
    stage.spare.want()
    stage.after(2.0)
    stage.made[0].lives = False
    assert stage.spare.take() is None
    assert stage.made[0].dismissed


@pytest.mark.logs("the spare worker ended")
def test_those_that_end_are_replaced_ever_later_until_one_was_of_use():
    stage = Stage()
    stage.spare.want()
    stage.after(2.0)
    for pause_s in (10.0, 20.0, 30.0, 30.0):
        stage.says(Prepared())
        stage.dies()
        assert stage.made[-1].dismissed
        assert stage.spare.left_s == pause_s
        stage.spare.want()
        made = len(stage.made)
        assert stage.after(pause_s - 0.1) == made
        assert stage.after(0.1) == made + 1
    assert stage.spare.take() is not None
    stage.spare.want()
    stage.after(2.0)
    stage.says(Failed("the file is gone", "", lasting=True))
    assert stage.spare.left_s == 10.0


@pytest.mark.logs("the spare worker ended: it was silent for 100 s; starting another in 10 s, the dream continues")
def test_one_that_loads_without_a_sign_of_life_is_given_up():
    stage = Stage()
    stage.spare.want()
    stage.after(2.0)
    stage.after(99.0)
    stage.says(Busy("downloading"))
    stage.after(99.0)
    stage.says(LinkReport("a", 0, LinkStatus("10.0.0.2")))  # from the relay, which is another process
    assert not stage.made[0].dismissed
    stage.after(1.0)
    assert stage.made[0].dismissed


@pytest.mark.logs("the spare worker cannot be started: Too many open files; starting another in 10 s, the dream continues")
@pytest.mark.logs("the spare worker cannot be started: can't start new thread; starting another in 20 s, the dream continues")
def test_one_that_the_system_has_no_room_for_is_tried_again_later():
    stage = Stage()
    stage.spare.want()
    stage.no_room = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    assert (stage.after(2.0), stage.spare.left_s) == (0, 10.0)
    stage.no_room = RuntimeError("can't start new thread")
    assert (stage.after(10.0), stage.spare.left_s) == (0, 20.0)
    stage.no_room = None
    assert stage.after(20.0) == 1


def test_pauses_stay_finite_after_any_number_of_failures():
    assert [doubled_pause_s(0.5, failures, 30.0) for failures in (0, 1, 5, 6, 5000)] == [0.5, 1.0, 16.0, 30.0, 30.0]
