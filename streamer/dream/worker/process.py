"""One worker process: its start, the pipe and the shared memory to it, and its end."""

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

MAX_UNCONFIRMED = 16
"""Unconfirmed commands allowed; more wait, and then only the latest of each kind is sent."""
SAME_CLOCK_S = 60.0
"""If the monotonic clocks of two processes differ by less, they are the same clock, as on Linux, macOS and Windows: the message
took that time."""
KEPT_BYTES_A_PIXEL, KEPT_BYTES = 8, 2**16
"""Size of the state slot: momentum of three channels, or the map that ink follows and its age; and the random state."""
RELAY_NICENESS = 4
"""Niceness of a relay process: it uses little CPU time, and every keyframe passes through it."""
KILL_S = 1.0
"""Seconds to wait for the exit code of a worker that is ending."""


def choose_seed(config: Config) -> int:
    """Return the seed of a run: that of the settings, else a random one."""
    return random.SystemRandom().randrange(2**32) if config.seed is None else config.seed


class WorkerProcess:
    """A running worker: it prepares as soon as it starts, and renders once ``begin`` is called. Not thread-safe.

    Args:
        feed: Pictures of a moving source, to render on.
        prepare_mode: How it prepares before ``begin``.
        cluster_placement: Where it computes; the local process is then a relay. None: in the local process.
        threads: The most threads to compute with; 0 for as many as suit the machine.
        frees_slots: Whether each slot of shared memory is freed as soon as it was read; else the caller calls ``free``.

    Raises:
        OSError, RuntimeError: the system has no process, descriptor, thread or memory left; nothing is left behind.
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
        """Seed of the dream."""
        self.cluster_placement = cluster_placement
        """Where it computes; None for the local process."""
        self.step_s = 0.0
        """Seconds per step, as last reported; 0 before."""
        self.prepared = False
        """Whether only the first step remains to be done after ``begin``."""
        self._prepare_mode, self._frees_slots = prepare_mode, frees_slots
        self._told = DesiredState(Motion.from_config(config.zoom))
        self._sent = self._confirmed = 0
        self._offset_s = 0.0
        self._dismissed = False
        self._memory = OomKillCounter()
        pixels = most_pixels(config.canvas, config.video)
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        try:
            with terminal_signals_blocked():  # the first block of shared memory starts Python's resource tracker process
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
            else:  # a process inherits the niceness of the thread that starts it
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
        """Start rendering; call this once, before ``tell``.

        Args:
            desired: The desired state; the bumps, twists and inspections up to now are not repeated.
            resume: Where an earlier worker stopped, at a size that canvases of these settings have; None for a new dream.
            level: Number of levels by which the canvas is smaller than usual.
        """
        self._told = replace(self._told, bumps=desired.bumps, twists=desired.twists, inspections=desired.inspections)
        self.resume_from(resume, level)
        if resume is not None and resume.scene is not None:  # a different desired scene then fades in as usual
            self.tell(replace(self._told, scene=resume.scene))

    def resume_from(self, resume: Resume | None, level: int = 0) -> None:
        """Start rendering from where an earlier worker stopped, without sending a desired state."""
        left = None
        if resume is not None:
            source_picture, pictures = resume.source_picture, resume.picture
            if source_picture is not None:
                pictures = np.concatenate([pictures, source_picture.image])
            self._frame_slots.write(0, pictures)
            on = None if source_picture is None else (source_picture.number, source_picture.time_s)
            height, width = resume.picture.shape[:2]
            kept = None if resume.kept is None else StoredState.put(self._frame_slots, resume.kept)
            left = ResumeSlots((height, width), resume.pose, resume.time_s, on, kept, resume.kept_ago)
        self.command(Begin(left, level))

    @property
    def sentinel(self) -> int:
        """Handle that becomes ready when the process ends, for ``multiprocessing.connection.wait``."""
        return self._process.sentinel

    @property
    def starved_s(self) -> float:
        """Total seconds for which it was runnable but waited for a CPU; 0 if the system does not report that."""
        return cpu_wait_s(self._process.pid)

    @property
    def lives(self) -> bool:
        """Whether the process is alive."""
        return self._process.is_alive()

    def tell(self, desired: DesiredState) -> None:
        """Send the commands that lead to the desired state, unless too many are unconfirmed."""
        changes = desired.after(self._told)
        if changes and self._sent - self._confirmed <= MAX_UNCONFIRMED:
            for command in changes:
                self.command(command)
            self._sent += len(changes)
            self._told = desired

    def receive(self) -> tuple[Report, np.ndarray | None]:
        """Return the next report; with a ``KeyframeReady`` also the contents of its slot: the picture, and below it the base
        picture if there is one.

        Raises:
            EOFError, OSError: the process has ended.
        """
        report: Report = self.connection.recv()
        self._memory.update_baseline()
        match report:
            case Hello():
                offset_s = time.monotonic() - report.clock_s
                self._offset_s = offset_s if abs(offset_s) > SAME_CLOCK_S else 0.0
            case Prepared():
                self.prepared = self._prepare_mode is PrepareMode.SPARE
            case Heartbeat():
                self._confirmed, self.step_s = report.commands_received, report.step_s
            case KeyframeReady():
                self.step_s = report.step_s
                height, width = report.size
                picture = self._frame_slots.read(report.slot, (height if report.source_picture is None else 2 * height, width))
                if self._frees_slots:
                    self.free(report.slot)
                return report, picture
        return report, None

    def free(self, slot: int) -> None:
        """Give a slot back to the worker."""
        self.command(FreeSlot(slot))

    def kept(self, keyframe_ready: KeyframeReady) -> DreamState | None:
        """Return the dream's state that came with the keyframe just received; None if none did."""
        if keyframe_ready.kept is None:
            return None
        kept = keyframe_ready.kept.get(self._frame_slots)
        if self._frees_slots:
            self.free(STATE_SLOT)
        return kept

    def time_s(self, keyframe_ready: KeyframeReady) -> float:
        """Return a keyframe's time on this process's monotonic clock."""
        return keyframe_ready.time_s + self._offset_s

    def exit_reason(self) -> Failed:
        """Return why it ended, if it did not report that itself."""
        what = "the worker" if self.cluster_placement is None else "the process that talks to the cluster"
        code = exit_code(self._process, KILL_S)
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                for_memory = self._memory.rose() if code == -9 and self.cluster_placement is None else False
                if for_memory:
                    return Failed("the system killed the worker: out of memory", "", lasting=False, cause=Cause.MEMORY)
                hint = "; was there enough memory?" if for_memory is None else ""
                return Failed(f"{what} was killed by {signal.Signals(-code).name}{hint}", "", lasting=False)
        return Failed(f"{what} ended with exit code {code}", "", lasting=False)

    def dismiss(self, seconds: float) -> None:
        """Ask it to end, kill it if it has not ended after ``seconds``, and release the pipe and the shared memory.

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
                    self.connection.recv()  # or the worker would block on a full pipe
        self._process.join(max(0.0, deadline - time.monotonic()))
        if self._process.is_alive():
            self._process.kill()
        exit_code(self._process)
        self._process.close()
        self.connection.close()
        self._frame_slots.close()

    def command(self, command: Command | Begin) -> None:
        """Send a command."""
        with contextlib.suppress(OSError):  # the process has ended: the next receive raises
            self.connection.send(command)


def _speak(connection: Connection, assignment: Assignment) -> None:
    """Run a relay, in the local process of a worker on a cluster. Imported here, since no other process needs it."""
    from streamer.dream.worker.remote import relay

    relay.main(connection, assignment)


@contextlib.contextmanager
def _main_left_alone() -> Iterator[None]:
    """Keep processes started within from running the program's main file again: a worker does not need it."""
    main = sys.modules["__main__"]
    file = main.__dict__.pop("__file__", None)
    try:
        yield
    finally:
        if file is not None:
            main.__file__ = file
