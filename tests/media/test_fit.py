from typing import get_args

import numpy as np
import pytest

from streamer import config_source
from streamer.media.fit import Fit, fitted, resampled
from tests.shapes import disc, extent

FILTERS = pytest.mark.parametrize("fine", [False, True], ids=["quick", "fine"])
FITS = get_args(Fit)


def test_the_settings_name_the_same_three() -> None:
    assert get_args(config_source.Fit) == FITS


@FILTERS
@pytest.mark.parametrize(("fit", "found"), [("crop", (160, 160)), ("pad", (50, 50)), ("stretch", (160, 50))])
def test_a_lying_disc_in_an_upright_place(fit: Fit, found: tuple[int, int], fine: bool) -> None:
    image = fitted(disc((180, 320), 90), (320, 180), fit, fine=fine)
    assert image.shape == (320, 180, 3)
    assert extent(image) == pytest.approx(found, abs=1)


@FILTERS
@pytest.mark.parametrize(("fit", "found"), [("crop", (80, 80)), ("pad", (51, 51)), ("stretch", (51, 80))])
def test_an_upright_disc_in_a_smaller_lying_place(fit: Fit, found: tuple[int, int], fine: bool) -> None:
    image = fitted(disc((320, 180), 90), (182, 160), fit, fine=fine)
    assert extent(image) == pytest.approx(found, abs=1)


@FILTERS
def test_what_sticks_out_is_cut_equally_on_both_sides(fine: bool) -> None:
    stripes = np.zeros((10, 30, 3), np.uint8)
    stripes[:, 10:20] = 200
    assert (fitted(stripes, (10, 10), fine=fine) == 200).all()


@FILTERS
def test_bars_lie_on_both_sides_and_have_their_colour(fine: bool) -> None:
    image = fitted(np.full((30, 40, 3), 200, np.uint8), (60, 120), "pad", fine=fine)
    assert (image[:, :20] == 0).all()
    assert (image[:, 20:100] == 200).all()
    assert (image[:, 100:] == 0).all()
    paper = fitted(np.zeros((40, 30, 3), np.uint8), (20, 45), "pad", fine=fine, bars=(255, 250, 240))
    assert (paper[:, :15] == (255, 250, 240)).all()
    assert (paper[:, 15:30] == 0).all()


@FILTERS
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(35, 51), (36, 64), (480, 20), (1, 1), (7, 300), (1, 400), (90, 160)])
def test_any_size_will_do(shape: tuple[int, int], fit: Fit, fine: bool) -> None:
    image = fitted(np.full((*shape, 3), 77, np.uint8), (36, 64), fit, fine=fine)
    assert image.shape == (36, 64, 3)
    assert image.flags.c_contiguous
    assert (image[image.max(2) > 0] == 77).all()
    assert fit == "pad" or (image == 77).all()


@pytest.mark.parametrize("fit", FITS)
def test_a_picture_of_the_size_stays_as_it_is(fit: Fit) -> None:
    image = np.random.default_rng(0).integers(0, 256, (36, 64, 3), np.uint8)
    assert (fitted(image, (36, 64), fit) == image).all()
    assert (fitted(image, (36, 64), fit, fine=True) == image).all()


@FILTERS
@pytest.mark.parametrize(("shape", "size"), [((15, 20), (226, 141)), ((223, 236), (41, 13)), ((25, 158), (183, 1))])
def test_what_is_cut_to_a_hair_is_cut(shape: tuple[int, int], size: tuple[int, int], fine: bool) -> None:
    """With these sizes, rounding makes the remainder slightly negative."""
    assert (fitted(np.full((*shape, 3), 77, np.uint8), size, fine=fine) == 77).all()


@FILTERS
@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_fine_lines_do_not_flicker_away(fit: Fit, fine: bool) -> None:
    """If one side shrinks to a quarter, all of its pixels count, even where the other side grows."""
    lines = np.zeros((40, 256, 3), np.uint8)
    lines[:, ::2] = 255
    image = fitted(lines, (10, 64) if fit == "crop" else (120, 64), fit, fine=fine)
    assert image[:, 4:-4].astype(float) == pytest.approx(127.5, abs=3)


def test_an_enlarged_edge_stays_an_edge() -> None:
    half = np.zeros((10, 10, 3), np.uint8)
    half[:, 5:] = 200
    large = resampled(half, (40, 40))
    assert large.shape == (40, 40, 3)
    assert (large[:, :16] <= 6).all()
    assert (np.abs(large[:, 24:].astype(int) - 200) <= 20).all()
