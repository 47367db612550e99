"""A studio that puts dreams on air by hand, with really encoded frames and an album that receives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamer.config import AlbumConfig
from streamer.messages.keyframes import Frame, Keyframe
from streamer.messages.motion import Pose
from streamer.messages.scenes import Scene, Target, arrange
from streamer.video.album.album import ENCODED_S, Album
from streamer.video.album.clip_buffer import ClipBuffer, ClipBuffers
from streamer.video.encoding.encoder_run import EncoderRun
from streamer.video.encoding.spec import EncodeSpec
from tests.fakes import HandClock

FPS = 10
HEIGHT, WIDTH = 72, 128
SPEC = EncodeSpec(width=WIDTH, height=HEIGHT, fps=FPS, bitrate_kbps=400, gop_s=1.0, preset="ultrafast")
NOON = 1_790_000_000.0


def picture(number: int) -> np.ndarray:
    """Return a sliding grey wedge, so that every frame differs."""
    row = (np.arange(WIDTH) + 4 * number) % 200 + 20
    return np.repeat(np.repeat(row[None, :, None], HEIGHT, 0), 3, 2).astype(np.uint8)


def scene(number: int, *labels: str, user: str = "Mara") -> Scene:
    targets = [Target(f"n{index:08}", label) for index, label in enumerate(labels or ("volcano",), 1)]
    return Scene(number, arrange(targets), user, number if user else None)


def encode(clip_buffer: ClipBuffer, numbers: range, spec: EncodeSpec = SPEC) -> None:
    """Feed a clip buffer with one run of an encoder."""
    timeline = EncoderRun(spec, None)
    for number in numbers:
        for added in timeline.add(picture(number), number, behind=False, wanted=["packets"]):
            for piece in added.pieces:
                clip_buffer.offer(piece, added.init)
    timeline.close()


class HandBlocks:
    """Blocks of words in titles and names."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def blocks(self, user: str, text: str, targets: Sequence[Target], /) -> bool:
        return any(word in (user, *text.split(" + ")) for word in self.words)


class Studio:
    """An album, and a stream at ``FPS`` frames a second of its clock."""

    def __init__(self, folder: Path, *, watched: bool = True, **album: Any) -> None:
        self.clock, self.blocks, self.folder = HandClock(), HandBlocks(), folder
        self.clip_buffers = ClipBuffers(8.0)
        self.clip_buffer = self.clip_buffers.make(SPEC)
        self.watched = watched
        config = AlbumConfig.model_validate(album)
        self.album = Album(config, folder, self.clip_buffers, lambda: self.blocks, FPS, self.clock, self.wall)
        self.number = 0
        self._encoder_run = EncoderRun(SPEC, None)

    def wall(self) -> float:
        return NOON + self.clock()

    def air(self, shown: Scene, seconds: float, *, mixed_s: float = 0.0, following: Scene | None = None) -> None:
        """Show a scene for some seconds. In the last ``mixed_s``, keyframes of the following scene arrive."""
        for left in range(round(seconds * FPS), 0, -1):
            arrived = following if following is not None and left <= mixed_s * FPS else shown
            self.album.keyframe(Keyframe(picture(self.number), Pose(), self.clock(), arrived, self.number, 1))
            image = picture(self.number)
            self.album.frame(Frame(image, self.number, shown), image)
            if self.watched:
                for added in self._encoder_run.add(image, self.number, behind=False, wanted=["packets"]):
                    for piece in added.pieces:
                        self.clip_buffer.offer(piece, added.init)
            self.number += 1
            self.clock.advance(1 / FPS)

    def keep(self) -> None:
        """Save the dreams that went off air."""
        self.clock.advance(ENCODED_S)
        self.album.save_due()

    def dream(self, number: int, *labels: str, user: str = "Mara", seconds: float = 10.0) -> str:
        """Save a dream and return its ID."""
        self.air(scene(number, *labels, user=user), seconds)
        self.air(scene(number + 1000, "next", user=""), 0.1)
        self.keep()
        return self.album.dreams(1)[0].id
