"""Are the dreams recognised by a network that had no part in them? Dream pairs of subjects with one network, ask another.

    python benchmarks/recognition.py --dreamer bundled --judge squeezenet1_1=FILE [--set dream.algorithm=original_2015]
    python benchmarks/recognition.py --dreamer squeezenet1_1=FILE --judge bundled --out FOLDER

Each pair is dreamt top and bottom at 480x270 for 12 s of video from its own seed; the judge scores square crops of each half,
and the asked class is ranked among all that the judge knows by its mean logit over the crops. The last line gives the median
rank, and how often it is first and among the first ten.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from streamer.config import NetworkConfig
from streamer.dream.networks.network import Network, load
from streamer.dream.objectives import resample
from streamer.dream.offline import OfflineDream, be_repeatable, pace
from streamer.messages import Layout, Scene, Target, arrange
from streamer.requests.vocabulary import Vocabulary
from streamer.settings_file import load as load_config

SIZE = (270, 480)
PAIRS = (
    "goldfish + orange",
    "jellyfish + ladybug",
    "school bus + banana",
    "king penguin + umbrella",
    "monarch + mushroom",
    "lion + pretzel",
    "teapot + brain coral",
    "black widow + lemon",
    "volleyball + golden retriever",
    "tabby cat + pizza",
    "bison + sea slug",
    "goose + acorn",
    "african elephant + cauliflower",
    "gondola + bullfrog",
    "steel arch bridge + tarantula",
    "lifeboat + espresso",
    "koala + bell pepper",
    "sports car + sulphur butterfly",
    "brown bear + pomegranate",
    "triumphal arch + american lobster",
    "trolleybus + bee",
    "dragonfly + ice cream",
    "german shepherd + guinea pig",
    "barrel + sea cucumber",
)
"""Subjects that both networks know."""


def crops(half: torch.Tensor) -> Iterator[torch.Tensor]:
    """Squares of a half (1, 3, h, w): its full height and two thirds of it, overlapping by half."""
    height, width = half.shape[-2:]
    for side in (height, height * 2 // 3):
        for top in range(0, height - side + 1, max(1, side // 2)):
            for left in range(0, width - side + 1, side // 2):
                yield half[..., top : top + side, left : left + side]


@torch.no_grad()
def rank(judge: Network, half: np.ndarray, wnid: str) -> int:
    """Place of a class in the judge's opinion of (h, w, 3) uint8; 1 is first."""
    picture = torch.from_numpy(half).permute(2, 0, 1)[None].float()
    seen = [resample(crop, judge.trained_px / crop.shape[-1]) for crop in crops(picture)]
    scores = torch.stack([judge(crop).mean((0, 2, 3)) for crop in seen]).mean(0)
    return int((scores > scores[judge.wnids.index(wnid)]).sum()) + 1


def network_of(text: str) -> NetworkConfig:
    """``name`` or ``name=weights file``."""
    name, _, weights = text.partition("=")
    return NetworkConfig.model_validate({"name": name, "weights": Path(weights) if weights else None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dreamer", default="bundled", help="name or name=weights")
    parser.add_argument("--judge", default="squeezenet1_1", help="name or name=weights")
    parser.add_argument("--pairs", type=int, default=24, help="how many pairs")
    parser.add_argument("--skip", type=int, default=0, help="pairs to leave out at the beginning, to go on with a run")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, help="a folder for the pictures and ranks.json")
    options = parser.parse_args()
    overrides = [f"canvas.width={SIZE[1]}", f"canvas.height={SIZE[0]}", *options.set]
    config = load_config(None, overrides).model_copy(update={"network": network_of(options.dreamer)})
    judge = load(network_of(options.judge), torch.device("cpu"))
    be_repeatable()
    dream = OfflineDream(config)
    words = Vocabulary.load().narrowed(set(dream.wnids) & set(judge.wnids))
    _, interval_s = pace(config.dream)
    ranks: dict[str, int] = {}
    began = time.perf_counter()
    for seed, pair in list(enumerate(PAIRS[: options.pairs]))[options.skip :]:
        targets: tuple[Target, ...] = words.match(pair).targets
        scene = Scene(1, arrange(targets, Layout.TOP_BOTTOM))
        keyframes = dream.keyframes(lambda time_s, scene=scene: scene, seed)
        last = next(itertools.islice(keyframes, round(options.seconds / interval_s), None)).image
        for place, target in enumerate(targets):
            half = np.ascontiguousarray(np.array_split(last, 2)[place])
            ranks[f"{target.label} (with {targets[1 - place].label})"] = rank(judge, half, target.wnid)
        print(f"{pair:40s}", *list(ranks.values())[-2:], flush=True)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            Image.fromarray(last).save(options.out / f"{seed:02d}_{pair.replace(' ', '_')}.png")
            (options.out / "ranks.json").write_text(json.dumps(ranks, indent=1), encoding="utf-8")
    places = np.array(list(ranks.values()))
    pace_s = (time.perf_counter() - began) / len(places) * 2
    algorithm = " ".join(options.set) or "default"
    print(
        f"| {dream.network} | {judge.name} of {len(judge.wnids)} | {algorithm} | {np.median(places):g} "
        f"| {(places == 1).mean():.0%} | {(places <= 10).mean():.0%} | {pace_s:.0f} s a pair |"
    )


if __name__ == "__main__":
    main()
