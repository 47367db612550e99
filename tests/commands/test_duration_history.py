"""Estimates that are learned from past runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamer.commands.duration_history import MOST, DurationForecast, DurationHistory
from tests.fakes import HandClock


@pytest.fixture
def past(tmp_path: Path) -> DurationHistory:
    return DurationHistory(tmp_path / "cache" / "estimates.json")


def foretelling(past: DurationHistory, clock: HandClock, kind: str = "picture 640x400") -> DurationForecast:
    found = DurationForecast(kind, "this machine", past, begun_s=clock(), clock=clock)
    clock.advance(5.0)  # the start takes time
    return found


def test_the_start_counts_and_the_same_again_needs_no_trial(past: DurationHistory) -> None:
    clock = HandClock()
    first = foretelling(past, clock)
    assert first.known_s is None
    assert first.seconds(10, None) is None
    assert first.seconds(10, 0.5) == pytest.approx(5 + 5)
    first.begins()
    clock.advance(8.0)  # longer than the trial predicted
    first.learn(10)
    again = foretelling(past, clock)
    assert again.known_s == pytest.approx(0.8)
    assert again.seconds(20, None) == pytest.approx(5 + 16)


def test_another_size_learns_how_far_trials_are_to_be_believed(past: DurationHistory) -> None:
    clock = HandClock()
    first = foretelling(past, clock)
    first.seconds(10, 0.5)
    first.begins()
    clock.advance(8.0)
    first.learn(10)
    other = foretelling(past, clock, "picture 64x40")
    assert other.known_s is None
    assert other.seconds(10, 0.1) == pytest.approx(5 + 1.6)
    film = foretelling(past, clock, "film 64x40")
    assert film.seconds(10, 0.1) == pytest.approx(5 + 1), "films are their own"


def test_the_newest_counts_half_and_short_ones_not_at_all(past: DurationHistory) -> None:
    past.put("a", 4.0)
    past.put("a", 2.0)
    assert past.get("a") == pytest.approx(3.0)
    clock = HandClock()
    short = foretelling(past, clock)
    short.begins()
    clock.advance(0.5)
    short.learn(10)
    assert foretelling(past, clock).known_s is None


@pytest.mark.slow
def test_the_oldest_are_forgotten(past: DurationHistory) -> None:
    for number in range(MOST + 2):
        past.put(f"{number}", 1.0)
        past.put("0", 1.0)
    assert past.get("0") == 1.0
    assert past.get("1") is None
    assert past.get(f"{MOST + 1}") == 1.0


@pytest.mark.parametrize("content", ["", "[1]", '{"a": "soon"}', '{"a": -1.0}', "\0"])
def test_a_broken_file_gives_no_duration_and_is_overwritten(content: str, tmp_path: Path) -> None:
    file = tmp_path / "estimates.json"
    file.write_text(content)
    past = DurationHistory(file)
    assert past.get("a") is None
    past.put("a", 2.0)
    assert json.loads(file.read_text())["a"] == 2.0


def test_where_nothing_can_be_written_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    past = DurationHistory(tmp_path / "file" / "estimates.json")
    past.put("a", 1.0)
    assert past.get("a") is None
