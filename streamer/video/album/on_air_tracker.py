"""Which dream is on air, since when, and what was its best picture."""

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
    """The last picture that shows nothing of the next dream, (h, w, 3) uint8 RGB."""
    pure: bool
    """Whether there was such a picture; else ``image`` is just the last."""

    @property
    def frames(self) -> int:
        """For how many frames it was on air."""
        return self.last + 1 - self.first


class OnAirTracker:
    """Follows the frames. ``frame`` and ``keyframe`` each belong to one thread; the rest may be called from any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: AiredDream | None = None
        self._before: AiredDream | None = None
        self._arrived: int | None = None
        """Scene of the newest keyframe."""

    @property
    def now(self) -> tuple[AiredDream | None, AiredDream | None]:
        """The dream on air and the one before it; None where there was none."""
        with self._lock:
            return self._now, self._before

    def keyframe(self, keyframe: Keyframe) -> None:
        """A keyframe came: frames after it may show something of it, whatever they are said to show."""
        self._arrived = keyframe.scene.id

    def frame(self, frame: Frame, image: np.ndarray) -> AiredDream | None:
        """The next frame is on air.

        Args:
            frame: with the scene that it shows; None before the first.
            image: the frame without captions, (h, w, 3) uint8 RGB; nobody writes to it.

        Returns:
            The dream that has left the air with this frame; None if none has.
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
