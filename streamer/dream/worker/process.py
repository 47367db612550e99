"""One worker process: its birth, the pipe and the shared memory to it, its end."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from streamer.acts import Bump
from streamer.config import Config
from streamer.dream.device import AUTO_WIDTH, canvas_size
from streamer.dream.moving.feed import Feed
from streamer.dream.worker import work
from streamer.dream.worker.protocol import (
    Assignment,
    Beat,
    Command,
    Factory,
    Failed,
    Free,
    Hello,
    Pause,
    Report,
    Resume,
    Shot,
    Stop,
)
from streamer.dream.worker.ring import Ring
from streamer.messages import Motion, Scene

UNHEARD = 16
"""Commands under way that a worker has not confirmed; further ones wait, and of each kind only the latest is sent then."""
SAME_CLOCK_S = 60.0
"""Monotonic clocks of two processes that differ by less are one and the same, as on Linux, macOS and Windows: it is the message
between them that took the time."""
KILL_S = 1.0
"""Seconds that a worker has between being asked to end and being made to."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a worker is to do."""

    motion: Motion
    scene: Scene | None = None
    paused: bool = False
    bumps: int = 0
    """How many were asked for so far."""
    twists: int = 0
    """Likewise."""


class WorkerProcess:
    """A running worker. For one thread only.

    Args:
        wishes: What is wanted of it; the bumps and twists so far are not made up for.
        resume: Where an earlier worker got to.
        feed: Pictures to ride on.
    """

    def __init__(
        self,
        config: Config,
        seed: int,
        factory: Factory | None,
        wishes: Wishes,
        resume: Resume | None,
        feed: Feed | None = None,
    ) -> None:
        self.step_s = 0.0
        """Seconds a step takes, as far as it has told."""
        motion = Motion(config.zoom.speed, config.zoom.rotation)
        self._told = Wishes(motion, bumps=wishes.bumps, twists=wishes.twists)
        self._sent = self._heard = 0
        self._offset_s = 0.0
        sizes = [canvas_size(config.canvas, config.video, device) for device in AUTO_WIDTH]
        pictures = [height * width * 3 for height, width in sizes] + ([resume.picture.nbytes] if resume else [])
        self._ring = Ring(max(pictures) * (1 if feed is None else 2))
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        assignment = Assignment(config, seed, factory, self._ring, resume, feed)
        self._process = spawn.Process(target=work.main, args=(theirs, assignment), name="dream", daemon=True)
        try:
            with _deaf_to_ctrl_c():
                self._process.start()
        except BaseException:
            self.connection.close()
            self._ring.close()
            raise
        finally:
            theirs.close()

    @property
    def sentinel(self) -> int:
        """Something ``multiprocessing.connection.wait`` can wait for: its death."""
        return self._process.sentinel

    def tell(self, wishes: Wishes) -> None:
        """Send what it has not been told yet."""
        told = self._told
        changes: list[Command] = []
        if wishes.motion != told.motion:
            changes.append(wishes.motion)
        if wishes.scene is not None and wishes.scene != told.scene:
            changes.append(wishes.scene)
        if wishes.paused != told.paused:
            changes.append(Pause(wishes.paused))
        if wishes.bumps != told.bumps:
            changes.append(Bump())
        if wishes.twists != told.twists:
            changes.append(Bump(twist=True))
        if changes and self._sent - self._heard <= UNHEARD:
            for command in changes:
                self._send(command)
            self._sent += len(changes)
            self._told = wishes

    def receive(self) -> tuple[Report, np.ndarray | None]:
        """What it reports next, with what lies in the slot if it is a ``Shot``: the picture, and below it the one ridden on.

        Raises:
            EOFError, OSError: it is gone.
        """
        report: Report = self.connection.recv()
        match report:
            case Hello():
                offset_s = time.monotonic() - report.clock_s
                self._offset_s = offset_s if abs(offset_s) > SAME_CLOCK_S else 0.0
            case Beat():
                self._heard, self.step_s = report.heard, report.step_s
            case Shot():
                self.step_s = report.step_s
                height, width = report.size
                picture = self._ring.read(report.slot, (height if report.ridden is None else 2 * height, width))
                self._send(Free(report.slot))
                return report, picture
        return report, None

    def time_s(self, shot: Shot) -> float:
        """When a shot's camera stood there, on our monotonic clock."""
        return shot.time_s + self._offset_s

    def obituary(self) -> Failed:
        """How it ended without a word."""
        self._process.join(KILL_S)
        code = self._process.exitcode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                hint = "; was there memory enough?" if code == -9 else ""
                return Failed(f"the worker was killed by {signal.Signals(-code).name}{hint}", "", lasting=False)
        return Failed(f"the worker ended with exit code {code}", "", lasting=False)

    def dismiss(self, seconds: float) -> None:
        """Ask it to end, make it end when it has not within some seconds, and let go of all that was shared."""
        self._send(Stop())
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError, EOFError):
            while (left := deadline - time.monotonic()) > 0 and self._process.is_alive():
                if self.connection.poll(min(left, 0.05)):
                    self.connection.recv()  # or it would wait for ever for room in the pipe
        self._process.join(max(0.0, deadline - time.monotonic()))
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._process.close()
        self.connection.close()
        self._ring.close()

    def _send(self, command: Command) -> None:
        with contextlib.suppress(OSError):  # gone: the next receive says so
            self.connection.send(command)


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started within never get SIGINT; where that cannot be arranged, not from when the worker's code runs."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
