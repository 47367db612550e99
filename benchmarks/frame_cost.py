"""Measure each part of a frame in CPU milliseconds, and how much lighter settings save (docs/reliability.md).

    PYTHONPATH=. python benchmarks/frame_cost.py [--size 640x360] [--frames 60]

Only the measuring thread's CPU time counts, so other programs hardly matter.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import cycle, islice

import cv2
import numpy as np

from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Pose
from streamer.messages.scenes import Scene
from streamer.video.encoding.encoder_selection import PRESETS, noisy_pictures
from streamer.video.encoding.h264 import open_codec, to_yuv
from streamer.video.encoding.spec import EncodeSpec
from streamer.video.flash.limiter import FlashLimiter
from streamer.video.frames.colour_interpolator import ColourInterpolator

KEYFRAMES = 6


def cost_ms(make: Callable[[int], object], frames: int) -> float:
    """Return the mean CPU milliseconds of a call, without the first."""
    make(0)
    began_s = time.thread_time()
    for number in range(1, frames + 1):
        make(number)
    return 1000 * (time.thread_time() - began_s) / frames


def drawing(size: tuple[int, int], *, follow: bool, part: float) -> Callable[[int], object]:
    """Return a function that draws frames between keyframes a second apart."""
    interpolator = ColourInterpolator(size, residual_flow=True, offline=True)
    interpolator.reduce_load(follow=follow, part=part)
    for number, image in enumerate(islice(noisy_pictures(480, 270), KEYFRAMES)):
        interpolator.push(Keyframe(image, Pose(0.07 * number, 0.0), float(number), Scene(0, ()), number, 1))
    interpolator.frame(0.0)
    interpolator.frame(1.01)  # compares the two keyframes before the timed calls
    return lambda number: interpolator.frame(1.02 + 0.9 * number / 1000)


def encoding(spec: EncodeSpec, pictures: list[np.ndarray], *, low_effort: bool) -> Callable[[int], object]:
    """Return a function that converts a picture from RGB and encodes it."""
    codec, images = open_codec(spec, threads=1, low_effort=low_effort), cycle(pictures)

    def encode(number: int) -> object:
        frame = to_yuv(next(images))
        frame.pts = number
        return codec.encode(frame)

    return encode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--frames", type=int, default=60)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    width, height = map(int, arguments.size.split("x"))
    size, frames = (height, width), arguments.frames
    pictures = list(islice(noisy_pictures(width, height), 50))
    for what, follow, part in (
        ("with flow", True, 1),
        ("without", False, 1),
        ("2/3 of the sides", False, 2 / 3),
        ("1/2", False, 0.5),
    ):
        print(f"drawn, {what}: {cost_ms(drawing(size, follow=follow, part=part), frames):.1f} ms", flush=True)
    limiter = FlashLimiter(size, 25)
    print(f"flash limiter: {cost_ms(lambda number: limiter.limit(pictures[number % 50], number), frames):.1f} ms", flush=True)
    for preset in PRESETS:
        spec = EncodeSpec(width, height, 25, 3000, 1.0, preset=preset)
        usual, low_effort = (cost_ms(encoding(spec, pictures, low_effort=low_effort), frames) for low_effort in (False, True))
        print(f"encoded, {preset}: {usual:.1f} ms, with less work {low_effort:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
