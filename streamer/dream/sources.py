"""What a dream starts from: a picture file, or coloured noise."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 100_000_000
"""Largest picture decoded: 300 MB of RGB. A small file can claim far more than a machine can hold."""

BACKDROP = (128, 128, 128)
"""What shows through transparent pixels: mid-grey, which pulls the dream neither to dark nor to light."""


class SourceError(Exception):
    """A picture that cannot be dreamt upon; its message names the file and what to do."""


def read_image(path: Path) -> np.ndarray:
    """Read a picture file as it is meant to be seen.

    The EXIF rotation is applied, transparency is laid on ``BACKDROP``, grey and palette pictures become RGB, 16 bits become 8,
    and of an animation the first picture is taken.

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous, at the file's own size.

    Raises:
        SourceError: no such file, not a picture, broken, or larger than ``MAX_PIXELS``.
    """
    if path.is_dir():
        raise SourceError(f"'{path}' is a folder; name a picture file in it")
    try:
        with warnings.catch_warnings():
            # Pillow warns about large pictures and about odd metadata; the size is judged below, the rest does not matter here.
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise SourceError(_too_large(path, width, height))
                return _to_rgb(ImageOps.exif_transpose(image), path)
    except Image.DecompressionBombError:
        raise SourceError(_too_large(path)) from None
    except FileNotFoundError:
        raise SourceError(f"there is no picture '{path}'") from None
    except UnidentifiedImageError:
        raise SourceError(f"'{path}' is not a picture in a known format; JPEG, PNG, WebP, GIF, TIFF and BMP work") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as error:  # what Pillow's decoders raise
        raise SourceError(f"the picture '{path}' cannot be read: {error or type(error).__name__}") from error


def cover(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale a picture until it covers a size, and cut what sticks out, equally on both sides.

    Args:
        image: (H, W, 3) uint8 RGB of any size from 1x1 on.
        size: (height, width) wanted.

    Returns:
        (height, width, 3) uint8 RGB, C-contiguous.
    """
    (source_h, source_w), (h, w) = image.shape[:2], size
    scale = min(source_w / w, source_h / h)  # source pixels per target pixel
    left, top = (source_w - w * scale) / 2, (source_h - h * scale) / 2
    box = (left, top, min(left + w * scale, source_w), min(top + h * scale, source_h))
    return np.array(Image.fromarray(image).resize((w, h), Image.Resampling.LANCZOS, box=box))


def noise(size: tuple[int, int], rng: np.random.Generator, contrast: float = 24.0) -> np.ndarray:
    """Coloured noise with the 1/f spectrum of natural pictures about mid-grey: clouds to dream into.

    Args:
        size: (height, width).
        contrast: standard deviation of each channel, of 255.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    h, w = size
    frequency = np.hypot(np.fft.fftfreq(h)[:, None] * h, np.fft.rfftfreq(w)[None, :] * w)
    amplitude = 1 / np.maximum(frequency, 3.0)  # a floor, or one blob fills the picture
    amplitude[0, 0] = 0
    spectrum = np.fft.rfft2(rng.standard_normal((4, h, w))) * amplitude
    planes = np.fft.irfft2(spectrum, s=(h, w))
    planes /= np.maximum(planes.std(axis=(1, 2), keepdims=True), 1e-9)
    channels = 0.85 * planes[:1] + 0.53 * planes[1:]  # mostly light and dark, a little colour, as in photographs
    return np.clip(128 + contrast * channels, 0, 255).round().astype(np.uint8).transpose(1, 2, 0).copy()


def _to_rgb(image: Image.Image, path: Path) -> np.ndarray:
    if image.mode == "F":
        raise SourceError(f"'{path}' holds floating-point values; save it with 8 or 16 bits per channel")
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip instead of scaling
        grey = np.clip(np.asarray(image).astype(np.int64), 0, 65535) // 257
        return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        backdrop = Image.new("RGBA", layer.size, (*BACKDROP, 255))
        image = Image.alpha_composite(backdrop, layer)
    return np.array(image.convert("RGB"))


def _too_large(path: Path, width: int = 0, height: int = 0) -> str:
    claimed = f" claims {width}x{height} pixels and" if width else ""
    return f"the picture '{path}'{claimed} is larger than {MAX_PIXELS // 1_000_000} megapixels; shrink it first"
