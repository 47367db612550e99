"""How well do judges recognise the pictures themselves from which the bundled networks learned? The limit for their dreams.

    python benchmarks/photographs.py tiny-imagenet-200 --judge efficientnet_lite0 --judge squeezenet1_1=FILE

Fills the halves of ``recognition.py`` with validation pictures of Tiny ImageNet (cs231n.stanford.edu/tiny-imagenet-200.zip),
side by side in rows, and judges them as it judges dreams. With two rows, a picture is about as large as an object in a dream.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from judges import LITE0, judge
from recognition import PAIRS, SIZE, opinions

from streamer.requests.vocabulary import Vocabulary

WIDTH = SIZE[1]
HALF_HEIGHT = SIZE[0] // 2


def pictures_by_class(folder: Path) -> dict[str, list[Path]]:
    """Return the validation pictures of each WordNet id.

    Raises:
        SystemExit: the folder is not an unpacked tiny-imagenet-200.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    try:
        lines = (folder / "val" / "val_annotations.txt").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SystemExit(f"{folder}: not an unpacked tiny-imagenet-200: {error}") from error
    for line in lines:
        name, wnid, *_ = line.split("\t")
        found[wnid].append(folder / "val" / "images" / name)
    return found


def half(files: list[Path], rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return randomly chosen pictures side by side in rows, (HALF_HEIGHT, WIDTH, 3) uint8 RGB; the last column is cut."""
    columns = math.ceil(WIDTH * rows / HALF_HEIGHT)
    chosen = [cv2.imread(str(file))[..., ::-1] for file in rng.choice(np.array(files), rows * columns, replace=False)]
    strips = [np.hstack(chosen[row * columns : (row + 1) * columns]) for row in range(rows)]
    sheet = np.vstack(strips)
    size = (sheet.shape[1] * HALF_HEIGHT // sheet.shape[0], HALF_HEIGHT)
    return cv2.resize(sheet, size, interpolation=cv2.INTER_CUBIC)[:, :WIDTH]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the unpacked tiny-imagenet-200")
    parser.add_argument("--judge", action="append", default=[], help="as for recognition.py")
    parser.add_argument(
        "--rows", type=int, action="append", default=[], help="rows of pictures in a half; 1 and 2 if not given"
    )
    parser.add_argument("--draws", type=int, default=4, help="how often each half is filled")
    options = parser.parse_args()
    words, found = Vocabulary.load(), pictures_by_class(options.data)
    judges = [judge(text) for text in options.judge or [LITE0]]
    torch.set_num_threads(1)
    beyond = []
    print("| rows | judged by | median rank | geometric mean | first | first ten | own half |")
    print("|---|---|---|---|---|---|---|")
    for rows, each in itertools.product(options.rows or [1, 2], judges):
        rng = np.random.default_rng(1)
        pairs = [pair for pair in PAIRS for _ in range(options.draws)]
        targets = [words.match(pair, peek=True).targets for pair in pairs]
        pictures = [np.vstack([half(found[target.wnid], rows, rng) for target in two]) for two in targets]
        with ThreadPoolExecutor() as pool:
            given = pool.map(opinions, itertools.repeat(each), pictures, pairs, itertools.repeat(words))
        told = [opinion for both in given for opinion in both]
        ranks = np.array([opinion.rank for opinion in told])
        own = np.mean([opinion.own for opinion in told])
        print(
            f"| {rows} | {each.name} | {np.median(ranks):g} | {np.exp(np.log(ranks).mean()):.1f} | {(ranks == 1).mean():.0%} "
            f"| {(ranks <= 10).mean():.0%} | {own:.0%} of {len(ranks)} |",
            flush=True,
        )
        by_subject: dict[str, list[int]] = defaultdict(list)
        for opinion in told:
            by_subject[opinion.subject].append(opinion.rank)
        medians = {subject: float(np.median(these)) for subject, these in by_subject.items()}
        unrecognised = [f"{subject} {rank:g}" for subject, rank in medians.items() if rank > 10]
        beyond.append(f"median rank beyond ten, rows {rows}, by {each.name}: {', '.join(unrecognised) or 'none'}")
    print("\n".join(["", *beyond]))


if __name__ == "__main__":
    main()
