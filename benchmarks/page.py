"""Measure what the page costs a viewer: cores that headless Chromium uses without a GPU, and video frames it drops.

python benchmarks/page.py --seconds 10
python benchmarks/page.py --against ../yesterday     # the page of another checkout, too
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.acceptance.live_run import CHROMIUM_ARGS
from tests.acceptance.stream import ROOT, SMALL_DREAM, Stream, cpu_s, find_chromium

SIZES = ((1280, 800), (390, 844))
SETTLE_MS = 4000
PLAYED = """() => {
    const { totalVideoFrames, droppedVideoFrames } = document.querySelector('video').getVideoPlaybackQuality();
    return [totalVideoFrames, droppedVideoFrames];
}"""


def children(process: int) -> Iterator[int]:
    """Yield a process and all its descendants."""
    yield process
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from children(int(child))


def used_s(process: int) -> float:
    """Return the CPU seconds of a process and its descendants."""
    return sum(cpu_s(each) for each in children(process))


def watch(browser: Any, stream: Stream, size: tuple[int, int], seconds: float) -> tuple[float, float]:
    """Return the cores that the browser uses while the page plays, and the share of frames it drops."""

    def browser_s() -> float:
        return used_s(os.getpid()) - used_s(stream.process.pid)

    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, reduced_motion="no-preference")
    page.goto(stream.url)
    page.wait_for_timeout(SETTLE_MS)
    before_s, (began, lost) = browser_s(), page.evaluate(PLAYED)
    page.wait_for_timeout(1000 * seconds)
    cores, (ended, lost_then) = (browser_s() - before_s) / seconds, page.evaluate(PLAYED)
    page.close()
    return cores, (lost_then - lost) / max(1, ended - began)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=10.0)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--against", type=Path, help="another checkout, which serves its own page")
    given = arguments.parse_args()
    path = find_chromium()
    if path is None:
        raise SystemExit("there is no Chromium; tools/install_test_tools.sh installs it")
    settings = [*SMALL_DREAM, "video.width=640", "video.height=360", "video.fps=30"]
    with sync_playwright() as playwright:
        for checkout in (ROOT, *([given.against] if given.against else [])):
            with tempfile.TemporaryDirectory() as folder, Stream(Path(folder), settings, checkout=checkout.resolve()) as stream:
                stream.wait_for_picture()
                browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
                for size in SIZES:
                    seen = [watch(browser, stream, size, given.seconds) for _ in range(given.rounds)]
                    cores, lost = (statistics.median(values) for values in zip(*seen, strict=True))
                    print(
                        f"{checkout.name}, {size[0]}x{size[1]}: {cores:.2f} cores, {lost:.1%} of the pictures dropped",
                        flush=True,
                    )
                browser.close()


if __name__ == "__main__":
    main()
