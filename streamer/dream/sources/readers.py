"""Moving sources, picture after picture: a film or a stream by PyAV, a camera by OpenCV.

All are read alike: ``read`` gives the next picture and its time, ``EOFError`` says that there are no more, ``SourceError`` that
it cannot be read.
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
"""Seconds that a stream may say nothing while it is opened, and afterwards."""
FAULTS = (OSError, ValueError, av.FFmpegError)
"""What PyAV raises; some of FFmpeg's, such as a server's 404 and a time that is up, are neither of the first two."""
AT_ONCE_SIZE = (720, 1280)
"""(height, width) asked of a camera for a single picture."""
ADJUSTING = 10
"""Pictures in which a camera adjusts to the light."""
NETWORK = {"rtsp_transport": "tcp"}
"""Over UDP, RTSP cameras lose pieces of pictures."""
WHOLE = "; if it is an MP4, its server may give whole files only, for which 'ffmpeg -movflags +faststart' writes them"
STANDING = ("theora", "vp3")
"""Codecs in which a picture that stands takes no data."""
IN_PIECES = ("hls", "dash")
"""Formats that come seconds at a time, live or not: shown as they come they would race and stand."""


class VideoReader(Protocol):
    """A source being read. For one thread."""

    @property
    def live(self) -> bool:
        """Whether pictures come by themselves and are to be seen at once; else each has its time."""

    @property
    def notes(self) -> Sequence[str]:
        """What had to be done with it to be seen, a line each; complete with the first picture."""

    def read(self) -> tuple[np.ndarray, float]:
        """The next picture, (H, W, 3) uint8 RGB as it is meant to be seen, and its seconds from the beginning.

        Raises:
            EOFError: there are no more.
            SourceError: it cannot be read, or is gone.
        """

    @property
    def ends_s(self) -> float:
        """Seconds from the beginning at which the picture read last is over."""

    def close(self) -> None:
        """Let go of it; a second call does nothing."""


class FilmReader:
    """A file or a stream, by PyAV.

    It is turned and mirrored as the phone noted down, pixels that are not square are made so, each picture has its own time;
    what was put together plays on where its time stamps jump. A film that lies on a server is a film: what has an end plays at
    its own pace.
    """

    def __init__(self, path: str, track: int | None = None) -> None:
        """Open it.

        Args:
            track: which of its video tracks, counted from 1; None for the best.

        Raises:
            SourceError: there is no such file or track, it is no film, or it holds no pictures.
        """
        self._name, self._far = shown_name(path), is_url(path)
        self.notes: list[str] = []
        if not self._far and not Path(path).exists():
            raise SourceError(f"there is no film '{path}'")
        if not self._far and Path(path).is_dir():
            raise SourceError(f"'{path}' is a folder; name a film in it")
        if not self._far and Path(path).stat().st_size == 0:
            raise SourceError(f"the film '{path}' is empty; was it copied to its end?")
        try:
            options = NETWORK if path.startswith("rtsp") else {}
            self._container = open_stream(path, options, OPEN_S, READ_S) if self._far else open_file(path)
        except FAULTS as error:
            raise SourceError(f"{self._what()} cannot be read: {_why(error)}") from None
        try:
            self._track = picture_track(self._container, track)
        except TrackError as error:
            self.close()
            raise SourceError(f"{self._what()} {error}") from None
        self.live = self._far and not self._container.duration and self._container.format.name not in IN_PIECES
        self._pictures = self._shown(self._container)
        self._count, self._last_s = 0, 0.0
        self.begins_s = 0.0
        """When its first picture is seen, in seconds of the film's own clock (``media.timeline``); after the first ``read``."""
        self.ends_s = 0.0

    def read(self) -> tuple[np.ndarray, float]:
        """As ``VideoReader`` has it."""
        try:
            frame = next(self._pictures, None)
        except FAULTS as error:
            at_once = self._far and self._count == 0 and isinstance(error, OSError)
            raise SourceError(f"{self._what()} breaks off: {_why(error)}{WHOLE if at_once else ''}") from None
        if frame is None:
            if self._count == 0:
                raise SourceError(f"{self._what()} holds no pictures")
            raise EOFError
        time_s = self.begins_s + self.ends_s if frame.time is None else float(frame.time)
        if self._count == 0:
            self.begins_s = time_s
        self._count += 1
        shown_s = max(time_s - self.begins_s, self._last_s)  # a film cut together badly may jump back
        lasts_s = float((frame.duration or 0) * (frame.time_base or 0)) or 1 / self._fps
        self._last_s, self.ends_s = shown_s, shown_s + lasts_s
        return upright(as_array(frame), self._notes.of(frame)), self._last_s

    def close(self) -> None:
        """As ``VideoReader`` has it."""
        with contextlib.suppress(*FAULTS):
            self._container.close()

    def _shown(self, container: InputContainer) -> Iterator[VideoFrame]:
        stream = self._track
        if stream is None:
            return
        _check_size(stream)
        # Decoders that share out whole pictures are late by as many; where a picture stands, the next may be long in coming.
        stream.thread_type = "SLICE" if stream.codec_context.codec.name in STANDING else "AUTO"
        self._fps = float(stream.average_rate or PLAIN_FPS)
        self._notes = DisplayShapeReader(stream)
        if self._far and container.format.name in IN_PIECES:
            discard_other_tracks(container, stream)
        # Sound has a say in where a film's parts begin; of a stream, all that is not seen would come over the network in vain.
        tracks = followed(container)
        if self._far or stream not in tracks:  # it may be a cover that was asked for
            tracks = (stream,)
        yield from in_rgb(_bounded(pictures(container, stream, tracks)), stream, self.notes.append)

    def _what(self) -> str:
        return f"the {'stream' if self._far else 'film'} '{self._name}'"


class CameraReader:
    """A camera, by OpenCV: V4L2, AVFoundation or DirectShow."""

    live = True
    notes: Sequence[str] = ()

    def __init__(self, source: SourceConfig, size: tuple[int, int], fps: float) -> None:
        """Open it.

        Args:
            size: (height, width) to ask for where the settings leave it open; ``fps`` likewise.

        Raises:
            SourceError: there is no such camera, or another program has it.
        """
        self._name = source.device
        silence()  # it would write about every try
        self._camera = cv2.VideoCapture(source.device)
        if not self._camera.isOpened():
            self._camera.release()
            raise SourceError(f"there is no camera {source.device!r}, or another program has it")
        height, width = source.height or size[0], source.width or size[1]
        if width > 640:  # raw pictures so large do not fit through USB at their full rate
            self._camera.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._camera.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        self._camera.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        self._camera.set(cv2.CAP_PROP_FPS, source.fps or fps)
        self._camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._count = 0

    def read(self) -> tuple[np.ndarray, float]:
        """As ``VideoReader`` has it; the times of a camera are only counted."""
        try:
            there, picture = self._camera.read()
        except cv2.error as error:
            raise SourceError(f"the camera {self._name!r} fails: {error.err}") from None
        if not there or picture is None:
            raise SourceError(f"the camera {self._name!r} gives no more pictures; is it still plugged in?")
        if picture.ndim == 2:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        self._count += 1
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)), float(self._count)

    @property
    def ends_s(self) -> float:
        """As ``VideoReader`` has it."""
        return float(self._count + 1)

    def close(self) -> None:
        """As ``VideoReader`` has it."""
        self._camera.release()


def _bounded(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """Refuse pictures that no memory would hold as RGB; a film may grow midway."""
    for frame in frames:
        _check_size(frame)
        yield frame


def _check_size(pictures: VideoFrame | VideoStream) -> None:
    if pictures.width * pictures.height > MAX_PIXELS:
        raise ValueError(f"its pictures are larger than {MAX_PIXELS // 1_000_000} megapixels")


def open_reader(source: SourceConfig, size: tuple[int, int], fps: float) -> VideoReader:
    """Open what the settings name, a film or a camera; arguments as ``CameraReader`` has them.

    Raises:
        SourceError: it cannot be opened.
    """
    if source.kind == "camera":
        return CameraReader(source, size, fps)
    assert source.path is not None, "the settings see to it"
    from streamer.dream.sources.animation import open_film  # which imports this

    return open_film(source.path, source.track)


def first_picture(source: SourceConfig) -> np.ndarray:
    """The first picture of a film, or one of a camera that has had time to adjust to the light, (H, W, 3) uint8 RGB.

    Raises:
        SourceError: there is none.
    """
    reader = open_reader(source, AT_ONCE_SIZE, float(PLAIN_FPS))
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
    """A path or a URL as it may be told: without user, password and key."""
    return re.sub(r"//[^/@]*@", "//", path).partition("?")[0] if is_url(path) else path


def _why(error: Exception) -> str:
    if isinstance(error, av.InvalidDataError):
        return "it is no film in a known format"
    if isinstance(error, av.ExitError):
        return "nothing came for a while"
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)
