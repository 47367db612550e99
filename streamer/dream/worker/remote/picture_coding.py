"""How pictures cross a network: as they are, as JPEG, or as H.264, which says only what changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from streamer.dream.worker.remote.h264_keyframes import H264Decoder, H264Encoder

FINE = 90
"""JPEG qualities from here on keep colour at full size; below it is halved both ways."""
SAMPLING = {True: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, False: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420}


class Undecodable(Exception):
    """What came is no picture, or one that goes on from one that was lost."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How pictures are sent."""

    kind: str
    """``none``, ``jpeg`` or ``h264``."""
    quality: int = 0
    """Of JPEG, 1..100."""
    bits_per_s: int = 0
    """Of H.264…"""
    pictures_per_s: float = 0.0
    """…for so many pictures."""
    run: int = 0
    """Another number begins another run of H.264: its first picture needs none before it."""

    def __str__(self) -> str:
        if self.kind == "h264":
            return f"h264 {self.bits_per_s / 1e6:.3g} Mbit/s"
        return f"jpeg {self.quality}" if self.kind == "jpeg" else self.kind


UNCOMPRESSED = Coding("none")


@dataclass(frozen=True, slots=True, eq=False)
class CodedPicture:
    """A picture on its way."""

    kind: str
    size: tuple[int, int]
    """(height, width)."""
    data: bytes
    key: bool = True
    """Whether it needs none before it."""

    @property
    def exact(self) -> bool:
        """Whether it comes out as it went in, to the last bit."""
        return self.kind == "none"

    def opened(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, of what needs none before it.

        Raises:
            Undecodable: it is broken.
        """
        if self.kind == "none":
            if len(self.data) != 3 * self.size[0] * self.size[1]:
                raise Undecodable(f"{len(self.data)} bytes are no picture of {self.size[1]}x{self.size[0]}")
            return np.frombuffer(self.data, np.uint8).reshape(*self.size, 3)
        found = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_COLOR) if self.data else None
        if found is None or found.shape[:2] != self.size:
            raise Undecodable(f"{len(self.data)} bytes are no JPEG of {self.size[1]}x{self.size[0]}")
        return cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


def encode_independently(image: np.ndarray, coding: Coding) -> CodedPicture:
    """An (H, W, 3) uint8 RGB picture, coded so that it needs none before it; what is H.264 else is JPEG then."""
    height, width = image.shape[:2]
    if coding.kind == "none":
        return CodedPicture("none", (height, width), image.tobytes())
    quality = coding.quality or 80
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLING[quality >= FINE]]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    assert done, "every picture can be a JPEG"
    return CodedPicture("jpeg", (height, width), data.tobytes())


class PictureEncoder:
    """Codes one picture after the other; belongs to one thread at a time."""

    def __init__(self) -> None:
        self._run: tuple[Coding, tuple[int, int]] | None = None
        self._compressor: H264Encoder | None = None

    def __call__(self, image: np.ndarray, coding: Coding) -> CodedPicture:
        """Code an (H, W, 3) uint8 RGB picture."""
        if coding.kind != "h264":
            self._run = self._compressor = None
            return encode_independently(image, coding)
        size = (image.shape[0], image.shape[1])
        if self._compressor is None or self._run != (coding, size):
            from streamer.dream.worker.remote.h264_keyframes import H264Encoder

            self._run, self._compressor = (coding, size), H264Encoder(size, coding.bits_per_s, coding.pictures_per_s)
        data, key = self._compressor.compress(image)
        return CodedPicture("h264", size, data, key)


class PictureDecoder:
    """Opens one picture after the other; belongs to one thread at a time."""

    def __init__(self) -> None:
        self._expander: H264Decoder | None = None

    def __call__(self, coded: CodedPicture) -> np.ndarray:
        """(H, W, 3) uint8 RGB.

        Raises:
            Undecodable: it is broken, or goes on from one that never came.
        """
        if coded.kind != "h264":
            self._expander = None
            return coded.opened()
        if coded.key:
            from streamer.dream.worker.remote.h264_keyframes import H264Decoder

            self._expander = H264Decoder()
        if self._expander is None:
            raise Undecodable("it goes on from a picture that never came")
        try:
            return self._expander.expand(coded.data, coded.size)
        except Undecodable:
            self._expander = None  # up to the next that needs none before it
            raise
