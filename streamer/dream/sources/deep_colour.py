"""PNG and TIFF files with more than 8 bits per channel, read by OpenCV: Pillow reduces them to 8 bits or cannot read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL.TiffImagePlugin import ImageFileDirectory_v2

PNG = b"\x89PNG\r\n\x1a\n"
PNG_DEPTH_AT = 24
"""Offset of the bits per channel in a PNG's header."""
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of a TIFF: either byte order, with offsets of 32 or 64 bits."""
SIGNED, FLOATING = 2, 3
"""TIFF's sample formats other than unsigned integers."""
SHALLOW = 8
"""Bits per channel that Pillow keeps."""
CAMERA_PREVIEW = 1
"""Bit of TIFF's subfile type that marks a smaller copy of another picture."""


class DeepPictureError(Exception):
    """A picture of this type cannot be shown; the message says why and follows the file's name."""


@dataclass(frozen=True, slots=True, eq=False)
class DeepPicture:
    """A picture with 16 bits per channel."""

    values: np.ndarray
    """(H, W) or (H, W, 3) uint16, grey or RGB, in the file's own colour space."""
    opacity: np.ndarray | None
    """(H, W) uint8; None if all of it is opaque."""


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of a TIFF's first picture."""

    width: int
    height: int
    bits: int
    channels: int
    """Number of channels, including opacity and masks."""
    numbers: int
    """TIFF's sample format: 1 (unsigned), ``SIGNED`` or ``FLOATING``."""
    meaning: int
    """TIFF's photometric interpretation: 0 grey with white at 0, 1 grey, 2 RGB."""
    premultiplied: bool
    """Whether colours are already multiplied by their opacity."""
    preview: bool
    """Whether it is a small copy of another picture in the file, as in a camera's raw file."""
    icc: bytes | None

    @property
    def kind(self) -> str:
        """The type of the picture, in words."""
        colours = {0: "grey", 1: "grey", 2: "RGB", 3: "a palette", 5: "CMYK", 6: "YCbCr", 8: "Lab", 9: "Lab", 10: "Lab"}
        numbers = {SIGNED: "signed ", FLOATING: "floating-point "}.get(self.numbers, "")
        return f"{colours.get(self.meaning, 'unknown colours')} with {self.bits} {numbers}bits and {self.channels} channels"


def tiff_tags(path: Path) -> Tags | None:
    """Read a file's tags; None if it is not a TIFF, or is broken."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
            if head[:4] not in TIFF:
                return None
            if b"+" in head[:4]:
                head += file.read(8)
            directory = ImageFileDirectory_v2(head)
            file.seek(directory.next)
            directory.load(file)
            raw = head[:4] == TIFF[0] and _bytes_at(path, 8, 2) == b"CR"
    except (OSError, SyntaxError, ValueError, KeyError, TypeError):
        return None
    if 256 not in directory or 257 not in directory or not (273 in directory or 324 in directory):
        return None
    bits = directory.get(258, (1,))
    icc = directory.get(34675)
    return Tags(
        width=int(directory[256]),
        height=int(directory[257]),
        bits=max(bits) if isinstance(bits, tuple) else bits,
        channels=int(directory.get(277, 1)),
        numbers=int(directory.get(339, (1,))[0]),
        meaning=int(directory.get(262, 1)),
        premultiplied=1 in directory.get(338, ()),
        preview=raw or bool(directory.get(254, 0) & CAMERA_PREVIEW and 330 in directory),
        icc=icc if isinstance(icc, bytes) else None,
    )


def is_deep(path: Path, tags: Tags | None) -> bool:
    """Return whether a file is a grey or RGB PNG or TIFF that loses precision in Pillow."""
    if tags is None:
        return _bytes_at(path, 0, 8) == PNG and _bytes_at(path, PNG_DEPTH_AT, 1) == b"\x10"
    grey_or_rgb = (tags.meaning in (0, 1) and tags.channels == 1) or (tags.meaning == 2 and tags.channels in (3, 4))
    return (tags.bits > SHALLOW or tags.numbers == SIGNED) and grey_or_rgb


def read_deep(path: Path, tags: Tags | None) -> DeepPicture:
    """Read a deep picture. A TIFF is rotated upright, a PNG is not.

    Raises:
        DeepPictureError: its numbers have an unknown meaning or cannot be read.
    """
    import cv2  # lazily, since the import is slow

    from streamer.dream.sources.opencv import silence

    silence()
    if tags is not None and tags.numbers != FLOATING and (tags.numbers == SIGNED or tags.bits > 16):
        signed = "signed " if tags.numbers == SIGNED else ""
        raise DeepPictureError(
            f"holds {signed}whole numbers of {tags.bits} bits, whose white is not known; save it with 8 or 16 bits per channel"
        )
    try:
        found = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        found = None
    if found is None or found.dtype == np.uint8:
        if tags is None:
            raise DeepPictureError("is a broken PNG")
        raise DeepPictureError(
            f"is broken, or a TIFF of a kind that cannot be read: {tags.kind}; save it as RGB with 8 or 16 bits"
        )
    if found.ndim == 3:
        found = np.concatenate([found[..., 2::-1], found[..., 3:]], axis=2)  # OpenCV's order is BGR
    if tags is not None and tags.numbers == FLOATING:
        found = from_float(found, clip=tags.icc is not None)
    elif tags is not None and tags.bits < 16:  # OpenCV leaves the lower bits empty
        found = np.rint(found * np.float32(65_535 / (((1 << tags.bits) - 1) << (16 - tags.bits)))).astype(np.uint16)
    if tags is not None and tags.meaning == 0:
        found = 65_535 - found
    if found.ndim == 2 or found.shape[2] == 3:
        return DeepPicture(found, None)
    values, opacity = found[..., :3], found[..., 3]
    if tags is not None and tags.premultiplied:
        straight = values * (np.float32(65_535) / np.maximum(opacity, 1))[..., None]
        values = np.minimum(straight, 65_535).astype(np.uint16)
    return DeepPicture(values, to_8_bits(opacity))


def from_float(values: np.ndarray, *, clip: bool = False) -> np.ndarray:
    """Convert floating-point values from 0 to 1 to uint16.

    Args:
        values: the values, of any shape.
        clip: whether to clip values outside 0..1, because a profile defines their meaning.

    Raises:
        DeepPictureError: some values are not finite, or outside 0..1, so that their white level is unknown.
    """
    if not np.isfinite(values).all():
        raise DeepPictureError("holds floating-point values that are not numbers; save it with values from 0 to 1")
    least, most = float(values.min(initial=0)), float(values.max(initial=0))
    if not clip and (least < -0.001 or most > 1.001):
        raise DeepPictureError(
            f"holds floating-point values from {least:.4g} to {most:.4g}; save it with values from 0 to 1, or with 16 bits"
        )
    return np.asarray(np.rint(np.clip(values, 0, 1) * 65_535), np.uint16)


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """Convert 16 bits to 8, rounded."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _bytes_at(path: Path, at: int, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(count)
