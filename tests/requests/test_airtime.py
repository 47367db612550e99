import pytest

from streamer.requests.airtime import REFUSED_KEYFRAMES, REFUSED_S, STILL_S, Airtime
from tests.fakes import HandClock


class Dream:
    """A clock, an airtime that uses it, and keyframes."""

    def __init__(self):
        self.clock = HandClock()
        self.airtime = Airtime(self.clock)
        self.airtime.begin()

    def keyframes(self, count, every_s=0.5, *, shows=True):
        for _ in range(count):
            self.airtime.keyframe(self.clock(), shows=shows)
            self.clock.advance(every_s)

    @property
    def told(self):
        return self.airtime.shown, round(self.airtime.seconds, 3)


@pytest.fixture
def dream():
    return Dream()


def test_time_counts_from_the_first_keyframe(dream):
    dream.clock.advance(100)
    assert dream.told == (False, 0)
    dream.keyframes(8, shows=False)
    assert dream.told == (False, 0), "keyframes of what was before"
    dream.keyframes(10)
    assert dream.told == (True, 5)


def test_time_runs_on_between_keyframes(dream):
    dream.keyframes(2)
    dream.clock.advance(0.25)
    assert dream.told == (True, 1.25)


def test_time_stands_while_the_dream_does(dream):
    dream.keyframes(10)
    dream.clock.advance(300)
    stood = 4.5 + STILL_S
    assert dream.told == (True, stood)
    dream.keyframes(4)
    assert dream.told == (True, stood + 2), "it goes on where it stood"


def test_a_slow_dream_does_not_stand(dream):
    dream.keyframes(1, 7)
    assert dream.told == (True, STILL_S), "how fast it is, nobody knows yet"
    dream.keyframes(10, 7)
    assert dream.told == (True, STILL_S + 70)
    dream.clock.advance(1000)
    assert dream.told == (True, STILL_S + 63 + 4 * 7)


def test_what_was_shown_ends_with_the_latest_keyframe(dream):
    dream.keyframes(10)
    assert (dream.airtime.seconds, dream.airtime.seconds_shown) == (5, 4.5)
    dream.clock.advance(100)
    assert dream.airtime.seconds_shown == 4.5


def test_one_long_gap_makes_no_slow_dream(dream):
    dream.keyframes(9)
    dream.clock.advance(60)
    dream.keyframes(9)
    before_s = dream.airtime.seconds
    dream.clock.advance(60)
    assert dream.airtime.seconds == pytest.approx(before_s + STILL_S - 0.5)


def test_another_one_begins_at_nothing_or_where_it_was(dream):
    dream.keyframes(10)
    dream.airtime.begin()
    assert dream.told == (False, 0)
    dream.airtime.begin(17.5)
    dream.clock.advance(10)
    assert dream.told == (False, 17.5)
    dream.keyframes(2)
    assert dream.told == (True, 18.5)


def test_other_looks_are_waited_for_but_it_was_seen(dream):
    dream.keyframes(10)
    dream.airtime.change()
    dream.keyframes(10, shows=False)
    assert dream.told == (True, 5)
    dream.keyframes(2)
    assert dream.told == (True, 6)


def test_a_pause_holds_it(dream):
    dream.keyframes(10)
    dream.airtime.pause(True)
    dream.airtime.pause(True)
    dream.keyframes(100)
    assert dream.told == (True, 5)
    dream.airtime.pause(False)
    dream.clock.advance(0.25)
    assert dream.told == (True, 5.25)
    dream.keyframes(2)
    assert dream.told == (True, 6.25)


def test_what_is_seen_first_while_paused_counts_from_there(dream):
    dream.airtime.pause(True)
    dream.keyframes(10)
    assert dream.told == (True, 0)
    dream.airtime.pause(False)
    dream.keyframes(2)
    assert dream.told == (True, 1)


def test_what_is_not_seen_before_a_pause_is_not_seen_after_it(dream):
    dream.airtime.pause(True)
    dream.clock.advance(50)
    dream.airtime.pause(False)
    dream.clock.advance(50)
    assert dream.told == (False, 0)


def test_what_no_worker_lives_to_show_is_deadly(dream):
    dream.airtime.workers_died(2)
    dream.keyframes(5, shows=False)
    assert not dream.airtime.kills_workers
    dream.airtime.workers_died(1)
    assert dream.airtime.kills_workers
    dream.keyframes(1)
    assert not dream.airtime.kills_workers
    dream.airtime.workers_died(2)
    dream.airtime.begin()
    dream.airtime.workers_died(1)
    assert not dream.airtime.kills_workers


def test_a_scene_that_never_shows_while_the_dream_continues_is_refused(dream):
    dream.clock.advance(10 * REFUSED_S)
    assert not dream.airtime.never_shown, "nothing is rendered at all"
    dream.airtime.begin()
    dream.keyframes(REFUSED_KEYFRAMES, 0.01, shows=False)
    assert not dream.airtime.never_shown, "too soon to tell"
    dream.clock.advance(REFUSED_S)
    assert dream.airtime.never_shown
    dream.keyframes(1)
    assert not dream.airtime.never_shown
    dream.airtime.begin()
    dream.clock.advance(REFUSED_S)
    dream.keyframes(REFUSED_KEYFRAMES - 1, 0.01, shows=False)
    assert not dream.airtime.never_shown
