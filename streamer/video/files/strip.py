"""Draws a strip of labelled pictures that shows how a dream develops: 'input', '10 iterations', '20 iterations'…"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from streamer.video.frames.lettering import Lettering

CELL_PX = 640
"""Longest side of each picture, in pixels."""
GAP = 0.02
"""Gap between pictures, as a fraction of a picture's longer side."""
PAPER, INK = (255, 255, 255), (40, 40, 40)


def milestones(iterations: int, count: int = 3) -> tuple[int, ...]:
    """Return the iterations to show: the last, and before it round numbers that roughly halve, such as 10, 20, 50."""
    round_ones = [step * 10**power for power in range(7) for step in (1, 2, 5)]
    before = [number for number in round_ones if number <= 0.7 * iterations]
    return (*before[-(count - 1) :], iterations)


def strip(cells: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """Lay labelled pictures side by side.

    Args:
        cells: label and picture, (H, W, 3) uint8 RGB, all of one size.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    height, width = cells[0][1].shape[:2]
    scale = min(1.0, CELL_PX / max(height, width))
    cell_h, cell_w = max(1, round(height * scale)), max(1, round(width * scale))
    gap = max(4, round(GAP * max(cell_h, cell_w)))
    letters = Lettering(max(10, round(0.05 * max(cell_h, cell_w))))
    labels = [letters.line(label, cell_w, INK) for label, _ in cells]
    label_h = max((label.height for label in labels if label is not None), default=0)
    paper = Image.new("RGB", (gap + len(cells) * (cell_w + gap), 2 * gap + label_h + cell_h + gap // 2), PAPER)
    for number, ((_, picture), label) in enumerate(zip(cells, labels, strict=True)):
        left = gap + number * (cell_w + gap)
        if scale < 1:
            picture = cv2.resize(picture, (cell_w, cell_h), interpolation=cv2.INTER_AREA)
        paper.paste(Image.fromarray(picture), (left, gap))
        if label is not None:
            paper.paste(label, (left + (cell_w - label.width) // 2, gap + cell_h + gap // 2), label)
    return np.asarray(paper).copy()
