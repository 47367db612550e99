"""Moving sources, picture after picture: a film or a stream by PyAV, a camera by OpenCV.

All are read alike: ``read`` gives the next picture and its time, ``EOFError`` says that there are no more, ``SourceError`` that
it cannot be read.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from av.container import InputContainer

from streamer.config import SourceConfig
from streamer.config_source import is_url
from streamer.dream.sources import MAX_PIXELS, SourceError

OPEN_S, READ_S = 10.0, 10.0
"""Seconds that a stream may say nothing while it is opened, and afterwards."""
PLAIN_FPS = 25.0
"""Rate of a film that does not tell the times of its pictures."""
FAULTS = (OSError, ValueError, av.FFmpegError)
"""What PyAV raises; some of FFmpeg's, such as a server's 404 and a time that is up, are neither of the first two."""
BROKEN = 30
"""Broken pictures one after the other at which a film counts as unreadable; a few are passed over."""
AT_ONCE_SIZE = (720, 1280)
"""(height, width) asked of a camera for a single picture."""
ADJUSTING = 10
"""Pictures in which a camera adjusts to the light."""
NETWORK = {"rtsp_transport": "tcp"}
"""Over UDP, RTSP cameras lose pieces of pictures."""
WHOLE = "; if it is an MP4, its server may give whole files only, for which 'ffmpeg -movflags +faststart' writes them"
IN_PIECES = ("hls", "dash")
"""Formats that come seconds at a time, live or not: shown as they come they would race and stand."""


class Reel(Protocol):
    """A source being read. For one thread."""

    @property
    def live(self) -> bool:
        """Whether pictures come by themselves and are to be seen at once; else each has its time."""

    def read(self) -> tuple[np.ndarray, float]:
        """The next picture, (H, W, 3) uint8 RGB as it is meant to be seen, and its seconds from the beginning.

        Raises:
            EOFError: there are no more.
            SourceError: it cannot be read, or is gone.
        """

    def close(self) -> None:
        """Let go of it; a second call does nothing."""


class FilmReel:
    """A file or a stream, by PyAV.

    The rotation that a phone notes down is applied, pixels that are not square are made so, each picture has its own time.
    A film that lies on a server is a film: what has an end plays at its own pace.
    """

    def __init__(self, path: str) -> None:
        """Open it.

        Raises:
            SourceError: there is no such file, it is no film, or it holds no pictures.
        """
        self._name, self._far = shown_name(path), is_url(path)
        if not self._far and not Path(path).exists():
            raise SourceError(f"there is no film '{path}'")
        if not self._far and Path(path).is_dir():
            raise SourceError(f"'{path}' is a folder; name a film in it")
        if not self._far and Path(path).stat().st_size == 0:
            raise SourceError(f"the film '{path}' is empty; was it copied to its end?")
        try:
            options = NETWORK if path.startswith("rtsp") else {}
            self._container = av.open(path, options=options, timeout=(OPEN_S, READ_S) if self._far else None)
        except FAULTS as error:
            raise SourceError(f"{self._what()} cannot be read: {_why(error)}") from None
        self.live = self._far and not self._container.duration and self._container.format.name not in IN_PIECES
        self._pictures = self._decoded(self._container)
        self._count, self._begin_s, self._last_s = 0, 0.0, -1.0

    def read(self) -> tuple[np.ndarray, float]:
        """As ``Reel`` has it."""
        try:
            frame = next(self._pictures, None)
        except FAULTS as error:
            at_once = self._far and self._count == 0 and isinstance(error, OSError)
            raise SourceError(f"{self._what()} breaks off: {_why(error)}{WHOLE if at_once else ''}") from None
        if frame is None:
            if self._count == 0:
                raise SourceError(f"{self._what()} holds no pictures")
            raise EOFError
        time_s = self._last_s + 1 / self._fps if frame.time is None else float(frame.time) - self._begin_s
        if self._count == 0:
            self._begin_s, time_s = (time_s if frame.time is not None else 0.0), 0.0
        self._count += 1
        self._last_s = max(time_s, self._last_s)  # a film cut together badly may jump back
        try:
            image = frame.to_ndarray(format="rgb24")
        except FAULTS as error:
            raise SourceError(f"{self._what()} has pictures that cannot be shown: {_why(error)}") from None
        return _upright(image, frame.rotation, self._shape), self._last_s

    def close(self) -> None:
        """As ``Reel`` has it."""
        with contextlib.suppress(*FAULTS):
            self._container.close()

    def _decoded(self, container: InputContainer) -> Iterator[av.VideoFrame]:
        streams = [one for one in container.streams.video if not one.disposition & one.disposition.attached_pic]
        if not streams:
            return
        stream = streams[0]
        if stream.width * stream.height > MAX_PIXELS:
            raise ValueError(f"its pictures are larger than {MAX_PIXELS // 1_000_000} megapixels")
        stream.thread_type = "AUTO"
        self._fps = float(stream.average_rate or PLAIN_FPS)
        self._shape = stream.sample_aspect_ratio or Fraction(1)
        broken = 0
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                broken += 1
                if broken >= BROKEN:
                    raise
                continue
            for frame in frames:
                broken = 0
                yield frame

    def _what(self) -> str:
        return f"the {'stream' if self._far else 'film'} '{self._name}'"


class CameraReel:
    """A camera, by OpenCV: V4L2, AVFoundation or DirectShow."""

    live = True

    def __init__(self, source: SourceConfig, size: tuple[int, int], fps: float) -> None:
        """Open it.

        Args:
            size: (height, width) to ask for where the settings leave it open; ``fps`` likewise.

        Raises:
            SourceError: there is no such camera, or another program has it.
        """
        self._name = source.device
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it would write about every try to the terminal
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
        """As ``Reel`` has it; the times of a camera are only counted."""
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

    def close(self) -> None:
        """As ``Reel`` has it."""
        self._camera.release()


def open_reel(source: SourceConfig, size: tuple[int, int], fps: float) -> Reel:
    """Open what the settings name, a film or a camera; arguments as ``CameraReel`` has them.

    Raises:
        SourceError: it cannot be opened.
    """
    if source.kind == "camera":
        return CameraReel(source, size, fps)
    assert source.path is not None, "the settings see to it"
    return FilmReel(source.path)


def first_picture(source: SourceConfig) -> np.ndarray:
    """The first picture of a film, or one of a camera that has had time to adjust to the light, (H, W, 3) uint8 RGB.

    Raises:
        SourceError: there is none.
    """
    reel = open_reel(source, AT_ONCE_SIZE, PLAIN_FPS)
    try:
        for _ in range(ADJUSTING if source.kind == "camera" else 0):
            reel.read()
        image = reel.read()[0]
    except EOFError:
        raise SourceError(f"the stream '{shown_name(source.path or '')}' ended before its first picture") from None
    finally:
        reel.close()
    return np.ascontiguousarray(image[:, ::-1]) if source.mirror else image


def shown_name(path: str) -> str:
    """A path or a URL as it may be told: without user, password and key."""
    return re.sub(r"//[^/@]*@", "//", path).partition("?")[0] if is_url(path) else path


def _upright(image: np.ndarray, rotation: int, shape: Fraction) -> np.ndarray:
    """The picture as it is meant to be seen.

    Args:
        rotation: Degrees counter-clockwise that it is to be turned by.
        shape: Width of a pixel over its height.
    """
    if shape != 1 and 0.1 < shape < 10:
        image = cv2.resize(image, (max(1, round(image.shape[1] * shape)), image.shape[0]), interpolation=cv2.INTER_AREA)
    turns = round(rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else np.ascontiguousarray(image)


def _why(error: Exception) -> str:
    if isinstance(error, av.InvalidDataError):
        return "it is no film in a known format"
    if isinstance(error, av.ExitError):
        return "nothing came for a while"
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)
