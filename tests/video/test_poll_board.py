"""The poll board drawn in the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamer.config import VideoConfig
from streamer.messages.viewer_polls import Poll, PollChoice, PollState
from streamer.video.frames.captions import SAFE
from streamer.video.frames.poll_board import FADE_S, PollBoard
from streamer.video.frames.post_processing import FramePostProcessor

SIZE = (270, 480)


def poll(*votes: int, titles: tuple[str, ...] = ("red fox", "pizza", "castle"), **changes: object) -> Poll:
    choices = tuple(
        PollChoice(number, title, (), (title,), count)
        for number, (title, count) in enumerate(zip(titles, votes or (0,) * len(titles), strict=True), 1)
    )
    return replace(Poll("p1", choices, PollState.OPEN, 20.0, 30.0, "mod"), **changes)  # type: ignore[arg-type]


def settle(board: PollBoard, image: np.ndarray, now_s: float = 0.0) -> np.ndarray:
    result = image
    for step in range(20):
        result = board.draw(image, now_s + step * 0.1)
    return result


@pytest.fixture
def grey() -> np.ndarray:
    return np.full((*SIZE, 3), 128, np.uint8)


def changed(image: np.ndarray, result: np.ndarray) -> np.ndarray:
    return np.abs(result.astype(int) - image).max(2) > 8


def test_without_a_poll_the_frame_is_left_as_it_is(grey: np.ndarray) -> None:
    board = PollBoard(SIZE)
    assert settle(board, grey) is grey
    board.show(None)
    assert settle(board, grey) is grey


def test_it_is_in_the_safe_area_at_the_top_left_and_changes_no_other_frame(grey: np.ndarray) -> None:
    board = PollBoard(SIZE)
    board.show(poll(3, 5, 1))
    result = settle(board, grey)
    rows, columns = np.nonzero(changed(grey, result))
    assert rows.min() >= round(SIZE[0] * SAFE)
    assert columns.min() >= round(SIZE[1] * SAFE)
    assert rows.max() < SIZE[0] / 2
    assert columns.max() < SIZE[1] / 2
    assert (grey == 128).all()
    assert result.min(2).max() > 235, "letters"


def bars(result: np.ndarray) -> list[int]:
    """Return how many pixels a row of the bars has at most in the leader's colour, and in the others'."""
    leading = (np.abs(result.astype(int) - (156, 110, 48)).max(2) < 6).sum(1)
    others = (np.abs(result.astype(int) - (84, 78, 88)).max(2) < 6).sum(1)
    return [int(leading.max()), int(others.max())]


def test_bars_are_as_long_as_the_votes_are_many(grey: np.ndarray) -> None:
    board = PollBoard(SIZE)
    board.show(poll(10, 5, 0))
    leading, others = bars(settle(board, grey))
    assert leading > 20
    assert others == pytest.approx(leading / 2, abs=4)
    board.show(poll(0, 0, 0, left_s=18.0))
    assert max(bars(settle(board, grey))) < 5, "letters at most"


def test_it_is_drawn_once_a_second_however_many_votes_come(grey: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    board = PollBoard(SIZE)
    made: list[Poll] = []
    make = PollBoard._make
    monkeypatch.setattr(PollBoard, "_make", lambda self, shown: (made.append(shown), make(self, shown))[1])
    for number in range(100):
        board.show(poll(number, 2 * number, 0, left_s=20.0 - number / 50))
    assert len(made) == 3
    board.show(poll(1, 2, 3, state=PollState.DECIDED, winner=3, left_s=0.0))
    assert len(made) == 4


def test_it_fades_in_and_out(grey: np.ndarray) -> None:
    board = PollBoard(SIZE)
    board.show(poll())
    light = [int(changed(grey, board.draw(grey, step * FADE_S / 4)).sum()) for step in range(6)]
    assert light[0] == 0
    assert light == sorted(light)
    assert light[5] > 1000
    board.show(None)
    assert changed(grey, board.draw(grey, 2 * FADE_S)).any()
    assert settle(board, grey, 3 * FADE_S) is grey


def test_a_cancelled_poll_goes(grey: np.ndarray) -> None:
    board = PollBoard(SIZE)
    board.show(poll())
    settle(board, grey)
    board.show(poll(state=PollState.CANCELLED))
    assert settle(board, grey, 10.0) is grey


@pytest.mark.parametrize("size", [(32, 32), (64, 200), (270, 480), (1080, 1920), (480, 270)])
def test_any_size_and_any_words_fit(size: tuple[int, int]) -> None:
    board = PollBoard(size)
    image = np.zeros((*size, 3), np.uint8)
    names = ("W" * 80, "\u202e", "犬 🍕", "e", "ﷺ" * 9)
    board.show(poll(1, 99_999, 3, 4, 5, titles=names))
    assert settle(board, image).shape == image.shape
    board.show(poll(1, 2, 3, 4, 5, titles=names, state=PollState.DECIDED, winner=1))
    assert settle(board, image).shape == image.shape


def test_it_is_part_of_the_captions(grey: np.ndarray) -> None:
    shown, plain = (FramePostProcessor(VideoConfig(width=480, height=270, captions=captions)) for captions in (True, False))
    for finish in (shown, plain):
        finish.show_poll(poll(1, 2, 3))
    results = [[finish.draw(grey, None, step / 10, step) for step in range(10)][-1] for finish in (shown, plain)]
    assert changed(grey, results[0]).any()
    assert not changed(grey, results[1]).any()
