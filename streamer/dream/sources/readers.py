"""Readers of moving sources: films and streams with PyAV, cameras with OpenCV.

All have one interface: ``read`` returns the next picture and its time, and raises ``EOFError`` at the end and ``SourceError``
if the source cannot be read.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamer.config import SourceConfig
from streamer.config_source import is_url
from streamer.dream.sources.opencv import silence
from streamer.dream.sources.picture import MAX_PIXELS, SourceError
from streamer.media.colour import as_array, in_rgb
from streamer.media.opening import open_file, open_stream
from streamer.media.orientation import DisplayShapeReader, upright
from streamer.media.timeline import PLAIN_FPS, followed, pictures
from streamer.media.tracks import TrackError, discard_other_tracks, picture_track

log = logging.getLogger(__name__)

OPEN_S, READ_S = 10.0, 10.0
"""Seconds of silence after which a stream fails, while it is opened and afterwards."""
FAULTS = (OSError, ValueError, av.FFmpegError)
"""Exceptions that PyAV raises; some of FFmpeg's, such as a server's 404 and a timeout, are neither of the first two."""
STILL_SIZE = (720, 1280)
"""(height, width) to request from a camera for a single picture."""
ADJUSTING = 10
"""Number of pictures in which a camera adjusts to the light."""
NETWORK = {"rtsp_transport": "tcp"}
"""FFmpeg options of network streams: over UDP, RTSP cameras lose parts of pictures."""
WHOLE = "; if it is an MP4, its server may deliver whole files only; rewrite it with 'ffmpeg -movflags +faststart'"
STANDING = ("theora", "vp3")
"""Codecs in which an unchanged picture takes no data."""
IN_PIECES = ("hls", "dash")
"""Formats that arrive in segments of seconds, live or not: shown on arrival, they would alternately race and stall."""


class VideoReader(Protocol):
    """A source that is being read. Not thread-safe."""

    @property
    def live(self) -> bool:
        """Whether pictures are live and shown immediately; otherwise each has its time."""

    @property
    def notes(self) -> Sequence[str]:
        """Conversions that were necessary, a line each; complete after the first picture."""

    def read(self) -> tuple[np.ndarray, float]:
        """Return the next picture, (H, W, 3) uint8 RGB as it is meant to be seen, and its seconds from the start.

        Raises:
            EOFError: there are no more pictures.
            SourceError: the source cannot be read, or is lost.
        """

    @property
    def ends_s(self) -> float:
        """End of the last picture that was read, in seconds from the start."""

    def close(self) -> None:
        """Close the source; a second call does nothing."""


class FilmReader:
    """A file or a stream, read with PyAV.

    It applies the rotation and mirroring in the file's metadata and makes pixels square. Each picture has its own time, and
    joined films play on where their time stamps jump. A film on a server that has an end plays at its own pace, like a file.
    """

    def __init__(self, path: str, track: int | None = None) -> None:
        """Open the film.

        Args:
            path: a path or a URL.
            track: number of the video track, counted from 1; None for the best.

        Raises:
            SourceError: there is no such file or track, or it is not a film with pictures.
        """
        self._name, self._remote = shown_name(path), is_url(path)
        self.notes: list[str] = []
        if not self._remote and not Path(path).exists():
            raise SourceError(f"there is no film '{path}'")
        if not self._remote and Path(path).is_dir():
            raise SourceError(f"'{path}' is a folder; name a film in it")
        if not self._remote and Path(path).stat().st_size == 0:
            raise SourceError(f"the film '{path}' is empty; was it copied to its end?")
        try:
            options = NETWORK if path.startswith("rtsp") else {}
            self._container = open_stream(path, options, OPEN_S, READ_S) if self._remote else open_file(path)
        except FAULTS as error:
            raise SourceError(f"{self._what()} cannot be read: {_why(error)}") from None
        try:
            self._track = picture_track(self._container, track)
        except TrackError as error:
            self.close()
            raise SourceError(f"{self._what()} {error}") from None
        self.live = self._remote and not self._container.duration and self._container.format.name not in IN_PIECES
        self._pictures = self._shown(self._container)
        self._count, self._last_s = 0, 0.0
        self.begins_s = 0.0
        """Time of its first picture, in seconds of the film's own clock (``media.timeline``); set by the first ``read``."""
        self.ends_s = 0.0

    def read(self) -> tuple[np.ndarray, float]:
        """Return the next picture and its time; see ``VideoReader.read``."""
        try:
            frame = next(self._pictures, None)
        except FAULTS as error:
            at_start = self._remote and self._count == 0 and isinstance(error, OSError)
            raise SourceError(f"{self._what()} breaks off: {_why(error)}{WHOLE if at_start else ''}") from None
        if frame is None:
            if self._count == 0:
                raise SourceError(f"{self._what()} holds no pictures")
            raise EOFError
        time_s = self.begins_s + self.ends_s if frame.time is None else float(frame.time)
        if self._count == 0:
            self.begins_s = time_s
        self._count += 1
        shown_s = max(time_s - self.begins_s, self._last_s)  # a badly joined film may jump back
        lasts_s = float((frame.duration or 0) * (frame.time_base or 0)) or 1 / self._fps
        self._last_s, self.ends_s = shown_s, shown_s + lasts_s
        return upright(as_array(frame), self._notes.of(frame)), self._last_s

    def close(self) -> None:
        """Close the film."""
        with contextlib.suppress(*FAULTS):
            self._container.close()

    def _shown(self, container: InputContainer) -> Iterator[VideoFrame]:
        stream = self._track
        if stream is None:
            return
        _check_size(stream)
        # Frame threading delays pictures by the number of threads; after an unchanged picture, the next may take long.
        stream.thread_type = "SLICE" if stream.codec_context.codec.name in STANDING else "AUTO"
        self._fps = float(stream.average_rate or PLAIN_FPS)
        self._notes = DisplayShapeReader(stream)
        if self._remote and container.format.name in IN_PIECES:
            discard_other_tracks(container, stream)
        # Sound helps to find where a film's parts begin; of a stream, other tracks would only waste bandwidth.
        tracks = followed(container)
        if self._remote or stream not in tracks:  # the requested track may be a cover picture
            tracks = (stream,)
        yield from in_rgb(_bounded(pictures(container, stream, tracks)), stream, self.notes.append)

    def _what(self) -> str:
        return f"the {'stream' if self._remote else 'film'} '{self._name}'"


class CameraReader:
    """A camera, read with OpenCV: V4L2, AVFoundation or DirectShow."""

    live = True
    notes: Sequence[str] = ()

    def __init__(self, source: SourceConfig, size: tuple[int, int], fps: float) -> None:
        """Open the camera.

        Args:
            source: the ``source`` block of the settings.
            size: (height, width) to request if the settings leave it open.
            fps: frame rate to request if the settings leave it open.

        Raises:
            SourceError: there is no such camera, or another program has it.
        """
        self._name = source.device
        silence()  # it would print a line for every attempt
        self._camera = cv2.VideoCapture(source.device)
        if not self._camera.isOpened():
            self._camera.release()
            raise SourceError(f"there is no camera {source.device!r}, or another program has it")
        height, width = source.height or size[0], source.width or size[1]
        if width > 640:  # USB is too slow for larger uncompressed pictures at the full rate
            self._camera.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._camera.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        self._camera.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        self._camera.set(cv2.CAP_PROP_FPS, source.fps or fps)
        self._camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._count = 0

    def read(self) -> tuple[np.ndarray, float]:
        """Return the next picture; a camera's time is only a count. See ``VideoReader.read``."""
        try:
            ok, picture = self._camera.read()
        except cv2.error as error:
            raise SourceError(f"the camera {self._name!r} fails: {error.err}") from None
        if not ok or picture is None:
            raise SourceError(f"the camera {self._name!r} gives no more pictures; is it still plugged in?")
        if picture.ndim == 2:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        self._count += 1
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)), float(self._count)

    @property
    def ends_s(self) -> float:
        """The count of the next picture; see ``VideoReader.ends_s``."""
        return float(self._count + 1)

    def close(self) -> None:
        """Close the camera."""
        self._camera.release()


def _bounded(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """Check the size of each picture, which may change within a film, against the memory that RGB needs."""
    for frame in frames:
        _check_size(frame)
        yield frame


def _check_size(pictures: VideoFrame | VideoStream) -> None:
    if pictures.width * pictures.height > MAX_PIXELS:
        raise ValueError(f"its pictures are larger than {MAX_PIXELS // 1_000_000} megapixels")


def open_reader(source: SourceConfig, size: tuple[int, int], fps: float) -> VideoReader:
    """Open the film or the camera in the settings; see ``CameraReader`` for the arguments.

    Raises:
        SourceError: the source cannot be opened.
    """
    if source.kind == "camera":
        return CameraReader(source, size, fps)
    assert source.path is not None, "the settings require it"
    from streamer.dream.sources.animation import open_film  # which imports this module

    return open_film(source.path, source.track)


def first_picture(source: SourceConfig) -> np.ndarray:
    """Return the first picture of a film, or a camera's after it has adjusted to the light, (H, W, 3) uint8 RGB.

    Raises:
        SourceError: there is no picture.
    """
    reader = open_reader(source, STILL_SIZE, float(PLAIN_FPS))
    try:
        for _ in range(ADJUSTING if source.kind == "camera" else 0):
            reader.read()
        image = reader.read()[0]
        for note in reader.notes:
            log.info("%s: %s", shown_name(source.path or ""), note)
    except EOFError:
        raise SourceError(f"the stream '{shown_name(source.path or '')}' ended before its first picture") from None
    finally:
        reader.close()
    return np.ascontiguousarray(image[:, ::-1]) if source.mirror else image


def shown_name(path: str) -> str:
    """Return a path, or a URL without user, password and key, for messages."""
    return re.sub(r"//[^/@]*@", "//", path).partition("?")[0] if is_url(path) else path


def _why(error: Exception) -> str:
    if isinstance(error, av.InvalidDataError):
        return "it is not a film in a known format"
    if isinstance(error, av.ExitError):
        return "nothing came for a while"
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)
