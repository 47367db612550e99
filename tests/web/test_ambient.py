"""The coloured background of the page, in headless Chromium."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.web.browser import COLOUR, until
from tests.web.conftest import Stage

pytestmark = pytest.mark.browser

READ = """() => {
    const canvas = document.getElementById("ambient");
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return [pixels.height, pixels.width, [...pixels.data]];
}"""


def test_the_room_takes_the_colours_of_the_picture_and_no_filter_burdens_the_video(moving: Stage, page: Any) -> None:
    page.goto(moving.server.url)
    until(page, "() => document.getElementById('ambient').getContext('2d').getImageData(48, 4, 1, 1).data[0] > 150")
    height, width, data = page.evaluate(READ)
    seen = np.array(data, dtype=float).reshape(height, width, 4)
    top, bottom = seen[height // 4, :, :], seen[-1, :, :]
    red, green, blue, alpha = top.mean(0)
    assert red > green > blue, f"the video is {COLOUR}"
    assert alpha == 255
    assert bottom[:, 3].max() <= 4, "and fades"
    assert np.abs(np.diff(seen[..., 3], axis=0)).max() <= 8, "without an edge"
    # Without a GPU, each filter of the page is recomputed for every video frame, which takes most of a core.
    filters = page.evaluate(
        "() => [...document.querySelectorAll('body, body *')].filter((each) => getComputedStyle(each).filter !== 'none')"
        ".map((each) => each.id || each.className)"
    )
    assert filters == []
