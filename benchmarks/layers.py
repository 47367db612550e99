"""Do layers, channels and guides get what they ask for? Runs 50 iterations of deepdream on still photographs.

    python benchmarks/layers.py --network squeezenet1_1=FILE --photos FILE FILE… [--iterations 50] [--set dream.leash=0.1]

The first three photographs are scaled to a shorter side of 240 pixels and dreamed at that size, in mean steps of 6 levels and
without the leash, which only an endless zoom needs. Layers: the factor by which the norm of a layer's response grows, measured
at the photograph's own size. Channels, five random ones per layer: the channel's rank in its layer by how much its mean before
the ReLU rises, in standard deviations of that mean over all photographs; pass about twenty. Guides, where each of the three
photographs follows the next: the mean cosine between a photograph's features and its guide's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from judges import network_config
from PIL import Image

from streamer.config import Config
from streamer.dream.algorithms.dreamer import Dreamer
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.layers import LayerHook
from streamer.dream.networks.loading import load
from streamer.dream.networks.network import Network
from streamer.dream.objectives.scene import SceneObjective
from streamer.dream.sources.picture import read_image
from streamer.messages.scenes import Scene, Target, arrange
from streamer.settings_file import load as load_config

SHORTER_PX = 240
SETTINGS = ("algorithm=deepdream", "normalisation=mean", "step=6.0", "jitter_px=32", "leash=0.0", "octaves=1", "surge=0.0")
LAYERS = {
    "squeezenet1_1": ("fire3", "fire5", "fire7", "fire9"),
    "vgg16": ("relu2_2", "relu3_3", "relu4_3", "relu5_3"),
    "bundled": ("relu2_2", "relu3_3", "relu4_3", "relu5_3"),
    "googlenet": ("inception3b", "inception4a", "inception4c", "inception5b"),
}
CHANNELS = 5
DREAMT_ON = 3


def photograph(file: Path) -> np.ndarray:
    """Read a photograph, (H, W, 3) uint8, its shorter side ``SHORTER_PX``."""
    image = Image.fromarray(read_image(file))
    factor = SHORTER_PX / min(image.size)
    return np.array(image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS))


def tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float()


def dreamt(network: Network, config: Config, picture: np.ndarray, target: Target, iterations: int) -> np.ndarray:
    """Return the picture after ``iterations`` steps toward one target."""
    dreamer = Dreamer(Ensemble(network), config, picture.shape[:2], torch.device("cpu"), 1, picture)
    dreamer.scene(Scene(1, arrange([target])))
    for _ in range(iterations):
        dreamer.step(0.1)
    return dreamer.picture()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="bundled", help="name or name=weights")
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--iterations", type=int, default=50)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, help="a folder for the pictures")
    options = parser.parse_args()
    network = load(network_config(options.network), torch.device("cpu")).first
    still = [f"dream.{setting}" for setting in SETTINGS] + ["zoom.speed=1.0", "zoom.rotation=0.0"]
    config = load_config(None, [*still, *options.set])
    objective = SceneObjective(network)
    chance = np.random.default_rng(0)
    photographs = {file: photograph(file) for file in options.photos}
    files = options.photos[:DREAMT_ON]
    counts = {entry.name: entry.channels for entry in network.layer_entries}

    def keep(picture: np.ndarray, *about: str) -> None:
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(options.out / f"{'_'.join(about)}.png")

    print(f"{network.name}, {options.iterations} iterations {' '.join(options.set)}\n")
    print(
        "| layer | its norm rises, median | least | channels first | their worst place | cosine to the guide before | after |"
    )
    print("|---|---|---|---|---|---|---|")
    for layer in LAYERS[network.name]:
        rises, places, cosines = [], [], []
        for number, file in enumerate(files):
            picture = photographs[file]
            target = Target("", layer, layer=layer)
            (region,) = arrange([target])
            after = dreamt(network, config, picture, target, options.iterations)
            keep(after, file.stem, layer)
            rises.append(objective.score(tensor(after), region) / objective.score(tensor(picture), region))
            guide = str(files[(number + 1) % len(files)])
            target = Target("", guide, layer=layer, guide=guide)
            (region,) = arrange([target])
            objective.check(target)
            after = dreamt(network, config, picture, target, options.iterations)
            keep(after, file.stem, layer, "guided")
            cosines.append((objective.score(tensor(picture), region), objective.score(tensor(after), region)))
        picture = photographs[files[0]]
        hook = LayerHook(layer, raw=True)
        with torch.no_grad():
            means = torch.stack(
                [network.hook_outputs(tensor(each), [hook])[hook][0].mean((1, 2)) for each in photographs.values()]
            )
        for channel in chance.choice(counts[layer], CHANNELS, replace=False).tolist():
            after = dreamt(network, config, picture, Target("", layer, layer=layer, channels=(channel,)), options.iterations)
            keep(after, layer, str(channel))
            with torch.no_grad():
                rise = (network.hook_outputs(tensor(after), [hook])[hook][0].mean((1, 2)) - means[0]) / means.std(0)
            places.append(int((rise > rise[channel]).sum()) + 1)
        first_cosine, last_cosine = np.array(cosines).mean(0)
        first = f"{sum(place == 1 for place in places)} of {len(places)}"
        print(
            f"| {layer} | {np.median(rises):.1f}x | {min(rises):.1f}x | {first} | {max(places)} of {counts[layer]} "
            f"| {first_cosine:.2f} | {last_cosine:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
