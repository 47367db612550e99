"""A journal read back: what a live run dreamt, when, and how to dream it again."""

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
"""Far above any line that is written; below what takes a broken file long."""
FILL_MS = 100
"""Length of the steps that stand in for those that are missing: ten a second, as in a render."""
MAX_STEP_MS = 60_000
MAX_SIDE_PX = 16_384
MAX_OCTAVES = 1.0


class JournalError(ZoomdreamError):
    """A file that cannot be dreamt again; its message names it and says why."""

    wrong_call = True


@dataclass(frozen=True, slots=True)
class RecordedKeyframe:
    """A keyframe as it was made."""

    at_ms: int
    """Its moment, since the start of the run."""
    events: tuple[DreamEvent, ...]
    """What was done to the dream since the keyframe before."""
    checksum: int | None = None
    """``journal_writer.checksum`` of its pixels, where it was kept."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedRun:
    """A run as its journal tells it."""

    path: Path
    program: str
    """The version of the program that ran."""
    started: datetime
    """With the zone of the machine it ran on."""
    seed: int
    settings: Mapping[str, Any]
    """Those that make the picture, as JSON."""
    keyframes: tuple[RecordedKeyframe, ...]
    complete: bool
    """Whether every step is known; else even steps stand in for the missing ones."""
    snapshot: Path | None = None
    """Where what the run went on from is kept; None where it began by itself."""
    switched: bool = False
    """Whether its network or algorithm was changed on the way."""
    pulses: tuple[Pulse, ...] = ()
    """Those of the zoom, their times in seconds since the start of the run."""

    @property
    def begun(self) -> DreamStarted:
        """How the dream was first put together."""
        return next(event for event in self.keyframes[0].events if isinstance(event, DreamStarted))

    @property
    def span_ms(self) -> tuple[int, int]:
        """The moments of the first and the last keyframe, since the start of the run."""
        return self.keyframes[0].at_ms, self.keyframes[-1].at_ms

    @property
    def begins_ms(self) -> int:
        """The moment the dream began, since the start of the run: steps may lead to its first keyframe."""
        first = self.keyframes[0]
        return first.at_ms - sum(map(duration_ms, first.events))

    def scenes(self) -> Iterator[tuple[int, Scene]]:
        """What was dreamt, each with the moment it began, in ms since the start of the run."""
        at_ms = self.begins_ms
        for keyframe in self.keyframes:
            for event in keyframe.events:
                if isinstance(event, Scene):
                    yield at_ms, event
                at_ms += duration_ms(event)


def duration_ms(event: DreamEvent) -> int:
    """How much time passed while it was done."""
    if isinstance(event, int | float):
        return round(event)
    return event.ms if isinstance(event, Idle) else 0


def read_journal(path: Path) -> RecordedRun:
    """Read a journal, also of a run that was killed, or that still goes on.

    Raises:
        JournalError: there is no such file, it is not a journal, a newer program wrote it, or nothing was dreamt.
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
        raise JournalError(f"the journal '{path}' ends before anything was dreamt")
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
        told = json.loads(line)
        known = isinstance(told, dict) and told.get("zoomdream") == "journal"
        if known and told["version"] > VERSION:
            raise JournalError(
                f"the journal '{path}' was written by zoomdream {told.get('program')}, whose journals this version cannot "
                "read; update zoomdream"
            )
        if known:
            started = datetime.fromisoformat(told["started"]).astimezone(datetime.fromisoformat(told["started"]).tzinfo)
            settings = told["config"]
            if isinstance(settings, dict):
                return str(told["program"]), started, int(told["seed"]), settings, told.get("snapshot") is True
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise JournalError(f"'{path}' is not a journal of zoomdream: its first line does not say so")


class _JournalParser:
    """Puts the lines of a journal together to keyframes."""

    def __init__(self) -> None:
        self.keyframes: list[RecordedKeyframe] = []
        self.pulses: list[Pulse] = []
        self.complete = True
        self.skipped = 0
        """Lines that make no sense; the last one of a killed program's journal does not count."""
        self._pending: list[DreamEvent] = []
        self._at_ms: int | None = None
        self._full = False
        self.switched = False

    def add(self, line: bytes) -> None:
        """Take the next line; one that is broken is left out."""
        if not line.strip():
            return
        try:
            told = json.loads(line)
            at_ms = round(told.pop("at") * 1000)
            ((name, value),) = [(key, value) for key, value in told.items() if key != "crc"]
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
        crc = told.get("crc")
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
        """Fill what is missing before a moment with even steps; returns whether that moment makes sense."""
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
    """The steps of a line, by keyframe; the last group leads to no keyframe yet."""
    groups = [[int(ms) for ms in group.split()] for group in steps.split(";")]
    if not all(0 <= ms <= MAX_STEP_MS for group in groups for ms in group):
        raise ValueError("a step of such a length is never taken")
    return groups


def _event(name: str, value: Any) -> DreamEvent:
    """An event of the journal as the act it was.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    match name:
        case "begun":
            size, kept = _size(value["canvas"]), value.get("kept")
            if kept is not None and int(kept) < 0:
                raise ValueError("nothing is kept in advance")
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
                raise ValueError("time never goes back")
            return Idle(int(value))
        case "stumbled":
            return StepFailed()
        case "threads":
            if int(value) < 1:
                raise ValueError("nothing is computed by nobody")
            return ThreadsChanged(int(value))
        case "reseeded":
            return Reseeded(noise=value == "noise")
        case "settings":
            return Tuned(tuple(sorted(value.items())))
    raise ValueError(f"'{name}' is no event")


def _pulse(value: Any, at_ms: int) -> Pulse:
    octaves = float(value["octaves"])
    if not 0 < octaves <= MAX_OCTAVES:
        raise ValueError("the camera never comes so close")
    return Pulse(at_ms / 1000, octaves)


def _size(value: Any) -> tuple[int, int]:
    width, height = (int(side) for side in value)
    if not 1 <= min(width, height) <= max(width, height) <= MAX_SIDE_PX:
        raise ValueError("a canvas is never of that size")
    return height, width
