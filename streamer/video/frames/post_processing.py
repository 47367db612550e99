"""What is done to a frame once the dream in it is drawn: flashes held back, captions, a poll, the frame's number."""

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
    """Finishes frames. ``draw`` belongs to one thread, ``show_poll`` to one; ``tune`` may be called from any, one at a time."""

    def __init__(self, video: VideoConfig) -> None:
        """Prepare for frames as the settings have them."""
        self._size = (video.height, video.width)
        self._limited_before = 0
        self._limiter: FlashLimiter | None = None
        self._captioner: Captioner | None = None
        self._board = PollBoard(self._size)
        self.tune(video)

    @property
    def limited(self) -> int:
        """Frames that were changed so far, lest they flash."""
        limiter = self._limiter
        return self._limited_before + (0 if limiter is None else limiter.limited)

    def tune(self, video: VideoConfig) -> None:
        """Finish otherwise from the next frame on; size and rate stay.

        What takes long, such as opening fonts, is done here, not between two frames.
        """
        if video.captions != (self._captioner is not None):
            self._captioner = Captioner(self._size) if video.captions else None
        if video.flash_limiter != (self._limiter is not None):
            before, self._limiter = self._limiter, FlashLimiter(self._size, video.fps) if video.flash_limiter else None
            self._limited_before += 0 if before is None else before.limited
        self._counts = video.frame_counter

    def show_poll(self, poll: Poll | None) -> None:
        """Draw this poll, as it stands, from the next frame on; None for none."""
        self._board.show(poll)

    def draw(self, image: np.ndarray, scene: Scene | None, now_s: float, number: int, *, captions: bool = True) -> np.ndarray:
        """Finish a frame.

        Args:
            image: (h, w, 3) uint8 RGB; must not be written to before the next call.
            scene: what it shows.
            now_s: its moment.
            number: which frame of the video it is.
            captions: whether there is anything that a caption could name.

        Returns:
            (h, w, 3) uint8 RGB: a new picture, or ``image`` itself where there is nothing to do.
        """
        limiter, captioner = self._limiter, self._captioner
        if limiter is not None:
            image = limiter.limit(image, number)
        if captioner is not None and captions:
            image = captioner.draw(image, scene, now_s)
            image = self._board.draw(image, now_s)
        if self._counts:
            image = image.copy()  # the limiter goes back to the one before
            counter.draw(image, number)
        return image
