"""One worker process: its birth, the pipe and the shared memory to it, its end."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection

import numpy as np

from streamer.config import Config
from streamer.dream.device import most_pixels
from streamer.dream.interface import DreamFactory
from streamer.dream.sources.picture_feed import PictureFeed
from streamer.dream.worker import worker_main
from streamer.dream.worker.causes import Cause
from streamer.dream.worker.desired_state import DesiredState
from streamer.dream.worker.frame_slots import STATE_SLOT, FrameSlots
from streamer.dream.worker.oom_kills import OomKillCounter
from streamer.dream.worker.protocol import (
    Assignment,
    Begin,
    ClusterPlacement,
    Command,
    Failed,
    FreeSlot,
    Heartbeat,
    Hello,
    KeyframeReady,
    Prepared,
    PrepareMode,
    Report,
    Resume,
    ResumeSlots,
    Stop,
    StoredState,
)
from streamer.dream_state import DreamState
from streamer.messages.motion import Motion
from streamer.processes import cpu_wait_s, exit_code, terminal_signals_blocked

UNHEARD = 16
"""Commands under way that a worker has not confirmed; further ones wait, and of each kind only the latest is sent then."""
SAME_CLOCK_S = 60.0
"""Monotonic clocks of two processes that differ by less are one and the same, as on Linux, macOS and Windows: it is the message
between them that took the time."""
KEPT_BYTES_A_PIXEL, KEPT_BYTES = 8, 2**16
"""Room for what is kept of a dream: momentum of three channels, or what ink follows and its age; and where chance stood."""
RELAY_NICENESS = 4
"""By how much a process that speaks for a worker elsewhere gives way: what it does is little, and no keyframe comes without."""
KILL_S = 1.0
"""Seconds that a worker has between being asked to end and being made to."""


def choose_seed(config: Config) -> int:
    """The seed of a run: that of the settings, or any."""
    return random.SystemRandom().randrange(2**32) if config.seed is None else config.seed


class WorkerProcess:
    """A running worker: it prepares as soon as it is there, and dreams once it is told to begin. For one thread at a time.

    Args:
        feed: Pictures to ride on.
        haste: Whether it is waited for.
        elsewhere: Where it computes; the process here then speaks for it. None: in the process itself.
        threads: It computes with, at most; 0 for as many as suit the machine.
        lends: Whether each slot of shared memory is the worker's again as soon as it was read; else when ``free`` says so.

    Raises:
        OSError, RuntimeError: the system has no process, descriptor, thread or memory left for it; nothing of it is.
    """

    def __init__(
        self,
        config: Config,
        seed: int,
        factory: DreamFactory | None = None,
        feed: PictureFeed | None = None,
        prepare_mode: PrepareMode = PrepareMode.NOW,
        cluster_placement: ClusterPlacement | None = None,
        *,
        threads: int = 0,
        frees_slots: bool = True,
    ) -> None:
        self.seed = seed
        """Of its dream."""
        self.cluster_placement = cluster_placement
        """Where it computes."""
        self.step_s = 0.0
        """Seconds a step takes, as far as it has told."""
        self.prepared = False
        """Whether nothing but its first step is left to do once it is told to begin."""
        self._prepare_mode, self._frees_slots = prepare_mode, frees_slots
        self._told = DesiredState(Motion.from_config(config.zoom))
        self._sent = self._heard = 0
        self._offset_s = 0.0
        self._dismissed = False
        self._memory = OomKillCounter()
        pixels = most_pixels(config.canvas, config.video)
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        try:
            with terminal_signals_blocked():  # what keeps track of shared memory is a process that begins with the first of it
                self._frame_slots = FrameSlots(pixels * (3 if feed is None else 6), pixels * KEPT_BYTES_A_PIXEL + KEPT_BYTES)
        except BaseException:
            self.connection.close()
            theirs.close()
            raise
        assignment = Assignment(config, seed, factory, self._frame_slots, feed, prepare_mode, cluster_placement, threads)
        name = "dream" if prepare_mode is PrepareMode.NOW else "spare"
        main, niceness = (worker_main.main, worker_main.NICENESS) if cluster_placement is None else (_speak, RELAY_NICENESS)
        self._process = spawn.Process(target=main, args=(theirs, assignment), name=name, daemon=True)
        try:
            if not worker_main.NICE_THREADS:
                self._start()
            else:  # it gives way from its first moment on: who starts a process hands down how nice its thread is
                with ThreadPoolExecutor(1, initializer=worker_main.lower_priority, initargs=(niceness,)) as aside:
                    aside.submit(self._start).result()
        except BaseException:
            self.connection.close()
            self._frame_slots.close()
            raise
        finally:
            theirs.close()

    def _start(self) -> None:
        with terminal_signals_blocked(), _main_left_alone():
            self._process.start()

    def begin(self, desired: DesiredState, resume: Resume | None, level: int = 0) -> None:
        """Tell it to dream; to be called once, before ``tell``.

        Args:
            wishes: What is wanted of it; the bumps, twists and inspections so far are not made up for.
            resume: Where an earlier worker got to, at a size that canvases of these settings have.
            level: By how many levels the canvas is to be smaller than usual.
        """
        self._told = replace(self._told, bumps=desired.bumps, twists=desired.twists, inspections=desired.inspections)
        self.resume_from(resume, level)
        if resume is not None and resume.scene is not None:  # another one is faded over to, as ever
            self.tell(replace(self._told, scene=resume.scene))

    def resume_from(self, resume: Resume | None, level: int = 0) -> None:
        """Tell it to dream from where an earlier worker got to, and nothing else."""
        left = None
        if resume is not None:
            ridden, pictures = resume.ridden, resume.picture
            if ridden is not None:
                pictures = np.concatenate([pictures, ridden.image])
            self._frame_slots.write(0, pictures)
            on = None if ridden is None else (ridden.number, ridden.time_s)
            height, width = resume.picture.shape[:2]
            kept = None if resume.kept is None else StoredState.put(self._frame_slots, resume.kept)
            left = ResumeSlots((height, width), resume.pose, resume.time_s, on, kept, resume.kept_ago)
        self.command(Begin(left, level))

    @property
    def sentinel(self) -> int:
        """Something ``multiprocessing.connection.wait`` can wait for: its death."""
        return self._process.sentinel

    @property
    def starved_s(self) -> float:
        """Seconds that it has waited for a core in all, though it had work; 0 where the system does not tell."""
        return cpu_wait_s(self._process.pid)

    @property
    def lives(self) -> bool:
        """Whether the process is there."""
        return self._process.is_alive()

    def tell(self, desired: DesiredState) -> None:
        """Send what it has not been told yet."""
        changes = desired.after(self._told)
        if changes and self._sent - self._heard <= UNHEARD:
            for command in changes:
                self.command(command)
            self._sent += len(changes)
            self._told = desired

    def receive(self) -> tuple[Report, np.ndarray | None]:
        """The next report; of a ``KeyframeReady`` also what is in its slot: the picture, and below it the base picture.

        Raises:
            EOFError, OSError: it is gone.
        """
        report: Report = self.connection.recv()
        self._memory.look()
        match report:
            case Hello():
                offset_s = time.monotonic() - report.clock_s
                self._offset_s = offset_s if abs(offset_s) > SAME_CLOCK_S else 0.0
            case Prepared():
                self.prepared = self._prepare_mode is PrepareMode.SPARE
            case Heartbeat():
                self._heard, self.step_s = report.heard, report.step_s
            case KeyframeReady():
                self.step_s = report.step_s
                height, width = report.size
                picture = self._frame_slots.read(report.slot, (height if report.ridden is None else 2 * height, width))
                if self._frees_slots:
                    self.free(report.slot)
                return report, picture
        return report, None

    def free(self, slot: int) -> None:
        """A slot is the worker's again."""
        self.command(FreeSlot(slot))

    def kept(self, keyframe_ready: KeyframeReady) -> DreamState | None:
        """What was kept of the dream with a shot just received, if it was."""
        if keyframe_ready.kept is None:
            return None
        kept = keyframe_ready.kept.get(self._frame_slots)
        if self._frees_slots:
            self.free(STATE_SLOT)
        return kept

    def time_s(self, keyframe_ready: KeyframeReady) -> float:
        """When a shot's camera stood there, on our monotonic clock."""
        return keyframe_ready.time_s + self._offset_s

    def exit_reason(self) -> Failed:
        """How it ended without a word."""
        what = "the worker" if self.cluster_placement is None else "the process that speaks with the cluster"
        code = exit_code(self._process, KILL_S)
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                for_memory = self._memory.rose() if code == -9 and self.cluster_placement is None else False
                if for_memory:
                    return Failed("the system ended the worker for want of memory", "", lasting=False, cause=Cause.MEMORY)
                hint = "; was there memory enough?" if for_memory is None else ""
                return Failed(f"{what} was killed by {signal.Signals(-code).name}{hint}", "", lasting=False)
        return Failed(f"{what} ended with exit code {code}", "", lasting=False)

    def dismiss(self, seconds: float) -> None:
        """Ask it to end, make it end when it has not within some seconds, and let go of all that was shared.

        A second call does nothing.
        """
        if self._dismissed:
            return
        self._dismissed = True
        self.command(Stop())
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError, EOFError):
            while (left := deadline - time.monotonic()) > 0 and self._process.is_alive():
                if self.connection.poll(min(left, 0.05)):
                    self.connection.recv()  # or it would wait for ever for room in the pipe
        self._process.join(max(0.0, deadline - time.monotonic()))
        if self._process.is_alive():
            self._process.kill()
        exit_code(self._process)
        self._process.close()
        self.connection.close()
        self._frame_slots.close()

    def command(self, command: Command | Begin) -> None:
        """Send a command as it is."""
        with contextlib.suppress(OSError):  # gone: the next receive says so
            self.connection.send(command)


def _speak(connection: Connection, assignment: Assignment) -> None:
    """What runs in the process of a worker elsewhere. Nobody else needs what it imports."""
    from streamer.dream.worker.remote import relay

    relay.main(connection, assignment)


@contextlib.contextmanager
def _main_left_alone() -> Iterator[None]:
    """Processes started within do not run the program's own file once more: a worker needs nothing of it."""
    main = sys.modules["__main__"]
    file = main.__dict__.pop("__file__", None)
    try:
        yield
    finally:
        if file is not None:
            main.__file__ = file
