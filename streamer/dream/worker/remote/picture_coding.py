"""Codes pictures for a network: uncompressed, as JPEG, or as H.264, which encodes only changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from streamer.dream.worker.remote.h264_keyframes import H264Decoder, H264Encoder

FINE = 90
"""JPEG qualities from here on use 4:4:4 colour, lower ones 4:2:0."""
SAMPLING = {True: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, False: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420}


class Undecodable(Exception):
    """The data is not a picture, or depends on a picture that was lost."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How pictures are coded."""

    kind: str
    """``none``, ``jpeg`` or ``h264``."""
    quality: int = 0
    """JPEG quality, 1..100."""
    bits_per_s: int = 0
    """H.264 rate."""
    pictures_per_s: float = 0.0
    """Pictures per second at the H.264 rate."""
    run: int = 0
    """A new number starts a new H.264 run, with an IDR picture."""

    def __str__(self) -> str:
        if self.kind == "h264":
            return f"h264 {self.bits_per_s / 1e6:.3g} Mbit/s"
        return f"jpeg {self.quality}" if self.kind == "jpeg" else self.kind


UNCOMPRESSED = Coding("none")


@dataclass(frozen=True, slots=True, eq=False)
class CodedPicture:
    """A coded picture."""

    kind: str
    size: tuple[int, int]
    """(height, width)."""
    data: bytes
    key: bool = True
    """Whether it can be decoded without earlier pictures."""

    @property
    def exact(self) -> bool:
        """Whether the coding is lossless."""
        return self.kind == "none"

    def opened(self) -> np.ndarray:
        """Decode a picture that is not H.264 to (H, W, 3) uint8 RGB.

        Raises:
            Undecodable: the data is broken.
        """
        if self.kind == "none":
            if len(self.data) != 3 * self.size[0] * self.size[1]:
                raise Undecodable(f"{len(self.data)} bytes are not a picture of {self.size[1]}x{self.size[0]}")
            return np.frombuffer(self.data, np.uint8).reshape(*self.size, 3)
        found = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_COLOR) if self.data else None
        if found is None or found.shape[:2] != self.size:
            raise Undecodable(f"{len(self.data)} bytes are not a JPEG of {self.size[1]}x{self.size[0]}")
        return cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


def encode_independently(image: np.ndarray, coding: Coding) -> CodedPicture:
    """Encode an (H, W, 3) uint8 RGB picture so that it depends on no other; JPEG replaces H.264."""
    height, width = image.shape[:2]
    if coding.kind == "none":
        return CodedPicture("none", (height, width), image.tobytes())
    quality = coding.quality or 80
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLING[quality >= FINE]]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    assert done, "every picture can be encoded as a JPEG"
    return CodedPicture("jpeg", (height, width), data.tobytes())


class PictureEncoder:
    """Encodes a sequence of pictures. Not thread-safe."""

    def __init__(self) -> None:
        self._run: tuple[Coding, tuple[int, int]] | None = None
        self._compressor: H264Encoder | None = None

    def __call__(self, image: np.ndarray, coding: Coding) -> CodedPicture:
        """Encode an (H, W, 3) uint8 RGB picture."""
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
    """Decodes a sequence of pictures. Not thread-safe."""

    def __init__(self) -> None:
        self._expander: H264Decoder | None = None

    def __call__(self, coded: CodedPicture) -> np.ndarray:
        """Decode a picture to (H, W, 3) uint8 RGB.

        Raises:
            Undecodable: the data is broken, or depends on a picture that never arrived.
        """
        if coded.kind != "h264":
            self._expander = None
            return coded.opened()
        if coded.key:
            from streamer.dream.worker.remote.h264_keyframes import H264Decoder

            self._expander = H264Decoder()
        if self._expander is None:
            raise Undecodable("it depends on a picture that never arrived")
        try:
            return self._expander.expand(coded.data, coded.size)
        except Undecodable:
            self._expander = None  # until the next IDR picture
            raise
