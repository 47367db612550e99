"""Going on from a snapshot at the start of a run, and keeping one while it lasts."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from streamer import snapshot as files
from streamer.config import Config
from streamer.dream.device import canvas_size, most_pixels
from streamer.loop import Loop
from streamer.media.fit import fitted
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.snapshot import Snapshot, SnapshotError

log = logging.getLogger(__name__)

EVERY_S = 60.0
"""Seconds from one snapshot to the next."""
FIRST_S = 5.0
"""Seconds from the first picture to the first one: a program may be ended before its first minute is over."""
AGAIN_S = 10.0
"""Seconds until it is tried again where it could not be written."""
LOOK_S = 0.5
ALIKE = 0.02
"""Share by which shapes of canvases may differ and count as the same: their sides are rounded."""


class SnapshotWriter:
    """Writes what there is to be written each minute and at the end, in a thread of its own. Thread-safe.

    Args:
        path: The file.
        take: Gives the dream as it is; None while there is nothing to go on from.
        clock: Monotonic seconds.
    """

    def __init__(self, path: Path, take: Callable[[], Snapshot | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._take, self._clock = path, take, clock
        self._due_s: float | None = None  # None before the first picture
        self._lock = threading.Lock()
        self._loop = Loop("snapshot", self.look, every_s=LOOK_S)
        self.trouble = ""
        """Why a restart would not go on from this dream, in one line; empty when it would, or while nothing is dreamt."""

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    def look(self) -> None:
        """Write what is due."""
        now_s = self._clock()
        if self._due_s is not None and now_s < self._due_s:
            return
        taken = self._take()
        if taken is None:
            return
        if self._due_s is None:
            self._due_s = now_s + FIRST_S
            return
        self._due_s = now_s + (EVERY_S if self._write(taken) else AGAIN_S)

    def close(self, seconds: float) -> bool:
        """Write the last one; returns whether that was done within some seconds, for a disk may hang."""
        ended = self._loop.stop(seconds)
        last = threading.Thread(target=self._write_last, name="last snapshot", daemon=True)
        last.start()
        last.join(seconds)
        return ended and not last.is_alive()

    def _write_last(self) -> None:
        if (taken := self._take()) is not None:
            self._write(taken)

    def _write(self, taken: Snapshot) -> bool:
        with self._lock:
            try:
                files.write(self._path, files.pack(taken))
            except OSError as error:
                if not self.trouble:
                    why = error.strerror or error
                    self.trouble = f"a restart would not go on from this dream: '{self._path}' cannot be written: {why}"
                    log.warning("%s; the stream goes on, and it is written when it can be", self.trouble)
                return False
            if self.trouble:
                log.info("'%s' is written again", self._path)
            self.trouble = ""
            return True


def load_resumable(path: Path, config: Config) -> Snapshot | None:
    """What an earlier run got to, made to fit the settings; None where it cannot be gone on from. A line tells in any case."""
    try:
        found = files.read(path)
    except SnapshotError as error:
        log.warning("%s; the dream begins anew, and it is replaced", error)
        return None
    if found is None:
        return None
    when = f"{datetime.fromtimestamp(found.taken_s).astimezone():%Y-%m-%d %H:%M:%S}"
    if found.source != source_fingerprint(config):
        log.info("the dream of %s had another source: it begins anew", when)
        return None
    log.info("the dream goes on where it was at %s", when)
    size, wanted = found.picture.shape[:2], canvas_size(config.canvas, config.video, "cpu")
    unlike = abs(size[0] * wanted[1] / (size[1] * wanted[0]) - 1) > ALIKE
    if unlike or size[0] * size[1] > most_pixels(config.canvas, config.video):
        log.warning("its picture had %dx%d pixels, and goes on at %dx%d, without its momentum", *size[::-1], *wanted[::-1])
        fit = config.source.fit
        ridden = None if found.ridden is None else fitted(found.ridden, wanted, fit)
        found = replace(found, picture=fitted(found.picture, wanted, fit, fine=True), ridden=ridden, kept=None)
    return found


def as_keyframe(snapshot: Snapshot, time_s: float) -> Keyframe:
    """A snapshot as the first keyframe of a run, seen at a moment."""
    ridden = None if snapshot.ridden is None else SourcePicture(snapshot.ridden, 0, 0.0)
    return Keyframe(snapshot.picture, snapshot.pose, time_s, snapshot.scene, 0, 0, ridden=ridden)


def source_fingerprint(config: Config) -> str:
    """What tells a dream's source from others; no word of it can be read from that."""
    told = config.source.model_dump(mode="json", include={"kind", "path", "device", "ride"})
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
