"""Measure how close interpolated frames come to the true ones.

    python benchmarks/interpolation.py --photos FOLDER        a pure zoom into photographs, keyframes 7 s apart
    python benchmarks/interpolation.py --dreams FOLDER        held-out keyframes of dreams (see dream_keyframes.py)
    python benchmarks/interpolation.py --speed                milliseconds a frame on one core

The methods: the plain cross-fade of the 2015 stream (the last keyframe zoomed forward, the next zoomed back, bicubic, only the
last where the next has no coverage), FFmpeg's minterpolate at its defaults, and ours without and with residual flow.
Sharpness is the variance of the Laplacian relative to the true frame, near keyframes and half way.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.filter import Graph

from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene
from streamer.video.frames.colour_interpolator import ColourInterpolator
from streamer.zoom import advance, between, sampling_matrix

SIZE = (270, 480)
MOTION = Motion(1.05, 0.25)
SCENE = Scene(0, ())
MIDDLE, ENDS = 0.13, 0.15
"""Frames count as half way, or as near a keyframe, when their fraction is within this of 1/2, or of 0 or 1."""


@dataclass(frozen=True)
class Known:
    """The keyframes that an interpolator gets."""

    images: list[np.ndarray]
    poses: list[Pose]
    times_s: list[float]


Method = Callable[[Known, list[float]], Iterator[np.ndarray | None]]


def ours(residual_flow: bool) -> Method:
    def method(known: Known, moments: list[float]) -> Iterator[np.ndarray | None]:
        show = ColourInterpolator(known.images[0].shape[:2], residual_flow, offline=True)
        for number, (image, pose, time_s) in enumerate(zip(known.images, known.poses, known.times_s, strict=True)):
            show.push(Keyframe(image, pose, time_s, SCENE, number, 1))
        for moment in moments:
            yield show.frame(moment)[0]

    return method


def seen(image: np.ndarray, own: Pose, pose: Pose, size: tuple[int, int]) -> np.ndarray:
    matrix = sampling_matrix(own, pose, image.shape[:2], size)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def cross_fade(known: Known, moments: list[float]) -> Iterator[np.ndarray | None]:
    size = known.images[0].shape[:2]
    for moment in moments:
        i = max(i for i in range(len(known.times_s) - 1) if known.times_s[i] <= moment)
        f = (moment - known.times_s[i]) / (known.times_s[i + 1] - known.times_s[i])
        pose = between(known.poses[i], known.poses[i + 1], f)
        last, following = (seen(known.images[j], known.poses[j], pose, size) for j in (i, i + 1))
        covered = seen(np.full(size, 255, np.uint8), known.poses[i + 1], pose, size)
        matrix = sampling_matrix(known.poses[i + 1], pose, size, size)
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        covered = cv2.warpAffine(np.full(size, 255, np.uint8), matrix, size[::-1], flags=flags) > 0
        yield np.where(covered[..., None], cv2.addWeighted(last, 1 - f, following, f, 0), last)


def minterpolate(known: Known, moments: list[float]) -> Iterator[np.ndarray | None]:
    """Interpolate with FFmpeg; repeat the first and last keyframes, because it makes nothing at the ends."""
    gap_s = known.times_s[1] - known.times_s[0]
    grid_s = min(b - a for a, b in itertools.pairwise(moments))
    rate = Fraction(round(1 / grid_s))
    graph = Graph()
    base = Fraction(1, 100_000)
    height, width = known.images[0].shape[:2]
    source = graph.add_buffer(width=width, height=height, format="rgb24", time_base=base)
    convert, back = graph.add("format", "yuv444p"), graph.add("format", "rgb24")
    interpolator, sink = graph.add("minterpolate", f"fps={rate}"), graph.add("buffersink")
    graph.link_nodes(source, convert, interpolator, back, sink).configure()
    images = [known.images[0], *known.images, known.images[-1], known.images[-1]]
    made: dict[int, np.ndarray] = {}
    for number, image in [*enumerate(images), (len(images), None)]:
        if image is None:
            graph.push(None)
        else:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(number * gap_s / base), base
            graph.push(frame)
        while True:
            try:
                out = graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                break
            moment = float(out.pts * out.time_base) - gap_s + known.times_s[0]
            made[round(moment / grid_s * 8)] = out.to_ndarray(format="rgb24")
    for moment in moments:
        yield made.get(round(moment / grid_s * 8))


METHODS: dict[str, Method] = {
    "plain cross-fade (2015)": cross_fade,
    "FFmpeg minterpolate": minterpolate,
    "ours, no residual flow": ours(False),
    "ours": ours(True),
}


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-6, np.mean((a.astype(np.float32) - b) ** 2))))


def luma(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Return the SSIM of Wang et al. 2004 on luma, Gaussian window of 11 pixels, sigma 1.5."""
    x, y = luma(a), luma(b)

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(np.mean((2 * mx * my + c1) * (2 * both + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))))


def sharpness(image: np.ndarray) -> float:
    return float(cv2.Laplacian(luma(image), cv2.CV_32F).var())


Scores = dict[str, list[tuple[float, float, float, float]]]


def score(known: Known, moments: list[float], truth: list[np.ndarray], scores: Scores) -> None:
    for name, method in METHODS.items():
        for moment, made, true in zip(moments, method(known, moments), truth, strict=True):
            if made is None:
                continue
            i = max(i for i in range(len(known.times_s) - 1) if known.times_s[i] <= moment)
            f = (moment - known.times_s[i]) / (known.times_s[i + 1] - known.times_s[i])
            scores[name].append((psnr(made, true), ssim(made, true), sharpness(made) / sharpness(true), f))


def table(title: str, scores: Scores) -> None:
    print(f"\n{title}\n\n| method | PSNR dB | SSIM | sharpness near keyframes | half way |\n|---|---|---|---|---|")
    for name, rows in scores.items():
        values = np.array(rows)
        f = values[:, 3]
        half, near = np.abs(f - 0.5) < MIDDLE, np.minimum(f, 1 - f) < ENDS
        ends = f"{values[near, 2].mean():.2f}" if near.any() else "-"
        print(f"| {name} | {values[:, 0].mean():.2f} | {values[:, 1].mean():.4f} | {ends} | {values[half, 2].mean():.2f} |")


def photos(folder: Path, count: int) -> None:
    """Score a pure zoom: keyframes and true frames are cut from the photograph."""
    scores: Scores = defaultdict(list)
    worst: dict[str, float] = {}
    usable = []
    for path in sorted(folder.iterdir()):
        photo = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        if photo is None or photo.shape[1] < SIZE[1] or photo.shape[0] < photo.shape[1] * 9 // 16:
            continue
        usable.append(photo)
    for photo in usable[:: max(1, len(usable) // count)][:count]:
        rows = photo.shape[1] * 9 // 16
        cut = photo[(photo.shape[0] - rows) // 2 :][:rows]

        def camera(time_s: float, cut: np.ndarray = cut) -> np.ndarray:
            large = seen(cut, Pose(), advance(Pose(), MOTION, time_s), (2 * SIZE[0], 2 * SIZE[1]))
            return cv2.resize(large, SIZE[::-1], interpolation=cv2.INTER_AREA)

        times = [0.0, 7.0, 14.0]
        known = Known([camera(t) for t in times], [advance(Pose(), MOTION, t) for t in times], times)
        moments = [n * 0.5 for n in range(1, 28) if n * 0.5 not in times]
        single: Scores = defaultdict(list)
        score(known, moments, [camera(t) for t in moments], single)
        for name, values in single.items():
            scores[name] += values
            worst[name] = min(worst.get(name, 999.0), float(np.mean([v[0] for v in values])))
    table(f"Pure zoom, 1.05/s, keyframes 7 s apart, {count} photographs, {SIZE[1]}x{SIZE[0]}", scores)
    print("\nMean PSNR of the worst photograph: " + ", ".join(f"{name} {value:.1f}" for name, value in worst.items()))


def dreams(folder: Path, gaps: list[int]) -> None:
    files = sorted(folder.glob("*.npz"))
    for gap in gaps:
        scores: Scores = defaultdict(list)
        for path in files:
            data = np.load(path)
            poses = [Pose(float(z), float(r)) for z, r in zip(data["log_zoom"], data["rotation"], strict=True)]
            images, times = list(data["images"]), [float(t) for t in data["time_s"]]
            picked = range(0, len(images), gap)
            known = Known([images[i] for i in picked], [poses[i] for i in picked], [times[i] for i in picked])
            held = [i for i in range(picked[-1]) if i % gap]
            score(known, [times[i] for i in held], [images[i] for i in held], scores)
        apart = times[gap] - times[0]
        table(f"Dreams, keyframes {apart:.2f} s apart, the others held out ({len(files)} sequences)", scores)


def steadiness(folder: Path) -> None:
    """Print how much sharpness varies at 25 frames per second, against its mean over a second."""
    print("\n| keyframes apart | frame size | sharpness, standard deviation | least..most |\n|---|---|---|---|")
    data = np.load(sorted(folder.glob("*.npz"))[-1])
    poses = [Pose(float(z), float(r)) for z, r in zip(data["log_zoom"], data["rotation"], strict=True)]
    for size in (SIZE, (2 * SIZE[0], 2 * SIZE[1])):
        for gap in (1, 2, 16):
            show = ColourInterpolator(size, True, offline=True)
            for number, i in enumerate(range(0, 64, gap)):
                show.push(Keyframe(data["images"][i], poses[i], float(data["time_s"][i]), SCENE, number, 1))
            start_s = float(data["time_s"][0])
            values = []
            for n in range(25, 110):
                image, _ = show.frame(start_s + n / 25)
                assert image is not None
                values.append(sharpness(image))
            mean = np.convolve(values, np.ones(25) / 25, "same")
            part = (values / mean)[13:-13]
            apart = data["time_s"][gap] - data["time_s"][0]
            print(f"| {apart:.3f} s | {size[1]}x{size[0]} | {part.std():.3f} | {part.min():.2f}..{part.max():.2f} |")


def speed() -> None:
    """Print the CPU milliseconds per frame at 960x540."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    print("\n| keyframes | apart | median ms of CPU a frame at 960x540 |\n|---|---|---|")
    for height, width, gap_s in ((270, 480, 0.15), (360, 640, 0.15), (540, 960, 0.15), (270, 480, 2.0), (540, 960, 2.0)):
        show = ColourInterpolator((540, 960), True, offline=True)
        for number in range(int(4 / gap_s) + 2):
            image = cv2.GaussianBlur(rng.integers(0, 255, (height, width, 3), np.uint8), (0, 0), 2)
            show.push(Keyframe(image, advance(Pose(), MOTION, number * gap_s), number * gap_s, SCENE, number, 1))
        took = []
        for n in range(1, 100):
            start = time.thread_time()
            show.frame(n * 0.04)
            took.append(time.thread_time() - start)
        print(f"| {width}x{height} | {gap_s} s | {np.median(took) * 1e3:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--count", type=int, default=12, help="photographs used")
    parser.add_argument("--dreams", type=Path)
    parser.add_argument("--gaps", type=int, nargs="+", default=[4, 8, 16, 55], help="keyframes from one known to the next")
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    if options.photos:
        photos(options.photos, options.count)
    if options.dreams:
        dreams(options.dreams, options.gaps)
        steadiness(options.dreams)
    if options.speed:
        speed()


if __name__ == "__main__":
    main()
