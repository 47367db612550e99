"""Makes GIFs of clips on first request, one at a time and at low priority."""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from pathlib import Path

from streamer.loop import Loop
from streamer.messages.refused import Reason, Refused
from streamer.video.album.album_files import ERRORS, write_gif
from streamer.video.album.album_folder import AlbumFolder

log = logging.getLogger(__name__)

WAITING = 4
"""Most GIFs in the queue. When full: further ones are refused for the moment."""
RETRY_S = 5.0
WAIT_S = 0.25
"""Seconds between checks whether to stop."""
NICENESS = 10
"""Added niceness, so that frames have priority."""


class Gifs:
    """The GIFs of a folder's clips. Thread-safe."""

    def __init__(self, folder: AlbumFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._wanted: queue.Queue[str] = queue.Queue(WAITING)
        self._under_way: set[str] = set()
        self._ending = threading.Event()
        self._loop = Loop("gifs", self.make)

    def start(self) -> None:
        """Start making requested GIFs."""
        self._loop.start()

    def stop(self, seconds: float) -> bool:
        """Stop, and cancel the current one; return whether that was done within ``seconds``."""
        self._ending.set()
        return self._loop.stop(seconds)

    def get(self, dream_id: str) -> Path | None:
        """Return the GIF of an existing clip; None while it is being made, which starts with the first call.

        Raises:
            Refused: ``LIMIT``, too many are queued.
        """
        path = self._folder.file(dream_id, "gif")
        with self._lock:
            if dream_id in self._under_way:
                return None
            if path.exists():
                return path
            try:
                self._wanted.put_nowait(dream_id)
            except queue.Full:
                raise Refused(Reason.LIMIT, "other GIFs are being made; try again soon", retry_s=RETRY_S) from None
            self._under_way.add(dream_id)
        return None

    def make(self) -> None:
        """Make the next requested GIF, or wait a moment for a request."""
        try:
            dream_id = self._wanted.get(timeout=WAIT_S)
        except queue.Empty:
            return
        _lower_priority()
        try:
            clip = self._folder.file(dream_id, "clip")
            self._folder.add_file(dream_id, "gif", lambda path: write_gif(clip, path, self._look))
        except _GivenUp:
            log.debug("a GIF is cancelled because the program ends")
        except ERRORS as error:
            if self._folder.find(dream_id) is not None:  # else it was removed meanwhile
                log.warning("a clip cannot be converted to a GIF: %s", error)
        finally:
            with self._lock:
                self._under_way.discard(dream_id)

    def _look(self) -> None:
        if self._ending.is_set():
            raise _GivenUp


class _GivenUp(Exception):
    """Cancels a GIF because the program ends."""


def _lower_priority() -> None:
    """Lower the priority of this thread; only Linux has niceness per thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
