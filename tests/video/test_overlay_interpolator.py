from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from streamer.config import Config, SourceConfig
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.messages.motion import Pose
from streamer.messages.scenes import Region, Scene, Target
from streamer.video.frames.overlay_interpolator import FADE_FIRST_S, PATIENCE_S, OverlayInterpolator
from tests.test_optical_flow import picture

SIZE = (90, 160)
SCENE = Scene(1, (Region(Target("n1", "volcano"), (0, 0, 1, 1)),))
LONG_S = FADE_FIRST_S + 0.1


class Film:
    """A moving source whose newest picture is set by a test."""

    def __init__(self) -> None:
        self.picture: SourcePicture | None = None

    def show(self, number: int, shift: float = 0.0) -> np.ndarray:
        self.picture = SourcePicture(picture((shift, 0.0), SIZE), number, number / 25)
        return self.picture.image

    def newest(self) -> SourcePicture | None:
        return self.picture


def screen_on(film: Film, mix: float = 1.0) -> OverlayInterpolator:
    return OverlayInterpolator(SIZE, film.newest, mix, decay_s=1.0)


def dreamt(on: SourcePicture, time_s: float, at: int = 70, add: int = 60) -> Keyframe:
    """Return the keyframe of a dream that adds a bright square to a picture."""
    image = on.image.copy()
    image[35:55, at : at + 20] = np.clip(image[35:55, at : at + 20].astype(int) + add, 0, 255)
    return Keyframe(image, Pose(), time_s, SCENE, 0, 1, source_picture=on)


def added(shown: np.ndarray | None, raw: np.ndarray) -> np.ndarray:
    assert shown is not None
    return (shown.astype(float) - raw).mean(2)


def test_before_anything_there_is_nothing() -> None:
    assert screen_on(Film()).frame(0.0) == (None, None)


def test_before_the_first_dream_the_source_is_shown_as_it_is() -> None:
    film = Film()
    raw = film.show(1)
    shown, scene = screen_on(film).frame(0.0)
    assert shown is not None
    assert np.array_equal(shown, raw)
    assert shown is not raw
    assert scene is None


def test_without_a_source_the_dream_is_shown_by_itself() -> None:
    interpolator = screen_on(Film())
    interpolator.push(Keyframe(np.full((45, 80, 3), 90, np.uint8), Pose(), 0.0, SCENE, 0, 1))
    shown, scene = interpolator.frame(0.0)
    assert shown is not None
    assert shown.shape == (*SIZE, 3)
    assert (shown == 90).all()
    assert scene is SCENE


def test_a_dream_fades_in_on_the_picture() -> None:
    film = Film()
    raw = film.show(1)
    interpolator = screen_on(film)
    interpolator.push(dreamt(film.picture, 0.0))
    assert np.abs(added(interpolator.frame(0.0)[0], raw)).max() < 1
    half = added(interpolator.frame(FADE_FIRST_S / 2)[0], raw)[45, 80]
    full = added(interpolator.frame(LONG_S)[0], raw)[45, 80]
    assert 0.3 * full < half < 0.7 * full
    assert full > 40
    assert interpolator.frame(LONG_S)[1] is SCENE


def test_the_dream_moves_with_the_picture_at_every_frame() -> None:
    film = Film()
    film.show(1)
    interpolator = screen_on(film)
    interpolator.push(dreamt(film.picture, 0.0))
    interpolator.frame(0.0)
    interpolator.frame(LONG_S)
    for number, shift in enumerate((2.0, 4.0, 6.0, 8.0), 2):
        raw = film.show(number, shift)
        lying = np.clip(added(interpolator.frame(LONG_S + number / 25)[0], raw), 0, None)
        lying[lying < 10] = 0
        at = (lying * np.arange(160)).sum() / lying.sum()
        assert at == pytest.approx(79.5 + shift, abs=1.0)
        assert lying.max() > 35


def test_over_seconds_it_is_followed_by_way_of_what_lay_between() -> None:
    film = Film()
    film.show(1)
    on = film.picture
    interpolator = screen_on(film)
    interpolator.frame(0.0)
    for number in range(2, 60):  # the dream takes two seconds, and the picture moves by 35 px meanwhile
        raw = film.show(number, 0.6 * (number - 1))
        interpolator.frame(number / 25)
    interpolator.push(dreamt(on, 2.3, at=50))
    interpolator.frame(60 / 25)
    lying = np.clip(added(interpolator.frame(60 / 25 + LONG_S)[0], raw), 0, None)
    lying[lying < 10] = 0
    assert (lying * np.arange(160)).sum() / lying.sum() == pytest.approx(59.5 + 0.6 * 58, abs=2.0)


def test_what_is_cut_to_shows_nothing_of_the_dream_before() -> None:
    film = Film()
    film.show(1)
    interpolator = screen_on(film)
    interpolator.push(dreamt(film.picture, 0.0))
    interpolator.frame(0.0)
    cut = 255 - picture((0.0, 0.0), SIZE, seed=4) // 4
    film.picture = SourcePicture(cut, 2, 0.04)
    assert np.abs(added(interpolator.frame(LONG_S)[0], cut)).mean() < 1


def test_one_dream_takes_over_from_the_one_before_without_a_jump() -> None:
    film = Film()
    raw = film.show(1)
    interpolator = screen_on(film)
    interpolator.push(dreamt(film.picture, 0.0, add=40))
    interpolator.frame(0.0)
    values = [added(interpolator.frame(LONG_S)[0], raw)[45, 80]]
    interpolator.push(dreamt(film.picture, 1.0, add=80))
    values += [added(interpolator.frame(LONG_S + number / 25)[0], raw)[45, 80] for number in range(1, 16)]
    assert values[-1] > values[0] + 20
    assert max(abs(b - a) for a, b in itertools.pairwise(values)) < 8


def test_a_dream_that_ended_fades() -> None:
    film = Film()
    raw = film.show(1)
    interpolator = screen_on(film)
    interpolator.push(dreamt(film.picture, 0.0))
    interpolator.frame(0.0)
    strong = added(interpolator.frame(PATIENCE_S)[0], raw)[45, 80]
    assert added(interpolator.frame(PATIENCE_S + 6)[0], raw)[45, 80] < 0.1 * strong


def test_the_mix_is_how_much_of_it_is_shown() -> None:
    found = []
    for mix in (0.0, 0.5, 1.0):
        film = Film()
        raw = film.show(1)
        interpolator = screen_on(film, mix)
        interpolator.push(dreamt(film.picture, 0.0, add=40))
        interpolator.frame(0.0)
        found.append(added(interpolator.frame(LONG_S)[0], raw)[45, 80])
    assert found == pytest.approx([0, found[2] / 2, found[2]], abs=1.5)


def test_a_small_canvas_is_laid_on_a_large_picture() -> None:
    film = Film()
    raw = film.show(1)
    interpolator = screen_on(film)
    small = SourcePicture(raw[::2, ::2].copy(), 1, 0.0)
    image = np.clip(small.image.astype(int) + 20, 0, 255).astype(np.uint8)
    interpolator.push(Keyframe(image, Pose(), 0.0, SCENE, 0, 1, source_picture=small))
    interpolator.frame(0.0)
    shown, _ = interpolator.frame(LONG_S)
    assert shown is not None
    assert shown.shape == raw.shape
    assert np.median(added(shown, raw)) == pytest.approx(20, abs=1)


def test_unseen_moments_are_followed_too() -> None:
    film = Film()
    film.show(1)
    interpolator = screen_on(film)
    interpolator.push(dreamt(film.picture, 0.0, at=50))
    interpolator.frame(0.0)
    for number in range(2, 60):
        raw = film.show(number, 0.6 * (number - 1))
        interpolator.skip(number / 25)
    lying = np.clip(added(interpolator.frame(60 / 25)[0], raw), 0, None)
    lying[lying < 10] = 0
    assert (lying * np.arange(160)).sum() / lying.sum() == pytest.approx(59.5 + 0.6 * 58, abs=2.0)


def test_how_much_is_shown_changes_from_the_next_frame_on() -> None:
    film = Film()
    raw = film.show(1)
    interpolator = screen_on(film)
    assert film.picture is not None
    interpolator.push(dreamt(film.picture, 0.0))
    interpolator.frame(0.0)
    full = added(interpolator.frame(LONG_S)[0], raw)[45, 80]
    interpolator.tune(Config(source=SourceConfig(mix=0.5, decay_s=3.0)))
    assert added(interpolator.frame(LONG_S)[0], raw)[45, 80] == pytest.approx(full / 2, abs=1.0)
    assert full > 40


def test_a_frame_drawn_smaller_is_as_large_and_nearly_the_same() -> None:
    size = (200, 320)
    film = Film()
    film.picture = SourcePicture(cv2.GaussianBlur(picture((0.0, 0.0), size), (0, 0), 2.0), 1, 0.04)
    interpolator = OverlayInterpolator(size, film.newest, 1.0, decay_s=1.0)
    interpolator.push(dreamt(film.picture, 0.0))
    interpolator.frame(0.0)
    full, _ = interpolator.frame(LONG_S)
    interpolator.reduce_load(follow=True, part=0.5)
    eased, scene = interpolator.frame(LONG_S)
    assert full is not None
    assert eased is not None
    assert eased.shape == full.shape
    assert scene is SCENE
    assert 0 < np.abs(eased.astype(float) - full).mean() < 4
    assert not interpolator.can_skip_flow


def test_leaning_in_comes_closer_to_the_picture_and_the_dream_on_it() -> None:
    film = Film()
    raw = film.show(1)
    interpolator = screen_on(film)
    interpolator.push(dreamt(film.picture, 0.0, at=70))
    interpolator.frame(0.0)
    straight, _ = interpolator.frame(LONG_S)
    assert interpolator.shown_s == LONG_S
    interpolator.set_zoom_offset(1.0)
    near, scene = interpolator.frame(LONG_S)
    assert straight is not None
    assert near is not None
    assert scene is SCENE
    middle = cv2.resize(straight, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)[45:135, 80:240]
    assert np.abs(near.astype(int) - middle)[8:-8, 8:-8].mean() < 2
    interpolator.set_zoom_offset(0.0)
    assert np.array_equal(interpolator.frame(LONG_S)[0], straight)
    assert np.array_equal(raw, film.picture.image)
