"""Writes the journal of a live run: one line of JSON for each event of its dream, so that it can be replayed.

The first line is the run: version, seed, and the settings that make the picture. Each further line has one event and ``at``,
its time in seconds from the start. ``read_journal`` reads the format. Lines are written immediately, so a killed program loses
at most its last second. Readers skip a truncated line, and fill missing time with even steps. When the disk is full, lines wait
in memory.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from streamer.config import Config
from streamer.events import Bump, DreamEvent, DreamStarted, Idle, Reseeded, Resized, StepFailed, ThreadsChanged, Tuned
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion
from streamer.messages.scenes import Scene
from streamer.scene_record import scene_as_record

log = logging.getLogger(__name__)

VERSION = 1
"""Version of the format; readers refuse newer ones."""
LINE_MS = 1000
"""Dream time whose steps share a line: the most that a killed program loses."""
STEPS_SHARE = 0.9
"""Share of the space that steps may take; the rest is reserved for scenes, which are small."""
UNWRITTEN_BYTES = 4 * 2**20
"""Bytes that wait in memory while they cannot be written, usually most of a day. When full, new lines are dropped, steps
first."""
OPEN_S = 10.0
"""Seconds between attempts to create a file."""
TIDY_BYTES = 2**20
"""Bytes written between checks of the space."""
SNAPSHOT = ".snapshot"
"""Ending of the file beside a journal that holds the snapshot its run resumed from."""
PICTURE_BLOCKS = ("device", "network", "canvas", "video", "zoom", "dream", "source", "ink")
"""Settings that determine the picture. All others are left out: a replay does not need them, and some are secret."""
_NAME = re.compile(r"zoomdream-\d{8}-\d{6}(-\d+)?\.jsonl")
_CREDENTIALS = re.compile(r"(?<=:/)(/?)[^/@\s]*@")
_QUERY = re.compile(r"(?<=\?).*", re.S)


class Journal:
    """Writes the journal of one run. Thread-safe. Lines that cannot be written wait, with a warning in the log."""

    def __init__(
        self,
        folder: Path,
        config: Config,
        seed: int,
        program: str,
        *,
        snapshot: bytes = b"",
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        """Create a journal in a folder, after making space there as ``config.journal`` says.

        If the file cannot be created, this is retried later.

        Args:
            program: the program's version.
            snapshot: the snapshot that the run resumes from, as ``snapshot.pack`` returns it, to save beside the journal; empty
                for a new dream.
            clock: the clock of keyframes.
            wall: returns the local time, with its zone.
        """
        self._clock, self._folder, self._snapshot = clock, folder, snapshot
        self._keep_s = config.journal.keep_days * 86_400.0
        self._room = config.journal.max_mb * 1_000_000
        self._lock = threading.Lock()
        self._started_s, self._started = clock(), wall()
        self._at_ms: int | None = None  # dream time since the start; None before it starts
        self._steps, self._line_ms, self._crc = "", 0, 0
        self._size = self._tidied = 0
        self._unwritten = bytearray()
        self._full = self._failing = self._closed = False
        self.path: Path | None = None
        """The file; None until it is created."""
        self._descriptor = -1
        self._tried_s = clock() - OPEN_S
        settings = without_secrets(config.model_dump(mode="json", include=set(PICTURE_BLOCKS)))
        run = {
            "program": program,
            "started": self._started.isoformat(timespec="milliseconds"),
            "seed": seed,
            "config": settings,
        }
        if snapshot:
            run["snapshot"] = True
        self._write({"zoomdream": "journal", "version": VERSION, **run})

    def keyframe(self, keyframe: Keyframe, events: tuple[DreamEvent, ...]) -> None:
        """Record a keyframe and the events since the previous one."""
        with self._lock:
            if self._at_ms is None:  # if the dream was resumed, steps precede its first keyframe
                lasted_ms = sum(_duration_ms(event) for event in events)
                self._at_ms = max(0, round((keyframe.time_s - self._started_s) * 1000) - lasted_ms)
            for event in events:
                self._add(event)
            if not self._steps:
                self._line_ms = self._at_ms
            self._steps += ";"
            if self._at_ms - self._line_ms >= LINE_MS or len(self._steps) == 1:
                self._crc = checksum(keyframe)
                self._end_steps()

    def note(self, event: str, value: object = True) -> None:
        """Record something else for readers; it has no effect on a replay."""
        with self._lock:
            at_ms = round((self._clock() - self._started_s) * 1000)
            self._write({"at": at_ms / 1000, "note": {event: value}})

    def pulse(self, at_s: float, octaves: float, heard_s: float) -> None:
        """Record a pulse of the zoom, which only the frames show.

        Args:
            at_s: the point on the camera path where it was strongest, as a time of the keyframes' clock.
            octaves: its strength.
            heard_s: when that was, on the same clock.
        """
        with self._lock:
            if self._size <= self._room * STEPS_SHARE:
                about = {"octaves": round(octaves, 4), "heard": round(heard_s - self._started_s, 3)}
                self._write({"at": round(at_s - self._started_s, 3), "pulse": about})

    def close(self) -> None:
        """Write the remaining lines and close the file; a second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._end_steps()
            self._write({"at": round(self._clock() - self._started_s, 3), "note": {"end": True}})
            self._closed = True
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    # Writing

    def _add(self, event: DreamEvent) -> None:
        assert self._at_ms is not None
        if isinstance(event, int | float):
            if not self._steps:
                self._line_ms = self._at_ms
            self._steps += f"{'' if not self._steps or self._steps[-1] == ';' else ' '}{round(event)}"
            self._at_ms += round(event)
            return
        self._end_steps()
        self._event(event, self._at_ms)
        if isinstance(event, Idle):
            self._at_ms += event.ms

    def _event(self, event: DreamEvent, at_ms: int) -> None:
        name, value = _name_and_value(event)
        self._write({"at": at_ms / 1000, name: value})

    def _end_steps(self) -> None:
        """Write the steps taken since the last line."""
        if not self._steps:
            return
        if self._size > self._room * STEPS_SHARE and not self._full:
            self._full = True
            log.warning(
                "the journal is full: scenes are still written but steps no longer, so replays are similar rather than the "
                "same; see journal.max_mb"
            )
            self._write({"at": self._line_ms / 1000, "note": {"full": True}})
        if not self._full:
            line: dict[str, object] = {"at": self._line_ms / 1000, "steps": self._steps}
            if self._steps[-1] == ";" and self._crc:
                line["crc"] = self._crc
            self._write(line)
        self._steps, self._crc = "", 0
        self._line_ms = self._at_ms or 0

    def _write(self, line: Mapping[str, object]) -> None:
        data = json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        waiting = len(self._unwritten)
        if self._closed or self._size + waiting + len(data) > self._room:
            return
        if waiting + len(data) <= UNWRITTEN_BYTES * (STEPS_SHARE if "steps" in line else 1):
            self._unwritten += data
        self._flush()

    def _flush(self) -> None:
        """Write the waiting lines, if possible."""
        if self._descriptor < 0 and not self._begin_file():
            return
        try:
            while self._unwritten:
                self._wrote(os.write(self._descriptor, self._unwritten))
        except OSError as error:
            with suppress(OSError):  # part of it may have been written
                self._wrote(os.fstat(self._descriptor).st_size - self._size)
            if not self._failing:
                log.warning("the journal '%s' cannot be written: %s", self.path, error.strerror or error)
            self._failing = True
            return
        self._failing = False
        if self._size - self._tidied >= TIDY_BYTES:
            self._tidy()

    def _wrote(self, count: int) -> None:
        del self._unwritten[:count]
        self._size += count

    def _begin_file(self) -> bool:
        """Try to create the file, at most once in ``OPEN_S``; return whether it exists."""
        if self._clock() - self._tried_s < OPEN_S:
            return False
        self._tried_s = self._clock()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.path, self._descriptor = _new_file(self._folder, self._started)
            self._keep_snapshot(self.path.with_suffix(SNAPSHOT))
            self._tidy()
        except OSError as error:
            if not self._failing:
                why = error.strerror or error
                log.warning(
                    "no journal can be created in '%s': %s; retrying every 10 s, see journal.folder",
                    self._folder,
                    why,
                )
            self._failing = True
            return False
        log.info("the journal is %s", self.path)
        return True

    def _keep_snapshot(self, path: Path) -> None:
        """Save the snapshot that the run resumed from beside the journal, if there is one."""
        try:
            path.unlink(missing_ok=True)  # left over from a journal that was deleted
            if self._snapshot:
                path.write_bytes(self._snapshot)
        except OSError as error:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            why = error.strerror or error
            log.warning("the run's starting snapshot cannot be saved as '%s': %s; a replay will start from noise", path, why)
        self._snapshot = b""

    def _tidy(self) -> None:
        """Remove journals that are too old or exceed the space, and snapshots without a journal."""
        self._tidied = self._size
        others = []
        for path in self._folder.iterdir():
            with suppress(OSError):  # deleted meanwhile
                if path.suffix == SNAPSHOT and not path.with_suffix(".jsonl").exists():
                    path.unlink()
                elif _NAME.fullmatch(path.name) and path != self.path:
                    others.append((path.stat().st_mtime, path.stat().st_size + _size(path.with_suffix(SNAPSHOT)), path))
        left, now_s = self._room - self._size, time.time()
        if self.path is not None:
            left -= _size(self.path.with_suffix(SNAPSHOT))
        for changed_s, size, path in sorted(others, reverse=True):
            left -= size
            if left < 0 or now_s - changed_s > self._keep_s:
                with suppress(OSError):
                    path.with_suffix(SNAPSHOT).unlink(missing_ok=True)
                    path.unlink()


def checksum(keyframe: Keyframe) -> int:
    """Return the CRC-32 of a keyframe's pixels before any lossy compression."""
    return zlib.crc32(keyframe.image.data) if keyframe.checksum is None else keyframe.checksum


def without_secrets(value: Any) -> Any:
    """Return settings as JSON without the user names, passwords and keys in URLs."""
    if isinstance(value, dict):
        return {key: without_secrets(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_secrets(inner) for inner in value]
    if isinstance(value, str) and ":/" in value:
        return _QUERY.sub("", _CREDENTIALS.sub(r"\1", value)).removesuffix("?")
    return value


def _size(path: Path) -> int:
    """Return a file's size in bytes; 0 if it does not exist."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _duration_ms(event: DreamEvent) -> int:
    """Return how much dream time an event takes, in ms."""
    if isinstance(event, int | float):
        return round(event)
    return event.ms if isinstance(event, Idle) else 0


def _new_file(folder: Path, started: datetime) -> tuple[Path, int]:
    for number in range(1000):
        path = folder / f"zoomdream-{started:%Y%m%d-%H%M%S}{f'-{number}' if number else ''}.jsonl"
        with suppress(FileExistsError):
            return path, os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
    raise FileExistsError(f"there are a thousand journals of one second in '{folder}'")


def _name_and_value(event: DreamEvent) -> tuple[str, object]:
    """Return an event's name and value in the journal."""
    match event:
        case DreamStarted():
            started = {
                "network": event.network,
                "device": event.device,
                "threads": event.threads,
                "canvas": list(event.size[::-1]),
                "resumed": event.resumed,
                "form": event.form,
            }
            return "begun", started if event.kept is None else started | {"kept": event.kept}
        case Scene():
            return "scene", scene_as_record(event)
        case Motion():
            moves = {"speed": event.speed, "rotation": event.rotation}
            return "motion", moves if event.drive == 1 else moves | {"drive": event.drive}
        case Bump():
            return "bump", "twist" if event.twist else "noise"
        case Resized():
            return "canvas", list(event.size[::-1])
        case Idle():
            return "stood_ms", event.ms
        case StepFailed():
            return "stumbled", True
        case ThreadsChanged():
            return "threads", event.threads
        case Reseeded():
            return "reseeded", "noise" if event.noise else "blurred"
        case Tuned():
            return "settings", dict(event.changes)
    raise AssertionError(f"{event!r} is not an event")
