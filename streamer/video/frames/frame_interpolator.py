"""Frame interpolation: turns keyframes into frames, by the method that suits the algorithm."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from streamer.algorithm_facts import ALGORITHMS
from streamer.config import Config
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion
from streamer.messages.scenes import Scene
from streamer.video.frames.colour_interpolator import ColourInterpolator
from streamer.video.frames.ink_interpolator import InkInterpolator
from streamer.video.frames.overlay_interpolator import Newest, OverlayInterpolator


class FrameInterpolator(Protocol):
    """Makes frames at any rate. ``push`` may be called from any thread; the rest belongs to one."""

    def push(self, keyframe: Keyframe) -> None:
        """Take the next keyframe."""

    def frame(self, now_s: float) -> tuple[np.ndarray | None, Scene | None]:
        """Return a new (h, w, 3) uint8 RGB picture for a moment, and its scene; both None before the first keyframe."""

    def set_zoom_offset(self, octaves: float) -> None:
        """Zoom in by ``octaves`` on top of the camera path, from the next frame on. Called from the frame thread."""

    @property
    def shown_s(self) -> float | None:
        """Camera time of the latest frame on the keyframes' clock, in seconds; None before the first."""

    def tune(self, config: Config) -> None:
        """Apply other settings from the next frame on, as far as they are live (``settings_live``); from any thread."""

    @property
    def can_skip_flow(self) -> bool:
        """Whether ``reduce_load(follow=False)`` saves anything."""

    def reduce_load(self, *, follow: bool, part: float) -> None:
        """Reduce the work per frame, or restore it; from any thread. The frame size does not change.

        Args:
            follow: whether to follow motion other than the camera's, if the settings say so.
            part: fraction of the frame's sides at which it is drawn before it is enlarged.
        """

    def skip(self, now_s: float) -> None:
        """Advance to a moment without drawing a frame."""

    def close(self) -> None:
        """Free its resources; a second call does nothing."""


def make_frame_interpolator(config: Config, *, offline: bool = False, newest: Newest | None = None) -> FrameInterpolator:
    """Make the interpolator for these settings.

    Args:
        offline: Whether ``frame`` is called with times of the path itself; the same keyframes then give the same frames.
        newest: Returns the newest picture of the moving source, if the dream overlays one.
    """
    size = (config.video.height, config.video.width)
    if newest is not None:
        return OverlayInterpolator(size, newest, config.source.mix, config.source.decay_s)
    motion = Motion.from_config(config.zoom)
    if ALGORITHMS[config.dream.algorithm].interpolator == "ink":
        return InkInterpolator(size, config.ink, motion=motion, offline=offline)
    return ColourInterpolator(size, config.video.residual_flow, motion=motion, offline=offline)
