"""Measure what the flash limiter does to ordinary dreams (nothing), how far they are from it, and its cost.

    python benchmarks/flash.py [--seconds 16] [--network bundled] [--video FILE…]

Renders dreams with ``zoomdream render`` and the limiter off, then passes their frames through it: one dream left alone, one
whose subject changes every three seconds, the fastest change that a dream makes. Then it plays them faster: the highest speed
at which no frame changes shows how far a dream is from flashing. A strobe shows what limiting costs.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from streamer.video.flash.limiter import FlashLimiter

FPS = 25
SUBJECTS = (
    "goldfish",
    "ladybug + lemon",
    "school bus",
    "monarch + mushroom",
    "king penguin",
    "pizza + orange",
    "teapot",
    "banana",
)
CHANGE_S = 3
QUICK = 1.2
SPEEDS = (1, 2, 3, 4, 6, 8, 12, 16)


@dataclass(frozen=True)
class Seen:
    """What the limiter did to a video."""

    frames: int
    changed: int
    ms: list[float]
    """CPU time per frame."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=16, help="length of each dream")
    parser.add_argument("--network", default="bundled")
    parser.add_argument("--weights", help="a file, for a network that is not bundled")
    parser.add_argument("--canvas", default="480x270")
    parser.add_argument("--video", nargs="*", type=Path, default=[], help="videos to look at instead")
    options = parser.parse_args()
    print("| video | frames | changed | untouched up to | ms, median | ms, 95 % |\n|---|---|---|---|---|---|")
    if options.video:
        for path in options.video:
            tell(path.name, list(read(path)))
        return
    words = [SUBJECTS[i % len(SUBJECTS)] for i in range(-(-options.seconds // CHANGE_S))]
    changing = "; ".join(f"{i * CHANGE_S} {word}" for i, word in enumerate(words))
    tell("one subject, 960x540", dream(options, f"0 {SUBJECTS[0]}"))
    tell(f"the camera at {QUICK} per second, 960x540", dream(options, f"0 {SUBJECTS[1]}", QUICK))
    frames = dream(options, changing)
    tell(f"another every {CHANGE_S} s, 960x540", frames)
    for size in ((1280, 720), (1920, 1080)):
        tell(f"the same, enlarged to {size[0]}x{size[1]}", [cv2.resize(image, size) for image in frames[: 4 * FPS]])
    dark, bright = (np.full((540, 960, 3), level, np.uint8) for level in (0, 255))
    tell("strobe, 10 Hz, 960x540", [bright if round(number * 20 / FPS) % 2 else dark for number in range(8 * FPS)])


def dream(options: argparse.Namespace, script: str, speed: float = 1.05) -> list[np.ndarray]:
    """Render a dream without the limiter; return its frames."""
    settings = [f"network.name={options.network}", "device=cpu", "video.flash_limiter=false", f"video.fps={FPS}"]
    settings += ["video.width=960", "video.height=540", f"zoom.speed={speed}"]
    settings += [f"canvas.{side}={px}" for side, px in zip(("width", "height"), options.canvas.split("x"), strict=True)]
    if options.weights:
        settings.append(f"network.weights={options.weights}")
    with tempfile.TemporaryDirectory() as folder:
        call = ["render", "script", script, "--seconds", str(options.seconds), "--seed", "1", "-o", folder]
        changed = (part for each in settings for part in ("--set", each))
        subprocess.run([sys.executable, "-m", "streamer", *call, *changed], check=True)
        return [cv2.imread(str(path))[..., ::-1].copy() for path in sorted(Path(folder).glob("*.png"))]


def read(path: Path) -> Iterator[np.ndarray]:
    """Yield the frames of a video file."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def show(frames: list[np.ndarray], fps: float) -> Seen:
    """Run a video through the limiter."""
    limiter = FlashLimiter(frames[0].shape[:2], fps)
    took: list[float] = []
    same = 0
    for number, image in enumerate(frames):
        begun = time.thread_time()
        same += limiter.limit(image, number) is image
        took.append(1000 * (time.thread_time() - begun))
    return Seen(len(frames), len(frames) - same, took)


def tell(name: str, frames: list[np.ndarray]) -> None:
    """Print a video's row of the table."""
    seen = show(frames, FPS)
    untouched = 0
    for speed in SPEEDS:
        if show(frames, FPS * speed).changed:
            break
        untouched = speed
    slow = statistics.quantiles(seen.ms, n=20)[-1]
    print(
        f"| {name} | {seen.frames} | {seen.changed} | {f'{untouched}x' if untouched else '-'} "
        f"| {statistics.median(seen.ms):.2f} | {slow:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
