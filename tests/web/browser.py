"""A real browser, and a real video for it to show."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from streamer.config import VideoConfig
from streamer.messages.keyframes import Frame
from streamer.video.encoding.shared_encoder import Encoder
from tests.patience import PATIENCE_S

ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = ((1280, 800), (390, 844))
"""(width, height) of a laptop's window and of a phone, px."""
WAIT_MS = round(1000 * PATIENCE_S)
"""How long a page may take to show what it should, on a busy machine."""
HEIGHT, WIDTH, FPS = 72, 128, 25
COLOUR = (200, 120, 40)


def chromium() -> str:
    """Return the path of Chromium; skip the test if there is none.

    The headless shell has no windows and opens a page at half of the browser's cost.
    """
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if found is None:
        pytest.skip("there is no chromium to show the pages in")
    return found


def until(page: Any, condition: str, arg: object = None) -> None:
    """Wait for a JavaScript function to return true; the pages' CSP blocks Playwright's own way."""
    for _ in range(WAIT_MS // 50):
        if page.evaluate(condition, arg):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never true: {condition}")


@contextmanager
def moving_video() -> Iterator[Encoder]:
    """Yield an encoder that gets one colour with a moving stripe, at its frame rate."""
    config = VideoConfig(width=WIDTH, height=HEIGHT, fps=FPS, preset="ultrafast")
    encoder = Encoder(config)
    end = threading.Event()

    def feed() -> None:
        number = 0
        while not end.wait(1 / FPS):
            image = np.full((HEIGHT, WIDTH, 3), COLOUR, np.uint8)
            image[:8, number % WIDTH] = 255
            encoder.put(Frame(image, number, None))
            number += 1

    thread = threading.Thread(target=feed, name="feeder")
    thread.start()
    try:
        yield encoder
    finally:
        end.set()
        thread.join()
        encoder.close()
