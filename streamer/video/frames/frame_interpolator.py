"""What turns the dream's keyframes into frames, whichever way suits the dream."""

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
    """Shows the dream at any rate. ``push`` may be called from any thread; the rest belongs to one."""

    def push(self, keyframe: Keyframe) -> None:
        """Take the next keyframe."""

    def frame(self, now_s: float) -> tuple[np.ndarray | None, Scene | None]:
        """The picture for a moment, (h, w, 3) uint8 RGB, the caller's own, and what it shows; both None before the first."""

    def set_zoom_offset(self, octaves: float) -> None:
        """Stand so much closer than the camera's path in the frames from the next on; from the thread that asks for them."""

    @property
    def shown_s(self) -> float | None:
        """The moment of the keyframes' clock at which the camera stands in the latest frame; None before the first."""

    def tune(self, config: Config) -> None:
        """Go by other settings from the next frame on, as far as they are live (``settings_live``); from any thread."""

    @property
    def can_skip_flow(self) -> bool:
        """Whether ``reduce_load`` saves anything by following nothing."""

    def reduce_load(self, *, follow: bool, part: float) -> None:
        """Make frames with less work, or as ever; from any thread. They are as large as ever.

        Args:
            follow: whether to follow what moves besides the camera, as far as the settings say so.
            part: of the frame's sides, at which it is drawn; it is enlarged then.
        """

    def skip(self, now_s: float) -> None:
        """Let a moment pass unseen."""

    def close(self) -> None:
        """Give up what it holds; a second call does nothing."""


def make_frame_interpolator(config: Config, *, offline: bool = False, newest: Newest | None = None) -> FrameInterpolator:
    """The screen for a dream of these settings.

    Args:
        offline: Whether frames are asked for moments of the path itself; the same keyframes then give the same frames.
        newest: Gives the newest picture of the moving source, where the dream rides on one.
    """
    size = (config.video.height, config.video.width)
    if newest is not None:
        return OverlayInterpolator(size, newest, config.source.mix, config.source.decay_s)
    motion = Motion.from_config(config.zoom)
    if ALGORITHMS[config.dream.algorithm].interpolator == "ink":
        return InkInterpolator(size, config.ink, motion=motion, offline=offline)
    return ColourInterpolator(size, config.video.residual_flow, motion=motion, offline=offline)
