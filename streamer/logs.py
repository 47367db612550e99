"""What the operator reads: lines for people or JSON, in a file besides if so wished; set up by the command line alone.

A fault that comes back a thousand times a second is told once and counted from then on: a full disk helps nobody find it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.logging import RichHandler

from streamer.log_file import LogFile

LEVELS = ("debug", "info", "warning", "error")

console = Console(stderr=True)
"""Where logs and progress bars go, so that they keep out of each other's way."""

CHATTY = ("aiohttp", "asyncio", "libav", "matplotlib", "PIL", "torch", "twitchio", "urllib3", "watchfiles")
"""Libraries whose details are of no use to an operator."""
AGAIN_S = 1.0
"""A line that comes back sooner is counted instead of written."""
ALIKE = 20
"""Lines from one place in the code within AGAIN_S, whatever they say; further ones are counted."""
TOLD_S = 10.0
"""How often counts are written."""
REMEMBERED = 256
"""Lines and places whose last time is known; the oldest is forgotten first, and its count written."""


TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class LogSetup:
    """How the log is written."""

    level: str = "info"
    """The least that is; in any case."""
    format: Literal["text", "json"] = "text"
    file: Path | None = None
    """Written besides standard error."""
    file_mb: int = 10
    files: int = 5
    """How many there are of that size, older ones among them."""

    def of_the_bot(self) -> LogSetup:
        """The same for the chat bot, a process of its own: two that write and rotate one file would lose lines."""
        return self if self.file is None else replace(self, file=self.file.with_suffix(f".bot{self.file.suffix}"))


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time`` (ISO 8601, UTC), ``level``, ``logger``, ``message``, ``exception`` where there is one.

    A line that counts others has ``repeated`` and ``seconds`` besides. Secrets are taken out before, of the record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; what it says is in one line, whatever is in it."""
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            told["exception"] = record.exc_text
        told |= {name: getattr(record, name) for name in ("repeated", "seconds") if hasattr(record, name)}
        return json.dumps(told, ensure_ascii=False)


def configure_logs(setup: LogSetup) -> None:
    """Send logs to standard error, in colour on a terminal, and to a file if so wished."""
    handler: logging.Handler
    formatter = JsonLines() if setup.format == "json" else logging.Formatter(TEXT)
    if console.is_terminal and setup.format == "text":
        handler = RichHandler(console=console, show_path=False, log_time_format="%H:%M:%S", omit_repeated_times=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(formatter)
    if setup.file is not None:
        file = LogFile(setup.file, setup.file_mb * MB, setup.files, handler)
        file.setFormatter(formatter)
        handler = _Both(handler, file)
    counting = Counting(handler)
    counting.setup = setup
    logging.basicConfig(level=setup.level.upper(), handlers=[counting], force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[setup.level.upper()]))


def in_force() -> LogSetup:
    """How the log is written now; of a program that set up none, the defaults at the level it has."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Counting) and handler.setup is not None:
            return handler.setup
    return LogSetup(logging.getLevelName(logging.getLogger().getEffectiveLevel()))


class _Both(logging.Handler):
    """Passes records on to several handlers."""

    def __init__(self, *targets: logging.Handler) -> None:
        super().__init__()
        self._targets = targets

    def emit(self, record: logging.LogRecord) -> None:
        for target in self._targets:
            target.handle(record)

    def flush(self) -> None:
        for target in self._targets:
            with contextlib.suppress(ValueError):  # likewise closed
                target.flush()

    def close(self) -> None:
        for target in self._targets:
            target.close()
        super().close()


@dataclass(slots=True)
class _Seen:
    """A line, or a place in the code that logs."""

    record: logging.LogRecord
    """The latest that was not written."""
    since_s: float
    """Since when it is counted."""
    last_s: float
    written: int = 1
    """How many were written since then."""
    counted: int = 0
    """How many were not."""


class Counting(logging.Handler):
    """Passes records on to another handler, and counts those that come back too fast; those below INFO pass as they are."""

    def __init__(self, target: logging.Handler, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.setup: LogSetup | None = None
        """What it was made for; None where somebody else made it."""
        self._target, self._clock = target, clock
        self._seen: OrderedDict[Hashable, _Seen] = OrderedDict()
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write it or count it; called with this handler's lock held."""
        if record.levelno < logging.INFO:
            self._target.handle(record)
            return
        try:
            text = record.getMessage()
        except Exception:  # a wrong call of a logger: the target tells of it
            self._target.handle(record)
            return
        line, place = (record.name, record.levelno, text), (record.pathname, record.lineno)
        if self._passes(line, record, 1) and self._passes(place, record, ALIKE):
            self._target.handle(record)

    def flush(self) -> None:
        """Write all counts."""
        with self._alone():
            for key, seen in self._seen.items():
                self._tell(key, seen)
        with contextlib.suppress(ValueError):  # the stream is closed: who lent it is gone
            self._target.flush()

    def close(self) -> None:
        """Write what is left, and end with the target."""
        with self._alone():
            if self._timer is not None:
                self._timer.cancel()
        self.flush()
        self._target.close()
        super().close()

    def _passes(self, key: Hashable, record: logging.LogRecord, most: int) -> bool:
        now_s = self._clock()
        seen = self._seen.get(key)
        if seen is None or now_s - seen.last_s >= AGAIN_S:
            if seen is not None:
                self._tell(key, seen)
            self._seen[key] = _Seen(record, now_s, now_s)
            self._seen.move_to_end(key)
            if len(self._seen) > REMEMBERED:
                self._tell(*self._seen.popitem(last=False))
            return True
        self._seen.move_to_end(key)
        if most > 1 and now_s - seen.since_s >= AGAIN_S and not seen.counted:
            seen.since_s, seen.written = now_s, 0  # so many are written each second
        seen.last_s = now_s
        if seen.written < most:
            seen.written += 1
            return True
        seen.record = record
        seen.counted += 1
        if now_s - seen.since_s >= TOLD_S:
            self._tell(key, seen)
        else:
            self._wake_later()
        return False

    def _tell(self, key: Hashable, seen: _Seen) -> None:
        """Write a count, and begin to count anew."""
        if not seen.counted:
            return
        now_s = self._clock()
        same = isinstance(key, tuple) and len(key) == 3
        text = seen.record.getMessage().partition("\n")[0]
        how = "the same line" if same else "lines like it"
        seconds = max(1.0, now_s - seen.since_s)
        told = logging.LogRecord(
            seen.record.name,
            seen.record.levelno,
            seen.record.pathname,
            seen.record.lineno,
            "%s (%s %d more times in the last %.0f s)",
            (text, how, seen.counted, seconds),
            None,
        )
        told.repeated, told.seconds = seen.counted, round(seconds, 1)
        seen.counted, seen.written, seen.since_s = 0, 1, now_s
        self._target.handle(told)

    def _wake_later(self) -> None:
        if self._timer is not None:
            return
        timer = threading.Timer(TOLD_S, self._wake)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # no thread to be had, or the program ends: the next line tells, or the end
            return
        self._timer = timer

    def _wake(self) -> None:
        with self._alone():
            self._timer = None
            now_s = self._clock()
            for key, seen in self._seen.items():
                if seen.counted and (now_s - seen.since_s >= TOLD_S - AGAIN_S or now_s - seen.last_s >= AGAIN_S):
                    self._tell(key, seen)
            if any(seen.counted for seen in self._seen.values()):
                self._wake_later()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()
