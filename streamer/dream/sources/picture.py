"""Reads picture files as they are meant to be seen."""

from __future__ import annotations

import logging
import struct
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from streamer.dream.sources.cicp import cicp_colours
from streamer.dream.sources.deep_colour import (
    DeepPicture,
    DeepPictureError,
    Tags,
    from_float,
    is_deep,
    read_deep,
    tiff_tags,
    to_8_bits,
)
from streamer.dream.sources.icc_profiles import IccProfile, ProfileError, lab_to_srgb
from streamer.dream.sources.picture_formats import AVIF_BRANDS, HEIF_BRANDS, INSTALL_HEIF, RAW, ftyp_brand
from streamer.errors import ZoomdreamError
from streamer.media.tone_mapping import Transfer
from streamer.media.transparency import on_backdrop

log = logging.getLogger(__name__)

MAX_PIXELS = 100_000_000
"""Most pixels of a picture: 300 MB of RGB. A small file can claim more than the memory can hold."""
ORIENTATION = 0x0112
"""EXIF's tag of the orientation."""
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)
"""Exceptions that Pillow's decoders raise."""


class SourceError(ZoomdreamError):
    """A source cannot be read; the message names it and says what to do."""

    wrong_call = True


def read_image(path: Path) -> np.ndarray:
    """Read a picture file as it is meant to be seen.

    The EXIF rotation is applied, transparency becomes grey, all pictures become RGB, and colours become sRGB: by the ICC
    profile, or by the colour numbers of AVIF, HEIF and PNG, with HDR tone-mapped. Then 16 bits become 8. Of an animation, only
    the first picture is read. A profile that cannot be used is ignored, with a warning in the log.

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous and writable, at the file's own size.

    Raises:
        SourceError: no such file, not a picture, broken, in an unsupported format, or larger than ``MAX_PIXELS``.
    """
    if path.is_dir():
        raise SourceError(f"'{path}' is a folder; name a picture file in it")
    if not path.exists():
        raise SourceError(f"there is no picture '{path}'")
    try:
        with warnings.catch_warnings():
            # Pillow warns about large pictures, which are checked below, and about odd metadata, which does not matter here.
            warnings.simplefilter("ignore")
            tags = tiff_tags(path)
            return np.require(_read(path, tags), requirements=["C", "W"])
    except Image.DecompressionBombError:
        raise SourceError(_too_large(path)) from None
    except DeepPictureError as error:
        raise SourceError(f"'{path}' {error}") from None
    except UnidentifiedImageError:
        raise SourceError(_unknown(path, tags)) from None
    except BROKEN as error:
        raise SourceError(f"the picture '{path}' cannot be read: {error or type(error).__name__}") from error


def _read(path: Path, tags: Tags | None) -> np.ndarray:
    if tags is not None and tags.preview:
        raise SourceError(_raw(path))
    if is_deep(path, tags):
        return _read_deep(path, tags)
    with _opened(path) as image:
        _check_size(path, *image.size)
        return _in_srgb(ImageOps.exif_transpose(image), path)


def _opened(path: Path) -> Image.Image:
    """Open a file and read only its header."""
    try:
        return Image.open(path)
    except UnidentifiedImageError:
        if ftyp_brand(path) not in HEIF_BRANDS:
            raise
    try:
        heif = import_module("pillow_heif")
    except ImportError:
        raise SourceError(f"'{path}' is HEIF, for which a package is missing: {INSTALL_HEIF}") from None
    opened: Image.Image = heif.HeifImageFile(path)
    return opened


def _read_deep(path: Path, tags: Tags | None) -> np.ndarray:
    """Read a PNG or a TIFF with more than 8 bits per channel."""
    if tags is not None:
        _check_size(path, tags.width, tags.height)
        icc, orientation = tags.icc, 1
    else:
        with Image.open(path) as image:
            _check_size(path, *image.size)
            image.load()  # OpenCV does not report a truncated file
            icc, orientation = image.info.get("icc_profile"), image.getexif().get(ORIENTATION, 1)
    shown = Image.fromarray(_deep_in_srgb(read_deep(path, tags), icc, path))
    shown.getexif()[ORIENTATION] = orientation
    return np.asarray(ImageOps.exif_transpose(shown))


def _in_srgb(image: Image.Image, path: Path) -> np.ndarray:
    """Convert an upright image to sRGB."""
    icc = image.info.get("icc_profile")
    if image.mode == "F":
        return _deep_in_srgb(DeepPicture(from_float(np.asarray(image)), None), icc, path)
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip instead of scaling
        grey = np.clip(np.asarray(image).astype(np.int64), 0, 65535).astype(np.uint16)
        return _deep_in_srgb(DeepPicture(grey, None), icc, path)
    opacity = None
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        opacity = np.asarray(layer.getchannel("A"))
        image = image.getchannel("L") if image.mode == "LA" else layer.convert("RGB")
    coded = cicp_colours(path)
    if coded is not None and not (icc and coded[0] is Transfer.SDR):
        from streamer.media.colour_lut import picture_in_srgb  # imports PyAV

        rgb = picture_in_srgb(np.asarray(image.convert("RGB")), *coded)
    else:
        rgb = np.asarray(_converted(image, _profile(icc, image.mode, path)))
    return rgb if opacity is None else on_backdrop(rgb, opacity)


def _deep_in_srgb(deep: DeepPicture, icc: bytes | None, path: Path) -> np.ndarray:
    """Convert a picture of 16 bits per channel to sRGB with 8."""
    profile = _profile(icc, "RGB" if deep.values.ndim == 3 else "L", path)
    coded, values = cicp_colours(path), deep.values
    if values.ndim == 2 and (coded is not None or profile is None or profile.mode != "L"):
        values = np.repeat(values[:, :, None], 3, axis=2)
    if coded is not None:
        from streamer.media.colour_lut import picture_in_srgb  # imports PyAV

        rgb = picture_in_srgb(values, *coded)
    else:
        rgb = to_8_bits(values) if profile is None else profile.applied_deep(values)
    return rgb if deep.opacity is None else on_backdrop(rgb, deep.opacity)


def _converted(image: Image.Image, profile: IccProfile | None) -> Image.Image:
    """Convert an image without transparency to sRGB."""
    if profile is not None:
        return profile.applied(image if image.mode == profile.mode else image.convert(profile.mode))
    return lab_to_srgb(image) if image.mode == "LAB" else image.convert("RGB")


def _profile(icc: object, mode: str, path: Path) -> IccProfile | None:
    """Return the profile of a picture of a Pillow mode; None if there is none, if it is sRGB, or if it cannot be used."""
    if not isinstance(icc, bytes) or not icc:
        return None
    try:
        profile = IccProfile(icc)
        own = mode if mode in ("CMYK", "LAB") else "L" if mode in ("1", "L") else "RGB"
        if profile.mode != own and not (profile.mode == "RGB" and own == "L"):
            raise ProfileError(f"it is for {profile.mode}, the picture is {own}")
    except ProfileError as error:
        log.warning("the colour profile of '%s' is ignored: %s", path, error)
        return None
    return None if profile.is_srgb else profile


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise SourceError(_too_large(path, width, height))


def _too_large(path: Path, width: int = 0, height: int = 0) -> str:
    claimed = f" claims {width}x{height} pixels and" if width else ""
    return f"the picture '{path}'{claimed} is larger than {MAX_PIXELS // 1_000_000} megapixels; shrink it first"


def _unknown(path: Path, tags: Tags | None) -> str:
    """Say why a file that Pillow does not recognise is not read."""
    if path.suffix.lower() in RAW:
        return _raw(path)
    if tags is not None:
        return f"'{path}' is a TIFF of {tags.kind}, which cannot be read; save it as RGB with 8 or 16 bits per channel"
    if ftyp_brand(path) in AVIF_BRANDS:
        return f"'{path}' is AVIF, which this Pillow does not read: pip install -U 'pillow>=11.3'"
    return f"'{path}' is not a picture in a known format; JPEG, PNG, WebP, AVIF, GIF, TIFF, BMP and JPEG 2000 work"


def _raw(path: Path) -> str:
    return f"'{path}' is a camera's raw file, of which only the preview can be read; convert it to TIFF or JPEG first"
