from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamer.config import Config, VideoConfig
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene
from streamer.video.frames import enlarge
from streamer.video.frames.colour_interpolator import ColourInterpolator
from streamer.zoom import advance, sampling_matrix

MOTION = Motion(1.05, 0.25)
SIZE = (108, 192)
SCENES = [Scene(n, ()) for n in range(100)]


def photo(height: int = 432, width: int = 768, seed: int = 1) -> np.ndarray:
    """Return a picture with a photograph's spectrum, edges included; (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.float32)
    scale = 1.0
    for octave in range(7):
        rows, columns = 3 * 2**octave, 5 * 2**octave
        if rows >= height:
            break
        layer = rng.normal(size=(rows, columns, 3)).astype(np.float32)
        image += scale * cv2.resize(layer, (width, height), interpolation=cv2.INTER_CUBIC)
        scale *= 0.55
    for _ in range(40):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        colour = [float(c) for c in rng.normal(size=3) * 1.5]
        cv2.circle(image, centre, int(rng.integers(4, 60)), colour, -1, cv2.LINE_AA)
    image = cv2.GaussianBlur(image, (0, 0), 1.2)
    return np.clip(image * 28 + 120, 0, 255).astype(np.uint8)


def seen_from(scene: np.ndarray, pose: Pose, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return the picture that a real camera would see at ``pose``."""
    matrix = sampling_matrix(Pose(), pose, scene.shape[:2], (size[0] * 2, size[1] * 2))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    large = cv2.warpAffine(scene, matrix, (size[1] * 2, size[0] * 2), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return cv2.resize(large, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(np.float64) - b) ** 2))))


def zoom_keyframe(scene: np.ndarray, number: int, interval_s: float, motion: Motion = MOTION) -> Keyframe:
    pose = advance(Pose(), motion, number * interval_s)
    return Keyframe(seen_from(scene, pose), pose, number * interval_s, SCENES[number], number, 1)


def test_nothing_before_the_first_keyframe() -> None:
    assert ColourInterpolator(SIZE, True).frame(5.0) == (None, None)


def test_a_keyframe_is_shown_as_it_is_at_its_own_moment() -> None:
    show = ColourInterpolator(SIZE, False, offline=True)
    scene = photo()
    for number in range(3):
        show.push(zoom_keyframe(scene, number, 1.0))
    image, shown = show.frame(1.0)
    assert image is not None
    assert (image.shape, image.dtype) == ((*SIZE, 3), np.uint8)
    assert psnr(image, zoom_keyframe(scene, 1, 1.0).image) > 45
    assert shown is SCENES[1]


@pytest.mark.parametrize("motion", [MOTION, Motion(0.95, -0.5)], ids=["in", "out"])
@pytest.mark.parametrize("residual_flow", [False, True])
def test_pure_zoom_with_keyframes_seven_seconds_apart(motion: Motion, residual_flow: bool) -> None:
    scene = photo()
    if motion.speed < 1:  # start inside the scene, so that there is something to zoom out to
        scene = cv2.copyMakeBorder(scene, 432, 432, 768, 768, cv2.BORDER_REFLECT)
        start = Pose(np.log2(3.0), 0.0)
    else:
        start = Pose()
    show = ColourInterpolator(SIZE, residual_flow, offline=True)
    for number in range(3):
        pose = advance(start, motion, 7.0 * number)
        show.push(Keyframe(seen_from(scene, pose), pose, 7.0 * number, SCENES[number], number, 1))
    for time_s in (0.5, 2.0, 3.5, 5.0, 6.9, 8.0, 12.5):
        image, _ = show.frame(time_s)
        assert image is not None
        assert psnr(image, seen_from(scene, advance(start, motion, time_s))) >= 35, time_s
    show.close()


@pytest.mark.parametrize("shape", [(54, 96), (81, 144), (108, 192), (216, 384), (100, 192), (1, 1)])
def test_keyframes_of_any_size_fill_the_frame(shape: tuple[int, int]) -> None:
    show = ColourInterpolator(SIZE, True, offline=True)
    scene = photo()
    for number in range(2):
        pose = advance(Pose(), MOTION, number * 1.0)
        show.push(Keyframe(seen_from(scene, pose, shape), pose, number * 1.0, SCENES[0], number, 1))
    for time_s in (0.0, 0.4, 0.99, 2.5):
        image, _ = show.frame(time_s)
        assert image is not None
        assert image.shape == (*SIZE, 3)
    show.close()


def test_content_cross_fades_from_one_keyframe_to_the_next_and_the_scene_with_it() -> None:
    show = ColourInterpolator(SIZE, False, offline=True)
    for number, grey in enumerate((40, 200)):
        image = np.full((*SIZE, 3), grey, np.uint8)
        show.push(Keyframe(image, advance(Pose(), MOTION, number * 0.2), number * 0.2, SCENES[number], number, 1))
    for fraction in (0.0, 0.25, 0.5, 0.75, 1.0):
        image, scene = show.frame(fraction * 0.2)
        assert image is not None
        centre = image[20:-20, 20:-20]
        assert centre.min() == pytest.approx(40 + 160 * fraction, abs=2)
        assert centre.max() == pytest.approx(40 + 160 * fraction, abs=2)
        assert scene is SCENES[int(fraction >= 0.5)]


def test_the_zoom_continues_into_the_last_keyframe() -> None:
    show = ColourInterpolator(SIZE, False)
    scene = photo()
    now_s = 0.0
    for number in range(4):
        show.push(zoom_keyframe(scene, number, 0.2))
        show.frame(now_s)
        now_s += 0.2
    before, _ = show.frame(now_s + 1.0)
    after, _ = show.frame(now_s + 1.04)
    assert before is not None
    assert after is not None
    assert 0.05 < np.abs(before.astype(float) - after).mean() < 3


def test_a_skipped_moment_passes_as_a_drawn_one_does() -> None:
    scene, pictures = photo(), []
    for skipped in (False, True):
        shown = ColourInterpolator(SIZE, residual_flow=False, motion=MOTION)
        for number in range(6):
            shown.push(zoom_keyframe(scene, number, 0.2))
            for tick in range(5):
                moment_s = number * 0.2 + tick * 0.04
                if skipped and number < 5:
                    shown.skip(moment_s)
                else:
                    picture, _ = shown.frame(moment_s)
        assert picture is not None
        pictures.append(picture)
    assert np.array_equal(*pictures)


def test_skipping_moves_on_without_drawing() -> None:
    scene = photo()
    drawn, skipped = ColourInterpolator(SIZE, True), ColourInterpolator(SIZE, True)
    skipped.skip(0.0)
    for number in range(8):
        for show in (drawn, skipped):
            show.push(zoom_keyframe(scene, number, 0.2))
        for n in range(5):
            drawn.frame(number * 0.2 + n * 0.04)
            skipped.skip(number * 0.2 + n * 0.04)
    first, second = drawn.frame(1.6)[0], skipped.frame(1.6)[0]
    assert first is not None
    assert second is not None
    assert (first == second).all()


@pytest.mark.parametrize("part", [0.5, 2 / 3, 1.0])
@pytest.mark.parametrize("interval_s", [0.15, 0.6])
def test_sharpness_does_not_breathe_with_the_keyframes(part: float, interval_s: float) -> None:
    scene = photo()
    small = (round(SIZE[0] * part), round(SIZE[1] * part))
    show = ColourInterpolator(SIZE, True, offline=True)
    for number in range(9):
        pose = advance(Pose(), MOTION, number * interval_s)
        show.push(Keyframe(seen_from(scene, pose, small), pose, number * interval_s, SCENES[number], number, 1))
    sharp = []
    for n in range(41):
        image, _ = show.frame(interval_s * (2 + n / 10))
        assert image is not None
        sharp.append(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var())
    trend = np.polyval(np.polyfit(np.arange(41), sharp, 2), np.arange(41))
    assert np.abs(sharp / trend - 1).max() < 0.08


def test_flow_is_looked_for_or_not_from_the_next_frame_on() -> None:
    """Halfway between two keyframes of different content, the frame differs with and without residual flow."""
    still = Motion(1.0, 0.0)

    def between(residual_flow: bool, later: bool) -> np.ndarray:
        show = ColourInterpolator(SIZE, residual_flow, motion=still, offline=True)
        show.push(zoom_keyframe(photo(), 0, 1.0, still))
        show.frame(0.0)
        show.tune(Config(video=VideoConfig(residual_flow=later)))
        show.push(zoom_keyframe(np.roll(photo(), 12, 1), 1, 1.0, still))
        image, _ = show.frame(0.5)
        assert image is not None
        show.close()
        return image

    assert np.array_equal(between(False, True), between(True, True))
    assert np.array_equal(between(True, False), between(False, False))
    assert not np.array_equal(between(True, True), between(False, False))


def drawn(show: ColourInterpolator, now_s: float) -> np.ndarray:
    image, _ = show.frame(now_s)
    assert image is not None
    return image


@pytest.mark.parametrize("part", [2 / 3, 1 / 2])
def test_a_frame_drawn_smaller_is_as_large_and_nearly_the_same(part: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds for keyframes pushed before the load is reduced, and for later ones."""
    monkeypatch.setattr(enlarge, "LEAST_PX", 20)
    scene, show = photo(), ColourInterpolator(SIZE, False, motion=MOTION, offline=True)
    for number in (0, 1):
        show.push(zoom_keyframe(scene, number, 1.0))
    full = drawn(show, 0.5)
    show.reduce_load(follow=True, part=part)
    soft = drawn(show, 0.5)
    for number in (2, 3):
        show.push(zoom_keyframe(scene, number, 1.0))
    later = drawn(show, 2.5)
    show.reduce_load(follow=True, part=1.0)
    again = drawn(show, 2.5)
    assert soft.shape == full.shape == later.shape
    true = seen_from(scene, advance(Pose(), MOTION, 0.5)), seen_from(scene, advance(Pose(), MOTION, 2.5))
    assert 20 < psnr(soft, true[0]) < psnr(full, true[0]) - 1, "it is softer"
    assert psnr(later, true[1]) > 20
    assert psnr(again, later) > 25


def test_nothing_is_followed_while_it_eases_and_again_afterwards() -> None:
    show = ColourInterpolator(SIZE, True, motion=Motion(1.0, 0.0), offline=True)
    assert show.can_skip_flow
    for number in (0, 1):
        show.push(zoom_keyframe(np.roll(photo(), 12 * number, 1), number, 1.0, Motion(1.0, 0.0)))
    show.frame(0.0)
    show.reduce_load(follow=False, part=1.0)
    plain = drawn(show, 0.5)
    show.reduce_load(follow=True, part=1.0)
    followed = drawn(show, 0.5)
    assert not np.array_equal(plain, followed)
    show.close()
    assert not ColourInterpolator(SIZE, False).can_skip_flow


def test_leaning_in_shows_the_same_from_closer_by_and_leaves_the_path_alone() -> None:
    scene, frames = photo(), []
    for octaves in (0.0, 0.1):
        show = ColourInterpolator(SIZE, False, offline=True)
        for number in range(3):
            show.push(zoom_keyframe(scene, number, 1.0))
        show.set_zoom_offset(octaves)
        image, _ = show.frame(1.4)
        assert image is not None
        path = advance(Pose(), MOTION, 1.4)
        assert psnr(image, seen_from(scene, Pose(path.log_zoom + octaves, path.rotation))) > 34
        assert show.shown_s == 1.4
        frames.append(image)
        show.set_zoom_offset(0.0)
        straight, _ = show.frame(1.4)
        frames.append(straight)
    assert np.array_equal(frames[0], frames[1])
    assert np.array_equal(frames[1], frames[3])
    assert psnr(frames[0], frames[2]) < 30


def test_the_time_shown_is_on_the_keyframes_clock() -> None:
    show = ColourInterpolator(SIZE, False)
    assert show.shown_s is None
    scene = photo()
    for number in range(50):
        show.push(zoom_keyframe(scene, number, 0.2))
        show.frame(number * 0.2 + 0.1)
    assert show.shown_s is not None
    assert 9.9 - show.shown_s == pytest.approx(show.delay_s, abs=0.15)
