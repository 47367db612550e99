"""Ctrl+C and SIGTERM while something is written that takes long: the first lets it end well, the second ends it at once."""

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
"""What ends a program; not every system has all of them."""
SHELLS = 128
"""Added to a signal's number, it is the exit code that shells give."""


class StoppedBySignal(KeyboardInterrupt):
    """A signal came that ends the program at once."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = exit_code(number)


class Interrupted(CommandError):
    """Work that was asked to end, and has saved what it takes to go on."""


class StopSignals:
    """Hears the signals while it is entered; in another thread than the main one, where none can be heard, it does nothing."""

    def __init__(self) -> None:
        self.begun_s = time.perf_counter()
        """When the work began that may be stopped."""
        self.asked: int | None = None
        """The signal that asks to end well; None while none has come."""
        self._gently = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for name in SIGNALS:
                number = getattr(signal, name, None)
                # What is ignored, as SIGHUP under nohup, is to be ignored.
                if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}

    @contextmanager
    def soft_stop(self) -> Iterator[None]:
        """Within, the first signal is only noted in ``asked``: whoever works looks at it from time to time."""
        before, self._gently = self._gently, True
        try:
            yield
        finally:
            self._gently = before  # several works of one call may be within at once

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if not self._gently or self.asked is not None:
            raise StoppedBySignal(number)
        self.asked = number
        os.write(2, b"\nzoomdream: saving what is done and stopping; once more stops at once\n")  # safe in a handler


def exit_code(number: int) -> int:
    """What the program exits with after a signal."""
    return SHELLS + number if os.name == "posix" else INTERRUPTED
