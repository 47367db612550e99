"""The log file: rotated by size; a full disk does not stop the program."""

from __future__ import annotations

import contextlib
import io
import logging
import logging.handlers
import os
import sys
from pathlib import Path


class LogFile(logging.handlers.RotatingFileHandler):
    """Writes complete lines to a file, and starts another file when it is full.

    When a line cannot be written, one warning goes to another handler, which gets all lines anyway. Lost lines are counted, and
    the count is written once there is space again. A file that was deleted is created again.

    Args:
        most_bytes: largest size of one file.
        files: most files, including older ones: ``FILE.1``, ``FILE.2``…
        elsewhere: handler for warnings about the file.
    """

    def __init__(self, path: Path, most_bytes: int, files: int, elsewhere: logging.Handler) -> None:
        super().__init__(path, maxBytes=most_bytes, backupCount=files - 1, delay=True)
        self._elsewhere = elsewhere
        self._lost = 0
        """Number of lines lost since the last one that was written."""
        self._why = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. Called with this handler's lock held."""
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
        """Count a line that could not be written, and warn if it is the first."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self._lost += 1
        if self._lost == 1:
            self._why = error.strerror or str(error)
            text = "the log cannot be written to '%s': %s; it continues here, and there once that is fixed"
            self._elsewhere.handle(_record(text, self.baseFilename, self._why))

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - logging's name
        """Return whether to start another file."""
        if self.stream is not None and isinstance(self.stream, _Lines) and self.stream.removed:
            self.stream.close()
            self.stream = self._open()
        return bool(super().shouldRollover(record))

    def _open(self) -> io.TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return _Lines(io.FileIO(self.baseFilename, "a"))


class _Lines(io.TextIOWrapper):
    """A text file in which each write takes effect immediately and completely, or not at all."""

    def __init__(self, file: io.FileIO) -> None:
        super().__init__(io.BufferedWriter(file), encoding="utf-8", errors="backslashreplace")
        self._file = file

    @property
    def removed(self) -> bool:
        """Whether the file has been deleted."""
        return os.fstat(self._file.fileno()).st_nlink == 0

    def write(self, text: str) -> int:
        """Append a text.

        Raises:
            OSError: it cannot be written; the file is unchanged.
        """
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
        """Return the file's size in bytes."""
        return os.fstat(self._file.fileno()).st_size


def _record(text: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, arguments, None)
