"""Does a dream stay on what moves? Pans and zooms over photographs to make films whose motion is known exactly.

    python benchmarks/riding.py PHOTO… [--network squeezenet1_1=FILE] [--subject "volcano + bubble"] [--frames 50]
        [--out FOLDER]
    python benchmarks/riding.py PHOTO --still 60
    python benchmarks/riding.py PICTURE --frames 100 --strip OUT.jpg

The temporal warping error (Lai et al. 2018, 'Learning Blind Video Temporal Consistency', section 4.2) is the root mean square
difference, in levels, between a frame and the previous one moved with the camera, where both show the same place. The
benchmark compares a dream with dreaming each frame alone to the same strength (root mean square of what it adds, in levels);
error divided by strength is the share that flickers. `live` is what the screen shows when each dream takes several frames and
is laid over those that arrive meanwhile.

`--still` holds one shot with a camera's noise for this many seconds, at ten steps a second, and prints how brightness drifts.
`--strip` measures nothing: it shows moments of a film, and the dream on them below.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from judges import network_config
from PIL import Image

from streamer.config import Config, SourceConfig
from streamer.dream.algorithms.dreamer import Dreamer
from streamer.dream.algorithms.dreamer_factory import make_dreamer
from streamer.dream.algorithms.flow_warping import FlowWarpedDream, config_for_riding
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.loading import load
from streamer.dream.sources.picture import read_image
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Layout, Scene, arrange
from streamer.requests.vocabulary import Vocabulary
from streamer.settings_file import load as load_config
from streamer.video.frames.overlay_interpolator import OverlayInterpolator
from streamer.zoom import advance, sampling_matrix

FPS = 25
PAN = 0.05
"""Picture widths that the camera pans a second, besides a zoom of 1.1 and a turn of 2 degrees a second."""
MOTION = Motion(1.1, 2.0)
LATE = 6
"""Frames that a live dream takes: four dreams a second."""
MOMENTS = 3
NOISE = 2.0
"""Standard deviation of a camera's noise, in levels."""


@dataclass(frozen=True)
class Shot:
    """One frame of a film, and the map from it to the previous one."""

    image: np.ndarray
    before: np.ndarray
    """(2, 3) affine map from this frame's pixels to the previous one's."""


def film(photo: np.ndarray, size: tuple[int, int], frames: int) -> Iterator[Shot]:
    """Yield shots that pan, zoom and turn over a photograph."""
    height, width = size
    maps = []
    for number in range(frames):
        pose = advance(Pose(), MOTION, number / FPS)
        to_photo = np.vstack([sampling_matrix(Pose(-0.6), pose, photo.shape[:2], size), [0, 0, 1]])
        to_photo[0, 2] += (number / FPS - frames / FPS / 2) * PAN * photo.shape[1]
        maps.append(to_photo)
        shown = cv2.warpAffine(photo, to_photo[:2], (width, height), flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP)
        before = np.linalg.inv(maps[-2]) @ to_photo if number else np.eye(3)
        yield Shot(shown, before[:2])


def warping_error(pictures: Sequence[np.ndarray], shots: Sequence[Shot]) -> float:
    """Return the temporal warping error over all frames but the first."""
    squares, count = 0.0, 0.0
    for earlier, later, shot in zip(pictures, pictures[1:], shots[1:], strict=False):
        size = later.shape[1::-1]
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(earlier.astype(np.float32), shot.before, size, flags=flags)
        inside = cv2.warpAffine(np.ones(later.shape[:2], np.float32), shot.before, size, flags=flags) > 0.999
        inside[:2], inside[-2:], inside[:, :2], inside[:, -2:] = False, False, False, False
        squares += float(((moved - later) ** 2).mean(2)[inside].sum())
        count += float(inside.sum())
    return float(np.sqrt(squares / count))


def strength(pictures: Sequence[np.ndarray], shots: Sequence[Shot]) -> float:
    """Return the root mean square of what the dream added."""
    added = [p.astype(np.float32) - shot.image for p, shot in zip(pictures, shots, strict=True)]
    return float(np.sqrt(np.mean([(residual**2).mean() for residual in added])))


class Ways:
    """The compared ways to dream a film."""

    def __init__(self, config: Config, ensemble: Ensemble, scene: Scene, size: tuple[int, int]) -> None:
        self._config, self._ensemble, self._scene, self._size = config, ensemble, scene, size
        self._device = torch.device("cpu")

    def rider(self) -> FlowWarpedDream:
        found = make_dreamer(self._ensemble, self._config, self._size, self._device, 1)
        assert isinstance(found, FlowWarpedDream)
        found.scene(self._scene)
        return found

    def ridden(self, shots: Sequence[Shot], steps: int) -> list[np.ndarray]:
        """Dream offline: ``steps`` on each frame, carried on to the next."""
        dream, found = self.rider(), []
        for number, shot in enumerate(shots, 1):
            dream.ride(SourcePicture(shot.image, number, number / FPS), 1 / FPS)
            for _ in range(steps):
                dream.step(1 / FPS / steps)
            found.append(dream.picture())
        return found

    def live(self, shots: Sequence[Shot], steps: int) -> list[np.ndarray]:
        """Return what the screen shows, each dream ``LATE`` frames late."""
        dream, found = self.rider(), []
        newest: list[SourcePicture] = []
        interpolator = OverlayInterpolator(self._size, lambda: newest[-1], 1.0, self._config.source.decay_s)
        for number, shot in enumerate(shots, 1):
            newest.append(SourcePicture(shot.image, number, number / FPS))
            dream.observe(newest[-1])
            if number % LATE == 0:
                on = newest[-1 - LATE] if number > LATE else newest[0]
                dream.ride(on, LATE / FPS)
                for _ in range(steps):
                    dream.step(LATE / FPS / steps)
                source_picture = dream.source_picture
                interpolator.push(
                    Keyframe(dream.picture(), Pose(), number / FPS, self._scene, number, steps, source_picture=source_picture)
                )
            image, _ = interpolator.frame(number / FPS)
            assert image is not None
            found.append(image)
        return found

    def alone(self, shots: Sequence[Shot], wanted: float, seed: int | None) -> list[np.ndarray]:
        """Dream each frame alone to the wanted strength, with one seed, or its own if ``seed`` is None."""
        found = []
        for number, shot in enumerate(shots):
            dream = Dreamer(
                self._ensemble,
                config_for_riding(self._config),
                self._size,
                self._device,
                number if seed is None else seed,
                shot.image,
            )
            dream.scene(self._scene)
            for _ in range(60):
                dream.step(1 / FPS)
                if strength([dream.picture()], [shot]) >= wanted:
                    break
            found.append(dream.picture())
        return found


def still(ways: Ways, photo: np.ndarray, size: tuple[int, int], seconds: float) -> list[tuple[float, float, float, np.ndarray]]:
    """Hold a shot; return (second, brightness relative to the shot, strength, picture) every second."""
    dream, rng, found = ways.rider(), np.random.default_rng(0), []
    shot = cv2.resize(photo, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    for number in range(1, round(seconds * 10) + 1):
        noisy = np.clip(shot + rng.normal(0, NOISE, shot.shape), 0, 255).astype(np.uint8)
        dream.ride(SourcePicture(noisy, number, number / 10), 0.1)
        dream.step(0.1)
        if number % 10 == 0:
            picture = dream.picture()
            added = float(np.sqrt(((picture - shot) ** 2).mean()))
            found.append((number / 10, float(picture.mean() / shot.mean()), added, picture))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("--network", default="bundled", help="name or name=weights")
    parser.add_argument("--subject", default="volcano + bubble")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--steps", type=int, default=2, help="for each picture, and for each dream of `live`")
    parser.add_argument("--settle", type=int, default=15, help="pictures at the beginning that are not counted")
    parser.add_argument("--size", default="320x180")
    parser.add_argument("--still", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--strip", type=Path, metavar="FILE", help="three moments of a film above its dream; nothing else")
    parser.add_argument("--out", type=Path, help="a folder for pictures: the film, ridden, live, alone")
    options = parser.parse_args()
    width, _, height = options.size.partition("x")
    size = (int(height), int(width))
    source = SourceConfig(kind="video", path="film")
    config = load_config(None, options.set).model_copy(update={"source": source})
    ensemble = load(network_config(options.network), torch.device("cpu"))
    targets = Vocabulary.load().for_network(ensemble.wnids).match(options.subject).targets
    ways = Ways(config, ensemble, Scene(1, arrange(targets, Layout.AUTO)), size)
    torch.manual_seed(0)
    for path in options.photos:
        photo = read_image(path)
        began = time.perf_counter()
        if options.still:
            seen = still(ways, photo, size, options.still)
            drifts = [abs(bright - 1) for _, bright, _, _ in seen]
            print(
                f"{path.stem}: {options.still:g} s still: brightness off by at most {max(drifts):.1%}, {drifts[-1]:.1%} at the "
                f"end; strength {seen[min(9, len(seen) - 1)][2]:.1f} after 10 s, {seen[-1][2]:.1f} at the end "
                f"({time.perf_counter() - began:.0f} s)"
            )
            keep(options.out, path.stem + "_still", [picture for *_, picture in seen][:: max(1, len(seen) // 6)])
            continue
        shots = list(film(photo, size, options.frames))
        counted = slice(options.settle, None)
        if options.strip is not None:
            ridden = ways.ridden(shots, options.steps)
            shown = np.linspace(max(0, options.settle - 1), options.frames - 1, MOMENTS).round().astype(int)
            strips = [np.hstack([shots[at].image for at in shown]), np.hstack([ridden[at] for at in shown])]
            Image.fromarray(np.vstack(strips)).save(options.strip, quality=88)
            print(f"{options.strip}: pictures {[int(at) for at in shown]} ({time.perf_counter() - began:.0f} s)")
            continue
        rows = {"the film itself": [shot.image for shot in shots], "ridden": ways.ridden(shots, options.steps)}
        rows[f"live, {LATE} pictures late"] = ways.live(shots, options.steps)
        wanted = strength(rows["ridden"][counted], shots[counted])
        rows["alone, one seed"] = ways.alone(shots[counted], wanted, 1)
        rows["alone, own seeds"] = ways.alone(shots[counted], wanted, None)
        print(f"{path.stem} ({time.perf_counter() - began:.0f} s)")
        print("| way | warping error | strength | error / strength |\n|---|---|---|---|")
        for way, pictures in rows.items():
            if not way.startswith("alone"):
                pictures = pictures[counted]
            error, added = warping_error(pictures, shots[counted]), strength(pictures, shots[counted])
            print(f"| {way} | {error:.2f} | {added:.1f} | {'' if added == 0 else f'{error / added:.2f}'} |", flush=True)
            keep(options.out, f"{path.stem}_{way.replace(' ', '_').replace(',', '')}", pictures)


def keep(folder: Path | None, name: str, pictures: Sequence[np.ndarray]) -> None:
    """Save some of the pictures side by side in a folder."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    some = list(itertools.islice(pictures, 0, None, max(1, len(pictures) // 4)))
    Image.fromarray(np.hstack(some)).save(folder / f"{name}.jpg", quality=88)


if __name__ == "__main__":
    main()
