"""Animations that are pictures by their names: GIF, which FFmpeg reads, and WebP, which Pillow has to read."""

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
"""Of pictures that may move."""


class RecordedReader(VideoReader, Protocol):
    """A film that is whole, not one that comes live."""

    @property
    def begins_s(self) -> float:
        """When its first picture is seen, in seconds of its own clock; after the first ``read``."""


class WebPReader:
    """An animated WebP, by Pillow: FFmpeg reads only its first picture, if that."""

    live = False
    notes: Sequence[str] = ()
    begins_s = 0.0

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            SourceError: it cannot be read.
        """
        self._path = path
        self.ends_s = 0.0
        """Seconds from the beginning at which the picture read last is over."""
        try:
            self._image = Image.open(path)
        except (*BROKEN, Image.DecompressionBombError) as error:
            raise SourceError(f"the film '{path}' cannot be read: {error or type(error).__name__}") from None
        if self._image.width * self._image.height > MAX_PIXELS:
            self._image.close()
            raise SourceError(f"the film '{path}' cannot be read: it is larger than {MAX_PIXELS // 1_000_000} megapixels")
        self._shown = self._pictures()

    def read(self) -> tuple[np.ndarray, float]:
        """As ``VideoReader`` has it."""
        try:
            found = next(self._shown, None)
        except BROKEN as error:
            raise SourceError(f"the film '{self._path}' breaks off: {error or type(error).__name__}") from None
        if found is None:
            raise EOFError
        return found

    def close(self) -> None:
        """As ``VideoReader`` has it."""
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
    """Open a film, whichever can read it; arguments and errors as ``FilmReader`` has them."""
    if not is_url(path) and is_animated_webp(Path(path)):
        return WebPReader(Path(path))
    return FilmReader(path, track)


def animated(path: Path | None) -> int:
    """How many pictures a picture file holds; 1 where it does not move, or cannot be read, which who reads it will say."""
    if path is None or path.suffix.lower() not in SUFFIXES:
        return 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                return int(getattr(image, "n_frames", 1))
    except (*BROKEN, Image.DecompressionBombError):
        return 1
