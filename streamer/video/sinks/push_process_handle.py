"""The parent's handle of a ``push_process``: starts it, writes to it without blocking, reads its reports, ends it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-P", "-m", "streamer.video.sinks.push_process")
ENVIRONMENT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Environment variables that are passed on; any other may contain a key."""
LAST_WORDS = 2000
"""Characters kept of its output that is no report, for when it crashes."""
NICENESS = 5
"""Added niceness, so that the streamer has priority: the process imports FFmpeg just when something has gone wrong."""
KILL_S = 2.0
"""Seconds to wait for a killed process to end."""
_READ_BYTES = 1 << 16


class PushProcessHandle:
    """A push process. Belongs to one thread; methods do not wait unless they say so."""

    def __init__(self) -> None:
        """Start the process; raises OSError if the system cannot start another one."""
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[3])
        self._process = subprocess.Popen(
            COMMAND, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
        if hasattr(os, "setpriority"):
            with contextlib.suppress(OSError):  # it has ended, which ``ended`` tells
                os.setpriority(os.PRIO_PROCESS, self._process.pid, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        os.set_blocking(self._in.fileno(), False)
        os.set_blocking(self._out.fileno(), False)
        self._unsent: deque[memoryview] = deque()
        self._unparsed = b""
        self._closing = False
        self.words = ""
        """Its output that is no report; may contain a key."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def send(self, data: bytes) -> None:
        """Queue bytes for ``flush``. The queue is unbounded: do not send more while ``flush`` returns False."""
        self._unsent.append(memoryview(data))

    def flush(self, wait_s: float = 0.0) -> bool:
        """Send what the pipe takes, waiting at most ``wait_s`` for space; return whether the queue is empty."""
        with contextlib.suppress(OSError, ValueError):  # it has ended, which ``ended`` tells
            if self._unsent and wait_s:
                _wait_for_room(self._in.fileno(), wait_s)
            while self._unsent:
                piece = self._unsent[0]
                written = self._in.write(piece)
                if written is None:  # the pipe is full
                    return False
                if written < len(piece):
                    self._unsent[0] = piece[written:]
                else:
                    self._unsent.popleft()
        if self._closing and not self._in.closed:
            with contextlib.suppress(OSError):
                self._in.close()
        return not self._unsent

    def reports(self) -> list[dict[str, Any]]:
        """Return its reports since the last call."""
        with contextlib.suppress(OSError, ValueError):
            while data := self._out.read(_READ_BYTES):
                self._unparsed += data
        *lines, self._unparsed = self._unparsed.split(b"\n")
        found = []
        for line in lines:
            try:
                report = json.loads(line)
            except ValueError:
                report = None
            if isinstance(report, dict):
                found.append(report)
            else:
                self.words = (self.words + line.decode(errors="replace") + "\n")[-LAST_WORDS:]
        return found

    def exit_reason(self) -> str:
        """Describe how it ended, if it did not report why; may contain a key."""
        code = self._process.poll()
        how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
        last = self.words.strip().rpartition("\n")[2]
        return f"the process that sends {how}{': ' if last else ''}{last}"

    def close(self) -> None:
        """Let it send the rest, close its connection and end; check ``ended``."""
        self._closing = True
        self.flush()

    def kill(self) -> None:
        """Kill it and wait until it has ended, usually a moment."""
        self._process.kill()
        for pipe in (self._in, self._out):
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            self._process.wait(KILL_S)
        except subprocess.TimeoutExpired:
            log.warning("process %d does not end although it was killed", self.pid)

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; return whether it did in time."""
        self.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self.ended


def _wait_for_room(number: int, seconds: float) -> None:
    """Wait until a pipe accepts data. ``select`` fails for descriptors from 1024 on, which a busy server has."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(number, select.POLLOUT)
        poll.poll(1000 * seconds)
    else:
        select.select([], [number], [], seconds)
