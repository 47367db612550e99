"""Does ink keep its rules with a real network, and do subjects appear? Prints a table and writes a contact sheet.

    python benchmarks/ink.py --network squeezenet1_1=FILE [--steps 300] [--out FOLDER] [--set ink.reach_px=0]

Each subject is drawn on 224x224 pixels from a disc, with camera and fading off. The benchmark checks after every step that
the picture has two values, that at most ``ink.flips`` pixels flipped, and that each flipped in the step's direction,
within reach of ink. The columns: pixels flipped per step (mean, maximum); how many broke a rule; the share of all ink drawn in
the first 100 steps that connects to the disc (no gap wider than ``ink.reach_px``), and the widest gap in the ink at step 100;
the subject's mean logit and its rank among the classes, before and after.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from judges import network_config
from PIL import Image

from streamer.config import Config
from streamer.dream.algorithms.ink import InkDreamer
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.loading import load
from streamer.dream.networks.network import Network
from streamer.dream.objectives.scene import SceneObjective
from streamer.dream.objectives.views import resample
from streamer.messages.scenes import Scene, arrange
from streamer.requests.vocabulary import Vocabulary
from streamer.settings_file import load as load_config

SIZE = (224, 224)
EARLY = 100
"""Steps during which the drawing should stay in one piece."""
SHOWN = (25, 50, 100, 200, 300)
"""Steps after which the drawing goes on the sheet."""
SUBJECTS = {
    "squeezenet1_1": ("flamingo", "violin", "tarantula", "analog clock", "teapot", "scorpion", "king crab", "umbrella"),
    "bundled": ("school bus", "jellyfish", "goldfish", "teapot", "tarantula", "umbrella", "black widow", "lemon"),
}


@dataclass
class Drawn:
    """Measurements of one drawing."""

    turned: list[int]
    broken: int
    together: float
    gap_px: int
    scores: tuple[float, float]
    ranks: tuple[int, int]
    seconds: float
    sheets: list[np.ndarray]


def parts(ink: np.ndarray, gap_px: int) -> np.ndarray:
    """Number the pieces of ink, (H, W); gaps of up to ``gap_px`` do not split a piece; paper is 0."""
    side = gap_px + 1
    joined = cv2.dilate(ink.astype(np.uint8), np.ones((side, side), np.uint8))
    return np.where(ink, cv2.connectedComponents(joined)[1], 0)


def rank(network: Network, dreamer: InkDreamer, wnid: str) -> int:
    """Return the class's rank by mean logit, seen at the size the network was trained on; 1 is best."""
    seen = resample(dreamer.seen(network), network.trained_px / SIZE[0], network.min_size)
    with torch.no_grad():
        logits = network(seen)[0].mean(dim=(1, 2))
    return int((logits > logits[network.wnids.index(wnid)]).sum()) + 1


def draw(network: Network, config: Config, words: Vocabulary, subject: str, steps: int) -> Drawn:
    targets = words.match(subject).targets[:1]
    scene, ink = Scene(1, arrange(targets)), config.ink
    dreamer = InkDreamer(Ensemble(network), config, SIZE, network.device, 1)
    dreamer.scene(scene)
    start = dreamer.ink.cpu().numpy().copy()
    ever, together, gap_px = start.copy(), 0.0, 0
    found = Drawn([], 0, 0.0, 0, (0.0, 0.0), (0, 0), 0.0, [dreamer.picture()])
    objective = SceneObjective(network)
    score, first = objective.score(dreamer.seen(network), scene.regions[0]), rank(network, dreamer, targets[0].wnid)
    began = time.monotonic()
    for step in range(1, steps + 1):
        before = dreamer.ink.clone()
        dreamer.step(0.1)
        after, way = dreamer.ink, dreamer.uphill
        black, white = after & ~before, before & ~after
        wrong = (black & (way >= 0)) | (white & (way <= 0))
        if ink.reach_px:
            near = F.max_pool2d(before[None, None].float(), 2 * ink.reach_px + 1, 1, ink.reach_px)[0, 0] > 0
            wrong |= black & ~near
        found.turned.append(int((black | white).sum()))
        found.broken += int(wrong.sum()) + max(0, found.turned[-1] - ink.flips)
        found.broken += set(np.unique(dreamer.picture())) != {0, 255}
        if step <= EARLY:
            ever |= after.cpu().numpy()
        if step == EARLY:
            pieces = parts(ever, max(1, ink.reach_px))
            together = float((pieces[ever] == pieces[start][0]).mean())
            now = after.cpu().numpy()
            gap_px = next(gap for gap in range(1, SIZE[0]) if len(np.unique(parts(now, gap)[now])) == 1)
        if step in SHOWN:
            found.sheets.append(dreamer.picture())
    found.seconds = time.monotonic() - began
    found.together, found.gap_px = together, gap_px
    found.scores = score, objective.score(dreamer.seen(network), scene.regions[0])
    found.ranks = first, rank(network, dreamer, targets[0].wnid)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="bundled", metavar="NAME[=FILE]")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--subjects", nargs="*")
    parser.add_argument("--out", type=Path, help="folder for a sheet of the drawings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    network = load(network_config(arguments.network), torch.device("cpu")).first
    still = ["dream.algorithm=ink", "zoom.speed=1", "zoom.rotation=0", "ink.fade_s=0"]
    config = load_config(None, [*still, *arguments.set])
    words = Vocabulary.load().for_network(network.wnids)
    print("| subject | turned | broken | in one piece | widest gap | logit | rank | s a step |")
    print("|---|---|---|---|---|---|---|---|")
    rows = []
    for subject in arguments.subjects or SUBJECTS.get(network.name, SUBJECTS["squeezenet1_1"]):
        one = draw(network, config, words, subject, arguments.steps)
        rows.append(np.hstack([np.pad(sheet, ((2, 2), (2, 2), (0, 0)), constant_values=160) for sheet in one.sheets]))
        print(
            f"| {subject} | {np.mean(one.turned):.0f}, {max(one.turned)} | {one.broken} | {one.together:.1%} | {one.gap_px} px "
            f"| {one.scores[0]:.1f} → {one.scores[1]:.1f} | {one.ranks[0]} → {one.ranks[1]} "
            f"| {one.seconds / arguments.steps:.2f} |",
            flush=True,
        )
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.vstack(rows)).save(arguments.out / f"ink_{network.name}.png")


if __name__ == "__main__":
    main()
