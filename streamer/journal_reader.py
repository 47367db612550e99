"""Reads the journal of a live run: its scenes and times, and the events to replay it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from streamer.errors import ZoomdreamError
from streamer.events import Bump, DreamEvent, DreamStarted, Idle, Reseeded, Resized, StepFailed, ThreadsChanged, Tuned
from streamer.journal_writer import SNAPSHOT, VERSION
from streamer.messages.scenes import Scene
from streamer.pulse import Pulse
from streamer.scene_record import as_motion, scene_from_record

log = logging.getLogger(__name__)

LINE_BYTES = 2**20
"""Longest line that is read: far above any that is written, so that a broken file is read quickly."""
FILL_MS = 100
"""Length of the steps that replace missing ones: ten per second, as in a render."""
MAX_STEP_MS = 60_000
MAX_SIDE_PX = 16_384
MAX_OCTAVES = 1.0


class JournalError(ZoomdreamError):
    """A journal cannot be replayed; the message names it and says why."""

    wrong_call = True


@dataclass(frozen=True, slots=True)
class RecordedKeyframe:
    """A keyframe of the run."""

    at_ms: int
    """Its time since the start of the run."""
    events: tuple[DreamEvent, ...]
    """The events since the previous keyframe."""
    checksum: int | None = None
    """``journal_writer.checksum`` of its pixels, if it was recorded."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedRun:
    """A run as recorded in its journal."""

    path: Path
    program: str
    """Version of the program."""
    started: datetime
    """Start time, in the time zone of the machine it ran on."""
    seed: int
    settings: Mapping[str, Any]
    """The settings that determine the picture, as JSON."""
    keyframes: tuple[RecordedKeyframe, ...]
    complete: bool
    """Whether every step is known; else even steps replace the missing ones."""
    snapshot: Path | None = None
    """File of the snapshot that the run resumed from; None if it started a new dream."""
    switched: bool = False
    """Whether its network or algorithm was switched during the run."""
    pulses: tuple[Pulse, ...] = ()
    """Pulses of the zoom, with times in seconds since the start of the run."""

    @property
    def begun(self) -> DreamStarted:
        """How the dream was first built."""
        return next(event for event in self.keyframes[0].events if isinstance(event, DreamStarted))

    @property
    def span_ms(self) -> tuple[int, int]:
        """Times of the first and the last keyframe since the start of the run, in ms."""
        return self.keyframes[0].at_ms, self.keyframes[-1].at_ms

    @property
    def begins_ms(self) -> int:
        """Start of the dream since the start of the run, in ms; steps may precede its first keyframe."""
        first = self.keyframes[0]
        return first.at_ms - sum(map(duration_ms, first.events))

    def scenes(self) -> Iterator[tuple[int, Scene]]:
        """Yield the scenes, each with its start in ms since the start of the run."""
        at_ms = self.begins_ms
        for keyframe in self.keyframes:
            for event in keyframe.events:
                if isinstance(event, Scene):
                    yield at_ms, event
                at_ms += duration_ms(event)


def duration_ms(event: DreamEvent) -> int:
    """Return how much dream time an event takes, in ms."""
    if isinstance(event, int | float):
        return round(event)
    return event.ms if isinstance(event, Idle) else 0


def read_journal(path: Path) -> RecordedRun:
    """Read a journal, also of a run that was killed or is still running.

    Raises:
        JournalError: there is no such file, it is not a journal, a newer program wrote it, or it has no keyframe.
    """
    try:
        with path.open("rb") as file:
            run = _header(path, file.readline(LINE_BYTES))
            book = _JournalParser()
            while line := file.readline(LINE_BYTES):
                book.add(line)
    except FileNotFoundError:
        raise JournalError(f"there is no journal '{path}'") from None
    except OSError as error:
        raise JournalError(f"the journal '{path}' cannot be read: {error.strerror or error}") from error
    if book.skipped:
        log.warning("'%s': %d broken lines were left out", path, book.skipped)
    if not book.keyframes or not any(isinstance(event, DreamStarted) for event in book.keyframes[0].events):
        raise JournalError(f"the journal '{path}' ends before the first keyframe")
    program, started, seed, settings, resumed = run
    snapshot = path.with_suffix(SNAPSHOT) if resumed else None
    return RecordedRun(
        path,
        program,
        started,
        seed,
        settings,
        tuple(book.keyframes),
        book.complete,
        snapshot,
        switched=book.switched,
        pulses=tuple(book.pulses),
    )


def _header(path: Path, line: bytes) -> tuple[str, datetime, int, Mapping[str, Any], bool]:
    try:
        header = json.loads(line)
        known = isinstance(header, dict) and header.get("zoomdream") == "journal"
        if known and header["version"] > VERSION:
            raise JournalError(
                f"the journal '{path}' was written by zoomdream {header.get('program')}, whose journals this version cannot "
                "read; update zoomdream"
            )
        if known:
            started = datetime.fromisoformat(header["started"]).astimezone(datetime.fromisoformat(header["started"]).tzinfo)
            settings = header["config"]
            if isinstance(settings, dict):
                return str(header["program"]), started, int(header["seed"]), settings, header.get("snapshot") is True
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise JournalError(f"'{path}' is not a journal of zoomdream: its first line does not say so")


class _JournalParser:
    """Assembles keyframes from the lines of a journal."""

    def __init__(self) -> None:
        self.keyframes: list[RecordedKeyframe] = []
        self.pulses: list[Pulse] = []
        self.complete = True
        self.skipped = 0
        """Number of invalid lines; a truncated last line of a killed program does not count."""
        self._pending: list[DreamEvent] = []
        self._at_ms: int | None = None
        self._full = False
        self.switched = False

    def add(self, line: bytes) -> None:
        """Add the next line; skip it if it is invalid."""
        if not line.strip():
            return
        try:
            entry = json.loads(line)
            at_ms = round(entry.pop("at") * 1000)
            ((name, value),) = [(key, value) for key, value in entry.items() if key != "crc"]
            if name == "note":
                self._note(value, at_ms)
                return
            if name == "pulse":  # of the frames, not of the dream
                self.pulses.append(_pulse(value, at_ms))
                return
            events = None if name == "steps" else _event(name, value)
            groups = _groups(value) if name == "steps" else []
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            self.skipped += line.endswith(b"\n")
            return
        if not self._catch_up(at_ms):
            self.skipped += 1
            return
        if events is not None:
            self._do(events)
            return
        crc = entry.get("crc")
        for number, group in enumerate(groups, 1):
            for ms in group:
                self._do(ms)
            if number < len(groups):
                last = number == len(groups) - 1 and not groups[-1]
                self._close(crc if last and isinstance(crc, int) and self.complete else None)

    def _do(self, event: DreamEvent) -> None:
        assert self._at_ms is not None
        self._pending.append(event)
        self._at_ms += duration_ms(event)

    def _close(self, checksum: int | None = None) -> None:
        assert self._at_ms is not None
        self.keyframes.append(RecordedKeyframe(self._at_ms, tuple(self._pending), checksum))
        self._pending = []

    def _catch_up(self, at_ms: int) -> bool:
        """Fill missing time before ``at_ms`` with even steps; return whether ``at_ms`` is valid."""
        if self._at_ms is None:
            self._at_ms = at_ms
        if at_ms < self._at_ms:
            return False
        if at_ms > self._at_ms:
            self.complete = False
        while at_ms > self._at_ms:
            self._do(min(FILL_MS, at_ms - self._at_ms))
            self._close()
        return True

    def _note(self, note: Mapping[str, object], at_ms: int) -> None:
        if "full" in note:
            self._full = True
        if "switched" in note:
            self.switched = True
        if "end" in note and self._full and self._at_ms is not None:
            self._catch_up(at_ms)


def _groups(steps: str) -> list[list[int]]:
    """Return the steps of a line, grouped by keyframe; the last group has no keyframe yet."""
    groups = [[int(ms) for ms in group.split()] for group in steps.split(";")]
    if not all(0 <= ms <= MAX_STEP_MS for group in groups for ms in group):
        raise ValueError("a step cannot be that long")
    return groups


def _event(name: str, value: Any) -> DreamEvent:
    """Return the event of a journal entry.

    Raises:
        ValueError, KeyError, TypeError: the entry is not a valid event.
    """
    match name:
        case "begun":
            size, kept = _size(value["canvas"]), value.get("kept")
            if kept is not None and int(kept) < 0:
                raise ValueError("the state cannot be newer than the keyframe")
            return DreamStarted(
                str(value["network"]),
                str(value["device"]),
                int(value["threads"]),
                size,
                bool(value["resumed"]),
                None if kept is None else int(kept),
                str(value.get("form", "")),  # older journals have none
            )
        case "scene":
            return scene_from_record(value)
        case "motion":
            return as_motion(float(value["speed"]), float(value["rotation"]), float(value.get("drive", 1.0)))
        case "bump":
            return Bump(twist=value == "twist")
        case "canvas":
            return Resized(_size(value))
        case "stood_ms":
            if int(value) < 0:
                raise ValueError("time cannot go back")
            return Idle(int(value))
        case "stumbled":
            return StepFailed()
        case "threads":
            if int(value) < 1:
                raise ValueError("there must be a thread")
            return ThreadsChanged(int(value))
        case "reseeded":
            return Reseeded(noise=value == "noise")
        case "settings":
            return Tuned(tuple(sorted(value.items())))
    raise ValueError(f"'{name}' is not an event")


def _pulse(value: Any, at_ms: int) -> Pulse:
    octaves = float(value["octaves"])
    if not 0 < octaves <= MAX_OCTAVES:
        raise ValueError("a pulse cannot be that large")
    return Pulse(at_ms / 1000, octaves)


def _size(value: Any) -> tuple[int, int]:
    width, height = (int(side) for side in value)
    if not 1 <= min(width, height) <= max(width, height) <= MAX_SIDE_PX:
        raise ValueError("a canvas cannot have that size")
    return height, width
