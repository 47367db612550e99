"""A dream that needs no torch and almost no time, so that tests time everything else."""

from __future__ import annotations

import cv2
import numpy as np

from streamer import zoom
from streamer.config import Config
from streamer.dream.device import canvas_size
from streamer.dream.interface import Dream, PreparationCallback
from streamer.dream.sources.noise import noise
from streamer.dream_state import DreamState
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene
from streamer.requests.class_index import ClassIndex
from tests.dream.fake_dream import Copied

LIGHT_NETWORK = "light"
PULL = 0.05
"""Share of the way to the picture of its momentum that each step takes."""


class Light:
    """Coloured clouds that zoom and blend into each other, with momentum; (H, W, 3) float32."""

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        self.size, self.pose, self._motion = size, Pose(), Motion()
        self._random = np.random.default_rng(seed)
        self.pixels = noise(size, self._random, 40.0).astype(np.float32)
        self._momentum = np.zeros_like(self.pixels)

    def scene(self, scene: Scene) -> None:
        pass

    def motion(self, motion: Motion) -> None:
        self._motion = motion

    def tune(self, config: Config) -> None:
        pass

    def bump(self) -> None:
        pass

    def twist(self) -> None:
        pass

    def step(self, dt_s: float, camera_s: float | None = None) -> None:
        before, self.pose = self.pose, zoom.advance(self.pose, self._motion, dt_s if camera_s is None else camera_s)
        self.pixels, self._momentum = (self._moved(image, before) for image in (self.pixels, self._momentum))
        self._momentum = 0.9 * self._momentum + 0.1 * noise(self.size, self._random, 30.0) - 12.8
        self.pixels = np.clip(self.pixels + PULL * self._momentum, 0, 255)

    def _moved(self, image: np.ndarray, before: Pose) -> np.ndarray:
        matrix = zoom.sampling_matrix(before, self.pose, image.shape[:2], image.shape[:2])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)

    def resize(self, size: tuple[int, int]) -> None:
        self.pixels, self._momentum = (cv2.resize(image, size[::-1]) for image in (self.pixels, self._momentum))
        self.size = size

    def picture(self) -> np.ndarray:
        return np.clip(np.nan_to_num(self.pixels), 0, 255).astype(np.uint8)

    def copy(self) -> Copied:
        return Copied(self.picture())

    def fault(self) -> str:
        return "" if np.isfinite(self.pixels).all() else "it holds values that are not numbers"

    def keep(self) -> DreamState:
        return DreamState(LIGHT_NETWORK, "default", self.pose, {"momentum": self._momentum.astype(np.float16)}, {})

    def restore(self, picture: np.ndarray, pose: Pose, kept: DreamState | None = None) -> None:
        self.size, self.pose, self.pixels = picture.shape[:2], pose, picture.astype(np.float32)
        self._momentum = np.zeros_like(self.pixels)
        found = None if kept is None else kept.array("momentum", np.float16, 3)
        if kept is not None and found is not None and found.shape == self.pixels.shape:
            self._momentum = self._moved(found.astype(np.float32), kept.pose)


class Zooming(Light):
    """An endless zoom into a picture as detailed as a dream's, at almost no cost at any size."""

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        super().__init__((36, 64), seed)
        height, width = size
        clouds = noise((2 * height, 2 * width), self._random, 45.0).astype(np.int16)
        grain = self._random.normal(0.0, 7.0, (height, width, 3)).repeat(2, 0).repeat(2, 1)  # detail as in real dreams
        self._far = np.clip(clouds + grain, 0, 255).astype(np.uint8)
        self.resize(size)

    def step(self, dt_s: float, camera_s: float | None = None) -> None:
        self.pose = zoom.advance(self.pose, self._motion, dt_s if camera_s is None else camera_s)
        height, width = self.size
        scale = (2 * height / self._far.shape[0]) * 2 ** (self.pose.log_zoom % 1.0)
        middle, far = np.array([width, height]) / 2, np.array(self._far.shape[1::-1]) / 2
        matrix = np.column_stack([scale * np.eye(2), middle - scale * far])
        self._shown = cv2.warpAffine(self._far, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)

    def resize(self, size: tuple[int, int]) -> None:
        self.size, self._shown = size, cv2.resize(self._far, size[::-1])

    def picture(self) -> np.ndarray:
        return self._shown

    def fault(self) -> str:
        return ""

    def keep(self) -> DreamState:
        momentum = np.zeros((3, *self.size), np.float16)
        return DreamState(LIGHT_NETWORK, "default", self.pose, {"momentum": momentum}, {})

    def restore(self, picture: np.ndarray, pose: Pose, kept: DreamState | None = None) -> None:
        self.pose = pose
        self.resize((picture.shape[0], picture.shape[1]))


def make_zooming(config: Config, seed: int, tell: PreparationCallback) -> Dream:
    """Build a ``Zooming`` dream, for a worker."""
    dreamer = Zooming(canvas_size(config.canvas, config.video, "cpu"), seed)
    return Dream(dreamer, LIGHT_NETWORK, "cpu", tuple(entry.wnid for entry in ClassIndex().entries if entry.tiny))


def light(config: Config, seed: int) -> Dream:
    """Build a ``Light`` dream of the classes that every network knows."""
    dreamer = Light(canvas_size(config.canvas, config.video, "cpu"), seed)
    return Dream(dreamer, LIGHT_NETWORK, "cpu", tuple(entry.wnid for entry in ClassIndex().entries if entry.tiny))
