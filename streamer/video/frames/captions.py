"""Captions: what is dreamed and for whom, drawn into finished frames so that they do not warp with the dream."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageFilter

from streamer.messages.scenes import Scene
from streamer.video.frames.lettering import Lettering

SAFE = 0.05
"""Fraction of the picture at each edge that stays free, for screens that crop it."""
TITLE_SIZE, USER_SIZE = 0.055, 0.036
"""Em size of the letters, as fractions of the video's height."""
TITLE_COLOUR, USER_COLOUR = (255, 255, 255), (232, 232, 232)
SHADOW_REACH = 0.30
"""Blur radius of the shadow, as a fraction of the title's size."""
SHADOW_GAIN = 3.0
SHADOW_OPACITY = 0.76
FADE_OUT_S, FADE_IN_S = 0.4, 0.7
STALL_S = 0.5
"""Longest time step of a fade, in seconds: after a stall it continues instead of jumping."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A caption ready to be composited over frames."""

    ink: np.ndarray
    """(h, w, 3) uint8 RGB, premultiplied by its opacity."""
    rest: np.ndarray
    """(h, w, 3) uint8, how much of the frame remains: 255 minus the opacity."""
    x: int
    y: int


class Captioner:
    """Draws the caption of the scene on air, which fades out and in when its text changes. Belongs to one thread."""

    CHANGES = ("_words", "_patch", "_opacity", "_now_s")

    def __init__(self, size: tuple[int, int]) -> None:
        """Prepare for frames of ``size``, (height, width)."""
        self._size = size
        height = size[0]
        self._title = Lettering(round(height * TITLE_SIZE))
        self._user = Lettering(round(height * USER_SIZE))
        self._words = ("", "")
        self._patch: Patch | None = None
        self._opacity = 0.0
        self._now_s: float | None = None

    def draw(self, image: np.ndarray, scene: Scene | None, now_s: float) -> np.ndarray:
        """Draw the caption over a frame.

        Args:
            image: (h, w, 3) uint8 RGB; not changed.
            scene: The scene to name; None for no caption.
            now_s: Time of the frame in seconds, for fading.

        Returns:
            (h, w, 3) uint8 RGB: a new picture, or ``image`` itself if there is nothing to draw.
        """
        step_s = 0.0 if self._now_s is None else min(max(0.0, now_s - self._now_s), STALL_S)
        self._now_s = now_s
        words = ("", "") if scene is None else (scene.title, scene.user)
        if words != self._words:
            self._opacity = max(0.0, self._opacity - step_s / FADE_OUT_S)
            if self._opacity == 0.0:
                self._words = words
                self._patch = self._make(*words)
        else:
            self._opacity = min(1.0, self._opacity + step_s / FADE_IN_S)
        if self._patch is None or self._opacity == 0.0:
            return image
        return _lay(image, self._patch, self._opacity)

    def _make(self, title: str, user: str) -> Patch | None:
        """Typeset a caption; None if there is nothing to show."""
        height, width = self._size
        margin_x, margin_y = round(width * SAFE), round(height * SAFE)
        room = max(1, width - 2 * margin_x)
        lines = [self._title.line(title, room, TITLE_COLOUR)]
        if user:
            name = self._user.showable(user).strip() or "a viewer"
            lines.append(self._user.line(f"asked for by {name}", room, USER_COLOUR))
        shown = [line for line in lines if line is not None]
        if not shown:
            return None
        reach = max(1.0, self._title.size_px * SHADOW_REACH)
        around = round(2.5 * reach)
        layer = Image.new(
            "RGBA", (max(line.width for line in shown) + 2 * around, sum(line.height for line in shown) + 2 * around)
        )
        y = around
        for line in shown:
            layer.alpha_composite(line, (around, y))
            y += line.height
        return self._place(layer, reach, margin_x - around, height - margin_y - layer.height + around)

    def _place(self, layer: Image.Image, reach: float, x: int, y: int) -> Patch | None:
        """Add a soft shadow under the letters and crop to the frame."""
        height, width = self._size
        letters = np.asarray(layer, np.float32) / 255
        opacity = letters[..., 3]
        soft = np.asarray(layer.getchannel("A").filter(ImageFilter.GaussianBlur(reach)), np.float32) / 255
        shadow = np.minimum(1.0, soft * SHADOW_GAIN) * SHADOW_OPACITY
        ink = letters[..., :3] * opacity[..., None] * 255
        rest = (1 - opacity) * (1 - shadow) * 255
        top, left = max(0, -y), max(0, -x)
        bottom, right = min(layer.height, height - y), min(layer.width, width - x)
        if top >= bottom or left >= right:
            return None
        part = (slice(top, bottom), slice(left, right))
        return Patch(
            np.ascontiguousarray(np.rint(ink[part]), np.uint8),
            np.ascontiguousarray(np.repeat(np.rint(rest[part])[..., None], 3, 2), np.uint8),
            x + left,
            y + top,
        )


def _lay(image: np.ndarray, patch: Patch, opacity: float) -> np.ndarray:
    height, width = patch.ink.shape[:2]
    ink, rest = patch.ink, patch.rest
    if opacity < 1.0:
        ink = cv2.convertScaleAbs(ink, alpha=opacity)
        rest = cv2.convertScaleAbs(rest, alpha=opacity, beta=255 * (1 - opacity))
    result = image.copy()
    part = result[patch.y : patch.y + height, patch.x : patch.x + width]
    part[:] = cv2.add(cv2.multiply(part, rest, scale=1 / 255), ink)
    return result
