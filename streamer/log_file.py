"""The log's file: rotated by size, and no reason to stop when the disk is full."""

from __future__ import annotations

import contextlib
import io
import logging
import logging.handlers
import os
import sys
from pathlib import Path


class LogFile(logging.handlers.RotatingFileHandler):
    """Writes whole lines to a file, and begins another when it is long.

    What cannot be written is said once to another handler, which has all the lines anyway; they are counted here, and
    written of when there is room again. A file that somebody removes is made anew.

    Args:
        most_bytes: of one file.
        files: at most, the one being written and the older ones: ``FILE.1``, ``FILE.2``…
        elsewhere: where trouble with the file is told.
    """

    def __init__(self, path: Path, most_bytes: int, files: int, elsewhere: logging.Handler) -> None:
        super().__init__(path, maxBytes=most_bytes, backupCount=files - 1, delay=True)
        self._elsewhere = elsewhere
        self._lost = 0
        """Lines that could not be written since the last that could."""
        self._why = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; called with this handler's lock held."""
        before = self._lost
        super().emit(record)
        if before and self._lost == before:
            self._lost = 0
            again = _record(
                "the log is written to '%s' again; %d lines are missing there: %s", self.baseFilename, before, self._why
            )
            super().emit(again)
            self._elsewhere.handle(again)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Count a line that could not be written, and say so if it is the first."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self._lost += 1
        if self._lost == 1:
            self._why = error.strerror or str(error)
            text = "the log cannot be written to '%s': %s; it goes on here, and there once that is mended"
            self._elsewhere.handle(_record(text, self.baseFilename, self._why))

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - likewise
        """Whether another file is begun."""
        if self.stream is not None and isinstance(self.stream, _Lines) and self.stream.removed:
            self.stream.close()
            self.stream = self._open()
        return bool(super().shouldRollover(record))

    def _open(self) -> io.TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return _Lines(io.FileIO(self.baseFilename, "a"))


class _Lines(io.TextIOWrapper):
    """A text file in which each text is there at once and whole, or not at all."""

    def __init__(self, file: io.FileIO) -> None:
        super().__init__(io.BufferedWriter(file), encoding="utf-8", errors="backslashreplace")
        self._file = file

    @property
    def removed(self) -> bool:
        """Whether nobody could find what is written."""
        return os.fstat(self._file.fileno()).st_nlink == 0

    def write(self, text: str) -> int:
        """Append a text; raises OSError, and nothing of it is there then."""
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        before = os.fstat(self._file.fileno()).st_size
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(before)
            raise
        return len(text)

    def tell(self) -> int:
        """How long the file is, in bytes."""
        return os.fstat(self._file.fileno()).st_size


def _record(text: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, arguments, None)
