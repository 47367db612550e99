"""Configures the log: text or JSON lines, optionally also in a file. Only the command line sets it up.

A message that repeats a thousand times a second is written once and then counted, so that it does not fill the disk.
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
"""Shared by logs and progress bars, so that they do not overwrite each other."""

CHATTY = ("aiohttp", "asyncio", "libav", "matplotlib", "PIL", "torch", "twitchio", "urllib3", "watchfiles")
"""Libraries whose INFO lines do not help an operator."""
AGAIN_S = 1.0
"""A line that repeats within this time is counted instead of written."""
ALIKE = 20
"""Most lines from one place in the code within ``AGAIN_S``, whatever their text; further ones are counted."""
TOLD_S = 10.0
"""Seconds between written counts."""
REMEMBERED = 256
"""Most lines and places to remember. When full, the oldest is dropped and its count written."""


TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class LogSetup:
    """Configuration of the log."""

    level: str = "info"
    """The lowest level that is written, in lower or upper case."""
    format: Literal["text", "json"] = "text"
    file: Path | None = None
    """File to write in addition to standard error."""
    file_mb: int = 10
    """Largest size of one file, MB."""
    files: int = 5
    """Most files, including older ones."""

    def of_the_bot(self) -> LogSetup:
        """Return the same for the chat bot's process with a file of its own: two processes that rotate one file lose lines."""
        return self if self.file is None else replace(self, file=self.file.with_suffix(f".bot{self.file.suffix}"))


class JsonLines(logging.Formatter):
    """One JSON object per line: ``time`` (ISO 8601, UTC), ``level``, ``logger``, ``message``, and ``exception`` if any.

    A line with a count also has ``repeated`` and ``seconds``. Secrets are removed earlier, from the record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line, whatever it contains."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            entry["exception"] = record.exc_text
        entry |= {name: getattr(record, name) for name in ("repeated", "seconds") if hasattr(record, name)}
        return json.dumps(entry, ensure_ascii=False)


def configure_logs(setup: LogSetup) -> None:
    """Send logs to standard error, in colour on a terminal, and to a file if configured."""
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
    """Return the current configuration; if none was set up, the defaults at the current level."""
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
            with contextlib.suppress(ValueError):  # its stream is closed
                target.flush()

    def close(self) -> None:
        for target in self._targets:
            target.close()
        super().close()


@dataclass(slots=True)
class _Seen:
    """Counts of a line, or of a place in the code that logs."""

    record: logging.LogRecord
    """The latest record that was not written."""
    since_s: float
    """Start of the count."""
    last_s: float
    """Time of the latest record."""
    written: int = 1
    """Number of records written since the start of the count."""
    counted: int = 0
    """Number of records not written since then."""


class Counting(logging.Handler):
    """Passes records on to another handler, and counts those that repeat too fast. Records below INFO are never counted."""

    def __init__(self, target: logging.Handler, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.setup: LogSetup | None = None
        """The configuration it belongs to; None if ``configure_logs`` did not make it."""
        self._target, self._clock = target, clock
        self._seen: OrderedDict[Hashable, _Seen] = OrderedDict()
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record or count it. Called with this handler's lock held."""
        if record.levelno < logging.INFO:
            self._target.handle(record)
            return
        try:
            text = record.getMessage()
        except Exception:  # wrong arguments to a logger: the target reports them
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
        with contextlib.suppress(ValueError):  # the stream is closed
            self._target.flush()

    def close(self) -> None:
        """Write the remaining counts, and close the target."""
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
            seen.since_s, seen.written = now_s, 0  # the limit applies to each second
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
        """Write a count, and start counting again."""
        if not seen.counted:
            return
        now_s = self._clock()
        same = isinstance(key, tuple) and len(key) == 3
        text = seen.record.getMessage().partition("\n")[0]
        how = "the same line" if same else "lines like it"
        seconds = max(1.0, now_s - seen.since_s)
        count = logging.LogRecord(
            seen.record.name,
            seen.record.levelno,
            seen.record.pathname,
            seen.record.lineno,
            "%s (%s %d more times in the last %.0f s)",
            (text, how, seen.counted, seconds),
            None,
        )
        count.repeated, count.seconds = seen.counted, round(seconds, 1)
        seen.counted, seen.written, seen.since_s = 0, 1, now_s
        self._target.handle(count)

    def _wake_later(self) -> None:
        if self._timer is not None:
            return
        timer = threading.Timer(TOLD_S, self._wake)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # no thread is available, or the program ends: the next line or the end writes the counts
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
