"""Writes frames as pictures: the last one as ``.png``, ``.jpg``, ``.webp`` or ``.avif``, or all of them to a folder."""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, features

from streamer.video.files.file_format import FileFormat

JPEG_QUALITY = 92
WEBP, AVIF = {"quality": 92, "method": 4}, {"quality": 85}
"""Pillow's options, with the visual quality of the JPEG."""
FRAME_NAME = re.compile(r"frame_\d{6,}\.png")


class Png(FileFormat):
    """Writes the last frame as PNG."""

    def add(self, image: np.ndarray) -> None:
        """Keep the frame until the next one."""
        self._last = image.copy()

    def finish(self) -> None:
        """Write the frame."""
        self.part.write_bytes(_picture(".png", self._last))


class Jpeg(Png):
    """Writes the last frame as JPEG."""

    def finish(self) -> None:
        """Write the frame."""
        self.part.write_bytes(_picture(".jpg", self._last, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]))


class WebP(Png):
    """Writes the last frame as WebP."""

    def finish(self) -> None:
        """Write the frame."""
        self.part.write_bytes(_by_pillow("WebP", self._last, WEBP))


class Avif(Png):
    """Writes the last frame as AVIF."""

    def finish(self) -> None:
        """Write the frame."""
        if not features.check("avif"):
            raise ValueError("this Pillow does not write AVIF: pip install -U 'pillow>=11.3'")
        self.part.write_bytes(_by_pillow("AVIF", self._last, AVIF))


class PictureFolder(FileFormat):
    """Writes every frame, ``frame_000001.png`` and so on."""

    is_folder = True

    def __init__(self, work_folder: Path, size: tuple[int, int], fps: Fraction, *, resumable: bool = False) -> None:
        super().__init__(work_folder, size, fps, resumable=resumable)
        self.part.mkdir(exist_ok=True)

    def add(self, image: np.ndarray) -> None:
        """Write the frame."""
        (self.part / f"frame_{self.frames:06}.png").write_bytes(_picture(".png", image))

    def finish(self) -> None:
        """Nothing is left to write."""

    def place(self, path: Path) -> None:
        """Replace the frames of an earlier video; other files in the folder stay."""
        path.mkdir(exist_ok=True)
        for old in path.iterdir():
            if FRAME_NAME.fullmatch(old.name):
                old.unlink()
        for new in sorted(self.part.iterdir()):
            os.replace(new, path / new.name)


def _by_pillow(form: str, image: np.ndarray, options: Mapping[str, int]) -> bytes:
    """Encode a picture with Pillow; raises OSError and ValueError."""
    data = io.BytesIO()
    Image.fromarray(image).save(data, form, **options)
    return data.getvalue()


def _picture(ending: str, image: np.ndarray, options: Sequence[int] = ()) -> bytes:
    """Encode a picture; raises OSError."""
    ok, data = cv2.imencode(ending, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not ok:
        raise OSError(errno.EFBIG, f"{image.shape[1]}x{image.shape[0]} is too large for {ending}")
    return data.tobytes()
