"""Post-processing of frames: flash limiter, captions, poll board, frame counter."""

from __future__ import annotations

import numpy as np

from streamer.config import VideoConfig
from streamer.messages.scenes import Scene
from streamer.messages.viewer_polls import Poll
from streamer.video.flash.limiter import FlashLimiter
from streamer.video.frames import counter
from streamer.video.frames.captions import Captioner
from streamer.video.frames.poll_board import PollBoard


class FramePostProcessor:
    """Post-processes frames. ``draw`` and ``show_poll`` belong to one thread each; ``tune`` to any, one at a time."""

    def __init__(self, video: VideoConfig) -> None:
        """Prepare for frames with these settings."""
        self._size = (video.height, video.width)
        self._limited_before = 0
        self._limiter: FlashLimiter | None = None
        self._captioner: Captioner | None = None
        self._board = PollBoard(self._size)
        self.tune(video)

    @property
    def limited(self) -> int:
        """Number of frames that the flash limiter has changed."""
        limiter = self._limiter
        return self._limited_before + (0 if limiter is None else limiter.limited)

    def tune(self, video: VideoConfig) -> None:
        """Apply other settings from the next frame on; size and rate stay.

        Slow work, such as opening fonts, is done here, not between two frames.
        """
        if video.captions != (self._captioner is not None):
            self._captioner = Captioner(self._size) if video.captions else None
        if video.flash_limiter != (self._limiter is not None):
            before, self._limiter = self._limiter, FlashLimiter(self._size, video.fps) if video.flash_limiter else None
            self._limited_before += 0 if before is None else before.limited
        self._counts = video.frame_counter

    def show_poll(self, poll: Poll | None) -> None:
        """Draw this poll from the next frame on; None for none."""
        self._board.show(poll)

    def draw(self, image: np.ndarray, scene: Scene | None, now_s: float, number: int, *, captions: bool = True) -> np.ndarray:
        """Post-process a frame.

        Args:
            image: (h, w, 3) uint8 RGB; do not write to it before the next call.
            scene: the scene it shows.
            now_s: its time in seconds.
            number: its frame number.
            captions: whether captions and the poll may be drawn.

        Returns:
            (h, w, 3) uint8 RGB: a new picture, or ``image`` itself if there is nothing to do.
        """
        limiter, captioner = self._limiter, self._captioner
        if limiter is not None:
            image = limiter.limit(image, number)
        if captioner is not None and captions:
            image = captioner.draw(image, scene, now_s)
            image = self._board.draw(image, now_s)
        if self._counts:
            image = image.copy()  # the limiter keeps the previous picture
            counter.draw(image, number)
        return image
