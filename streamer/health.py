"""Whether the stream is well, and if not, why: one line for each thing that an operator should look at."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from streamer.config import Config, FileOutput, HlsOutput
from streamer.messages import FrameCounters, Keyframe, OutputStatus, RendererStatus, SourceStatus

STILL_S = 10.0
"""Seconds without a keyframe that are a problem, unless keyframes are known to take long…"""
STILL_INTERVALS = 4.0
"""…then so many of their intervals."""
START_S = 60.0
"""Seconds from start to the first keyframe that are a problem, besides the time allowed for a download."""
FAILING = ("retrying", "failed")
"""States of an output that are a problem."""
RATE_S = 5.0
"""Seconds over which the frame rate is measured."""
RATE_LEAST = 0.95
"""Part of the frame rate below which viewers notice."""
DISK_LEAST = 200 * 2**20
"""Free bytes below which the queue and recordings are in danger."""
DISK_S = 10.0
"""Seconds between two looks at the disk."""


class Health:
    """Collects signs of life and judges them. Thread-safe."""

    def __init__(self, config: Config, state_folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to watch; ``state_folder`` is where the queue lies."""
        self._config, self._clock = config, clock
        recordings = [output.path.parent for output in config.outputs if isinstance(output, FileOutput)]
        lists = [output.folder for output in config.outputs if isinstance(output, HlsOutput)]
        self._folders = tuple(dict.fromkeys([state_folder, *recordings, *lists]))
        self._lock = threading.Lock()
        self._started_s = clock()
        self._keyframe_s: float | None = None
        self._samples: deque[tuple[float, int]] = deque()
        self._disk: tuple[str, ...] = ()
        self._disk_s: float | None = None

    def keyframe(self, keyframe: Keyframe) -> None:
        """A keyframe came."""
        with self._lock:
            self._keyframe_s = self._clock()

    def sample(self, frames: FrameCounters) -> None:
        """Take note of the frames so far; to be called a few times a second."""
        with self._lock:
            now_s = self._clock()
            self._samples.append((now_s, frames.shown))
            while now_s - self._samples[0][0] > RATE_S and len(self._samples) > 2:
                self._samples.popleft()

    @property
    def fps(self) -> float:
        """Frames per second over the last seconds; 0 before that can be told."""
        with self._lock:
            if len(self._samples) < 2:
                return 0.0
            (first_s, first), (last_s, last) = self._samples[0], self._samples[-1]
            return (last - first) / (last_s - first_s) if last_s > first_s else 0.0

    def problems(
        self,
        renderer: RendererStatus,
        encoder: str,
        outputs: Sequence[OutputStatus],
        sound: str = "",
        source: SourceStatus | None = None,
    ) -> tuple[str, ...]:
        """Why the stream is unwell, most urgent first; empty when all is well.

        Args:
            encoder: what went wrong with the encoding last; empty when nothing did.
            outputs: how each does.
            sound: why there is none though there should be; empty when there is.
            source: the film or the camera that the dream rides on; None where there is none.
        """
        found = [self._standstill(renderer), self._slow(), f"encoding fails: {encoder}" if encoder else ""]
        found += [f"output {one.name} is {one.state}: {one.reason}" for one in outputs if one.state in FAILING]
        found += [f"no sound: {sound}" if sound else ""]
        found += [f"the {source.kind} is lost: {source.reason}" if source is not None and source.state == "lost" else ""]
        return tuple(problem for problem in (*found, *self._full_disks()) if problem)

    def _standstill(self, renderer: RendererStatus) -> str:
        with self._lock:
            last_s = self._keyframe_s
        why = f": {renderer.error}" if renderer.error else ""
        if last_s is None:
            waited_s = self._clock() - self._started_s
            allowed_s = START_S + self._config.network.download_s
            return f"no picture {waited_s:.0f} s after the start{why}" if waited_s > allowed_s else ""
        age_s = self._clock() - last_s
        allowed_s = max(STILL_S, STILL_INTERVALS * (renderer.keyframe_s or 0.0))
        return f"no new picture for {age_s:.0f} s{why}" if age_s > allowed_s else ""

    def _slow(self) -> str:
        with self._lock:
            enough = len(self._samples) >= 2 and self._samples[-1][0] - self._samples[0][0] > RATE_S / 2
        fps, asked = self.fps, self._config.video.fps
        return f"only {fps:.1f} of {asked} frames a second" if enough and fps < RATE_LEAST * asked else ""

    def _full_disks(self) -> tuple[str, ...]:
        with self._lock:
            now_s = self._clock()
            if self._disk_s is not None and now_s - self._disk_s < DISK_S:
                return self._disk
            self._disk_s = now_s
            self._disk = tuple(filter(None, map(_shortage, self._folders)))
            return self._disk


def nearest(folder: Path) -> Path:
    """The folder itself, or what is there of it if it is yet to be made."""
    folder = folder.absolute()
    return next((path for path in (folder, *folder.parents) if path.exists()), folder)


def _shortage(folder: Path) -> str:
    try:
        free = shutil.disk_usage(nearest(folder)).free
    except OSError as error:
        return f"the folder '{folder}' cannot be looked at: {error.strerror}"
    return f"only {free / 2**20:.0f} MB are free in '{folder}'" if free < DISK_LEAST else ""
