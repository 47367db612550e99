"""Resumes from a snapshot at the start of a run, and writes snapshots during the run."""

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
"""Seconds between snapshots."""
FIRST_S = 5.0
"""Seconds from the first picture to the first snapshot: a program may be stopped within its first minute."""
AGAIN_S = 10.0
"""Seconds until the next attempt if a snapshot could not be written."""
LOOK_S = 0.5
ALIKE = 0.02
"""Relative difference of aspect ratios that count as equal, since sides are rounded."""


class SnapshotWriter:
    """Writes a snapshot each minute and at the end, in a thread of its own. Thread-safe.

    Args:
        path: The file.
        take: Returns a snapshot; None while there is nothing to resume from.
        clock: Monotonic seconds.
    """

    def __init__(self, path: Path, take: Callable[[], Snapshot | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._take, self._clock = path, take, clock
        self._due_s: float | None = None  # None before the first picture
        self._lock = threading.Lock()
        self._loop = Loop("snapshot", self.write_if_due, every_s=LOOK_S)
        self.trouble = ""
        """Why a restart would not resume this dream, in one line; empty if it would, or before the first picture."""

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def write_if_due(self) -> None:
        """Write a snapshot if one is due."""
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
        """Write the last snapshot; return whether that was done within ``seconds``, since a disk may hang."""
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
                    self.trouble = f"a restart would not resume this dream: '{self._path}' cannot be written: {why}"
                    log.warning("%s; the stream continues, retrying every %g s", self.trouble, AGAIN_S)
                return False
            if self.trouble:
                log.info("'%s' can be written again", self._path)
            self.trouble = ""
            return True


def load_resumable(path: Path, config: Config) -> Snapshot | None:
    """Return the last run's snapshot, fitted to the settings, and log a line; None if it cannot be resumed from."""
    try:
        found = files.read(path)
    except SnapshotError as error:
        log.warning("%s; the dream starts over, and the file is replaced", error)
        return None
    if found is None:
        return None
    when = f"{datetime.fromtimestamp(found.taken_s).astimezone():%Y-%m-%d %H:%M:%S}"
    if found.source != source_fingerprint(config):
        log.info("the dream of %s had another source: a new one starts", when)
        return None
    log.info("the dream resumes from %s", when)
    size, wanted = found.picture.shape[:2], canvas_size(config.canvas, config.video, "cpu")
    unlike = abs(size[0] * wanted[1] / (size[1] * wanted[0]) - 1) > ALIKE
    if unlike or size[0] * size[1] > most_pixels(config.canvas, config.video):
        log.warning("its picture is scaled from %dx%d to %dx%d, and loses its momentum", *size[::-1], *wanted[::-1])
        fit = config.source.fit
        source_picture = None if found.source_picture is None else fitted(found.source_picture, wanted, fit)
        found = replace(found, picture=fitted(found.picture, wanted, fit, fine=True), source_picture=source_picture, kept=None)
    return found


def as_keyframe(snapshot: Snapshot, time_s: float) -> Keyframe:
    """Return a snapshot as the first keyframe of a run, at ``time_s``."""
    source_picture = None if snapshot.source_picture is None else SourcePicture(snapshot.source_picture, 0, 0.0)
    return Keyframe(snapshot.picture, snapshot.pose, time_s, snapshot.scene, 0, 0, source_picture=source_picture)


def source_fingerprint(config: Config) -> str:
    """Return a hash that identifies a dream's source without disclosing it."""
    source = config.source.model_dump(mode="json", include={"kind", "path", "device", "ride"})
    return hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()
