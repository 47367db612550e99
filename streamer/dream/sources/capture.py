"""Reads a moving source for days: keeps its newest picture, and reopens a lost source.

One thread reads. There is room for one picture, and the newest wins.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from streamer.config import SourceConfig
from streamer.dream.sources.picture import SourceError
from streamer.dream.sources.readers import VideoReader, open_reader, shown_name
from streamer.media.fit import fitted
from streamer.messages.keyframes import SourcePicture
from streamer.messages.status import SourceStatus

log = logging.getLogger(__name__)

BACKOFF_S, BACKOFF_MOST_S = 0.5, 10.0
"""Pause before a source is reopened; it doubles up to the maximum, and is reset when pictures arrive."""
LATE_S = 0.1
"""A film's picture is skipped if it is later than this."""
PASSED_MOST = 8
"""Most pictures skipped in a row; without a limit, a slow machine would show none."""
SILENT_S = 3.0
"""Seconds without a picture after which a live source counts as lost, whatever its driver reports."""
RATE_OVER = 20
"""Number of pictures over which the frame rate is measured."""

OpenSource = Callable[[SourceConfig, tuple[int, int], float], VideoReader]


class Capture:
    """A moving source that is being read. Call ``newest`` and ``status`` from any thread.

    Args:
        source: the ``source`` block of the settings.
        size: (height, width) of the resulting pictures; ``source.fit`` says how others are fitted.
        fps: the useful frame rate.
        on_picture: called with each new picture, in the reading thread; must return quickly.
        open_source: opens the source.
        clock: a monotonic clock in seconds.
    """

    def __init__(
        self,
        source: SourceConfig,
        size: tuple[int, int],
        fps: float,
        on_picture: Callable[[SourcePicture], None] | None = None,
        *,
        open_source: OpenSource = open_reader,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open a file and read its first picture, to report errors immediately; cameras and streams are opened later.

        Raises:
            SourceError: the file cannot be read.
        """
        self._source, self._size, self._fps = source, size, fps
        self._on_picture, self._open, self._clock = on_picture, open_source, clock
        self._name = shown_name(source.path or "") if source.kind == "video" else str(source.device)
        self._newest: SourcePicture | None = None
        self._number = 0
        self._state, self._reason = "connecting", ""
        self._losses = 0
        self._noted: set[str] = set()
        self._given: tuple[int, int] | None = None
        self._times: deque[float] = deque(maxlen=RATE_OVER)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)
        self._reader: VideoReader | None = None
        if source.kind == "video" and not is_live(source):
            self._reader = self._open(source, size, fps)
            try:
                self._take(*self._reader.read())
            except (EOFError, SourceError):
                self._reader.close()
                raise

    def start(self) -> None:
        """Start to read; return immediately."""
        self._thread.start()

    def newest(self) -> SourcePicture | None:
        """Return the newest picture, also after the source is lost; None before the first."""
        return self._newest

    def status(self) -> SourceStatus:
        """Return the state of the source."""
        state, reason, times = self._state, self._reason, tuple(self._times)
        if state == "live" and is_live(self._source) and times and self._clock() - times[-1] > SILENT_S:
            state, reason = "lost", f"no picture for {self._clock() - times[-1]:.0f} s"
        rate = (len(times) - 1) / (times[-1] - times[0]) if state == "live" and len(times) > 1 and times[-1] > times[0] else 0.0
        return SourceStatus(self._source.kind, self._name, state, reason, self._given, rate, self._losses)

    def stop(self, deadline_s: float = 2.0) -> bool:
        """Stop reading and return whether the thread ended in time; a driver that hangs is abandoned."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(deadline_s)
        elif self._reader is not None:
            self._reader.close()
        return not self._thread.is_alive()

    # Methods from here on run in the reading thread.

    def _run(self) -> None:
        pause_s = BACKOFF_S
        while not self._stopping.is_set():
            taken = self._number
            try:
                reader = self._reader or self._open(self._source, self._size, self._fps)
                self._reader = None
                self._play(reader)
                if not self._source.loop and not reader.live:
                    self._set_state("ended", "")
                    return
                continue  # from the beginning
            except EOFError:
                reason = "the stream ended"
            except SourceError as error:
                reason = str(error)
            except Exception as error:  # a driver's or decoder's error must not end the thread
                log.exception("reading the source failed")
                reason = f"{type(error).__name__}: {error}"
            if self._stopping.is_set():
                return
            pause_s = BACKOFF_S if self._number > taken else min(pause_s * 2, BACKOFF_MOST_S)
            self._lose(reason)
            self._stopping.wait(pause_s)

    def _play(self, reader: VideoReader) -> None:
        """Read until a film ends.

        Raises:
            EOFError: a stream ended.
            SourceError: the source cannot be read any more.
        """
        began_s, skipped = self._clock(), 0
        last_skipped: tuple[np.ndarray, float] | None = None
        try:
            while not self._stopping.is_set():
                try:
                    image, time_s = reader.read()
                except EOFError:
                    if reader.live:
                        raise
                    if last_skipped is not None:  # a film ends on its last picture, however late that is
                        self._take(*last_skipped)
                    self._stopping.wait(began_s + reader.ends_s - self._clock())  # show the last picture to its end
                    return
                self._note(reader.notes)
                if not reader.live:
                    behind_s = self._clock() - began_s - time_s
                    if behind_s < 0 and self._stopping.wait(-behind_s):
                        return
                    skipped = skipped + 1 if behind_s > LATE_S else 0
                    if 0 < skipped <= PASSED_MOST:
                        last_skipped = image, time_s
                        continue
                    skipped, last_skipped = 0, None
                    if behind_s > 1:  # the machine slept, or is far too slow: do not try to catch up
                        began_s += behind_s
                self._take(image, time_s)
        finally:
            reader.close()

    def _take(self, image: np.ndarray, time_s: float) -> None:
        self._given = (image.shape[0], image.shape[1])
        image = fitted(image, self._size, self._source.fit)
        if self._source.mirror:
            image = np.ascontiguousarray(image[:, ::-1])
        now_s = self._clock()
        self._number += 1
        self._newest = picture = SourcePicture(image, self._number, now_s)
        self._times.append(now_s)
        if self._state != "live":
            self._set_state("live", "")
        if self._on_picture is not None:
            self._on_picture(picture)

    def _set_state(self, state: str, reason: str) -> None:
        self._state, self._reason = state, reason
        if state == "live":
            assert self._given is not None
            log.info("%s %s gives pictures of %dx%d", self._source.kind, self._name, *self._given[::-1])

    def _note(self, notes: Sequence[str]) -> None:
        """Log new notes of the source: a film that starts again repeats its notes."""
        for note in notes:
            if note not in self._noted:
                self._noted.add(note)
                log.info("%s %s: %s", self._source.kind, self._name, note)

    def _lose(self, reason: str) -> None:
        if self._state != "lost":
            log.warning("%s; retrying. The dream continues on the last picture meanwhile", reason)
        self._losses += self._state == "live"
        self._times.clear()
        self._state, self._reason = "lost", reason


def is_live(source: SourceConfig) -> bool:
    """Return whether a source is live: a camera or a URL."""
    return source.kind == "camera" or (source.path is not None and "://" in source.path)
