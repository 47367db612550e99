"""Frames of a video out of a dream's keyframes, as they are live: interpolated, kept from flashing, captioned."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

import numpy as np

from streamer.config import Config
from streamer.messages import Keyframe
from streamer.pulse import Pulse, Pulses
from streamer.video.flash.limiter import FlashLimiter
from streamer.video.frames import counter
from streamer.video.frames.overlay import Captioner
from streamer.video.frames.screen import make_screen


def show(
    config: Config, keyframes: Iterator[Keyframe], *, captions: bool, from_s: float = 0.0, pulses: Iterable[Pulse] = ()
) -> Generator[np.ndarray]:
    """Make frames, (h, w, 3) uint8 RGB, until the keyframes end.

    Args:
        captions: whether to write what is dreamt, and for whom, into the picture.
        from_s: moment of the first frame; keyframes before it come first, and are not seen.
        pulses: of the zoom, by the keyframes' clock.
    """
    size = (config.video.height, config.video.width)
    screen = make_screen(config, offline=True)
    limiter = FlashLimiter(size, config.video.fps) if config.video.flash_limiter else None
    captioner = Captioner(size) if captions else None
    reached_s, number, coming = -1.0, 0, Pulses(pulses)
    try:
        while True:
            time_s = from_s + number / config.video.fps
            while reached_s < time_s:
                keyframe = next(keyframes, None)
                if keyframe is None:
                    return
                screen.push(keyframe)
                reached_s = keyframe.time_s
                if reached_s < from_s:
                    screen.skip(reached_s)
            screen.lean(coming.closer(time_s))
            image, scene = screen.frame(time_s)
            assert image is not None, "a keyframe was pushed"
            if limiter is not None:
                image = limiter.limit(image, number)
            if captioner is not None:
                image = captioner.draw(image, scene, time_s)
            if config.video.frame_counter:
                image = image.copy()  # the limiter goes back to the one before
                counter.draw(image, number)
            yield image
            number += 1
    finally:
        screen.close()
