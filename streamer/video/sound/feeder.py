"""Reads a sound source into a buffer, and passes the samples to the analyser."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np

from streamer.video.sinks.backoff import BackOff
from streamer.video.sound.decoding import SoundError
from streamer.video.sound.sound_analysis import SoundAnalyser
from streamer.video.sound.sound_buffer import SoundBuffer

log = logging.getLogger(__name__)


class SoundSource(Protocol):
    """A source of sound, read by one thread."""

    @property
    def playing(self) -> str:
        """Name of what is playing."""

    def read(self) -> np.ndarray:
        """Wait for the next samples and return them, (n, 2) float32; raises SoundError if there are none, and can be called
        again then."""

    def close(self) -> None:
        """Close file or connection until the next ``read``; from the thread that reads."""

    def hang_up(self) -> None:
        """End for good, from any thread; a waiting ``read`` fails."""


class Feeder:
    """Reads a source into a buffer, in a thread of its own; after a failure it tries again, without limit, after a pause."""

    def __init__(
        self,
        source: SoundSource,
        sound_buffer: SoundBuffer,
        clock: Callable[[], float],
        idle_s: float | None = None,
        analyser: SoundAnalyser | None = None,
    ) -> None:
        """Start.

        Args:
            idle_s: seconds without a ``take`` after which the source is closed until the next; None: never.
            analyser: gets the samples that go into the buffer.
        """
        self.sound_buffer, self._analyser = sound_buffer, analyser
        self._source = source
        self._clock = clock
        self._idle_s = idle_s
        self._closing = threading.Event()
        self._error = ""
        self._since_s: float | None = None
        self._thread = threading.Thread(target=self._work, name="sound", daemon=True)
        self._thread.start()

    @property
    def playing(self) -> str:
        """Name of what is playing."""
        return self._source.playing

    @property
    def error(self) -> str:
        """Why the source cannot be read; empty while it can."""
        return self._error

    def close(self, deadline_s: float) -> None:
        """End the thread; while it is connecting, it may outlive the deadline a little, and ends by itself."""
        self._closing.set()
        self.sound_buffer.close()
        self._source.hang_up()
        self._thread.join(deadline_s)

    def _work(self) -> None:
        back_off = BackOff()
        while True:
            self._since_s = None
            try:
                self._feed()
            except SoundError as error:
                self._fail(str(error))
            except Exception as error:  # the stream continues without sound; the log has the traceback
                log.exception("the sound's thread failed")
                self._fail(f"{type(error).__name__}: see the log")
            self._source.close()
            if self._closing.is_set():
                break
            self.sound_buffer.cut()
            heard_s = self._clock() - self._since_s if self._since_s is not None else 0.0
            if self._closing.wait(back_off.pause_s(heard_s)):
                break

    def _feed(self) -> None:
        """Read until the source fails or the feeder is closed."""
        while not self._closing.is_set():
            samples = self._source.read()
            if self._since_s is None:
                self._since_s = self._clock()
            if self._error:
                self._error = ""
                log.info("there is sound again")
            start = self.sound_buffer.written
            if self.sound_buffer.put(samples, self._idle_s):
                if self._analyser is not None:
                    self._analyser.analyse(start, samples)
            elif not self._closing.is_set():
                self._leave()

    def _leave(self) -> None:
        """Close the station and drop what it sent until somebody listens again."""
        log.info("nobody listens to the radio any more; disconnected until somebody does")
        self._source.close()
        self.sound_buffer.clear()
        self.sound_buffer.wait_until_taken()

    def _fail(self, error: str) -> None:
        if self._closing.is_set():
            return
        if error != self._error:
            log.warning("no sound until this is fixed: %s", error)
        self._error = error
