"""The limiter with strobing input, judged by a checker that follows the definition."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.messages.motion import Pose
from streamer.pulse import Pulse, Pulses
from streamer.video.flash.limiter import FlashLimiter
from streamer.zoom import sampling_matrix
from tests.video import flash_checker

SIZE = (72, 128)
FPS = 30
BLACK, WHITE, RED, BLUE, GREEN = (0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (0, 255, 0)

Video = Callable[[int], np.ndarray]
"""A function that returns the frame of a number."""


def plain(colour: tuple[int, int, int], size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((*size, 3), colour, np.uint8)


def clouds(seed: int, size: tuple[int, int] = SIZE, across: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(2, across * size[0] // size[1]), across, 3), np.uint8)
    return cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)


def strobe(hertz: float, dark: tuple[int, int, int] = BLACK, bright: tuple[int, int, int] = WHITE, fps: float = FPS) -> Video:
    return lambda number: plain(bright if int(2 * hertz * number / fps + 1e-9) % 2 else dark)


def in_block(video: Video, top: float, left: float, height: float, width: float) -> Video:
    """Return a video that fills one part of a still picture."""
    rows = slice(round(top * SIZE[0]), round((top + height) * SIZE[0]))
    columns = slice(round(left * SIZE[1]), round((left + width) * SIZE[1]))

    def frame(number: int) -> np.ndarray:
        image = clouds(1)
        image[rows, columns] = video(number)[rows, columns]
        return image

    return frame


def moving_strobe(number: int) -> np.ndarray:
    """Draw a large white disc that appears six times a second, each time somewhere else."""
    image = plain((20, 20, 20))
    if number % 5 < 2:
        turn = number // 5
        cv2.circle(image, (24 + 29 * turn % 80, 20 + 19 * turn % 36), 21, WHITE, -1)
    return image


def noise(number: int) -> np.ndarray:
    """Draw squares of random brightness, new in every frame, and too large to be fine noise."""
    rng = np.random.default_rng(number)
    return cv2.resize(rng.integers(0, 256, (9, 16, 3), np.uint8), SIZE[::-1], interpolation=cv2.INTER_NEAREST)


def checkers(number: int) -> np.ndarray:
    """Draw a checkerboard that is inverted ten times a second. Its mean never changes."""
    rows, columns = np.indices(SIZE) // 8
    return np.repeat((255 * ((rows + columns + number // 3) % 2)).astype(np.uint8)[..., None], 3, 2)


def out_of_step(number: int) -> np.ndarray:
    """Draw large squares that strobe at six hertz, each with its own phase."""
    phases = np.random.default_rng(1).integers(0, 5, (4, 8))
    lit = (255 * ((number + phases) % 5 < 2)).astype(np.uint8)
    return np.repeat(np.repeat(np.repeat(lit[..., None], 3, 2), 18, 0), 16, 1)


def pan(number: int) -> np.ndarray:
    """Draw a fine texture that moves by three times its grain per second."""
    return np.roll(clouds(1, across=43), number // 3, 1)


def soft(number: int) -> np.ndarray:
    """Draw a brightness that follows a sine of five hertz, stronger to the right."""
    strength = np.linspace(0.1, 0.5, SIZE[1])
    level = 0.5 + strength * np.sin(2 * np.pi * 5 * number / FPS)
    return np.broadcast_to(np.rint(255 * level).astype(np.uint8)[None, :, None], (*SIZE, 3)).copy()


def cuts(seed: int) -> Video:
    """Return a video that cuts to another picture at random moments, seven times a second on average."""
    starts = np.cumsum(np.random.default_rng(seed).random(400) < 7 / FPS)
    return lambda number: clouds(int(starts[number]), across=3)


def frames(video: Video, count: int = 2 * FPS) -> list[np.ndarray]:
    return [video(number) for number in range(count)]


def limit(source: list[np.ndarray], fps: float = FPS, numbers: Iterator[int] | None = None) -> tuple[list[np.ndarray], int]:
    limiter = FlashLimiter(source[0].shape[:2], fps)
    shown = [limiter.limit(image, number) for number, image in zip(numbers or range(len(source)), source, strict=False)]
    return shown, limiter.limited


STROBES = {
    "5 Hz": strobe(5),
    "10 Hz": strobe(10),
    "12.5 Hz": strobe(12.5),
    "15 Hz": strobe(15),
    "faint": strobe(7.5, (90, 90, 90), (140, 140, 140)),
    "block": in_block(strobe(10), 0.2, 0.3, 0.5, 0.5),
    "corner": in_block(strobe(5), 0.0, 0.0, 0.3, 0.2),
    "red and blue": strobe(6, RED, BLUE),
    "red and as bright a green": strobe(6, RED, (0, 127, 0)),
    "red and black": strobe(7.5, BLACK, (120, 0, 0)),
    "moving": moving_strobe,
    "noise": noise,
    "checkers": checkers,
    "soft": soft,
    "out of step": out_of_step,
}


@pytest.mark.parametrize("name", STROBES)
def test_what_flashes_too_often_is_limited(name: str) -> None:
    source = frames(STROBES[name])
    assert flash_checker.worst(source, FPS) > 3
    shown, limited = limit(source)
    assert flash_checker.worst(shown, FPS) <= 3
    assert limited > 0


def test_ten_seconds_of_random_cuts_are_limited() -> None:
    source = frames(cuts(0), 10 * FPS)
    assert flash_checker.worst(source, FPS) > 3
    assert flash_checker.worst(limit(source)[0], FPS) <= 3


@pytest.mark.parametrize("fps", [1, 5, 8, 12, 24, 25, 50, 60, 120])
def test_any_rate_of_frames_is_limited(fps: int) -> None:
    source = [strobe(min(10, fps / 2), fps=fps)(number) for number in range(2 * fps + 1)]
    assert flash_checker.worst(limit(source, fps)[0], fps) <= 3


def test_a_real_size_is_limited() -> None:
    source = [plain((230, 240, 250) if number // 2 % 2 else (10, 0, 20), (541, 963)) for number in range(24)]
    shown, limited = limit(source)
    small = [cv2.resize(image, (160, 90), interpolation=cv2.INTER_AREA) for image in shown]
    assert flash_checker.worst(small, FPS) <= 3
    assert limited


UNTOUCHED = {
    "still": lambda number: clouds(1),
    "one cut": lambda number: clouds(number >= 40, across=3),
    "one cut from black to white": lambda number: plain(WHITE if number >= 40 else BLACK),
    "a cut every half second": lambda number: clouds(number // 15, across=3),
    "slow fades": lambda number: plain((round(127.5 - 127.5 * np.cos(2 * np.pi * number / 60)),) * 3),
    "3 Hz": strobe(3),
    "a pan": pan,
    "a small strobe": in_block(strobe(10), 0.4, 0.4, 0.1, 0.08),
    "bright changes": strobe(10, (240, 240, 240), WHITE),
}


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_may_pass_is_the_same_picture(name: str) -> None:
    source = frames(UNTOUCHED[name], 3 * FPS)
    shown, limited = limit(source)
    assert all(after is before for before, after in zip(source, shown, strict=True))
    assert limited == 0


def test_only_the_part_that_flashes_is_held_back() -> None:
    source = frames(in_block(strobe(10), 0.1, 0.0, 0.5, 0.3))
    shown, limited = limit(source)
    assert limited > FPS
    for before, after in zip(source, shown, strict=True):
        assert (after[:, 100:] == before[:, 100:]).all()


def test_it_dampens_rather_than_freezes_and_comes_back_when_the_flashing_ends() -> None:
    source = frames(strobe(7.5), 4 * FPS) + [clouds(2)] * (5 * FPS)
    shown, _ = limit(source)
    held = shown[3 * FPS : 4 * FPS]
    levels = np.array([image.mean() for image in held])
    assert 90 < levels.mean() < 165  # between black and white
    assert np.ptp(levels) < 20
    assert len({image.tobytes() for image in held}) > 5
    assert shown[-1] is source[-1]
    way = [float(np.abs(image.astype(int) - source[-1]).mean()) for image in shown[4 * FPS :]]
    steps = [sooner - later for sooner, later in pairwise(way)]
    assert min(steps) > -1
    assert max(steps) < 0.2 * way[0]  # no jump


def test_the_same_frames_give_the_same_frames_and_stay_as_they_were() -> None:
    source = frames(moving_strobe)
    copies = [image.copy() for image in source]
    first, second = (limit(source)[0] for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert all((a == b).all() for a, b in zip(source, copies, strict=True))


def test_dropped_frames_count_by_their_numbers() -> None:
    """Only every tenth frame arrives, one each third of a second, so nothing is limited. With all frames, it is."""
    source = frames(strobe(15), 60)
    assert limit(source, numbers=iter(range(0, 600, 10)))[1] == 0
    assert limit(source)[1] > 0


def test_repeated_frames_change_nothing() -> None:
    twice = [image for image in frames(strobe(5), 60) for _ in range(2)]
    shown, _ = limit(twice, 60)
    assert flash_checker.worst(shown, 60) <= 3


def test_a_number_that_goes_back_restarts_the_limiter() -> None:
    limiter = FlashLimiter(SIZE, FPS)
    for number in range(60):
        limiter.limit(strobe(10)(number), number)
    image = clouds(3)
    assert limiter.limit(image, 0) is image


Shot = tuple[tuple[int, int, int], int, int, int, int]
"""Colour, number of frames, top, left and height of a block twice as wide as high."""

SHOTS = st.tuples(
    st.sampled_from([BLACK, WHITE, RED, BLUE, GREEN, (128, 128, 128), (255, 255, 0), (90, 20, 20)]),
    st.integers(1, 9),
    st.integers(0, 50),
    st.integers(0, 90),
    st.integers(16, 72),
)

A_SECOND_APART: list[Shot] = [
    *[(BLACK, 1, 0, 0, 16)] * 4,
    (WHITE, 5, 0, 0, 24),
    *[(BLACK, 2, 0, 0, 16)] * 3,
    (BLACK, 4, 0, 0, 16),
    (BLACK, 7, 0, 0, 20),
    (WHITE, 8, 0, 0, 16),
    (BLACK, 2, 12, 0, 16),
    (BLACK, 1, 0, 0, 16),
]
"""Some pixels that the last shot but one darkens became bright exactly a second before."""

AT_BOTH_ENDS: list[Shot] = [
    (WHITE, 5, 4, 46, 63),
    (WHITE, 8, 15, 17, 39),
    (WHITE, 5, 0, 0, 18),
    (BLACK, 1, 5, 14, 51),
    (WHITE, 8, 0, 0, 47),
    (BLACK, 4, 18, 27, 33),
    (BLACK, 6, 14, 6, 42),
    (BLACK, 6, 12, 5, 18),
    (WHITE, 2, 3, 15, 62),
    (BLACK, 1, 3, 53, 30),
]
"""A quarter of the wider field changes, at its two ends. That is less than a fifth of any narrower field."""

DRIFTING: list[Shot] = [
    (BLACK, 3, 3, 42, 56),
    (WHITE, 2, 18, 0, 36),
    (GREEN, 9, 19, 7, 72),
    ((128, 128, 128), 5, 0, 82, 65),
    (WHITE, 2, 0, 85, 43),
    ((128, 128, 128), 7, 20, 23, 59),
    ((255, 255, 0), 9, 8, 39, 67),
    (RED, 1, 13, 55, 61),
    ((90, 20, 20), 2, 47, 6, 28),
    (BLACK, 2, 6, 26, 60),
    (BLUE, 3, 0, 0, 39),
    (BLACK, 3, 27, 70, 36),
]
"""While limited, two parts of different brightness darken in two frames by our threshold, and in one by the checker's."""


@settings(max_examples=10)
@given(shots=st.lists(SHOTS, min_size=10, max_size=20))
@example(shots=A_SECOND_APART)
@example(shots=AT_BOTH_ENDS)
@example(shots=DRIFTING)
def test_whatever_comes_no_more_than_three_flashes_are_shown(shots: list[Shot]) -> None:
    image, source = clouds(5, across=3), []
    for colour, length, top, left, side in shots:
        image = image.copy()
        image[top : top + side, left : left + 2 * side] = colour
        source += [image] * length
    assert flash_checker.worst(limit(source)[0], FPS) <= 3


def test_the_checker_counts_what_it_says() -> None:
    assert flash_checker.general(frames(strobe(5)), FPS) == 5
    assert flash_checker.general(frames(strobe(3)), FPS) == 3
    assert flash_checker.general(frames(strobe(10, (240, 240, 240), WHITE)), FPS) == 0
    assert flash_checker.general(frames(strobe(10, (100, 100, 100), (110, 110, 110))), FPS) == 0
    assert flash_checker.general(frames(UNTOUCHED["one cut"]), FPS) == 0
    assert flash_checker.general(frames(in_block(strobe(10), 0.4, 0.4, 0.12, 0.1)), FPS) == 0
    assert flash_checker.general(frames(in_block(strobe(10), 0.4, 0.4, 0.3, 0.3)), FPS) == 10
    assert flash_checker.red(frames(strobe(5, RED, (0, 127, 0))), FPS) == 5
    assert flash_checker.red(frames(strobe(5, BLUE, GREEN)), FPS) == 0


def leaning(video: Video, bpm: float, zoom: float) -> Video:
    """Return a video that zooms in on each beat, as with ``audio.react``."""
    pulses = Pulses(Pulse(60 / bpm * beat, math.log2(1 + zoom)) for beat in range(100))

    def frame(number: int) -> np.ndarray:
        matrix = sampling_matrix(Pose(), Pose(pulses.extra_octaves(number / FPS)), SIZE, SIZE)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(video(number), matrix, SIZE[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)

    return frame


def limited(video: Video, seconds: float = 8.0) -> int:
    limiter = FlashLimiter(SIZE, FPS)
    for number in range(round(seconds * FPS)):
        limiter.limit(video(number), number)
    return limiter.limited


@pytest.mark.parametrize("bpm", [60, 120, 180])
@pytest.mark.parametrize("across", [4, 8, 30])
def test_pulses_of_the_zoom_are_no_flashes(bpm: float, across: int) -> None:
    picture = clouds(2, across=across)
    assert limited(leaning(lambda number: picture, bpm, zoom=0.04)) == 0


def test_what_flashes_is_held_back_just_so_where_the_zoom_pulses() -> None:
    video = in_block(strobe(5), 0.2, 0.2, 0.6, 0.6)
    assert limited(leaning(video, 120, zoom=0.04)) == pytest.approx(limited(video), abs=2)
    assert limited(video) > 100
