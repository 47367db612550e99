"""Does a network that had no part in the dreams recognise them? Dreams pairs of subjects and has others judge them.

    python benchmarks/recognition.py --judge efficientnet_lite0                                 # the default network
    python benchmarks/recognition.py --set network.name=bundled --against ../yesterday          # beside another checkout
    python benchmarks/recognition.py --judge squeezenet1_1=FILE --at 5 --at 12 --out FOLDER

Each pair is dreamed top and bottom at 480x270 from its own seed. Judges score square crops of each half and rank the requested
class among all they know, by its mean logit over the crops. A row gives the median rank, the geometric mean, how often the
class is first and among the first ten, and how often its own half shows it more than the other half does.

Several processes of one thread each dream the pairs; the dreams do not depend on their number.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from streamer.dream.device import make_torch_repeatable
from streamer.dream.sessions.script import OfflineDream, steps_and_interval
from streamer.messages.scenes import Layout, Scene, arrange
from streamer.requests.vocabulary import Vocabulary
from streamer.settings_file import load as load_config

if TYPE_CHECKING:
    from judges import Judge

HERE = Path(__file__).resolve().parent
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
"""Subjects that every network knows."""
WIDE_PAIRS = (
    "volcano + bubble",
    "kit fox + tree frog",
    "analog clock + broccoli",
    "cheeseburger + castle",
    "strawberry + daisy",
    "hummingbird + hay",
    "zebra + violin",
    "otter + corn",
    "great white shark + pineapple",
    "macaw + traffic light",
    "tiger + peacock",
    "toucan + wine bottle",
)
"""Subjects that only networks of a thousand classes know."""
COLUMNS = (
    "build, network, settings",
    "after",
    "judged by",
    "median rank",
    "geometric mean",
    "first",
    "first ten",
    "own half",
    "CPU a step",
)


def dream(pairs: Sequence[tuple[int, str]], overrides: Sequence[str], moments_s: Sequence[float], folder: Path) -> None:
    """Dream pairs; write ``NUMBER_MOMENT.png`` for each and the seconds per step to ``pace_NUMBER.json``."""
    make_torch_repeatable(threads=1)
    config = load_config(None, [f"canvas.width={SIZE[1]}", f"canvas.height={SIZE[0]}", *overrides])
    offline = OfflineDream(config)
    words = Vocabulary.load().for_network(offline.wnids)
    steps, interval_s = steps_and_interval(config.dream)
    for number, pair in pairs:
        scene = Scene(1, arrange(words.match(pair).targets, Layout.TOP_BOTTOM))
        keyframes = offline.keyframes(lambda time_s, scene=scene: scene, number)
        begun, taken = time.process_time(), 0
        for count, keyframe in enumerate(itertools.islice(keyframes, round(max(moments_s) / interval_s) + 1)):
            taken = count * steps
            for moment_s in moments_s:
                if count == round(moment_s / interval_s):
                    Image.fromarray(keyframe.image).save(folder / f"{number:02d}_{moment_s:g}.png")
        told = {"step_s": (time.process_time() - begun) / taken, "network": offline.network}
        (folder / f"pace_{number:02d}.json").write_text(json.dumps(told), encoding="utf-8")


def dream_apart(
    checkout: Path, options: argparse.Namespace, overrides: Sequence[str], numbers: Sequence[int], folder: Path
) -> None:
    """Dream with a checkout's code, in ``options.processes`` processes."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    # Its own copy knows where its modules are.
    command = [sys.executable, str(checkout / "benchmarks" / "recognition.py"), "--dream-into", str(folder)]
    command += [part for moment_s in options.at for part in ("--at", str(moment_s))]
    command += [part for override in overrides for part in ("--set", override)]
    command += ["--wide"] * options.wide
    shares = [numbers[first :: options.processes] for first in range(options.processes)]
    running = [
        subprocess.Popen([*command, "--numbers", ",".join(map(str, share))], env=environment, cwd=checkout)
        for share in shares
        if share
    ]
    codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit(f"{checkout} could not dream them; it says why above")


@dataclass(frozen=True, slots=True)
class Opinion:
    """A judge's opinion of one half."""

    subject: str
    rank: int
    """Rank of the requested class; 1 is first."""
    own: bool
    """Whether its own half shows it more than the other half does."""


def opinions(judge: Judge, picture: np.ndarray, pair: str, words: Vocabulary) -> list[Opinion]:
    """Judge both halves; skip subjects that the judge does not know."""
    halves = [judge.scores(half) for half in np.array_split(picture, 2)]
    found = []
    for place, target in enumerate(words.match(pair, peek=True).targets):
        if target.wnid not in judge.wnids:
            continue
        index = judge.wnids.index(target.wnid)
        scores, other = halves[place], halves[1 - place]
        rank = int((scores > scores[index]).sum()) + 1
        found.append(Opinion(target.label, rank, bool(scores[index] > other[index])))
    return found


def standing(found: Sequence[Opinion]) -> str:
    """Return a table's cells from the median rank to the own half."""
    ranks = np.array([opinion.rank for opinion in found])
    mean, own = np.exp(np.log(ranks).mean()), np.mean([opinion.own for opinion in found])
    return (
        f"{np.median(ranks):g} | {mean:.1f} | {(ranks == 1).mean():.0%} | {(ranks <= 10).mean():.0%} "
        f"| {own:.0%} of {len(ranks)}"
    )


def row(title: str, moment_s: float, judge: Judge, found: Sequence[Opinion], step_ms: float) -> str:
    """Return a line of the table."""
    return f"| {title} | {moment_s:g} s | {judge.name}, of {len(judge.wnids)} | {standing(found)} | {step_ms:.0f} ms |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--judge", action="append", default=[], help="efficientnet_lite0, name or name=weights; may be repeated"
    )
    parser.add_argument("--against", type=Path, help="another checkout, whose dreams are judged beside")
    parser.add_argument("--pairs", type=int, default=24, help="how many pairs")
    parser.add_argument("--wide", action="store_true", help="pairs that only networks of a thousand classes know")
    parser.add_argument("--at", type=float, action="append", default=[], metavar="SECONDS", help="12 if not given")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--set-against", action="append", metavar="KEY=VALUE", help="the other checkout's; --set if not given")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, help="a folder for the pictures and opinions.json")
    parser.add_argument("--dream-into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--numbers", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.at = options.at or [12.0]
    pairs = (WIDE_PAIRS if options.wide else PAIRS)[: options.pairs]
    if options.dream_into:
        numbers = [int(number) for number in options.numbers.split(",")]
        dream([(number, pairs[number]) for number in numbers], options.set, options.at, options.dream_into)
        return
    from judges import LITE0, judge  # imported late: processes that only dream do not need it

    words = Vocabulary.load()
    judges = [judge(text) for text in options.judge or [LITE0]]
    torch.set_num_threads(1)
    builds = [("this build", HERE.parent, options.set)]
    if options.against:
        other = options.set if options.set_against is None else options.set_against
        builds.append(("the other", options.against.resolve(), other))
    told: dict[str, dict[str, dict[str, int]]] = {}
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for build, checkout, overrides in builds:
        with tempfile.TemporaryDirectory() as scratch:
            folder = options.out / build.replace(" ", "_") if options.out else Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            dream_apart(checkout, options, overrides, range(len(pairs)), folder)
            paces = [json.loads((folder / f"pace_{number:02d}.json").read_text()) for number in range(len(pairs))]
            title = ", ".join([build, paces[0]["network"], *overrides])
            step_ms = 1000 * float(np.median([pace["step_s"] for pace in paces]))
            for moment_s, each in itertools.product(options.at, judges):
                pictures = [np.asarray(Image.open(folder / f"{number:02d}_{moment_s:g}.png")) for number in range(len(pairs))]
                with ThreadPoolExecutor(options.processes) as pool:
                    given = pool.map(opinions, itertools.repeat(each), pictures, pairs, itertools.repeat(words))
                found = [opinion for both in given for opinion in both]
                print(row(title, moment_s, each, found, step_ms), flush=True)
                ranks = {opinion.subject: opinion.rank for opinion in found}
                told.setdefault(title, {})[f"{each.name} after {moment_s:g} s"] = ranks
    if options.out:
        (options.out / "opinions.json").write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
