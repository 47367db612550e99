"""A camera that tests control."""

from __future__ import annotations

import queue

import numpy as np

from streamer.config import SourceConfig
from streamer.dream.sources.picture import SourceError
from tests.patience import PATIENCE_S


class FakeCamera:
    """A camera that delivers a test's pictures and can be unplugged and plugged in again, like a V4L2 device on USB."""

    live = True
    notes = ()

    def __init__(self) -> None:
        self.pictures: queue.Queue[np.ndarray | Exception] = queue.Queue()
        self.plugged = True
        self.opened = self.closed = 0

    def open(self, source: SourceConfig, size: tuple[int, int], fps: float) -> FakeCamera:
        if not self.plugged:
            raise SourceError(f"there is no camera {source.device!r}, or another program has it")
        self.opened += 1
        return self

    def show(self, shade: int, size: tuple[int, int] = (48, 64)) -> None:
        self.pictures.put(np.full((*size, 3), shade, np.uint8))

    def pull_out(self) -> None:
        self.plugged = False
        self.pictures.put(SourceError("the camera 3 gives no more pictures; is it still plugged in?"))

    def read(self) -> tuple[np.ndarray, float]:
        got = self.pictures.get(timeout=PATIENCE_S)
        if isinstance(got, Exception):
            raise got
        return got, 0.0

    def close(self) -> None:
        self.closed += 1
