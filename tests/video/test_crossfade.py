"""Switching interpolators: they cross-fade, and the old one keeps moving until the new one has a picture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from streamer.config import Config
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Pose
from streamer.messages.scenes import Scene, Target, arrange
from streamer.video.frames.crossfade import FADE_S, CrossfadeInterpolator

OLD, NEW = (Scene(number, arrange([Target(f"n{number}", name)])) for number, name in ((1, "old"), (2, "new")))


class HandScreen:
    """An interpolator that shows one grey, from its first keyframe on."""

    can_skip_flow = False

    def __init__(self, grey: int, scene: Scene) -> None:
        self.grey, self.scene = grey, scene
        self.pushed: list[Keyframe] = []
        self.asked: list[float] = []
        self.eased: list[tuple[bool, float]] = []
        self.tuned: list[Config] = []
        self.leant: list[float] = []
        self.skipped = self.closed = 0

    def push(self, keyframe: Keyframe) -> None:
        self.pushed.append(keyframe)

    def frame(self, now_s: float) -> tuple[np.ndarray | None, Scene | None]:
        self.asked.append(now_s)
        return (np.full((36, 64, 3), self.grey, np.uint8), self.scene) if self.pushed else (None, None)

    def set_zoom_offset(self, octaves: float) -> None:
        self.leant.append(octaves)

    @property
    def shown_s(self) -> float | None:
        return self.asked[-1] + self.grey if self.pushed and self.asked else None

    def tune(self, config: Config) -> None:
        self.tuned.append(config)

    def reduce_load(self, *, follow: bool, part: float) -> None:
        self.eased.append((follow, part))

    def skip(self, now_s: float) -> None:
        self.asked.append(now_s)
        self.skipped += 1

    def close(self) -> None:
        self.closed += 1


def keyframe(scene: Scene = OLD, number: int = 0) -> Keyframe:
    return Keyframe(np.zeros((36, 64, 3), np.uint8), Pose(), 0.0, scene, number, 1)


@pytest.fixture
def first() -> HandScreen:
    return HandScreen(200, OLD)


@pytest.fixture
def interpolator(first: HandScreen) -> CrossfadeInterpolator:
    interpolator = CrossfadeInterpolator(first)
    interpolator.push(keyframe())
    return interpolator


def greys(interpolator: CrossfadeInterpolator, begin_s: float, count: int, every_s: float = 0.1) -> list[float]:
    found = []
    for number in range(count):
        image, _ = interpolator.frame(begin_s + number * every_s)
        assert image is not None
        assert np.ptp(image) == 0
        found.append(float(image[0, 0, 0]))
    return found


def test_one_alone_is_shown_as_it_is(interpolator: CrossfadeInterpolator, first: HandScreen) -> None:
    assert greys(interpolator, 0.0, 3) == [200.0] * 3
    interpolator.skip(1.0)
    interpolator.tune(Config())
    interpolator.close()
    assert (first.skipped, len(first.tuned), first.closed) == (1, 1, 1)


def test_before_its_first_keyframe_nothing_is_shown() -> None:
    assert CrossfadeInterpolator(HandScreen(9, OLD)).frame(0.0) == (None, None)


def test_the_old_one_moves_on_until_the_new_one_has_a_picture_and_is_faded_over(
    interpolator: CrossfadeInterpolator, first: HandScreen
) -> None:
    second = HandScreen(40, NEW)
    interpolator.reduce_load(follow=False, part=0.5)
    interpolator.switch_to(second)
    assert second.eased == [(False, 0.5)], "as the machine is"
    assert greys(interpolator, 10.0, 5) == [200.0] * 5
    assert interpolator.frame(10.5)[1] is OLD
    interpolator.push(keyframe(NEW, 1))
    assert (len(first.pushed), len(second.pushed)) == (1, 1)
    found = greys(interpolator, 11.0, round(FADE_S * 10) + 3)
    assert found[0] == 200
    assert found == sorted(found, reverse=True)
    assert max(before - after for before, after in pairwise(found)) < 20, "no jump"
    assert found[-1] == 40
    assert interpolator.frame(20.0)[1] is NEW
    assert (first.closed, second.closed) == (1, 0)
    asked = len(first.asked)
    interpolator.frame(20.1)
    assert len(first.asked) == asked, "it costs nothing any more"


def test_unseen_nothing_is_faded(interpolator: CrossfadeInterpolator, first: HandScreen) -> None:
    second = HandScreen(40, NEW)
    interpolator.switch_to(second)
    interpolator.push(keyframe(NEW, 1))
    interpolator.skip(5.0)
    assert (second.skipped, first.closed) == (1, 1)
    assert greys(interpolator, 6.0, 1) == [40.0]


def test_unseen_the_old_one_stays_until_the_new_one_has_a_picture(
    interpolator: CrossfadeInterpolator, first: HandScreen
) -> None:
    second = HandScreen(40, NEW)
    interpolator.switch_to(second)
    interpolator.skip(5.0)
    assert (first.skipped, second.skipped, first.closed) == (1, 1, 0)
    assert greys(interpolator, 6.0, 1) == [200.0], "for a viewer who comes before its first keyframe"
    interpolator.push(keyframe(NEW, 1))
    interpolator.skip(7.0)
    assert first.closed == 1
    assert greys(interpolator, 8.0, 1) == [40.0]


def test_two_turns_in_a_row_end_with_the_last(interpolator: CrossfadeInterpolator, first: HandScreen) -> None:
    second, third = HandScreen(100, NEW), HandScreen(0, NEW)
    interpolator.switch_to(second)
    interpolator.push(keyframe(NEW, 1))
    greys(interpolator, 1.0, 3)
    interpolator.switch_to(third)
    interpolator.push(keyframe(NEW, 2))
    found = greys(interpolator, 2.0, 20)
    assert found[-1] == 0
    assert (first.closed, second.closed, third.closed) == (1, 1, 0)
    interpolator.close()
    assert third.closed == 1


def test_both_lean_while_one_fades_to_the_other(interpolator: CrossfadeInterpolator, first: HandScreen) -> None:
    interpolator.frame(1.0)
    assert interpolator.shown_s == 201.0
    second = HandScreen(50, NEW)
    interpolator.switch_to(second)
    interpolator.set_zoom_offset(0.1)
    interpolator.frame(2.0)
    assert (first.leant, second.leant) == ([0.1], [0.1])
    assert interpolator.shown_s == 202.0, "the new one has no picture yet"
    interpolator.push(keyframe(NEW, 1))
    interpolator.frame(3.0)
    assert interpolator.shown_s == 53.0
