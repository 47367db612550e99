from __future__ import annotations

from collections.abc import Collection

import pytest

from streamer.messages.status import FrameCounters
from streamer.overload import AGAIN, BAD, PATIENCE_MOST_S, PATIENCE_S, LoadShedder, SheddableFeature
from tests.fakes import HandClock

ALL = tuple(SheddableFeature)
FPS = 25


class Machine:
    """A machine on which frames are missing or late until enough features are given up."""

    def __init__(self, possible: Collection[SheddableFeature] = ALL) -> None:
        self.clock, self.ladder, self.possible = HandClock(), LoadShedder(), possible
        self.frames = FrameCounters()
        self.told: list[str] = []

    def run(
        self, seconds: float, *, dropped: int = 0, late: int = 0, unencoded: int = 0, stopped: int = 0, cured_by: int = 99
    ) -> None:
        """Let time pass with so many missing or late frames each second, until ``cured_by`` features are given up."""
        for _ in range(round(seconds)):
            suffers = len(self.ladder.given_up) < cured_by
            before = self.frames
            self.frames = FrameCounters(
                shown=before.shown + FPS - dropped * suffers,
                late=before.late + late * suffers,
                dropped=before.dropped + dropped * suffers,
                stopped=before.stopped + stopped,
                unencoded=before.unencoded + unencoded * suffers,
            )
            for _ in range(10):
                self.clock.advance(0.1)
                change = self.ladder.observe(self.clock.now_s, self.frames, self.possible)
                if change is not None:
                    self.told.append(f"{'+' if change.back else '-'}{change.feature.name}")


def test_a_stream_that_is_well_keeps_all() -> None:
    machine = Machine()
    machine.run(600, late=2)
    assert machine.told == []


def test_hiccups_cost_nothing() -> None:
    machine = Machine()
    for _ in range(20):
        machine.run(1, dropped=10, late=15)
        machine.run(9)
    assert machine.told == []


@pytest.mark.parametrize("trouble", [{"dropped": 2}, {"unencoded": 2}])
def test_what_viewers_miss_least_goes_first_one_at_a_time_and_the_size_last(trouble: dict[str, int]) -> None:
    machine = Machine()
    machine.run(BAD + 1, **trouble)
    assert machine.told == ["-THREAD"]
    machine.run(AGAIN + 1, **trouble)
    assert machine.told == ["-THREAD", "-FLOW"]
    machine.run(60, **trouble)
    assert machine.told == ["-THREAD", "-FLOW", "-PRESET", "-STEPS", "-SIZE", "-MORE_SIZE"]
    assert machine.ladder.given_up == ALL


def test_only_as_much_as_it_takes_and_all_of_it_comes_back_last_given_up_first() -> None:
    machine = Machine()
    machine.run(120, dropped=5, cured_by=3)
    assert machine.told[:3] == ["-THREAD", "-FLOW", "-PRESET"]
    machine.told.clear()
    given_up = machine.ladder.given_up
    machine.run(600)
    assert machine.told == [f"+{feature.name}" for feature in reversed(given_up)]
    assert machine.ladder.given_up == ()


def test_frames_that_are_only_late_cost_no_size() -> None:
    machine = Machine()
    machine.run(120, late=20)
    assert machine.told == ["-THREAD", "-FLOW", "-PRESET", "-STEPS"]


def test_what_makes_no_difference_here_stays() -> None:
    machine = Machine({SheddableFeature.STEPS, SheddableFeature.SIZE})
    machine.run(60, dropped=5)
    assert machine.told == ["-STEPS", "-SIZE"]


def test_it_does_not_swing() -> None:
    machine = Machine()
    machine.run(3600, dropped=5, cured_by=2)
    tries = sum(told.startswith("+") for told in machine.told)
    assert 3 <= tries <= 12, "what came back too early waits twice as long each time"
    machine.told.clear()
    machine.run(PATIENCE_MOST_S)
    assert machine.told[0].startswith("+")


def test_half_a_minute_of_being_well_is_enough_for_two_things() -> None:
    machine = Machine()
    machine.run(20, dropped=5, cured_by=2)
    machine.told.clear()
    machine.run(2 * PATIENCE_S + 3)
    assert machine.told == ["+FLOW", "+THREAD"]


def test_a_program_that_was_stopped_was_not_slow() -> None:
    machine = Machine()
    for _ in range(30):
        machine.run(1, dropped=5, stopped=1500)
    assert machine.told == []
