"""Animations with the suffix of a picture: FFmpeg reads GIF, Pillow reads WebP."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from streamer.config_source import is_url
from streamer.dream.sources.picture import BROKEN, MAX_PIXELS, SourceError
from streamer.dream.sources.readers import FilmReader, VideoReader
from streamer.media.animated_webp import LEAST_MS, is_animated_webp
from streamer.media.transparency import on_backdrop

SUFFIXES = (".gif", ".webp", ".png", ".apng", ".avif", ".avifs")
"""Suffixes of pictures that may be animated."""


class RecordedReader(VideoReader, Protocol):
    """A recorded film, as opposed to a live one."""

    @property
    def begins_s(self) -> float:
        """Time of its first picture, in seconds of its own clock; valid after the first ``read``."""


class WebPReader:
    """An animated WebP, read by Pillow: FFmpeg reads at most its first picture."""

    live = False
    notes: Sequence[str] = ()
    begins_s = 0.0

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            SourceError: it cannot be read.
        """
        self._path = path
        self.ends_s = 0.0
        """End of the last picture that was read, in seconds from the start."""
        try:
            self._image = Image.open(path)
        except (*BROKEN, Image.DecompressionBombError) as error:
            raise SourceError(f"the film '{path}' cannot be read: {error or type(error).__name__}") from None
        if self._image.width * self._image.height > MAX_PIXELS:
            self._image.close()
            raise SourceError(f"the film '{path}' cannot be read: it is larger than {MAX_PIXELS // 1_000_000} megapixels")
        self._remaining = self._pictures()

    def read(self) -> tuple[np.ndarray, float]:
        """Return the next picture and its time; see ``VideoReader.read``."""
        try:
            found = next(self._remaining, None)
        except BROKEN as error:
            raise SourceError(f"the film '{self._path}' breaks off: {error or type(error).__name__}") from None
        if found is None:
            raise EOFError
        return found

    def close(self) -> None:
        """Close the file."""
        self._image.close()

    def _pictures(self) -> Iterator[tuple[np.ndarray, float]]:
        for number in range(self._image.n_frames):  # type: ignore[attr-defined]
            self._image.seek(number)
            layer = self._image.convert("RGBA")
            begins_s = self.ends_s
            self.ends_s += max(LEAST_MS, self._image.info.get("duration", 0)) / 1000
            rgb = np.asarray(layer.convert("RGB"))
            yield np.ascontiguousarray(on_backdrop(rgb, np.asarray(layer.getchannel("A")))), begins_s


def open_film(path: str, track: int | None = None) -> RecordedReader:
    """Open a film with the reader that supports it; see ``FilmReader`` for arguments and errors."""
    if not is_url(path) and is_animated_webp(Path(path)):
        return WebPReader(Path(path))
    return FilmReader(path, track)


def animated(path: Path | None) -> int:
    """Return the number of pictures in a picture file; 1 if it is not animated or cannot be read (its reader reports that)."""
    if path is None or path.suffix.lower() not in SUFFIXES:
        return 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                return int(getattr(image, "n_frames", 1))
    except (*BROKEN, Image.DecompressionBombError):
        return 1
