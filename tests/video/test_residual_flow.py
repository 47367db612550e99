from __future__ import annotations

from concurrent.futures import Future

import cv2
import numpy as np
import pytest

from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion, Pose
from streamer.video.frames import colour_interpolator
from streamer.video.frames.colour_interpolator import ColourInterpolator
from streamer.video.frames.residual_flow import Residual, compare
from streamer.zoom import advance
from tests.video.test_colour_interpolator import SCENES, photo, psnr, seen_from

SIZE = (162, 288)
MOTION = Motion(1.05, 0.25)


def scene_with_a_thing(at: tuple[float, float]) -> np.ndarray:
    """Draw a striped object on a photograph-like background; ``at`` in fractions of the picture."""
    ground = photo(648, 1152, seed=3)
    thing = photo(180, 180, seed=9)
    thing[:, ::24] = 250
    thing[::24] = 10
    y, x = round(at[1] * 648) - 90, round(at[0] * 1152) - 90
    ground[y : y + 180, x : x + 180] = thing
    return ground


def true_frame(time_s: float) -> np.ndarray:
    """Draw the true frame of an object that drifts from left to right while the camera zooms."""
    return seen_from(scene_with_a_thing((0.42 + 0.012 * time_s, 0.5)), advance(Pose(), MOTION, time_s), SIZE)


def keyframe(number: int, time_s: float, image: np.ndarray) -> Keyframe:
    return Keyframe(image, advance(Pose(), MOTION, time_s), time_s, SCENES[number], number, 1)


def shown(residual_flow: bool, time_s: float) -> np.ndarray:
    show = ColourInterpolator(SIZE, residual_flow, offline=True)
    for number, moment in enumerate((0.0, 4.0)):
        show.push(keyframe(number, moment, true_frame(moment)))
    image, _ = show.frame(time_s)
    show.close()
    assert image is not None
    return image


def test_what_moves_besides_the_zoom_is_followed() -> None:
    truth = true_frame(2.0)
    assert psnr(shown(True, 2.0), truth) > psnr(shown(False, 2.0), truth) + 1.5


def test_a_still_scene_has_no_flow_and_shows_the_same_in_both() -> None:
    ground = photo(648, 1152, seed=3)
    poses = Pose(), advance(Pose(), MOTION, 2.0)
    residual = compare(seen_from(ground, poses[0], SIZE), poses[0], seen_from(ground, poses[1], SIZE), poses[1])
    assert residual is not None
    middle = residual.look[20:-20, 30:-30, 0]
    assert middle.mean() > 0.8
    assert np.abs(residual.flow[20:-20, 30:-30]).mean() < 0.05


def test_a_changed_scene_is_not_taken_for_the_same() -> None:
    first, second = (seen_from(photo(648, 1152, seed=seed), Pose(), SIZE) for seed in (3, 4))
    residual = compare(first, Pose(), second, advance(Pose(), MOTION, 2.0))
    assert residual is not None
    assert residual.look[..., 0].mean() < 0.2


def test_tiny_pictures_are_not_compared() -> None:
    tiny = np.zeros((20, 30, 3), np.uint8)
    assert compare(tiny, Pose(), tiny, Pose(0.1, 0.0)) is None


def test_offline_the_same_keyframes_give_the_same_frames() -> None:
    assert (shown(True, 1.7) == shown(True, 1.7)).all()


def test_details_keep_their_contrast_half_way_between_pictures_that_differ() -> None:
    def energy(image: np.ndarray) -> float:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return float((grey - cv2.GaussianBlur(grey, (0, 0), 2)).var())

    images = [np.random.default_rng(n).integers(60, 190, (*SIZE, 3), np.uint8) for n in (1, 2)]
    images = [cv2.GaussianBlur(image, (0, 0), 0.8) for image in images]
    energies = {}
    for residual_flow in (False, True):
        show = ColourInterpolator(SIZE, residual_flow, offline=True)
        for number, image in enumerate(images):
            show.push(keyframe(number, number * 1.0, image))
        middle, _ = show.frame(0.5)
        assert middle is not None
        energies[residual_flow] = energy(middle)
    assert energies[True] > 1.1 * energies[False]


class HandWorker:
    """A replacement for the thread that compares when a test tells it to."""

    def __init__(self, *_: object, **__: object) -> None:
        self.tasks: list[tuple[Future[Residual | None], tuple[object, ...]]] = []

    def submit(self, _: object, *arguments: object) -> Future[Residual | None]:
        future: Future[Residual | None] = Future()
        self.tasks.append((future, arguments))
        return future

    def finish(self) -> None:
        for future, arguments in self.tasks:
            future.set_result(compare(*arguments))  # type: ignore[arg-type]
        self.tasks.clear()

    def shutdown(self, **_: object) -> None:
        pass


@pytest.mark.parametrize("late", [False, True])
def test_live_frames_never_jump_though_comparisons_come_late(monkeypatch: pytest.MonkeyPatch, late: bool) -> None:
    worker = HandWorker()
    monkeypatch.setattr(colour_interpolator, "ThreadPoolExecutor", lambda *_, **__: worker)
    show = ColourInterpolator(SIZE, True, motion=MOTION)
    steps, before, number = [], None, 0
    for n in range(220):
        now_s = 50.0 + n * 0.04
        if number < 4 and now_s >= 50.0 + number * 2.0:
            moment = number * 2.0
            image = true_frame(moment)
            show.push(Keyframe(image, advance(Pose(), MOTION, moment), 50.0 + moment, SCENES[number], number, 1))
            number += 1
        if not late or n % 70 == 69:
            worker.finish()
        image, _ = show.frame(now_s)
        assert image is not None
        if before is not None:
            steps.append(float(np.abs(image.astype(int) - before).mean()))
        before = image.astype(int)
    show.close()
    assert min(steps) > 0.05
    assert max(steps) < 4 * float(np.median(steps))


def test_the_thread_that_compares_ends_with_the_interpolator() -> None:
    show = ColourInterpolator(SIZE, True)
    for number in range(2):
        show.push(keyframe(number, number * 1.0, true_frame(number * 1.0)))
    show.frame(1.0)
    show.close()
    show.close()
