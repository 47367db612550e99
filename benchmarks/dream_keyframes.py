"""Dream a few short sequences and keep every keyframe with its pose, for benchmarks/interpolation.py.

    python benchmarks/dream_keyframes.py FOLDER [--weights FILE] [--seconds 14] [--rate 8]

Writes one .npz per sequence: ``images`` (N, H, W, 3) uint8 RGB, ``log_zoom`` and ``rotation`` (N,) float64, ``time_s`` (N,).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from streamer.config import Config, NetworkConfig
from streamer.dream.algorithms.dreamer import Dreamer
from streamer.dream.networks.loading import load
from streamer.messages.scenes import Scene, Target, arrange

SUBJECTS = {
    "volcano_bubble": (("n09472597", "volcano"), ("n09229709", "bubble")),
    "clock_pizza": (("n02708093", "analog clock"), ("n07873807", "pizza")),
    "fox_frog": (("n02119789", "kit fox"), ("n01644373", "tree frog")),
}
WARM_UP_S = 4.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--network", default="squeezenet1_1")
    parser.add_argument("--seconds", type=float, default=14.0)
    parser.add_argument("--rate", type=float, default=8.0, help="steps and keyframes per second of video")
    parser.add_argument("--size", type=int, nargs=2, default=(270, 480), metavar=("HEIGHT", "WIDTH"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    config = Config(network=NetworkConfig(name=options.network, weights=options.weights))
    device = torch.device("cpu")
    network = load(config.network, device)
    for seed, (name, subjects) in enumerate(SUBJECTS.items()):
        dreamer = Dreamer(network, config, tuple(options.size), device, seed)
        dreamer.scene(Scene(0, arrange([Target(*subject) for subject in subjects])))
        images, poses = [], []
        for step in range(round((WARM_UP_S + options.seconds) * options.rate)):
            dreamer.step(1 / options.rate)
            if step >= WARM_UP_S * options.rate:
                images.append(dreamer.picture())
                poses.append(dreamer.pose)
        np.savez_compressed(
            options.folder / f"{name}.npz",
            images=np.stack(images),
            log_zoom=np.array([pose.log_zoom for pose in poses]),
            rotation=np.array([pose.rotation for pose in poses]),
            time_s=np.arange(len(images)) / options.rate,
        )
        print(f"{name}: {len(images)} keyframes")


if __name__ == "__main__":
    main()
