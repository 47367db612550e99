"""Measure the page's delay in headless Chromium: as video, and as JPEGs when Media Source Extensions are disabled.

Also measure how soon an <img> of multipart JPEG shows a new picture when one comes every two seconds.

The frame's number is drawn into the picture. The script copies the page's element to a canvas and reads the status right before
and after. These two give the least and the most delay; the limit applies to the most.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from streamer.video.frames import counter
from tests.acceptance.figures import Figures, note, part
from tests.acceptance.live_run import CHROMIUM_ARGS
from tests.acceptance.stream import SMALL_DREAM, Stream, find_chromium

FPS = 30
LAG_S = 1.0
SLOW_S, SLOW_LAG_S = 2.0, 0.5
"""Seconds between pictures of a slow output, and seconds within which the newest must be visible."""
TAKE_AWAY = "for (const name of ['MediaSource', 'ManagedMediaSource', 'WebKitMediaSource']) delete globalThis[name];"
LOOK = """async (id) => {
    const number = async () => (await (await fetch('/api/status', {cache: 'no-store'})).json()).video.frames.number;
    const shown = document.getElementById(id);
    const width = shown.videoWidth || shown.naturalWidth, height = shown.videoHeight || shown.naturalHeight;
    if (shown.hidden || !width) return null;
    const rows = Math.ceil(height / 12);  // the counter is in them; all else would only cost time
    const context = new OffscreenCanvas(width, rows).getContext('2d', {willReadFrequently: true});
    const before = await number();
    context.drawImage(shown, 0, height - rows, width, rows, 0, 0, width, rows);
    const after = await number();
    const green = context.getImageData(0, 0, width, rows).data.filter((_, at) => at % 4 === 1);
    return {before, after, width, height, rows, data: btoa(String.fromCharCode(...green))};
}"""


def look(page: Any, element: str) -> tuple[int, int] | None:
    """Return the least and the most frames that the element's picture can be behind; None if its number is unreadable."""
    seen = page.evaluate(LOOK, element)
    if seen is None:
        return None
    image = np.zeros((seen["height"], seen["width"]), np.uint8)
    image[-seen["rows"] :] = np.frombuffer(base64.b64decode(seen["data"]), np.uint8).reshape(seen["rows"], seen["width"])
    number = counter.read(image)
    if number is None or seen["before"] is None:
        return None
    return counter.frames_between(number, seen["before"]), counter.frames_between(number, seen["after"])


def measure(figures: Figures, browser: Any, stream: Stream, element: str, seconds: float, shots: Path | None) -> None:
    """Open the page, check which element plays, and measure its delay repeatedly."""
    name = "video" if element == "video" else "JPEGs, without Media Source Extensions"
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    if element == "picture":
        page.add_init_script(TAKE_AWAY)
    opened_s = time.monotonic()
    page.goto(stream.url)
    seen, unread, first_s = [], 0, None
    end_s = opened_s + 30.0
    while time.monotonic() < end_s:
        lag = look(page, element)
        now_s = time.monotonic()
        if lag is not None and first_s is None:
            first_s = now_s
            end_s = now_s + 3.0 + seconds
        elif first_s is not None and now_s > first_s + 3.0:  # playback has settled by then
            if lag is None:
                unread += 1
            else:
                seen.append(lag)
        page.wait_for_timeout(150)
    source = page.evaluate("typeof globalThis.MediaSource + ' ' + typeof globalThis.ManagedMediaSource")
    others = page.evaluate("['video', 'picture'].map((id) => id + (document.getElementById(id).hidden ? ' hidden' : ' shown'))")
    if shots is not None:
        page.screenshot(path=str(shots / f"browser_{element}.png"))
    context.close()
    note(f"{name}: MediaSource and ManagedMediaSource are {source}; {', '.join(others)}; page errors: {problems or 'none'}")
    figures.holds(f"{name}: plays", seen)
    if not seen or first_s is None:
        return
    upper = [most / FPS for _, most in seen]
    note(f"{name}: first picture {first_s - opened_s:.1f} s after opening; {len(seen)} looks, {unread} without a number")
    note(f"{name}: lag between {median(least for least, _ in seen) / FPS:.2f} and {median(upper):.2f} s (medians)")
    figures.at_most(f"{name}: lag, median of the upper ends", median(upper), LAG_S, "s")
    figures.at_most(f"{name}: lag, 95 % of the upper ends", part(upper, 0.95), LAG_S, "s")
    figures.at_most(f"{name}: looks without a readable number", unread / (unread + len(seen)), 0.2)


def measure_slow(figures: Figures, browser: Any, stream: Stream) -> None:
    """Show an output of one picture per ``SLOW_S`` as an <img>, and measure how soon each picture becomes visible."""
    page = browser.new_page()
    page.goto(stream.url)
    page.evaluate(
        "() => { const image = new Image(); image.id = 'slow'; image.src = '/slow.mjpg'; document.body.append(image); }"
    )
    opened_s, first_s, seen = time.monotonic(), None, []
    while time.monotonic() < opened_s + 10 * SLOW_S:
        lag = look(page, "slow")
        if lag is not None:
            first_s = first_s or time.monotonic() - opened_s
            seen.append(lag[1] / FPS)
        page.wait_for_timeout(50)
    page.close()
    figures.holds(f"an <img> of a picture every {SLOW_S} s: shows", seen)
    if seen and first_s is not None:
        note(f"an <img> of a picture every {SLOW_S} s: first picture after {first_s:.2f} s, {len(seen)} looks")
        figures.at_most(f"an <img> of a picture every {SLOW_S} s: least lag", min(seen), SLOW_LAG_S, "s")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=30.0, help="of looking, each time")
    arguments.add_argument("--shots", type=Path, default=None, help="folder for screenshots of the page")
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = arguments.parse_args()
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        sys.exit("playwright is missing: pip install -e '.[dev]' installs it")
    path = find_chromium()
    if path is None:
        sys.exit("Chromium is missing: tools/install_test_tools.sh installs it")
    if given.shots is not None:
        given.shots.mkdir(parents=True, exist_ok=True)
    figures = Figures()
    video = ["video.width=640", "video.height=360", f"video.fps={FPS}", "video.frame_counter=true"]
    video.append(f"outputs=[{{kind: mjpeg, path: /slow.mjpg, fps: {1 / SLOW_S}}}]")
    with tempfile.TemporaryDirectory() as folder, Stream(Path(folder), [*SMALL_DREAM, *video, *given.settings]) as stream:
        stream.wait_for_picture()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
            for element in ("video", "picture"):
                measure(figures, browser, stream, element, given.seconds, given.shots)
            measure_slow(figures, browser, stream)
            browser.close()
        note(f"at the clock: {stream.status()['video']}")
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
