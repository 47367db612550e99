"""Compare a film that nodes dream in pieces with the same film dreamed whole: `make bench BENCH=film_pieces`.

The film pans over a picture. Two nodes of a local cluster dream it in pieces, and one process dreams it whole. The output
compares the difference between the two with the difference between dream and film, and the change from frame to frame where
one piece fades into the next with the change elsewhere.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

from streamer.commands.on_ray.segments import FADE_S
from tests.ray_cluster import ROOT, ray_environment, started

FPS, SIZE = 10, (136, 240)


def pan(source: Path, output: Path, seconds: float) -> list[np.ndarray]:
    """Write a film that pans back and forth over a picture; return its frames."""
    whole = cv2.cvtColor(cv2.imread(str(source)), cv2.COLOR_BGR2RGB)
    height = 2 * SIZE[0]
    whole = cv2.resize(whole, (max(3 * SIZE[1], round(whole.shape[1] * height / whole.shape[0])), height))
    reach = whole.shape[1] - 2 * SIZE[1]
    pictures = []
    for number in range(round(seconds * FPS)):
        left = round(reach * (0.5 - 0.5 * np.cos(2 * np.pi * number / FPS / 12)))
        pictures.append(cv2.resize(whole[:, left : left + 2 * SIZE[1]], SIZE[::-1], interpolation=cv2.INTER_AREA))
    with av.open(str(output), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "8"}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    return pictures


def dreamt(film: Path, output: Path, *words: str) -> tuple[list[np.ndarray], float]:
    """Dream on the film; return the frames and the seconds it took."""
    settings = ["--set", "network.name=bundled", "--set", "device=cpu", "--set", "video.flash_limiter=false"]
    command = [sys.executable, "-m", "streamer", "render", "film", str(film), "--class", "goldfish", "--seed", "1"]
    begun_s = time.monotonic()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*command, *settings, "-o", str(output), *words], cwd=ROOT, check=True, env=environment)
    took_s = time.monotonic() - begun_s
    return [np.asarray(Image.open(file), np.float32) for file in sorted(output.iterdir())], took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, default=ROOT / "docs" / "first_dreams.jpg")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--piece", type=float, default=4.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ray_environment():
        folder = Path(name)
        film = pan(arguments.image, folder / "in.mp4", arguments.seconds)
        whole, whole_s = dreamt(folder / "in.mp4", folder / "whole")
        with started((1, 1)) as cluster:
            ray = ["--ray", cluster.address, "--ray-cpus", "1", "--ray-segment", str(arguments.piece)]
            pieces, pieces_s = dreamt(folder / "in.mp4", folder / "pieces", *ray)
    apart = np.array([np.abs(one - other).mean() for one, other in zip(whole, pieces, strict=True)])
    strength = np.array([np.abs(one - other).mean() for one, other in zip(whole, film, strict=True)])
    of_pieces = np.array([np.abs(one - other).mean() for one, other in zip(pieces, film, strict=True)])
    cuts = np.arange(arguments.piece, arguments.seconds, arguments.piece)
    times_s = np.arange(len(apart)) / FPS
    fading = np.any([(times_s >= cut - FADE_S) & (times_s < cut + 0.1) for cut in cuts], axis=0)
    later = times_s >= arguments.piece
    jumps = {
        name: np.array([np.abs(b - a).mean() for a, b in itertools.pairwise(each)])
        for name, each in (("whole", whole), ("pieces", pieces))
    }
    print(f"{len(film)} pictures: whole {whole_s:.0f} s with one thread, in pieces {pieces_s:.0f} s with two nodes of one")
    print(f"apart before the first cut: {apart[times_s < arguments.piece - FADE_S].max():.2f} levels at most")
    print(
        f"apart after it: {apart[later].mean():.1f} levels; the dream is {strength[later].mean():.1f} from the film, "
        f"that in pieces {of_pieces[later].mean():.1f}"
    )
    late = [apart[(times_s >= cut + 1) & (times_s < cut + arguments.piece - FADE_S)].mean() for cut in cuts]
    print(f"within each later piece: {', '.join(f'{each:.1f}' for each in late)}")
    for name, each in jumps.items():
        at_cuts, elsewhere = each[fading[1:]].mean(), each[~fading[1:]].mean()
        print(f"{name}: from picture to picture {at_cuts:.1f} levels at the cuts, {elsewhere:.1f} elsewhere")


if __name__ == "__main__":
    main()
