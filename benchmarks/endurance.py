"""Does a dream stay natural for long? Dream through six subjects without a break and watch brightness, contrast and clipping.

    python benchmarks/endurance.py --network squeezenet1_1=FILE --minutes 10 --out FOLDER

Prints, for every tenth of the run, the worst share of clipped values (0, 1, 254, 255), the range of luma's standard deviation,
and the largest change between keyframes that the zoom does not explain; writes a contact sheet of the end of each subject.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from judges import network_config
from PIL import Image
from recognition import SIZE

from streamer import zoom
from streamer.dream.device import make_torch_repeatable
from streamer.dream.sessions.script import OfflineDream
from streamer.messages.keyframes import Keyframe
from streamer.messages.scenes import Scene, arrange
from streamer.requests.vocabulary import Vocabulary
from streamer.settings_file import load as load_config

SCENES = (
    "volcano + bubble",
    "kit fox + tree frog",
    "analog clock + pizza",
    "cheeseburger + broccoli",
    "castle",
    "jellyfish + daisy",
)
FEW = (
    "goldfish + orange",
    "king penguin + umbrella",
    "monarch + mushroom",
    "school bus + banana",
    "lion",
    "jellyfish + ladybug",
)
"""Scenes for networks that know only Tiny ImageNet's classes."""


def luma(image: np.ndarray) -> np.ndarray:
    """Return the BT.601 luma, (H, W) float32."""
    return image @ np.array([0.299, 0.587, 0.114], np.float32)


def unexplained(before: Keyframe, after: Keyframe) -> float:
    """Return the mean absolute change of luma between keyframes, with the zoom undone and the border excluded."""
    height, width = before.image.shape[:2]
    matrix = zoom.sampling_matrix(before.pose, after.pose, (height, width), (height, width))
    moved = cv2.warpAffine(luma(before.image), matrix, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    return float(np.abs(moved - luma(after.image))[8:-8, 8:-8].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", help="name or name=weights; the settings' if not given")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    overrides = [f"canvas.width={SIZE[1]}", f"canvas.height={SIZE[0]}", *options.set]
    make_torch_repeatable()
    config = load_config(None, overrides)
    if options.network:
        config = config.model_copy(update={"network": network_config(options.network)})
    dream = OfflineDream(config)
    words = Vocabulary.load().for_network(dream.wnids)
    texts = SCENES if len(dream.wnids) >= 1000 else FEW
    scenes = [Scene(number, arrange(words.match(text).targets)) for number, text in enumerate(texts, 1)]
    seconds = options.minutes * 60
    hold = seconds / len(scenes)

    ends, clipped, spread, jumps, before = [], [], [], [], None
    for keyframe in dream.keyframes(lambda time_s: scenes[min(int(time_s / hold), len(scenes) - 1)], options.seed):
        image = keyframe.image
        clipped.append(float(((image <= 1) | (image >= 254)).mean()))
        spread.append(float(luma(image).std()))
        jumps.append(unexplained(before, keyframe) if before is not None else 0.0)
        if before is not None and (keyframe.scene != before.scene or keyframe.time_s >= seconds):
            ends.append(before.image)
        before = keyframe
        if keyframe.time_s >= seconds:
            break
    print("| from s | clipped, worst | luma's deviation | change beyond the zoom, worst |\n|---|---|---|---|")
    for part in np.array_split(np.arange(len(clipped)), 10):
        low, high = min(spread[i] for i in part), max(spread[i] for i in part)
        worst, jump = max(clipped[i] for i in part), max(jumps[i] for i in part)
        print(f"| {part[0] * seconds / len(clipped):.0f} | {worst:.2%} | {low:.0f} to {high:.0f} | {jump:.1f} |")
    rows = [np.hstack(ends[row : row + 3]) for row in range(0, len(ends) - 2, 3)]
    Image.fromarray(np.vstack(rows)).save(options.out / "contact_sheet.jpg", quality=88)


if __name__ == "__main__":
    main()
