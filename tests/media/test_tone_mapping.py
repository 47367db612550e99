from __future__ import annotations

import numpy as np
import pytest

from streamer.media.tone_mapping import (
    KNEE,
    PQ_PEAK,
    Primaries,
    Transfer,
    from_display_light,
    gamut_mapped,
    to_bt709,
    to_display_light,
    to_linear_light,
    tone_mapped,
)
from tests.media.patches import BT2020_FROM_BT709, QUAD, hlg, linear, patches, pq, seen


def test_values_mean_the_light_that_the_standards_give() -> None:
    grey = np.array([[0.58068888] * 3])  # BT.2408: graphics white, 203 cd/m², is 58 % of PQ's range and 75 % of HLG's
    assert to_linear_light(grey, Transfer.PQ) == pytest.approx(1, abs=0.001)
    assert to_linear_light(np.full((1, 3), 0.75), Transfer.HLG) == pytest.approx(1, abs=0.005)
    assert to_linear_light(np.ones((1, 3)), Transfer.PQ) * 203 == pytest.approx(10_000, abs=1)
    assert to_linear_light(np.ones((1, 3)), Transfer.HLG) * 203 == pytest.approx(1000, abs=1)
    assert (to_linear_light(np.zeros((1, 3)), Transfer.PQ) == 0).all()


def test_primaries_become_bt709s_and_white_stays_white() -> None:
    assert to_bt709(Primaries.BT709) == pytest.approx(np.eye(3), abs=1e-9)
    assert to_bt709(Primaries.BT2020) == pytest.approx(np.linalg.inv(BT2020_FROM_BT709), abs=0.001)
    for primaries in Primaries:
        assert to_bt709(primaries).sum(1) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("transfer", [Transfer.PQ, Transfer.HLG])
def test_sdr_in_hdr_comes_back(transfer: Transfer) -> None:
    nits = (np.array(QUAD) / 255) ** 2.2 @ BT2020_FROM_BT709.T * 203
    values = pq(nits) if transfer is Transfer.PQ else hlg(nits)
    assert from_display_light(to_display_light(values, transfer, Primaries.BT2020), transfer) * 255 == pytest.approx(
        np.array(QUAD), abs=4
    )


def test_what_is_dark_is_kept_and_highlights_roll_off() -> None:
    brightness = np.linspace(0, PQ_PEAK, 20_000)
    found = tone_mapped(brightness, PQ_PEAK)
    assert (found[brightness <= KNEE] == brightness[brightness <= KNEE]).all()
    slopes = np.diff(found) / np.diff(brightness)
    assert (slopes > 0).all()
    assert (np.diff(slopes) < 1e-9).all(), "ever flatter"
    assert found[-1] == pytest.approx(1)
    assert 0.75 < np.interp(1, brightness, found) < 0.85, "graphics white leaves room for what is brighter"


def test_a_bright_light_turns_white_and_a_dim_one_keeps_its_colour() -> None:
    orange = np.array([1.0, 0.4, 0.1])
    dim, lamp, sun = (from_display_light(gamut_mapped(orange * bright), Transfer.SDR) for bright in (0.5, 1.3, 30.0))
    assert dim == pytest.approx(from_display_light(orange * 0.5, Transfer.SDR))
    assert np.ptp(dim / dim.max()) > np.ptp(lamp) > 0.1
    assert sun.min() > 0.99


def test_wide_sdr_is_what_it_was_meant_to_be() -> None:
    values = linear(patches()) @ BT2020_FROM_BT709.T
    found = from_display_light(
        to_display_light(from_display_light(values, Transfer.SDR), Transfer.SDR, Primaries.BT2020), Transfer.SDR
    )
    assert seen(found * 255) == pytest.approx(np.array(QUAD), abs=0.5)
