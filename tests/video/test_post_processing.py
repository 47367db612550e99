"""Post-processing of frames, and its changes while the video runs."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.config import VideoConfig
from streamer.messages.scenes import Scene, Target, arrange
from streamer.video.frames import counter
from streamer.video.frames.post_processing import FramePostProcessor

SIZE = (180, 320)
GREY, BLACK, WHITE = (np.full((*SIZE, 3), level, np.uint8) for level in (100, 0, 255))
SCENE = Scene(1, arrange([Target("n1", "volcano")]))


def settings(**video: bool) -> VideoConfig:
    off = {"captions": False, "flash_limiter": False, "frame_counter": False}
    return VideoConfig(width=SIZE[1], height=SIZE[0], **{**off, **video})  # type: ignore[arg-type]


def settled(finish: FramePostProcessor, first: int, **more: bool) -> np.ndarray:
    """Return the frame after a second of grey."""
    for number in range(first, first + 25):
        image = finish.draw(GREY, SCENE, number / 25, number, **more)
    return image


def test_nothing_to_do_leaves_the_frame_as_it_is() -> None:
    assert FramePostProcessor(settings()).draw(GREY, SCENE, 0.0, 1) is GREY


def test_captions_come_and_go() -> None:
    finish = FramePostProcessor(settings(captions=True))
    assert np.abs(settled(finish, 0).astype(int) - 100).max() > 100
    finish.tune(settings())
    assert settled(finish, 25) is GREY
    finish.tune(settings(captions=True))
    assert settled(finish, 50, captions=False) is GREY, "there is nothing to name yet"
    first = finish.draw(GREY, SCENE, 3.04, 76)
    assert np.abs(settled(finish, 77).astype(int) - 100).max() > np.abs(first.astype(int) - 100).max(), "they fade in"


def test_other_settings_do_not_change_a_visible_caption() -> None:
    finish = FramePostProcessor(settings(captions=True))
    before = settled(finish, 0)
    finish.tune(settings(captions=True, flash_limiter=True))
    assert np.array_equal(finish.draw(GREY, SCENE, 1.0, 25), before)


def test_flashes_are_held_back_or_not_and_counted_all_the_same() -> None:
    finish = FramePostProcessor(settings(flash_limiter=True))

    def flash(first: int) -> float:
        """Return the difference between the brightest and the darkest frame in a second of flashes."""
        means = [float(finish.draw((BLACK, WHITE)[n // 2 % 2], None, n / 25, n).mean()) for n in range(first, first + 50)]
        return max(means[25:]) - min(means[25:])

    assert flash(0) < 100
    counted = finish.limited
    assert counted > 0
    finish.tune(settings())
    assert flash(50) == 255
    assert finish.limited == counted, "a counter never goes back"
    finish.tune(settings(flash_limiter=True))
    assert flash(100) < 100
    assert finish.limited > counted


@pytest.mark.parametrize("at_first", [True, False])
def test_the_number_is_drawn_or_not(at_first: bool) -> None:
    finish = FramePostProcessor(settings(frame_counter=at_first))
    assert (finish.draw(GREY, None, 0.0, 7) is GREY) is not at_first
    finish.tune(settings(frame_counter=not at_first))
    image = finish.draw(GREY, None, 0.0, 8)
    assert (image is GREY) is at_first
    if not at_first:
        assert counter.read(image) == 8
