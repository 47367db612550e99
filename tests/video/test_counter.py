from __future__ import annotations

import io
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.video.encoding.h264 import to_yuv
from streamer.video.frames.counter import DIGIT_SQUARES, NUMBERS, PER_WIDTH, draw, frames_between, read

SIZE = (270, 480)


def busy(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Return a picture with colours of all brightnesses, and with edges."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (9, 16, 3), np.uint8)
    return cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)


def numbered(size: tuple[int, int], number: int) -> np.ndarray:
    image = busy(size, number % 7)
    draw(image, number)
    return image


@given(number=st.integers(0, 10**9), height=st.integers(36, 300), width=st.integers(46, 500))
def test_what_is_drawn_is_read(number: int, height: int, width: int) -> None:
    assert read(numbered((height, width), number)) == number % NUMBERS


@pytest.mark.parametrize("size", [(32, 32), (32, 200), (200, 32)])
def test_the_smallest_videos_take_it(size: tuple[int, int]) -> None:
    draw(np.zeros((*size, 3), np.uint8), 123)


@given(number=st.integers(0, NUMBERS - 1), height=st.integers(120, 900))
def test_a_scaled_picture_reads_the_same(number: int, height: int) -> None:
    scaled = cv2.resize(numbered((360, 640), number), (round(height * 16 / 9), height), interpolation=cv2.INTER_LINEAR)
    assert read(scaled) == number
    assert read(cv2.cvtColor(scaled, cv2.COLOR_RGB2GRAY)) == number


@pytest.mark.parametrize("shift", [(-3, 0), (3, 0), (0, -2), (0, 2), (2, -2)])
def test_a_picture_moved_by_a_few_pixels_is_read(shift: tuple[int, int]) -> None:
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
    for number in (0, 1, 21845, 43690, 65535, 12345):
        moved = cv2.warpAffine(numbered((360, 640), number), move, (640, 360), borderMode=cv2.BORDER_REPLICATE)
        assert read(moved) == number


@pytest.mark.parametrize("quality", [95, 40, 10])
def test_jpeg_leaves_it_readable(quality: int) -> None:
    for number in range(0, 65536, 4099):
        ok, data = cv2.imencode(".jpg", numbered(SIZE, number), [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert ok
        assert read(cv2.imdecode(data, cv2.IMREAD_COLOR)) == number


def test_h264_at_a_low_rate_leaves_it_readable() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = SIZE[1], SIZE[0], "yuv420p", 300_000
        stream.codec_context.options = {"preset": "ultrafast", "tune": "zerolatency"}
        for number in range(40):
            frame = to_yuv(numbered(SIZE, 1000 + number))
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as container:
        seen = [read(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert seen == list(range(1000, 1040))


@given(seed=st.integers(0, 10**6))
def test_pictures_without_one_read_as_none(seed: int) -> None:
    assert read(busy(SIZE, seed)) is None


def test_two_frames_blended_are_beyond_reading() -> None:
    assert read(cv2.addWeighted(numbered(SIZE, 7), 0.5, numbered(SIZE, 8), 0.5, 0)) is None


@pytest.mark.parametrize(
    "picture", [np.zeros((90, 160, 3), np.uint8), np.full((90, 160, 3), 255, np.uint8), np.zeros((8, 8, 3), np.uint8)]
)
def test_plain_pictures_read_as_none(picture: np.ndarray) -> None:
    assert read(picture) is None


@pytest.mark.parametrize("number", [0, 1_234_567_890])
def test_the_digits_fill_their_plate_and_nothing_above_the_row_changes(number: int) -> None:
    image = numbered((360, 640), number)
    assert (image[:348] == busy((360, 640), number % 7)[:348]).all()
    plate = image[348:, 12 * (PER_WIDTH - DIGIT_SQUARES) : 12 * PER_WIDTH]
    assert plate.max() > 200
    assert not plate[:, :2].any()
    assert not plate[:, -2:].any()


def test_a_lag_counts_across_the_numbers_end() -> None:
    assert frames_between(65530, 4) == 10
    assert frames_between(65530, 65536 + 4) == 10
    assert frames_between(4, 65530) == -10
    assert frames_between(7, 7) == 0
