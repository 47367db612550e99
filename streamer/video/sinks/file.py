"""Records the stream as fragmented MP4: whatever happens, what was written so far plays."""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path

from streamer.video.sinks.sink import RETRY_S, Sink, Subscribe

log = logging.getLogger(__name__)

SYNC_BYTES = 8 << 20
"""Bytes after which the disk is told to keep them, so that a power cut costs no more."""


class FileSink(Sink):
    """Writes pieces of the kind ``mp4`` one after the other, each at once.

    A recording that is there already is never written over: ``dream.mp4`` is followed by ``dream-2.mp4``, and so on; likewise
    when writing goes on after a failure.
    """

    def __init__(self, path: Path, subscribe: Subscribe, *, retry_s: float = RETRY_S) -> None:
        """Prepare to record to ``path``; its folder is made when it is missing."""
        super().__init__(f"file {path.name}", subscribe, retry_s=retry_s)
        self._path = path
        self._file: io.FileIO | None = None
        self._unsynced = 0
        self.current: Path | None = None
        """The file being written, or written last."""

    def open(self) -> None:
        """Create the next free file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        number = 1
        while self._file is None:
            path = self._path if number == 1 else self._path.with_stem(f"{self._path.stem}-{number}")
            try:
                self._file = io.FileIO(path, "xb")
            except FileExistsError:
                number += 1
        self.current = path
        self._unsynced = 0
        log.info("recording to %s", path)

    def deliver(self, piece: bytes) -> None:
        """Write a piece, past every buffer of this process."""
        assert self._file is not None
        rest = memoryview(piece)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._unsynced += len(piece)
        if self._unsynced >= SYNC_BYTES:
            os.fsync(self._file.fileno())
            self._unsynced = 0

    def finish(self) -> None:
        """Close the file; one with nothing in it is removed."""
        file, self._file = self._file, None
        if file is None:
            return
        empty = file.tell() == 0
        file.close()
        if empty and self.current is not None:
            self.current.unlink(missing_ok=True)
