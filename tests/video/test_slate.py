"""When the slate appears, what it shows, and how it disappears. The tests advance frame by frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from streamer.config import VideoConfig
from streamer.video.frames.slate import DIMMED, FADE_S, Slate

SHAPE = (180, 320, 3)
FPS = 10
GREY = np.full(SHAPE, 200, np.uint8)
MUSH = np.full(SHAPE, 120, np.uint8)
"""The picture after further zooming without keyframes."""


class Show:
    """A show of frames at an even rate."""

    def __init__(self, *, text: str = "", after_s: float = 10.0) -> None:
        self.slate = Slate(VideoConfig(width=320, height=180, slate_s=after_s, slate_text=text))
        self.now_s = 1000.0
        self.frame = MUSH

    def run(self, seconds: float, image: np.ndarray = MUSH, *, step_s: float = 1 / FPS) -> list[float]:
        """Show frames for some seconds, and return the brightness of each."""
        light = []
        for _ in range(round(seconds / step_s)):
            self.frame = self.slate.draw(image, self.now_s)
            assert self.frame.shape == SHAPE
            assert self.frame.dtype == np.uint8
            light.append(float(self.frame.mean()))
            self.now_s += step_s
        return light

    def dream(self, seconds: float, every_s: float = 1.0) -> None:
        """Show frames, with a keyframe every ``every_s``."""
        for _ in range(round(seconds / every_s)):
            self.slate.keyframe()
            self.run(every_s, GREY)


def test_while_all_is_well_frames_are_left_alone() -> None:
    show = Show()
    show.dream(30.0)
    assert show.frame is GREY
    assert not show.slate.shown


def test_it_fades_in_after_its_time_and_out_at_the_first_keyframe() -> None:
    show = Show()
    show.dream(5.0)
    light = show.run(9.0 - 0.5)
    assert set(light) == {120.0}
    light = show.run(0.5 + FADE_S + 1.0)
    assert light[-1] == pytest.approx(200 * DIMMED, abs=1)  # the last picture, not the zoomed one
    assert np.abs(np.diff(light)).max() < 10
    assert show.slate.shown
    assert len(set(show.run(100.0))) == 1
    show.slate.keyframe()
    light = show.run(FADE_S + 0.5, GREY)
    assert light[0] < 80
    assert np.all(np.diff(light) >= 0)
    assert np.abs(np.diff(light)).max() < 20
    assert show.frame is GREY
    assert not show.slate.shown


def test_a_second_time_it_takes_as_long_and_shows_the_picture_of_then() -> None:
    show = Show()
    show.dream(3.0)
    show.run(60.0)
    show.slate.keyframe()
    show.run(0.2, GREY)  # the dream is gone again during the fade
    show.run(8.0)
    assert not show.slate.shown
    show.run(6.0)
    assert show.slate.shown


def test_a_machine_whose_keyframes_are_far_apart_is_not_gone() -> None:
    show = Show(after_s=10.0)
    show.dream(100.0, every_s=8.0)
    show.run(23.0)  # 31 s since the last keyframe
    assert not show.slate.shown
    show.run(5.0)
    assert show.slate.shown


def test_a_program_that_was_stopped_has_not_waited() -> None:
    show = Show()
    show.dream(3.0)
    show.now_s += 3600.0
    show.run(1.0)
    assert not show.slate.shown


def test_it_comes_while_nobody_watches_and_a_frame_is_made_each_second() -> None:
    show = Show()
    show.dream(3.0)
    show.run(15.0, step_s=1.0)
    assert show.slate.shown


@pytest.mark.parametrize("spoil", [lambda show: None, lambda show: show.dream(5.0)])
def test_never_means_never(spoil: Callable[[Show], None]) -> None:
    show = Show(after_s=0.0)
    spoil(show)
    show.run(300.0)
    assert not show.slate.shown


@pytest.mark.parametrize("text", ["it is being repaired", "x" * 200, "es wird repariert 🛠 修理中", "\u200b", ""])
def test_its_line_is_in_the_middle_and_within_the_frame(text: str) -> None:
    show = Show(text=text)
    show.dream(3.0)
    show.run(14.0)
    written = np.argwhere(show.frame.max(2) > 200 * DIMMED + 30)
    if text.strip("\u200b"):
        top, left = written.min(0)
        bottom, right = written.max(0)
        assert (top + bottom) / 2 == pytest.approx(90, abs=8)
        assert (left + right) / 2 == pytest.approx(160, abs=8)
        assert left >= 12
        assert right <= 307
    else:
        assert written.size == 0


def test_another_text_shows_immediately() -> None:
    show = Show(text="soon")
    show.dream(3.0)
    show.run(14.0)
    before = show.frame
    show.slate.tune(VideoConfig(width=320, height=180, slate_s=10.0, slate_text="later"))
    show.run(0.1)
    assert not np.array_equal(before, show.frame)
    show.slate.tune(VideoConfig(width=320, height=180, slate_s=0.0))
    show.run(FADE_S + 0.2)
    assert not show.slate.shown
