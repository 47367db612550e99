"""How well do judges recognise the pictures themselves from which the bundled networks learned? The limit for their dreams.

    PYTHONPATH=tools python benchmarks/photographs.py tiny-imagenet-200 --judge efficientnet_lite0 --judge squeezenet1_1=FILE

Fills the halves of ``recognition.py`` with validation pictures of Tiny ImageNet (cs231n.stanford.edu/tiny-imagenet-200.zip),
side by side in rows, and judges them as it judges dreams. With two rows, a picture is about as large as an object in a dream.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from judges import LITE0, judge
from recognition import PAIRS, SIZE, opinions, standing
from rich.console import Console

from bundled_net import TrainingError
from bundled_net.data import read
from streamer.requests.vocabulary import Vocabulary

WIDTH = SIZE[1]
HALF_HEIGHT = SIZE[0] // 2


def half(pictures: np.ndarray, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return randomly chosen pictures, of (N, side, side, 3) uint8 RGB, side by side in rows; the last column is cut.

    Returns:
        (HALF_HEIGHT, WIDTH, 3) uint8 RGB.
    """
    columns = math.ceil(WIDTH * rows / HALF_HEIGHT)
    chosen = pictures[rng.choice(len(pictures), rows * columns, replace=False)]
    sheet = np.vstack([np.hstack(strip) for strip in np.split(chosen, rows)])
    size = (sheet.shape[1] * HALF_HEIGHT // sheet.shape[0], HALF_HEIGHT)
    return cv2.resize(sheet, size, interpolation=cv2.INTER_CUBIC)[:, :WIDTH]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="the unpacked tiny-imagenet-200, or the folders of a packed one")
    parser.add_argument("--judge", action="append", default=[], help="as for recognition.py")
    parser.add_argument(
        "--rows", type=int, action="append", default=[], help="rows of pictures in a half; 1 and 2 if not given"
    )
    parser.add_argument("--draws", type=int, default=4, help="how often each half is filled")
    options = parser.parse_args()
    try:
        data = read(options.data, Console(stderr=True), held_only=True)
    except TrainingError as error:
        sys.exit(f"photographs: {error}")
    pictures_of = {wnid: data.held.pixels[data.held.labels == label].numpy() for label, wnid in enumerate(data.wnids)}
    words = Vocabulary.load()
    judges = [judge(text) for text in options.judge or [LITE0]]
    torch.set_num_threads(1)
    beyond = []
    print("| rows | judged by | median rank | geometric mean | first | first ten | own half |")
    print("|---|---|---|---|---|---|---|")
    for rows, each in itertools.product(options.rows or [1, 2], judges):
        rng = np.random.default_rng(1)
        pairs = [pair for pair in PAIRS for _ in range(options.draws)]
        targets = [words.match(pair, peek=True).targets for pair in pairs]
        pictures = [np.vstack([half(pictures_of[target.wnid], rows, rng) for target in two]) for two in targets]
        with ThreadPoolExecutor() as pool:
            given = pool.map(opinions, itertools.repeat(each), pictures, pairs, itertools.repeat(words))
        told = [opinion for both in given for opinion in both]
        print(f"| {rows} | {each.name} | {standing(told)} |", flush=True)
        by_subject: dict[str, list[int]] = defaultdict(list)
        for opinion in told:
            by_subject[opinion.subject].append(opinion.rank)
        medians = {subject: float(np.median(these)) for subject, these in by_subject.items()}
        unrecognised = [f"{subject} {rank:g}" for subject, rank in medians.items() if rank > 10]
        beyond.append(f"median rank beyond ten, rows {rows}, by {each.name}: {', '.join(unrecognised) or 'none'}")
    print("\n".join(["", *beyond]))


if __name__ == "__main__":
    main()
