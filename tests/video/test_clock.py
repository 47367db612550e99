from __future__ import annotations

import itertools
import random

import pytest

from streamer.messages.status import FrameCounters
from streamer.video.frames.clock import GAP_KEPT_S, FrameClock
from tests.fakes import HandClock


def test_first_frame_is_due_immediately_and_the_next_a_period_later() -> None:
    clock = HandClock()
    frames = FrameClock(25, clock, clock.sleep)
    assert frames.wait().number == 0
    assert clock.now_s == 1000.0
    tick = frames.wait()
    assert (tick.number, tick.late, tick.dropped) == (1, False, 0)
    assert clock.now_s == pytest.approx(1000.04)
    assert tick.due_s == pytest.approx(1000.04)


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 60])
def test_rate_holds_over_a_minute_though_every_sleep_is_too_long(fps: float) -> None:
    clock = HandClock()
    clock.oversleep_s = 0.003
    frames = FrameClock(fps, clock, clock.sleep)
    work = random.Random(1)
    while clock.now_s < 1060.0:
        tick = frames.wait()
        clock.advance(work.uniform(0, 0.6 / fps))
    assert frames.dropped == 0
    assert tick.number + 1 == frames.shown
    assert frames.shown / 60.0 == pytest.approx(fps, rel=0.001)


def test_a_stall_skips_numbers_and_never_bursts() -> None:
    clock = HandClock()
    frames = FrameClock(10, clock, clock.sleep, clock)
    frames.wait()
    clock.advance(1.03)
    stalled = frames.wait()
    assert (stalled.number, stalled.dropped, stalled.late) == (10, 9, False)
    before = clock.now_s
    following = frames.wait()
    assert following.number == 11
    assert clock.now_s == pytest.approx(before + 0.07)
    assert frames.counters == FrameCounters(shown=3, dropped=9)


def test_a_hiccup_costs_no_frame() -> None:
    clock = HandClock()
    frames = FrameClock(10, clock, clock.sleep)
    frames.wait()
    clock.advance(0.28)
    assert [(tick.number, tick.late) for tick in (frames.wait(), frames.wait(), frames.wait())] == [
        (1, True),
        (2, True),
        (3, False),
    ]
    assert frames.dropped == 0
    assert clock.now_s == pytest.approx(1000.3)


def test_late_and_repeated_are_counted_apart() -> None:
    clock = HandClock()
    frames = FrameClock(10, clock, clock.sleep)
    frames.wait()
    clock.advance(0.17)
    assert frames.wait().late
    frames.count_repeated()
    assert frames.counters == FrameCounters(shown=2, late=1, repeated=1)
    assert (frames.shown, frames.late, frames.repeated, frames.dropped) == (2, 1, 1, 0)
    assert not frames.wait().late


def test_the_longest_gap_is_reported_for_ten_seconds_and_forgotten_after_twenty() -> None:
    clock = HandClock()
    frames = FrameClock(10, clock, clock.sleep)
    assert frames.longest_gap_s == 0
    frames.wait()
    frames.wait()
    assert frames.longest_gap_s == pytest.approx(0.1)
    clock.advance(0.45)
    frames.wait()
    stalled_s = clock.now_s
    assert frames.longest_gap_s == pytest.approx(0.45)
    while clock.now_s < stalled_s + GAP_KEPT_S:
        frames.wait()
        assert frames.longest_gap_s == pytest.approx(0.45)
    while clock.now_s < stalled_s + 2 * GAP_KEPT_S:
        frames.wait()
    assert frames.longest_gap_s == pytest.approx(0.1)


def test_numbers_only_rise_whatever_the_stalls() -> None:
    clock = HandClock()
    frames = FrameClock(25, clock, clock.sleep)
    stalls = random.Random(2)
    numbers = []
    for _ in range(500):
        tick = frames.wait()
        assert clock.now_s >= tick.due_s - 1e-9
        numbers.append(tick.number)
        clock.advance(stalls.expovariate(20))
    assert all(b > a for a, b in itertools.pairwise(numbers))
    assert frames.shown + frames.dropped == numbers[-1] + 1


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="fps is 0"):
        FrameClock(0)


def test_a_program_that_was_stopped_dropped_nothing_and_catches_up_with_one_frame() -> None:
    clock, worked = HandClock(), HandClock()
    frames = FrameClock(10, clock, clock.sleep, worked)
    frames.wait()
    frames.wait()
    clock.advance(60.03)
    worked.advance(0.01)  # CPU time of the stop itself; a stall with a busy CPU is different
    stopped = frames.wait()
    assert (stopped.number, stopped.dropped, stopped.stopped) == (601, 0, 599)
    before = clock.now_s
    assert frames.wait().number == 602
    assert clock.now_s == pytest.approx(before + 0.07)
    assert frames.counters == FrameCounters(shown=4, stopped=599)
    clock.advance(2.0)
    worked.advance(0.5)
    assert frames.wait().dropped == 19


def test_a_program_that_was_stopped_in_its_sleep_wakes_to_the_frame_of_now() -> None:
    clock = HandClock()
    stops = [0.0, 60.0, 0.0, 0.55, 0.0]
    frames = FrameClock(10, clock, lambda seconds: clock.advance(seconds + stops.pop(0)), lambda: 0.0)
    ticks = [frames.wait() for _ in range(6)]
    assert [tick.number for tick in ticks] == [0, 1, 602, 603, 609, 610]
    assert [(tick.dropped, tick.stopped) for tick in ticks] == [(0, 0), (0, 0), (0, 600), (0, 0), (5, 0), (0, 0)]
    assert frames.counters.late == 0


def test_a_program_that_was_stopped_for_less_than_a_second_counts_as_it_is() -> None:
    clock = HandClock()
    frames = FrameClock(10, clock, clock.sleep, lambda: 0.0)
    frames.wait()
    clock.advance(0.9)
    assert frames.wait().dropped == 8
