"""Makes a video's frames from keyframes, as the stream does: interpolated, flash-limited, captioned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from streamer.config import Config
from streamer.messages.keyframes import Keyframe
from streamer.pulse import Pulse, Pulses
from streamer.video.flash.limiter import FlashLimiter
from streamer.video.frames import counter
from streamer.video.frames.captions import Captioner
from streamer.video.frames.frame_interpolator import make_frame_interpolator


def offline_frames_of(
    config: Config, keyframes: Iterator[Keyframe], *, captions: bool, from_s: float = 0.0, pulses: Iterable[Pulse] = ()
) -> OfflineFrames:
    """Make frames, (H, W, 3) uint8 RGB, until the keyframes end; close them afterwards.

    Args:
        captions: Whether to write the subject, and who requested it, into the picture.
        from_s: Time of the first frame; earlier keyframes are not shown.
        pulses: Zoom pulses, by the keyframes' clock.
    """
    return OfflineFrames(config, keyframes, captions, from_s, pulses)


class OfflineFrames(Iterator[np.ndarray]):
    """An iterator of frames that can be resumed after each one (see ``saved_state``)."""

    CHANGES = ("_screen", "_limiter", "_captioner", "_reached_s", "_number")

    def __init__(
        self, config: Config, keyframes: Iterator[Keyframe], captions: bool, from_s: float, pulses: Iterable[Pulse]
    ) -> None:
        size = (config.video.height, config.video.width)
        self._video, self._keyframes, self._from_s = config.video, keyframes, from_s
        self._screen = make_frame_interpolator(config, offline=True)
        self._limiter = FlashLimiter(size, config.video.fps) if config.video.flash_limiter else None
        self._captioner = Captioner(size) if captions else None
        self._pulses = Pulses(pulses)
        self._reached_s, self._number = -1.0, 0

    def __next__(self) -> np.ndarray:
        time_s = self._from_s + self._number / self._video.fps
        while self._reached_s < time_s:
            keyframe = next(self._keyframes)  # the frames end with the keyframes
            self._screen.push(keyframe)
            self._reached_s = keyframe.time_s
            if self._reached_s < self._from_s:
                self._screen.skip(self._reached_s)
        self._screen.set_zoom_offset(self._pulses.extra_octaves(time_s))
        image, scene = self._screen.frame(time_s)
        assert image is not None, "a keyframe was pushed"
        if self._limiter is not None:
            image = self._limiter.limit(image, self._number)
        if self._captioner is not None:
            image = self._captioner.draw(image, scene, time_s)
        if self._video.frame_counter:
            image = image.copy()  # the limiter reuses the frame before
            counter.draw(image, self._number)
        self._number += 1
        return image

    def close(self) -> None:
        """Release its resources; a second call does nothing."""
        self._screen.close()
