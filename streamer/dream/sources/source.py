"""A film or camera under a dream: read and shown by this process, and passed to the worker. No torch here."""

from __future__ import annotations

import time
from collections.abc import Callable

from streamer.config import Config
from streamer.dream.sources.capture import Capture, OpenSource
from streamer.dream.sources.picture_feed import PictureFeed
from streamer.dream.sources.readers import open_reader
from streamer.messages.keyframes import SourcePicture
from streamer.messages.status import SourceStatus


class MovingSource:
    """The film or the camera of the settings, at the video's size, from ``start`` to ``stop``."""

    def __init__(
        self, config: Config, clock: Callable[[], float] = time.monotonic, *, open_source: OpenSource = open_reader
    ) -> None:
        """Open the source; see ``Capture``.

        Raises:
            SourceError: the file cannot be read.
        """
        size = (config.video.height, config.video.width)
        self.feed = PictureFeed(size)
        """The feed that the worker reads pictures from."""
        try:
            self._capture = Capture(config.source, size, config.video.fps, self.feed.put, open_source=open_source, clock=clock)
        except BaseException:
            self.feed.close()
            raise

    def start(self) -> None:
        """Start to read; return immediately."""
        self._capture.start()

    def newest(self) -> SourcePicture | None:
        """Return the newest picture; None before the first."""
        return self._capture.newest()

    def status(self) -> SourceStatus:
        """Return the state of the source."""
        return self._capture.status()

    def stop(self, deadline_s: float = 2.0) -> bool:
        """Stop reading and return whether it ended in time. A second call does nothing."""
        ended = self._capture.stop(deadline_s)
        if ended:  # a thread that hangs may still write
            self.feed.close()
        return ended
