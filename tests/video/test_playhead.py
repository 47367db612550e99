from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene
from streamer.video.frames.playhead import CAPACITY, CATCH_UP_RATE, CROSSING_S, Playhead, View
from streamer.zoom import advance

IMAGE = np.zeros((2, 2, 3), np.uint8)
SCENE = Scene(1, ())
MOTION = Motion(1.05, 0.25)
SPEED = 0.0703893  # log2(1.05)
FRAME_S = 0.04


def keyframe(number: int, time_s: float, pose: Pose) -> Keyframe:
    return Keyframe(IMAGE, pose, time_s, SCENE, number, 1)


@dataclass
class Sample:
    now_s: float
    view: View[None]

    @property
    def content(self) -> float:
        """Number of the keyframe shown, with fraction."""
        older, newer = self.view.older.keyframe.number, self.view.newer.keyframe.number
        return older + (newer - older) * self.view.fraction


def steady(interval_s: float, count: int, start_s: float = 100.0, motion: Motion = MOTION) -> list[Keyframe]:
    return [keyframe(n, start_s + n * interval_s, advance(Pose(), motion, n * interval_s)) for n in range(count)]


def show(arrivals: list[tuple[float, Keyframe]], seconds: float, playhead: Playhead[None] | None = None) -> list[Sample]:
    playhead = playhead or Playhead(MOTION)
    now_s, samples = arrivals[0][0], []
    waiting = list(arrivals)
    end_s = now_s + seconds
    while now_s < end_s:
        while waiting and waiting[0][0] <= now_s:
            playhead.add(waiting.pop(0)[1], None, now_s)
        view = playhead.at(now_s)
        assert view is not None
        samples.append(Sample(now_s, view))
        now_s += FRAME_S
    return samples


def speeds(samples: list[Sample]) -> np.ndarray:
    return np.diff([s.view.pose.log_zoom for s in samples]) / FRAME_S


def test_nothing_before_the_first_keyframe() -> None:
    assert Playhead[None](MOTION).at(3.0) is None


@pytest.mark.parametrize("interval_s", [0.04, 0.15, 1.0, 7.0])
def test_steady_keyframes_play_at_their_own_pace_with_both_neighbours_known(interval_s: float) -> None:
    arrivals = [(k.time_s + 0.03, k) for k in steady(interval_s, int(60 / interval_s) + 20)]
    settled = show(arrivals, 40 + 10 * interval_s)[int((20 + 5 * interval_s) / FRAME_S) :]
    assert np.allclose(speeds(settled), SPEED, rtol=0.15)
    for sample in settled:
        older, newer = sample.view.older, sample.view.newer
        assert older.pose.log_zoom - 1e-9 <= sample.view.pose.log_zoom <= newer.pose.log_zoom + 1e-9
    content_rates = np.diff([s.content for s in settled]) * interval_s / FRAME_S
    assert np.allclose(content_rates, 1.0, atol=0.25)


def test_delay_adapts_to_the_interval_and_back() -> None:
    slow, fast = steady(2.0, 12), []
    for n in range(60):
        time_s = slow[-1].time_s + 0.1 * (n + 1)
        fast.append(keyframe(12 + n, time_s, advance(slow[-1].pose, MOTION, 0.1 * (n + 1))))
    playhead: Playhead[None] = Playhead(MOTION)
    show([(k.time_s, k) for k in slow], 24, playhead)
    assert 2.0 < playhead.delay_s < 2.6
    for k in fast:
        playhead.add(k, None, k.time_s)
    assert 0.1 < playhead.delay_s < 0.3


def test_the_content_holds_and_the_zoom_continues_when_a_keyframe_is_late() -> None:
    arrivals = [(k.time_s, k) for k in steady(0.2, 50)]
    samples = show(arrivals, 20)
    held = samples[-100:]
    assert {s.content for s in held} == {49.0}
    assert np.allclose(speeds(held), SPEED, rtol=0.02)


def test_content_catches_up_at_a_bounded_rate_after_a_stall() -> None:
    frames = steady(0.2, 100)
    arrivals = [(max(k.time_s, 111.0) if k.number >= 40 else k.time_s, k) for k in frames]
    samples = show(arrivals, 19)
    rates = np.diff([s.content for s in samples]) * 0.2 / FRAME_S
    assert rates.min() >= 0
    assert rates.max() <= CATCH_UP_RATE + 0.01
    assert samples[-1].content > 90
    assert np.allclose(speeds(samples), SPEED, rtol=0.25)


def test_a_restarted_worker_fades_in_without_a_jump() -> None:
    first = steady(0.2, 30)
    second = [keyframe(30 + n, 3.0 + n * 0.2, advance(Pose(), MOTION, n * 0.2)) for n in range(30)]
    arrivals = [(k.time_s, k) for k in first] + [(108.0 + n * 0.2, k) for n, k in enumerate(second)]
    samples = show(arrivals, 13)
    assert np.abs(np.diff(speeds(samples))).max() < 0.05
    assert speeds(samples).min() > 0.02
    assert samples[-1].content > 52


def test_a_keyframe_that_was_overtaken_is_left_out() -> None:
    playhead: Playhead[None] = Playhead(MOTION)
    frames = steady(0.2, 5)
    for k in (frames[0], frames[2], frames[1], frames[3]):
        playhead.add(k, None, k.time_s)
    assert [b.keyframe.number for _, b in playhead.pairs()] == [2, 3]


def test_a_change_of_speed_bends_the_path_without_a_jump() -> None:
    first = steady(0.2, 30)
    second = [
        keyframe(30 + n, 105.8 + 0.2 * (n + 1), advance(first[-1].pose, Motion(0.9, -2.0), 0.2 * (n + 1))) for n in range(30)
    ]
    samples = show([(k.time_s + 0.5 * (k.number == 30), k) for k in first + second], 11)
    assert np.abs(np.diff([s.view.pose.log_zoom for s in samples])).max() < 0.25 * FRAME_S
    assert samples[-1].view.pose.log_zoom == pytest.approx(samples[-1].view.older.pose.log_zoom, abs=0.1)


def test_what_waits_is_bounded_and_the_newest_win() -> None:
    frames = steady(0.1, 200)
    playhead: Playhead[None] = Playhead(MOTION)
    for k in frames:
        playhead.add(k, None, 100.0)
        assert len(playhead.pairs()) < CAPACITY
    assert playhead.pairs()[-1][1].keyframe.number == 199
    assert playhead.pairs()[0][0].keyframe.number == 0


def test_offline_shows_exactly_the_moment_asked_for() -> None:
    playhead: Playhead[None] = Playhead(MOTION, offline=True)
    for k in steady(0.5, 5, start_s=0.0):
        playhead.add(k, None, 0.0)
    view = playhead.at(1.2)
    assert view is not None
    assert (view.older.keyframe.number, view.newer.keyframe.number) == (2, 3)
    assert view.fraction == pytest.approx(0.4)
    assert view.pose.log_zoom == pytest.approx(1.2 * SPEED)
    assert view.pose.rotation == pytest.approx(np.radians(0.3))


@given(st.integers(0, 2**32), st.sampled_from([0.05, 0.15, 0.4, 1.5, 7.0]), st.sampled_from([1.05, 1.2, 0.93, 1.0]))
@settings(max_examples=60, deadline=None)
def test_pose_and_content_never_jump_whatever_the_arrival(seed: int, interval_s: float, speed: float) -> None:
    chance = random.Random(seed)
    motion = Motion(speed, chance.uniform(-3, 3))
    arrivals, pose, time_s, arrives_s = [], Pose(), 50.0, 50.0
    for number in range(40):
        arrives_s = max(arrives_s, time_s + chance.choice([0.0, 0.02, chance.expovariate(1 / interval_s)]))
        arrivals.append((arrives_s, keyframe(number, time_s, pose)))
        step_s = interval_s * chance.choice([1.0, 1.0, chance.uniform(0.3, 3.0), 6.0])
        if chance.random() < 0.05:
            motion = Motion(speed * chance.uniform(0.95, 1.05), chance.uniform(-3, 3))
        pose, time_s = advance(pose, motion, step_s), time_s + step_s
    samples = show(arrivals, min(arrivals[-1][0] - arrivals[0][0] + 2, 60))
    zoom = np.diff([s.view.pose.log_zoom for s in samples]) / FRAME_S
    turn = np.diff([s.view.pose.rotation for s in samples]) / FRAME_S
    assert np.abs(zoom).max() <= (abs(np.log2(speed)) + abs(np.log2(1.05))) * 2 + 0.05
    assert np.abs(turn).max() <= np.radians(3) * 2 + 0.05
    for before, after in itertools.pairwise(samples):
        gap_s = max(before.view.newer.time_s, after.view.newer.time_s) - before.view.older.time_s
        moved_s = _content_s(after.view) - _content_s(before.view)
        assert -1e-9 <= moved_s <= max(CATCH_UP_RATE, gap_s / CROSSING_S) * FRAME_S + 1e-9


def _content_s(view: View[None]) -> float:
    return view.older.time_s + (view.newer.time_s - view.older.time_s) * view.fraction
