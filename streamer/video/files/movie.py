"""Frames to a file that other programs open: ``.mp4``, ``.gif``, ``.png`` or ``.jpg`` (the last frame), or a folder.

Nothing is left at the path named until all is written: work goes to a neighbour of it, which is removed when something fails.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from streamer.video.encoding.h264 import BT709, LIMITED_RANGE, to_yuv
from streamer.video.files.gif import GifSpool
from streamer.video.files.soundtrack import Soundtrack

KINDS = ".mp4, .gif, .png or .jpg (the last frame), or a folder, named without a suffix"
PICTURES = (".png", ".jpg", ".jpeg")
"""Kinds that hold a single frame, the last."""
JPEG_QUALITY = 92
CRF = 18
"""x264's constant rate factor: hard to tell from the frames themselves."""
FRAME_NAME = re.compile(r"frame_\d{6,}\.png")


TICK = Fraction(1, 90_000)
"""Seconds in which a film's times are counted."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Sound from a film."""

    film: Path
    until_s: float | None = None
    """Where it is cut off; None for all of it."""


class MovieError(Exception):
    """The video cannot be written; one line says why."""

    def __init__(self, message: str, *, wrong_call: bool = False) -> None:
        super().__init__(message)
        self.wrong_call = wrong_call
        """Whether the path asked for was wrong, rather than that writing failed."""


class MovieWriter:
    """Writes one video. Used as a context, it is finished when the block ends and removed when the block fails."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float, sound: Sound | None = None) -> None:
        """Begin a video.

        Args:
            path: its suffix tells the kind; without one, or if it is a folder, pictures ``frame_000001.png``… go into it.
            size: (height, width) of the frames. MP4 needs even sides: an odd one grows by one, its last row or column repeated.
            fps: Frames per second; of a film whose frames tell their times, about as many.
            sound: of which film the sound is to be heard, in kinds that have any.

        Raises:
            MovieError: there is no such kind, or the path cannot be written.
        """
        self.path = path
        self._size = size
        self._closed = False
        kind: type[_Kind] | None = _Folder if path.is_dir() or not path.suffix else _SUFFIXES.get(path.suffix.lower())
        if kind is None:
            raise MovieError(f"'{path}': cannot write '{path.suffix}'; use {KINDS}", wrong_call=True)
        if path.exists() and path.is_dir() != (kind is _Folder):
            raise MovieError(f"'{path}' is there already, and is not a folder", wrong_call=True)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._part = _neighbour(path, folder=kind is _Folder)
        except OSError as error:
            raise MovieError(f"cannot write '{path}': {error.strerror or error}", wrong_call=True) from error
        try:
            self._kind = kind(self._part, size, Fraction(fps).limit_denominator(1001))
            self._kind.accompany(sound)
        except (OSError, av.FFmpegError) as error:
            _remove(self._part)
            raise MovieError(f"cannot write '{path}': {_reason(error)}") from error

    def write(self, image: np.ndarray, time_s: float | None = None) -> None:
        """Add a frame, (h, w, 3) uint8 RGB.

        Args:
            time_s: when it is shown, later than the one before, in kinds that can tell; None at the video's rate.

        Raises:
            ValueError: its size is not the video's.
            MovieError: it could not be written; the unfinished file is gone.
        """
        if image.shape != (*self._size, 3) or image.dtype != np.uint8:
            raise ValueError(f"frame is {image.shape} {image.dtype}; must be {(*self._size, 3)} uint8")
        try:
            self._kind.write(image, time_s)
        except (OSError, av.FFmpegError) as error:
            self.abort()
            raise MovieError(f"cannot write '{self.path}': {_reason(error)}") from error

    def close(self) -> None:
        """Finish the video and put it in place; a second call does nothing.

        Raises:
            MovieError: there was no frame, or it could not be written; the unfinished file is gone.
        """
        if self._closed:
            return
        try:
            if not self._kind.frames:
                raise MovieError(f"'{self.path}': there was no frame to write")
            self._kind.finish()
            self._kind.place(self._part, self.path)
            self._closed = True
        except (OSError, av.FFmpegError) as error:
            raise MovieError(f"cannot write '{self.path}': {_reason(error)}") from error
        finally:
            self.abort()

    def abort(self) -> None:
        """Give up and remove what was written so far; does nothing after ``close``."""
        if not self._closed:
            self._closed = True
            self._kind.give_up()
        _remove(self._part)

    def __enter__(self) -> MovieWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


class _Kind(ABC):
    """One kind of output, written to ``part``."""

    def __init__(self, part: Path, size: tuple[int, int], fps: Fraction) -> None:
        self.part = part
        self.frames = 0

    def accompany(self, sound: Sound | None) -> None:  # noqa: B027 most are silent
        """Take a film's sound along."""

    def write(self, image: np.ndarray, time_s: float | None) -> None:
        """Add a frame."""
        self.frames += 1
        self.time_s = time_s
        self.add(image)

    @abstractmethod
    def add(self, image: np.ndarray) -> None:
        """Take a frame, to be shown at ``time_s``."""

    @abstractmethod
    def finish(self) -> None:
        """Write what is left."""

    def give_up(self) -> None:  # noqa: B027 most have nothing open
        """Let go of everything open."""

    def place(self, part: Path, path: Path) -> None:
        """Move the finished work to where it was asked for."""
        os.replace(part, path)


class _Mp4(_Kind):
    """H.264, yuv420p, BT.709, index in front."""

    def __init__(self, part: Path, size: tuple[int, int], fps: Fraction) -> None:
        super().__init__(part, size, fps)
        self._container = av.open(str(part), "w", format="mp4", options={"movflags": "faststart"})
        stream = self._container.add_stream("libx264", rate=fps)
        assert isinstance(stream, VideoStream)
        self._stream = stream
        height, width = size
        self._pad = (height % 2, width % 2)
        context = stream.codec_context
        context.height, context.width = height + self._pad[0], width + self._pad[1]
        context.pix_fmt = "yuv420p"
        context.time_base = 1 / fps
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
        context.options = {"crf": str(CRF), "preset": "medium"}
        self._time_base = 1 / fps
        self._sound: Soundtrack | None = None
        self._last_pts = -1

    def accompany(self, sound: Sound | None) -> None:
        if sound is not None:
            # Frames of a film come at their own times.
            self._stream.codec_context.time_base = self._time_base = TICK
            self._sound = Soundtrack(sound.film, self._container, sound.until_s)

    def add(self, image: np.ndarray) -> None:
        if any(self._pad):
            image = cv2.copyMakeBorder(image, 0, self._pad[0], 0, self._pad[1], cv2.BORDER_REPLICATE)
        frame = to_yuv(image)
        pts = self.frames - 1 if self.time_s is None else max(self._last_pts + 1, round(self.time_s / self._time_base))
        frame.pts, frame.time_base, self._last_pts = pts, self._time_base, pts
        if self._sound is not None:
            self._sound.write(float(pts * self._time_base))
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.write(None)
            self._sound.close()
        self._container.close()

    def give_up(self) -> None:
        if self._sound is not None:
            self._sound.close()
        # Closing writes what is left, which fails again where the disk is full; the file goes anyway.
        try:
            self._container.close()
        except (OSError, av.FFmpegError):
            return


class _Gif(_Kind):
    def __init__(self, part: Path, size: tuple[int, int], fps: Fraction) -> None:
        super().__init__(part, size, fps)
        self._spool = GifSpool(size, fps)

    def add(self, image: np.ndarray) -> None:
        self._spool.add(image)

    def finish(self) -> None:
        self._spool.save(self.part)
        self._spool.close()

    def give_up(self) -> None:
        self._spool.close()


class _Png(_Kind):
    def add(self, image: np.ndarray) -> None:
        self._last = image.copy()

    def finish(self) -> None:
        self.part.write_bytes(_png(self._last))


class _Jpeg(_Png):
    def finish(self) -> None:
        ok, data = cv2.imencode(".jpg", cv2.cvtColor(self._last, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        assert ok
        self.part.write_bytes(data.tobytes())


class _Folder(_Kind):
    def add(self, image: np.ndarray) -> None:
        (self.part / f"frame_{self.frames:06}.png").write_bytes(_png(image))

    def finish(self) -> None:
        pass

    def place(self, part: Path, path: Path) -> None:
        """Put the frames in place of those of a video before; other files in the folder stay."""
        path.mkdir(exist_ok=True)
        for old in path.iterdir():
            if FRAME_NAME.fullmatch(old.name):
                old.unlink()
        for new in sorted(part.iterdir()):
            os.replace(new, path / new.name)


_SUFFIXES: dict[str, type[_Kind]] = {".mp4": _Mp4, ".gif": _Gif, ".png": _Png, ".jpg": _Jpeg, ".jpeg": _Jpeg}


def _png(image: np.ndarray) -> bytes:
    ok, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert ok
    return data.tobytes()


def _neighbour(path: Path, *, folder: bool) -> Path:
    """An empty file or folder beside ``path``, on the same disk, that nobody else has."""
    prefix = f".{path.name}."
    if folder:
        return Path(tempfile.mkdtemp(prefix=prefix, suffix=".part", dir=path.parent))
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=".part", dir=path.parent)
    os.close(handle)
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(name, 0o666 & ~umask)  # mkstemp's files are private; this one becomes an ordinary file
    return Path(name)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
