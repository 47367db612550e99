"""Frames to a file that other programs open: ``.mp4``, ``.gif``, ``.png`` or ``.jpg`` (the last frame), or a folder.

Nothing is left at the path named until all is written: work goes to a neighbour of it, which is removed when something fails.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.video.stream import VideoStream

from streamer.media.opening import create_file
from streamer.video.encoding.h264 import BT709, LIMITED_RANGE, to_yuv
from streamer.video.files.gif import GifSpool
from streamer.video.files.kind import Kind, Sound, rehearse
from streamer.video.files.pictures import Folder, Jpeg, Png
from streamer.video.files.sound_codecs import choose
from streamer.video.files.soundtrack import Soundtrack
from streamer.video.files.unfinished import beside, remove

KINDS = ".mp4, .gif, .png or .jpg (the last frame), or a folder, named without a suffix"
PICTURES = (".png", ".jpg", ".jpeg")
"""Kinds that hold a single frame, the last."""
CRF = 18
"""x264's constant rate factor: hard to tell from the frames themselves."""
LONGEST_PX = 16_384
"""Longest side of a picture that x264 takes."""
TICK = Fraction(1, 90_000)
"""Seconds in which a film's times are counted."""
FAULTS = (OSError, ValueError, av.FFmpegError)
"""What PyAV raises while a video is opened; that a codec is missing is a ValueError."""


class MovieError(Exception):
    """The video cannot be written; one line says why."""

    def __init__(self, message: str, *, wrong_call: bool = False) -> None:
        super().__init__(message)
        self.wrong_call = wrong_call
        """Whether the path asked for was wrong, rather than that writing failed."""


class MovieWriter:
    """Writes one video. Used as a context, it is finished when the block ends and removed when the block fails."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float, sound: Sound | None = None) -> None:
        """Begin a video. One of a single frame is tried before, so that what cannot be written is found out now.

        Args:
            path: its suffix tells the kind; without one, or if it is a folder, pictures ``frame_000001.png``… go into it.
            size: (height, width) of the frames. MP4 needs even sides: an odd one grows by one, its last row or column repeated.
            fps: Frames per second; of a film whose frames tell their times, about as many.
            sound: of which film the sound is to be heard, in kinds that have any.

        Raises:
            MovieError: there is no such kind, the path cannot be written, or the kind cannot hold frames of that size.
        """
        self.path = path
        self.notes: tuple[str, ...] = ()
        """What whoever asked for it is to be told of the film whose sound it has, each in a line: sound that cannot be had."""
        self._size = size
        self._closed = False
        kind: type[Kind] | None = Folder if _is_folder(path) or not path.suffix else _SUFFIXES.get(path.suffix.lower())
        if kind is None:
            raise MovieError(f"'{path}': cannot write '{path.suffix}'; use {KINDS}", wrong_call=True)
        try:
            if path.exists() and path.is_dir() != kind.is_folder:
                raise MovieError(f"'{path}' is there already, and is not a folder", wrong_call=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._part = beside(path, folder=kind.is_folder)
        except OSError as error:
            raise MovieError(f"cannot write '{path}': {error.strerror or error}", wrong_call=True) from error
        try:
            if sound is not None and kind.has_sound:
                choice = choose(sound.film) if sound.choice is None else sound.choice
                self.notes = (choice.told,) if choice.told else ()
                sound = replace(sound, choice=choice)
            rate = Fraction(fps).limit_denominator(1001)
            rehearse(kind, path, size, rate, sound)
            self._kind = kind(self._part, size, rate)
            self._kind.accompany(sound)
        except FAULTS as error:
            remove(self._part)
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

    def ends(self, time_s: float) -> None:
        """Say when the last frame is over; unsaid, it is shown for as long as others are at the video's rate."""
        self._kind.ends_s = time_s

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
        remove(self._part)

    def __enter__(self) -> MovieWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


class _Mp4(Kind):
    """H.264, yuv420p, BT.709, index in front."""

    has_sound = True

    def __init__(self, part: Path, size: tuple[int, int], fps: Fraction) -> None:
        super().__init__(part, size, fps)
        if max(size) > LONGEST_PX:
            raise ValueError(f"{size[1]}x{size[0]} is too large for H.264, whose sides are at most {LONGEST_PX} pixels")
        self._container = create_file(part, "mp4", {"movflags": "faststart"})
        stream = self._container.add_stream("libx264", rate=fps)
        assert isinstance(stream, VideoStream)
        self._stream = stream
        height, width = size
        self._pad = (height % 2, width % 2)
        context = stream.codec_context
        context.height, context.width = height + self._pad[0], width + self._pad[1]
        context.pix_fmt = "yuv420p"
        context.time_base = 1 / fps
        context.flags |= Flags.frame_duration  # else FFmpeg passes no durations on, and the last picture's is lost
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
        context.options = {"crf": str(CRF), "preset": "medium"}
        self._time_base, self._plain = 1 / fps, 1
        self._sound: Soundtrack | None = None
        self._held: av.VideoFrame | None = None

    def accompany(self, sound: Sound | None) -> None:
        if sound is not None:
            # Frames of a film come at their own times.
            self._plain = round(self._time_base / TICK)
            self._stream.codec_context.time_base = self._time_base = TICK
            self._sound = Soundtrack(sound.film, self._container, sound.until_s, sound.begins_s, sound.choice)

    def add(self, image: np.ndarray) -> None:
        if any(self._pad):
            image = cv2.copyMakeBorder(image, 0, self._pad[0], 0, self._pad[1], cv2.BORDER_REPLICATE)
        last = -1 if self._held is None or self._held.pts is None else self._held.pts
        pts = self.frames - 1 if self.time_s is None else max(last + 1, round(self.time_s / self._time_base))
        self._encode_held(pts)
        self._held = to_yuv(image)
        self._held.pts, self._held.time_base = pts, self._time_base

    def _encode_held(self, until: int | None) -> None:
        """Encode the frame before, whose duration is known once the next one is there."""
        frame = self._held
        if frame is None or frame.pts is None:
            return
        frame.duration = self._plain if until is None else until - frame.pts
        if self._sound is not None:
            self._sound.write(float(frame.pts * self._time_base))
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._encode_held(None if self.ends_s is None else round(self.ends_s / self._time_base))
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.write(None)
            self._sound.close()
        self._container.close()

    def end_rehearsal(self) -> None:
        """Finish it with the first sound, and without all the rest."""
        if self._sound is not None:
            if self._sound.next_s is not None:
                self._sound.write(self._sound.next_s)
            self._sound.close()
        self.finish()

    def give_up(self) -> None:
        if self._sound is not None:
            self._sound.close()
        # Closing writes what is left, which fails again where the disk is full; the file goes anyway.
        try:
            self._container.close()
        except (OSError, av.FFmpegError):
            return


class _Gif(Kind):
    def __init__(self, part: Path, size: tuple[int, int], fps: Fraction) -> None:
        super().__init__(part, size, fps)
        self._spool = GifSpool(size, fps)

    def add(self, image: np.ndarray) -> None:
        self._spool.add(image, self.time_s)

    def finish(self) -> None:
        self._spool.save(self.part, self.ends_s)
        self._spool.close()

    def give_up(self) -> None:
        self._spool.close()


_SUFFIXES: dict[str, type[Kind]] = {".mp4": _Mp4, ".gif": _Gif, ".png": Png, ".jpg": Jpeg, ".jpeg": Jpeg}


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, for one; what writes there will say it
        return False


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
