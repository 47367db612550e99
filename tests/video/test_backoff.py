from __future__ import annotations

import itertools

import pytest

from streamer.video.sinks.backoff import BackOff


def test_pauses_grow_by_half_up_to_thirty_seconds_and_go_on_for_ever() -> None:
    back_off = BackOff(chance=lambda: 0.0)
    pauses = [back_off.pause_s() for _ in range(10_000)]
    assert pauses[:5] == pytest.approx([1.0, 1.5, 2.25, 3.375, 5.0625])
    assert all(pause == 30.0 for pause in pauses[9:])


def test_chance_only_shortens_a_pause_and_by_a_quarter_at_most() -> None:
    chances = itertools.cycle((0.0, 0.5, 1.0))
    back_off = BackOff(first_s=8.0, factor=1.0, chance=lambda: next(chances))
    assert [back_off.pause_s() for _ in range(3)] == pytest.approx([8.0, 7.0, 6.0])


@pytest.mark.parametrize(("worked_s", "expected_s"), [(29.9, 3.375), (30.0, 1.0)])
def test_what_worked_for_half_a_minute_is_forgiven(worked_s: float, expected_s: float) -> None:
    back_off = BackOff(chance=lambda: 0.0)
    for _ in range(3):
        back_off.pause_s()
    assert back_off.pause_s(worked_s) == pytest.approx(expected_s)
