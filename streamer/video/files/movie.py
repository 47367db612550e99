"""Writes frames to a file: ``.mp4``, ``.gif``, a picture of the last frame, or a folder of pictures.

The output appears at its path only when it is complete. Work happens in a folder beside it, which is deleted on failure, unless
the caller provided it to resume later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np

from streamer.errors import ZoomdreamError
from streamer.video.files.file_format import FileFormat, FilmSound, try_writing
from streamer.video.files.gif import GifSpool
from streamer.video.files.mp4 import Mp4
from streamer.video.files.partial_output import beside, remove
from streamer.video.files.pictures import Avif, Jpeg, PictureFolder, Png, WebP
from streamer.video.files.sound_codecs import choose_sound_track

KINDS = ".mp4, .gif, .png, .jpg, .webp or .avif (the last frame), or a folder, named without a suffix"
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".avif")
"""Suffixes of single pictures, which hold the last frame."""
FAULTS = (OSError, ValueError, av.FFmpegError)
"""What PyAV raises while it opens a video; a missing codec is a ValueError."""


class MovieError(ZoomdreamError):
    """The video cannot be written; one line says why."""

    def __init__(self, message: str, *, wrong_call: bool = False) -> None:
        super().__init__(message)
        self.wrong_call = wrong_call
        """Whether the path is wrong, rather than writing failed."""


class MovieWriter:
    """Writes one video. As a context manager, it finishes the video at the end of the block, and deletes it on an exception."""

    def __init__(
        self, path: Path, size: tuple[int, int], fps: float, sound: FilmSound | None = None, *, work_folder: Path | None = None
    ) -> None:
        """Start a video. A trial of one frame is written first, so that errors show now.

        Args:
            path: its suffix sets the format; without one, or if it is a folder, pictures ``frame_000001.png``… go into it.
            size: (height, width) of the frames. MP4 needs even sides: an odd one grows by repeating its last row or column.
            fps: frame rate; approximate if frames have their own times.
            sound: the video whose sound is added, in formats with sound.
            work_folder: folder to work in, on the path's disk, created if needed. It belongs to the caller, who may resume
                later from its contents. None for a temporary one.

        Raises:
            MovieError: the format is unknown, the path cannot be written, or the format does not support the size.
        """
        self.path = path
        self.notes: tuple[str, ...] = ()
        """Lines for the user about sound that is unavailable."""
        self._size = size
        self._closed = False
        kind: type[FileFormat] | None = (
            PictureFolder if _is_folder(path) or not path.suffix else _SUFFIXES.get(path.suffix.lower())
        )
        if kind is None:
            raise MovieError(f"'{path}': cannot write '{path.suffix}'; use {KINDS}", wrong_call=True)
        try:
            if path.exists() and path.is_dir() != kind.is_folder:
                raise MovieError(f"'{path}' is there already, and is not a folder", wrong_call=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._own = work_folder is None
            self._work_folder = beside(path) if work_folder is None else work_folder
            self._made = not self._work_folder.is_dir()
            self._work_folder.mkdir(exist_ok=True)
        except OSError as error:
            raise MovieError(f"cannot write '{path}': {error.strerror or error}", wrong_call=True) from error
        try:
            if sound is not None and kind.has_sound:
                choice = choose_sound_track(sound.film) if sound.choice is None else sound.choice
                self.notes = (choice.told,) if choice.told else ()
                sound = replace(sound, choice=choice)
            rate = Fraction(fps).limit_denominator(1001)
            try_writing(kind, self._work_folder, size, rate, sound)
            self._kind = kind(self._work_folder, size, rate, resumable=not self._own)
            self._kind.set_sound(sound)
        except FAULTS as error:
            if self._own or self._made:
                remove(self._work_folder)
            raise MovieError(f"cannot write '{path}': {_reason(error)}") from error

    @property
    def frames(self) -> int:
        """Number of frames written."""
        return self._kind.frames

    def state(self) -> dict[str, Any]:
        """Return the progress as JSON values; with it and the work folder, the video can be resumed."""
        try:
            return self._kind.state()
        except OSError as error:
            raise self._failure(error) from error

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state; call it before the first frame. Raises OSError if files are missing in the work folder."""
        self._kind.restore(state)

    def stop_here(self) -> Path | None:
        """Complete the video so far for viewing, and write no more; the work folder can still be resumed from.

        Returns:
            Its path in the work folder; None if there is no frame.

        Raises:
            MovieError: it cannot be written.
        """
        self._closed = True
        try:
            if not self._kind.frames:
                return None
            self._kind.finish_so_far()
            if self._kind.is_folder:
                return self._kind.part
            return self._kind.part.replace(self._work_folder / f"so_far{self.path.suffix.lower()}")
        except (OSError, ValueError, av.FFmpegError) as error:
            raise self._failure(error) from error
        finally:
            self._kind.give_up()

    def write(self, image: np.ndarray, time_s: float | None = None) -> None:
        """Add a frame, (h, w, 3) uint8 RGB.

        Args:
            time_s: its time in seconds, later than the one before, in formats with times; None: by the frame rate.

        Raises:
            ValueError: its size is not the video's.
            MovieError: it cannot be written; the unfinished file is deleted.
        """
        if image.shape != (*self._size, 3) or image.dtype != np.uint8:
            raise ValueError(f"frame is {image.shape} {image.dtype}; must be {(*self._size, 3)} uint8")
        try:
            self._kind.write(image, time_s)
        except (OSError, av.FFmpegError) as error:
            self.abort()
            raise self._failure(error) from error

    def ends(self, time_s: float) -> None:
        """Set the end of the last frame in seconds; by default it lasts one frame interval."""
        self._kind.ends_s = time_s

    def close(self) -> None:
        """Finish the video and put it in place; a second call does nothing.

        Raises:
            MovieError: there is no frame, or it cannot be written; the unfinished file is deleted.
        """
        if self._closed:
            return
        try:
            if not self._kind.frames:
                raise MovieError(f"'{self.path}': there was no frame to write")
            self._kind.finish()
            self._kind.place(self.path)
            self._closed = True
        except (OSError, av.FFmpegError) as error:
            raise self._failure(error) from error
        finally:
            self.abort()

    def abort(self) -> None:
        """Cancel and delete what was written so far, except the caller's work folder; does nothing after ``close``."""
        if not self._closed:
            self._closed = True
            self._kind.give_up()
        if self._own:
            remove(self._work_folder)

    def _failure(self, error: Exception) -> MovieError:
        return MovieError(f"cannot write '{self.path}': {_reason(error)}")

    def __enter__(self) -> MovieWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


class _Gif(FileFormat):
    def __init__(self, work_folder: Path, size: tuple[int, int], fps: Fraction, *, resumable: bool = False) -> None:
        super().__init__(work_folder, size, fps, resumable=resumable)
        self._spool = GifSpool(work_folder, size, fps, resumable=resumable)

    def add(self, image: np.ndarray) -> None:
        self._spool.add(image, self.time_s)

    def finish(self) -> None:
        self._spool.save(self.part, self.ends_s)
        self._spool.close()

    def state(self) -> dict[str, Any]:
        return {**super().state(), "spool": self._spool.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self._spool.restore(state["spool"])

    def give_up(self) -> None:
        self._spool.close()


_SUFFIXES: dict[str, type[FileFormat]] = {
    ".mp4": Mp4,
    ".gif": _Gif,
    ".png": Png,
    ".jpg": Jpeg,
    ".jpeg": Jpeg,
    ".webp": WebP,
    ".avif": Avif,
}


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # for example, a name that is too long; writing reports it
        return False


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
