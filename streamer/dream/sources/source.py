"""A moving source for a dream to ride on: read here, shown here, and handed to the worker. No torch here."""

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
        """Look at it; see ``Capture``.

        Raises:
            SourceError: the file cannot be read.
        """
        size = (config.video.height, config.video.width)
        self.feed = PictureFeed(size)
        """What the worker takes pictures from."""
        try:
            self._capture = Capture(config.source, size, config.video.fps, self.feed.put, open_source=open_source, clock=clock)
        except BaseException:
            self.feed.close()
            raise

    def start(self) -> None:
        """Begin to read; returns at once."""
        self._capture.start()

    def newest(self) -> SourcePicture | None:
        """The newest picture; None before the first."""
        return self._capture.newest()

    def status(self) -> SourceStatus:
        """How it does."""
        return self._capture.status()

    def stop(self, deadline_s: float = 2.0) -> bool:
        """End it; returns whether it ended in time. A second call does nothing."""
        ended = self._capture.stop(deadline_s)
        if ended:  # what hangs may still write
            self.feed.close()
        return ended
