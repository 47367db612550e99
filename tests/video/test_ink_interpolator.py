"""Frames in ink: only two colours, outlines that move with the camera, pixels that flip one by one."""

import cv2
import numpy as np
import pytest

from streamer.config import Config, DreamConfig, InkConfig, VideoConfig
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene, Target, arrange
from streamer.video.frames.colour_interpolator import ColourInterpolator
from streamer.video.frames.frame_interpolator import FrameInterpolator, make_frame_interpolator
from streamer.video.frames.ink_interpolator import InkInterpolator
from streamer.zoom import KEPT_OCTAVES, KEPT_RADIANS, advance, kept

SCENES = [Scene(n, arrange([Target(f"n0000000{n}", f"subject {n}")])) for n in (1, 2)]
STILL = Motion(1.0, 0.0)


def picture(ink: np.ndarray) -> np.ndarray:
    return np.repeat(np.where(ink, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def ring(size: tuple[int, int], radius: float, width: float = 2.0) -> np.ndarray:
    y, x = np.mgrid[: size[0], : size[1]]
    distance = np.hypot(x - (size[1] - 1) / 2, y - (size[0] - 1) / 2)
    return np.abs(distance - radius) <= width / 2


def keyframe(ink: np.ndarray, number: int = 0, time_s: float = 0.0, pose: Pose | None = None, scene: int = 0) -> Keyframe:
    return Keyframe(picture(ink), pose or Pose(), time_s, SCENES[scene], number, 1)


def shown(interpolator: FrameInterpolator, now_s: float) -> np.ndarray:
    image, _ = interpolator.frame(now_s)
    assert image is not None
    return image


def test_ink_has_a_screen_of_its_own() -> None:
    for algorithm, kind in (("ink", InkInterpolator), ("default", ColourInterpolator)):
        interpolator = make_frame_interpolator(
            Config(dream=DreamConfig(algorithm=algorithm), video=VideoConfig(width=64, height=36))
        )
        assert type(interpolator) is kind
        interpolator.close()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(54, 96), (27, 48), (135, 240), (60, 50), (20, 30)])
@pytest.mark.parametrize("edges", ["smooth", "pixels"])
def test_no_frame_has_more_than_two_colours(size: tuple[int, int], edges: str) -> None:
    ink = InkConfig(edges=edges, paper="#f0e8d0", colour="#102030")
    motion = Motion(1.3, 15.0)
    interpolator = InkInterpolator(size, ink, motion=motion, offline=True)
    dice = np.random.default_rng(1)
    for number in range(6):
        interpolator.push(keyframe(dice.random((54, 96)) < 0.2, number, number / 5, advance(Pose(), motion, number / 5)))
    for now_s in np.arange(0, 1, 0.07):
        frame = shown(interpolator, float(now_s))
        assert frame.shape == (*size, 3)
        colours = {tuple(colour) for colour in frame.reshape(-1, 3).tolist()}
        assert colours == {(0xF0, 0xE8, 0xD0), (0x10, 0x20, 0x30)}


@pytest.mark.parametrize("edges", ["smooth", "pixels"])
def test_at_its_own_size_and_moment_a_keyframe_is_shown_as_it_is(edges: str) -> None:
    dice = np.random.default_rng(2)
    sheets = [dice.random((36, 64)) < 0.3 for _ in range(3)]
    interpolator = InkInterpolator((36, 64), InkConfig(edges=edges), motion=STILL, offline=True)
    for number, sheet in enumerate(sheets):
        interpolator.push(keyframe(sheet, number, number * 0.5))
    for number, sheet in enumerate(sheets):
        assert np.array_equal(shown(interpolator, number * 0.5), picture(sheet))


def test_pixels_are_squares_if_wanted() -> None:
    sheet = np.random.default_rng(3).random((20, 30)) < 0.3
    interpolator = InkInterpolator((60, 90), InkConfig(edges="pixels"), motion=STILL, offline=True)
    interpolator.push(keyframe(sheet))
    assert np.array_equal(shown(interpolator, 0.0)[:, :, 0] == 0, sheet.repeat(3, axis=0).repeat(3, axis=1))


def test_enlarged_lines_stay_in_one_piece() -> None:
    interpolator = InkInterpolator((216, 384), InkConfig(), motion=STILL, offline=True)
    interpolator.push(keyframe(ring((54, 96), 20.0, 1.0)))
    parts, _ = cv2.connectedComponents((shown(interpolator, 0.0)[:, :, 0] == 0).astype(np.uint8))
    assert parts == 2


def test_between_keyframes_pixels_turn_over_one_by_one_and_never_back() -> None:
    interpolator = InkInterpolator((36, 64), InkConfig(), motion=STILL, offline=True)
    first = np.zeros((36, 64), bool)
    first[10:20, 10:30] = True
    second = np.zeros((36, 64), bool)
    second[10:20, 20:50] = True
    interpolator.push(keyframe(first, 0, 0.0))
    interpolator.push(keyframe(second, 1, 1.0, scene=1))
    changed = first ^ second
    before = first
    for step in range(1, 10):
        ink = shown(interpolator, step / 10)[:, :, 0] == 0
        assert np.array_equal(ink[~changed], first[~changed]), "what stays stays still"
        assert not ((before == second) & (ink != second)).any(), "what has turned stays turned"
        assert (ink == second)[changed].mean() == pytest.approx(step / 10, abs=0.1)
        before = ink
    assert interpolator.frame(0.95)[1] is SCENES[1]


def radius(frame: np.ndarray) -> float:
    """Return the radius of a ring in the middle, in heights of the frame."""
    y, x = np.nonzero(frame[:, :, 0] == 0)
    height, width = frame.shape[:2]
    return float(np.hypot(x - (width - 1) / 2, y - (height - 1) / 2).mean()) / height


def test_the_drawing_moves_smoothly_although_its_sheet_is_seldom_moved() -> None:
    """The sheet jumps by 3.5 %. On screen a ring grows at the zoom's rate, to within a quarter of a pixel of the sheet."""
    motion = Motion(1.05, 0.0)
    interpolator = InkInterpolator((180, 320), InkConfig(), motion=motion, offline=True)
    for number in range(31):
        pose = advance(Pose(), motion, number / 10)
        interpolator.push(keyframe(ring((90, 160), 20 * 2 ** kept(pose).log_zoom), number, number / 10, pose))
    sizes = [radius(shown(interpolator, now_s)) for now_s in np.arange(0, 3, 0.04)]
    due = [20 / 90 * 1.05**now_s for now_s in np.arange(0, 3, 0.04)]
    assert np.abs(np.subtract(sizes, due)).max() < 0.25 / 90


def test_where_the_newer_keyframe_does_not_reach_the_older_is_shown() -> None:
    interpolator = InkInterpolator((54, 96), InkConfig(), motion=Motion(2.0, 0.0), offline=True)
    everywhere = np.ones((54, 96), bool)
    interpolator.push(keyframe(everywhere, 0, 0.0))
    interpolator.push(keyframe(~everywhere, 1, 1.0, Pose(1.0, 0.0)))
    frame = shown(interpolator, 0.9)
    assert (frame[0] == 0).all()
    assert (frame[27, 40:56] == 255).mean() > 0.8


def test_live_it_shows_the_newest_and_never_stands_still() -> None:
    motion = Motion(1.2, 0.0)
    interpolator = InkInterpolator((54, 96), InkConfig(), motion=motion)
    assert interpolator.frame(0.0) == (None, None)
    for number in range(20):
        interpolator.skip(number / 10)
        pose = advance(Pose(), motion, number / 10)
        interpolator.push(keyframe(ring((54, 96), 15), number, number / 10, pose))
    late = [radius(shown(interpolator, 2.0 + step / 5)) for step in range(4)]
    assert late == sorted(late)
    assert late[-1] > 1.05 * late[0]
    interpolator.close()


def test_kept_poses_are_few_and_never_ahead() -> None:
    for log_zoom in np.linspace(-0.3, 0.3, 61):
        at = kept(Pose(float(log_zoom), 0.1))
        assert -1e-6 <= log_zoom - at.log_zoom < KEPT_OCTAVES + 1e-6
        assert abs(at.rotation - 0.1) <= KEPT_RADIANS / 2
        assert kept(at) == at


def test_colours_and_edges_change_from_the_next_frame_on() -> None:
    interpolator = InkInterpolator((54, 96), InkConfig(), motion=STILL, offline=True)
    interpolator.push(keyframe(ring((54, 96), 20)))
    assert {tuple(colour) for colour in shown(interpolator, 0.0).reshape(-1, 3)} == {(0, 0, 0), (255, 255, 255)}
    interpolator.tune(Config(ink=InkConfig(paper="#f0e8d0", colour="#102030", edges="pixels")))
    assert {tuple(colour) for colour in shown(interpolator, 0.0).reshape(-1, 3)} == {(0x10, 0x20, 0x30), (0xF0, 0xE8, 0xD0)}


@pytest.mark.parametrize("edges", ["smooth", "pixels"])
def test_a_frame_drawn_smaller_is_as_large_and_has_two_colours(edges: str) -> None:
    interpolator = InkInterpolator((240, 400), InkConfig(edges=edges), motion=STILL, offline=True)
    interpolator.push(keyframe(ring((240, 400), 60, 8)))
    full = shown(interpolator, 0.0)
    interpolator.reduce_load(follow=True, part=0.5)
    eased = shown(interpolator, 0.0)
    assert eased.shape == full.shape
    assert len({tuple(colour) for colour in eased.reshape(-1, 3).tolist()}) == 2
    assert np.mean(eased != full) < 0.02
    interpolator.reduce_load(follow=True, part=1.0)
    assert np.array_equal(shown(interpolator, 0.0), full)
    assert not interpolator.can_skip_flow


def test_leaning_in_draws_the_same_larger_and_as_crisp() -> None:
    frames = []
    for octaves in (0.0, 0.5):
        interpolator = InkInterpolator((108, 192), InkConfig(), motion=STILL, offline=True)
        interpolator.push(keyframe(ring((108, 192), 30.0)))
        interpolator.set_zoom_offset(octaves)
        frames.append(shown(interpolator, 0.0)[:, :, 0])
        assert interpolator.shown_s == 0.0
    assert all(len(np.unique(frame)) == 2 for frame in frames)
    radii = [np.hypot(*(np.argwhere(frame == frame.min()) - [53.5, 95.5]).T).mean() for frame in frames]
    assert radii[1] / radii[0] == pytest.approx(2**0.5, rel=0.03)
