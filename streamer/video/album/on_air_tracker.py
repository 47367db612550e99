"""Tracks which dream is on air, since when, and its best picture."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np

from streamer.messages.keyframes import Frame, Keyframe
from streamer.messages.scenes import Scene


@dataclass(frozen=True, slots=True, eq=False)
class AiredDream:
    """A dream that is on air, or was."""

    scene: Scene
    first: int
    """Number of its first frame…"""
    last: int
    """…and of its last so far."""
    image: np.ndarray
    """The last picture without anything of the next dream, (h, w, 3) uint8 RGB."""
    pure: bool
    """Whether there was such a picture; otherwise ``image`` is the last one."""

    @property
    def frames(self) -> int:
        """Number of frames on air."""
        return self.last + 1 - self.first


class OnAirTracker:
    """Tracks dreams from the frames. ``frame`` and ``keyframe`` each belong to one thread; the rest may be called from any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: AiredDream | None = None
        self._before: AiredDream | None = None
        self._arrived: int | None = None
        """Scene id of the newest keyframe."""

    @property
    def now(self) -> tuple[AiredDream | None, AiredDream | None]:
        """The dream on air and the one before it; None if there was none."""
        with self._lock:
            return self._now, self._before

    def keyframe(self, keyframe: Keyframe) -> None:
        """Note a keyframe: frames after it may already show some of it."""
        self._arrived = keyframe.scene.id

    def frame(self, frame: Frame, image: np.ndarray) -> AiredDream | None:
        """Note the next frame on air.

        Args:
            frame: the frame; its scene is None before the first keyframe.
            image: the frame without captions, (h, w, 3) uint8 RGB; nobody writes to it.

        Returns:
            The dream that went off air with this frame; None if there is none.
        """
        scene, now = frame.scene, self._now
        if scene is None:
            return None
        pure = self._arrived == scene.id
        with self._lock:
            if now is None or now.scene.id != scene.id:
                self._now, self._before = AiredDream(scene, frame.number, frame.number, image, pure), now
                return now
            image = image if pure or not now.pure else now.image
            self._now = replace(now, last=frame.number, image=image, pure=now.pure or pure)
            return None
