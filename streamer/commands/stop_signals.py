"""Ctrl+C and SIGTERM during long renders: the first one saves and ends, the second one ends immediately."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from streamer.commands import INTERRUPTED, CommandError

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Signals that end a program; not every system has all of them."""
SHELLS = 128
"""Added to a signal's number, this is its exit code in shells."""


class StoppedBySignal(KeyboardInterrupt):
    """A signal that ends the program immediately."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = exit_code(number)


class Interrupted(CommandError):
    """Work was asked to end, and has saved its state."""


class StopSignals:
    """Handles the signals while it is entered; does nothing outside the main thread, which gets no signals."""

    def __init__(self) -> None:
        self.begun_s = time.perf_counter()
        """When the work began, by ``time.perf_counter``."""
        self.asked: int | None = None
        """The signal that asked to save and end; None before one comes."""
        self._gently = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for name in SIGNALS:
                number = getattr(signal, name, None)
                # Ignored signals, such as SIGHUP under nohup, stay ignored.
                if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}

    @contextmanager
    def soft_stop(self) -> Iterator[None]:
        """Within this context, the first signal only sets ``asked``, which the work polls."""
        before, self._gently = self._gently, True
        try:
            yield
        finally:
            self._gently = before  # several works of one call may be inside at the same time

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if not self._gently or self.asked is not None:
            raise StoppedBySignal(number)
        self.asked = number
        os.write(2, b"\nzoomdream: saving what is done and stopping; once more stops immediately\n")  # safe in a handler


def exit_code(number: int) -> int:
    """Return the program's exit code after a signal."""
    return SHELLS + number if os.name == "posix" else INTERRUPTED
