from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.messages.scenes import Scene, Target, arrange
from streamer.video.frames import lettering
from streamer.video.frames.captions import FADE_IN_S, FADE_OUT_S, SAFE, Captioner
from streamer.video.frames.lettering import Lettering

SIZE = (270, 480)


def scene(title: str, user: str = "") -> Scene:
    labels = title.split(" + ")
    return Scene(1, arrange([Target(f"n{i:08}", label) for i, label in enumerate(labels)]), user=user)


def settle(captions: Captioner, image: np.ndarray, shown: Scene | None, now_s: float = 0.0) -> np.ndarray:
    result = image
    for step in range(20):
        result = captions.draw(image, shown, now_s + step * 0.1)
    return result


def drawn(image: np.ndarray, result: np.ndarray) -> np.ndarray:
    return np.abs(result.astype(int) - image).max(2) > 24


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_words_stand_out_on_any_background(grey: int) -> None:
    image = np.full((*SIZE, 3), grey, np.uint8)
    result = settle(Captioner(SIZE), image, scene("volcano + bubble", "Ann"))
    letters = result[200:]
    assert letters.max() >= 240
    bright = letters.min(2) > 235
    assert bright.sum() > 300
    if grey == 255:  # the letters have dark surroundings
        assert (letters.max(2) < 150).sum() > 1000
    assert (image == grey).all()


def test_the_words_keep_to_the_safe_area() -> None:
    image = np.zeros((*SIZE, 3), np.uint8)
    result = settle(Captioner(SIZE), image, scene("a very long thing indeed + another very long thing + a third", "W" * 80))
    rows, columns = np.nonzero(result.min(2) > 128)
    assert columns.min() >= SIZE[1] * SAFE - 1
    assert columns.max() <= SIZE[1] * (1 - SAFE) + 2
    assert rows.max() <= SIZE[0] * (1 - SAFE)
    assert columns.max() > SIZE[1] * 0.85


def test_words_grow_with_the_video() -> None:
    def height(size: tuple[int, int]) -> int:
        result = settle(Captioner(size), np.zeros((*size, 3), np.uint8), scene("Hg"))
        rows = np.nonzero(result.min(2) > 128)[0]
        return int(rows.max() - rows.min())

    assert height((1080, 1920)) == pytest.approx(4 * height((270, 480)), rel=0.15)


def test_captions_fade_out_and_in_when_the_words_change_and_only_then() -> None:
    image = np.zeros((*SIZE, 3), np.uint8)
    captions = Captioner(SIZE)
    light = [captions.draw(image, scene("volcano", "Ann"), n * 0.04).max() for n in range(40)]
    assert light[0] == 0
    assert all(b >= a for a, b in itertools.pairwise(light))
    assert light[-1] >= 250
    again = Scene(7, scene("volcano").regions, user="Ann")
    before = captions.draw(image, again, 1.6)
    assert before.max() >= 250
    steps = [captions.draw(image, scene("pizza"), 1.6 + n * 0.04) for n in range(60)]
    low = round(FADE_OUT_S / 0.04)
    assert min(int(s.max()) for s in steps[low - 1 : low + 2]) < 60
    assert steps[low + int(FADE_IN_S / 0.04) + 3].max() >= 250
    assert (drawn(image, steps[-1]) != drawn(image, before)).any()
    gone = settle(captions, image, None, 5.0)
    assert gone is image


def test_a_long_stall_does_not_make_the_caption_jump() -> None:
    image = np.zeros((*SIZE, 3), np.uint8)
    captions = Captioner(SIZE)
    settle(captions, image, scene("volcano"))
    captions.draw(image, scene("pizza"), 60.0)
    assert captions.draw(image, scene("pizza"), 60.04).max() < 60


@pytest.mark.parametrize("size", [(2, 2), (32, 32), (96, 160), (31, 401)])
def test_any_size_of_video(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 90, np.uint8)
    assert settle(Captioner(size), image, scene("volcano + bubble", "Ann")).shape == image.shape


@given(st.text(max_size=120), st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_text_whatever_is_a_problem(title: str, user: str) -> None:
    image = np.full((*SIZE, 3), 90, np.uint8)
    assert settle(Captioner(SIZE), image, scene(title, user)).shape == image.shape


@pytest.mark.parametrize("user", ["日本語", "Zoë 🐸", "مرحبا", "e\u0301\u200d\ufe0f", "\U000e0041", "👩‍👩‍👧"])
def test_with_no_font_but_the_bundled_one_names_are_shown_as_far_as_it_goes(monkeypatch: pytest.MonkeyPatch, user: str) -> None:
    lettering._fonts.cache_clear()
    monkeypatch.setattr(lettering, "TEXT_FONTS", ())
    monkeypatch.setattr(lettering, "OTHER_FONTS", ())
    monkeypatch.setattr(lettering, "EMOJI_FONTS", ())
    try:
        image = np.zeros((*SIZE, 3), np.uint8)
        with_name = settle(Captioner(SIZE), image, scene("volcano", user))
        without = settle(Captioner(SIZE), image, scene("volcano"))
        assert drawn(without, with_name).any()
    finally:
        lettering._fonts.cache_clear()


def test_what_is_too_wide_is_cut_and_says_so() -> None:
    letters = Lettering(20)
    whole = letters.line("short", 400, (255, 255, 255))
    cut = letters.line("far too long to fit in here", 100, (255, 255, 255))
    assert whole is not None
    assert cut is not None
    assert whole.width < 400
    assert cut.width <= 102
    assert letters.line("", 100, (255, 255, 255)) is None
    assert letters.line("\u200b\u202e", 100, (255, 255, 255)) is None
