"""Conversion from the colours of an ICC profile to sRGB, with LittleCMS.

The intent is relative colorimetric with black point compensation, as in most programs that show photographs: colours within
sRGB are exact, and white and black are the screen's.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
SAME = 2
"""Levels by which sRGB profiles differ from each other, because of rounding."""
LEAST_CONTRAST = 64
"""Smallest difference, in levels, between the lightest and darkest colour of a usable profile."""
MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
"""Pillow's modes by the colour space of a profile."""
BAND = 1 << 20
"""Pixels of 16 bits that are converted at a time."""


class ProfileError(Exception):
    """A profile cannot be used; the message says why."""


class IccProfile:
    """A conversion from a profile's colours to sRGB."""

    def __init__(self, icc: bytes) -> None:
        """Read a profile.

        Raises:
            ProfileError: it is broken, has an unknown colour space, or makes all colours alike.
        """
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            space = source.profile.xcolor_space.strip()
            if space not in MODES:
                raise ProfileError(f"its colour space {space} is not supported")
            self.mode = MODES[space]
            """``RGB``, ``L``, ``CMYK`` or ``LAB``."""
            self._transform = _transform(source, self.mode)
        except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
            raise ProfileError("it is broken") from None
        given, found = self._sample()
        if np.ptp(found) < LEAST_CONTRAST:
            raise ProfileError("it makes all colours alike")
        self.is_srgb = self.mode == "RGB" and int(np.abs(found - given).max()) <= SAME
        """Whether the conversion changes nothing."""

    def applied(self, image: Image.Image) -> Image.Image:
        """Convert an image of ``mode`` to sRGB."""
        return self._transform.apply(image)

    def applied_deep(self, values: np.ndarray) -> np.ndarray:
        """Convert a picture of 16 bits per channel to sRGB.

        Values are interpolated between the 256 levels that LittleCMS converts, so that none is lost where a profile is steep.

        Args:
            values: (H, W, 3) uint16 if ``mode`` is ``RGB``, (H, W) if it is ``L``.

        Returns:
            (H, W, 3) uint8.
        """
        if values.ndim == 2:
            steps = np.asarray(self.applied(Image.fromarray(np.arange(256, dtype=np.uint8)[None]))).astype(np.float64)[0]
            curves = [np.interp(np.arange(65_536) / 257, np.arange(256), steps[:, channel]) for channel in range(3)]
            return np.asarray(np.rint(np.stack(curves, axis=1)).astype(np.uint8)[values])
        found = np.empty(values.shape, np.uint8)
        rows = max(1, BAND // values.shape[1])
        for top in range(0, len(values), rows):
            found[top : top + rows] = self._between(values[top : top + rows])
        return found

    def _between(self, values: np.ndarray) -> np.ndarray:
        """Interpolate in a tetrahedron: from the lower corner along the axis with the largest fraction, and so on."""
        low = (values // 257).astype(np.uint8)
        part = (values - low * np.uint16(257)).astype(np.float32) / 257
        most, least = part.max(-1, keepdims=True), part.min(-1, keepdims=True)
        middle = part.sum(-1, keepdims=True) - most - least
        # If two fractions are equal, the corner between them has weight 0.
        corners = (low, low + (part >= most), low + (part > least), np.minimum(low, 254) + np.uint8(1))
        shares = (1 - most, most - middle, middle - least, least)
        found = np.zeros(values.shape, np.float32)
        for corner, share in zip(corners, shares, strict=True):
            found += np.asarray(self.applied(Image.fromarray(corner))) * share
        return np.rint(found).astype(np.uint8)

    def _sample(self) -> tuple[np.ndarray, np.ndarray]:
        """Return a grid of colours, (1, n, C) int, and the converted ones, (1, n, 3)."""
        channels = len(Image.new(self.mode, (1, 1)).getbands())
        steps = np.linspace(0, 255, 9).astype(np.uint8)
        given = np.stack(np.meshgrid(*[steps] * channels, indexing="ij"), axis=-1).reshape(1, -1, channels)
        shape = (given.shape[1], 1)
        image = Image.frombytes(self.mode, shape, given.tobytes())
        return given.astype(int), np.asarray(self.applied(image)).reshape(1, -1, 3).astype(int)


def lab_to_srgb(image: Image.Image) -> Image.Image:
    """Convert an image of mode ``LAB`` without a profile to sRGB: CIE Lab under D50, as in TIFF."""
    return _transform(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB").apply(image)


def _transform(source: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    screen = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return ImageCms.ImageCmsTransform(source, screen, mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC, flags=FLAGS)
