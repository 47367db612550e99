"""The splash before the first keyframe: slowly drifting clouds, so that the video starts immediately."""

from __future__ import annotations

import math

import cv2
import numpy as np

from streamer.messages.motion import Pose
from streamer.messages.scenes import Region, Scene, Target
from streamer.video.frames.captions import Captioner
from streamer.zoom import sampling_matrix

STARTING = Scene(-1, (Region(Target("", "the dream is starting…"), (0.0, 0.0, 1.0, 1.0)),))
"""The scene whose title is the caption meanwhile."""
PUFFS = (3, 6, 12, 24)
"""Number of clouds across the picture, at several sizes; each is half as strong as the size before."""
SWAY_S, SWAY_OCTAVES, SWAY_RADIANS = 9.0, 0.12, 0.03
DARK, LIGHT = np.array((22.0, 26.0, 44.0)), np.array((122.0, 108.0, 128.0))
"""Colours of the clouds, dim enough for the caption over them."""


class Splash:
    """Makes the frames of the splash. Belongs to one thread."""

    def __init__(self, size: tuple[int, int], seed: int = 0) -> None:
        """Prepare for frames of ``size``, (height, width)."""
        self._size = size
        self._clouds = _clouds(size, seed)
        self._captioner = Captioner(size)

    def draw(self, now_s: float) -> np.ndarray:
        """Return a new (h, w, 3) uint8 RGB picture for a time in seconds."""
        phase = now_s * 2 * math.pi / SWAY_S
        pose = Pose(SWAY_OCTAVES * (1.5 + math.sin(phase)), SWAY_RADIANS * math.sin(phase / 2))
        matrix = sampling_matrix(Pose(), pose, self._size, self._size)
        height, width = self._size
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        image = cv2.warpAffine(self._clouds, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
        return self._captioner.draw(image, STARTING, now_s)


def _clouds(size: tuple[int, int], seed: int) -> np.ndarray:
    height, width = size
    rng = np.random.default_rng(seed)
    density = np.zeros((height, width), np.float32)
    for across in PUFFS:
        puffs = rng.standard_normal((max(2, round(across * height / width)) + 1, across + 1)).astype(np.float32)
        density += cv2.resize(puffs, (width, height), interpolation=cv2.INTER_CUBIC) / across
    low, high = float(density.min()), float(density.max())
    share = ((density - low) / max(high - low, 1e-6))[:, :, None]
    clouds: np.ndarray = (DARK + (LIGHT - DARK) * share).round().astype(np.uint8)
    return clouds
