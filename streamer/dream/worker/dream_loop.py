"""The main loop of the worker process: commands in, keyframes out."""

from __future__ import annotations

import logging
import math
import queue
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from streamer.config import Config
from streamer.dream.device import return_freed_memory
from streamer.dream.interface import ConfigRejected, Dream, DreamError, Inspectable
from streamer.dream.sessions.convergence import ConvergenceDetector
from streamer.dream.sessions.session import PendingKeyframe, Session
from streamer.dream.sources.picture_feed import PictureFeed
from streamer.dream.worker.causes import Cause, diagnose
from streamer.dream.worker.frame_slots import SLOTS, STATE_SLOT, FrameSlots
from streamer.dream.worker.protocol import (
    Command,
    FreeSlot,
    Heartbeat,
    Inspect,
    Inspected,
    KeyframeReady,
    NonFatalError,
    Pause,
    PictureRejected,
    Ready,
    Report,
    ResourceLimit,
    Resume,
    Stop,
    StoredState,
)
from streamer.dream.worker.step_scheduler import StepScheduler
from streamer.errors import ZoomdreamError
from streamer.events import Bump, DreamStarted, Idle, Reseeded, Resized, StepFailed, ThreadsChanged, Tuned
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion
from streamer.messages.scenes import Scene

log = logging.getLogger(__name__)

MAX_DT_S = 30.0
"""Longest time by which one step moves the camera: after a longer silence the picture would be a blur."""
BEAT_S = 0.25
"""Seconds between heartbeats."""
TIDY_S = 60.0
"""Seconds between returns of freed memory to the system."""
STILL_S = 0.5
"""Seconds between keyframes while paused; they show that the camera stands still."""
KEEP_S = 0.25
"""Seconds between keyframes that carry momentum and random state, from which another worker can resume."""
SPOILT = 3
"""Unusable pictures in a row after which the dream restarts."""
INSPECTED = 50
"""After an inspection the next one waits this many times its duration, so inspecting costs at most a fiftieth of the time."""
RESEEDS = 3
"""Restarts, first from the last good picture, then from noise, before the worker fails."""


class UnusablePictureError(ZoomdreamError):
    """The dream gives unusable pictures whatever it restarts from; the message says what is wrong with them."""


class Inbox:
    """Commands from the renderer, in order, and the free slots."""

    def __init__(self) -> None:
        self.free: deque[int] = deque(range(SLOTS))
        """Slots that can be written to."""
        self.kept_free = True
        """Whether the state slot can be written to."""
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()  # no capacity: the renderer sends little before a beat

    def put(self, command: Command) -> None:
        """Add a command; may be called from any thread."""
        if isinstance(command, FreeSlot) and command.slot == STATE_SLOT:
            self.kept_free = True
        elif isinstance(command, FreeSlot):
            self.free.append(command.slot)
        else:
            self._commands.put(command)

    def take(self, timeout_s: float) -> Command | None:
        """Return the next command; wait for it up to ``timeout_s``, then return None."""
        try:
            return self._commands.get(timeout=timeout_s) if timeout_s > 0 else self._commands.get_nowait()
        except queue.Empty:
            return None


class DreamLoop:
    """Drives a session in real time.

    Args:
        motion: The camera's motion at first.
        config: The settings at first; the defaults if not given.
        resume: Where an earlier worker stopped; None for a new dream.
        feed: Pictures of a moving source.
        detector: Detects that the dream has converged; None never wakes it.
        clock: Monotonic seconds, the time of keyframes.
    """

    def __init__(
        self,
        dream: Dream,
        scheduler: StepScheduler,
        frame_slots: FrameSlots,
        inbox: Inbox,
        send: Callable[[Report], None],
        *,
        motion: Motion,
        config: Config | None = None,
        resume: Resume | None = None,
        feed: PictureFeed | None = None,
        detector: ConvergenceDetector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dream, self._scheduler, self._frame_slots, self._inbox, self._send = dream, scheduler, frame_slots, inbox, send
        self._feed, self._clock = feed, clock
        self._paused = self._stopped = False
        self._commands_received = 0
        self._tuned: Tuned | None = None  # settings that wait for the next keyframe
        self._beaten_s = self._tidied_s = began_s = clock()
        self._kept_s = began_s - KEEP_S
        self._sets_up = False  # whether the next step sets something up
        self._spoilt = self._reseeds = 0  # in a row
        self._inspect = False  # whether an inspection was requested
        self._inspect_s = began_s  # earliest time for it
        self._fresh = resume is None
        latest = kept = kept_ago = None
        if resume is not None:
            began_s = min(resume.time_s, began_s)
            latest = Keyframe(resume.picture, resume.pose, began_s, Scene(0, ()), 0, 0, source_picture=resume.source_picture)
            kept, kept_ago = resume.kept, None if resume.kept is None else resume.kept_ago
        self._session = Session(
            lambda: dream.dreamer,
            motion,
            config,
            at_s=began_s,
            latest=latest,
            kept=kept,
            detector=detector,
            compute_with=dream.compute_with,
        )
        self._coming: tuple[PendingKeyframe, StoredState | None] | None = None  # a keyframe whose picture is being copied
        self._threads = dream.threads
        begun = DreamStarted(dream.network, dream.device, dream.threads, scheduler.size, not self._fresh, kept_ago, dream.form)
        self._session.apply(begun)

    def run(self) -> None:
        """Render until ``Stop`` arrives.

        Raises:
            Exception: raised by a step, unless a smaller canvas helps.
            UnusablePictureError: the pictures are still unusable after several restarts.
        """
        dream = self._dream
        self._send(Ready(dream.network, dream.device, dream.wnids, dream.layers, dream.nearest))
        while self._session.scene is None and not self._stopped:  # a picture belongs to a scene
            self._listen(BEAT_S)
        if self._fresh:
            self._session.start_at(self._clock())
            self._publish()
            self._deliver()  # now, since the first step takes long
        while not self._stopped:
            began = self._clock()
            if self._paused:
                self._stand()
                self._publish()
                until = began + STILL_S
            else:
                self._make_keyframe()
                self._show_step()
                until = began + self._scheduler.least_s
            if until > self._clock():
                self._deliver()
            self._listen(until - self._clock())
        self._deliver()

    def _make_keyframe(self) -> None:
        self._tune()
        for step in range(self._scheduler.steps):
            if step:
                self._listen(0.0)
            if self._stopped or self._paused:
                return
            self._step()
            self._deliver()  # the copy was made during the step
        self._publish()
        if self._clock() - self._tidied_s >= TIDY_S:
            return_freed_memory()
            self._tidied_s = self._clock()
        if self._scheduler.keyframe():
            log.info(
                "canvas resized to %dx%d, for a keyframe every %.2f s", *self._scheduler.size[::-1], self._scheduler.target_s
            )
            self._resize()

    def _show_step(self) -> None:
        """Inspect a step if that was requested and is due; this does not change the dream."""
        began_s = self._clock()
        if not self._inspect or self._stopped or began_s < self._inspect_s:
            return
        self._inspect, dreamer, view = False, self._dream.dreamer, None
        if isinstance(dreamer, Inspectable):
            self._deliver()  # so that no picture waits for the inspection
            self._set_up()
            try:
                view = dreamer.inspect()
            except Exception as error:  # no failed inspection may end the dream
                if diagnose(error) is Cause.MEMORY:
                    self._dream.free_memory()
                log.warning("a step cannot be shown: %s", in_one_line(error))
        self._inspect_s = self._clock() + INSPECTED * (self._clock() - began_s)
        self._send(Inspected(view))

    def _tune(self) -> None:
        """Apply the settings that came since the last keyframe, if any did."""
        tuned, self._tuned = self._tuned, None
        if tuned is None:
            return
        try:
            self._session.apply(tuned)
        except DreamError as error:
            self._send(NonFatalError(str(error)))
        else:
            self._scheduler.tune(self._session.config)
            self._set_up()

    def _resize(self) -> None:
        self._session.apply(Resized(self._scheduler.size))
        self._set_up()

    def _set_up(self) -> None:
        """Report that the next step may take long."""
        self._sets_up = True
        self._beat()

    def _step(self) -> None:
        now = self._clock()
        if (too_long_ms := self._whole_ms(now - MAX_DT_S)) > 0:
            self._session.apply(Idle(too_long_ms))
        dt_ms = self._whole_ms(now)
        try:
            self._ride(dt_ms / 1000)
            self._session.apply(dt_ms)
            self._dream.wait()
        except Exception as error:
            if diagnose(error) is not Cause.MEMORY or not self._scheduler.out_of_memory():
                raise
            self._dream.free_memory()
            height, width = self._scheduler.size
            what = f"out of memory: dreaming on a canvas of {width}x{height} from now on ({in_one_line(error)})"
            self._send(NonFatalError(what, Cause.MEMORY, self._scheduler.level))
            self._session.apply(Idle(dt_ms))
            self._session.apply(StepFailed())
            self._resize()
        else:
            self._sets_up = False
            self._scheduler.took(self._clock() - now)

    def _ride(self, dt_s: float) -> None:
        """Move the dream onto the newest picture of a moving source."""
        rider = self._session.rider
        if rider is None or self._feed is None:
            return
        source_picture = rider.source_picture
        picture = self._feed.newest(after=0 if source_picture is None else source_picture.number) or source_picture
        if picture is not None:
            self._session.ride(picture, dt_s)

    def _whole_ms(self, until_s: float) -> int:
        """Return the milliseconds from the dream's time to ``until_s``: whole ones, which the journal records exactly."""
        return max(0, math.floor((until_s - self._session.time_s) * 1000))

    def _stand(self) -> None:
        """Let time pass without moving the camera."""
        self._session.apply(Idle(self._whole_ms(self._clock())))

    def _publish(self) -> None:
        """Begin to send a keyframe, unless all slots are taken: a later picture is newer anyway."""
        self._deliver()
        if self._session.scene is None or not self._inbox.free or self._is_spoilt():
            return
        kept = self._keep()
        self._coming = self._session.begin(), kept
        if self._coming[0].copy.done:
            self._deliver()

    def _deliver(self) -> None:
        """Send the pending keyframe, if there is one; its picture should be copied by now."""
        coming, self._coming = self._coming, None
        if coming is None:
            return
        begun, kept = coming
        keyframe = self._session.finish(begun, watch=not self._paused)
        slot, image, source_picture = self._inbox.free.popleft(), keyframe.image, keyframe.source_picture
        height, width = image.shape[:2]
        self._frame_slots.write(slot, image if source_picture is None else np.concatenate([image, source_picture.image]))
        on = None if source_picture is None else (source_picture.number, source_picture.time_s)
        about = (
            keyframe.pose,
            keyframe.time_s,
            keyframe.scene,
            keyframe.steps,
            self._scheduler.step_s,
            self._session.events,
            on,
        )
        self._send(KeyframeReady(slot, (height, width), *about, kept))

    def _is_spoilt(self) -> bool:
        """Return whether the picture is unusable; if so report it, and restart the dream after several in a row."""
        fault = self._session.fault
        if not fault:
            self._spoilt = self._reseeds = 0
            return False
        self._spoilt += 1
        self._send(PictureRejected(fault))
        if self._spoilt < SPOILT:
            return True
        self._spoilt, self._reseeds = 0, self._reseeds + 1
        if self._reseeds > RESEEDS:
            raise UnusablePictureError(f"the picture stays unusable after restarts: {fault}")
        noise = self._reseeds > 1
        source = "noise, since its last good picture did not help" if noise else "its last good picture, blurred"
        self._send(NonFatalError(f"{SPOILT} unusable pictures in a row, {fault}: the dream restarts from {source}"))
        self._session.apply(Reseeded(noise))
        return True

    def _keep(self) -> StoredState | None:
        """Store the state from which another worker can resume at this picture, if that is due."""
        if not self._inbox.kept_free or self._clock() - self._kept_s < KEEP_S:
            return None
        kept = StoredState.put(self._frame_slots, self._session.keep())
        if kept is not None:
            self._kept_s, self._inbox.kept_free = self._clock(), False
        return kept

    def _beat(self) -> None:
        self._send(Heartbeat(self._scheduler.step_s, self._commands_received, self._scheduler.median_s, self._sets_up))
        self._beaten_s = self._clock()

    def _listen(self, seconds: float) -> None:
        """Obey the commands that wait or come within ``seconds``; send heartbeats."""
        until = self._clock() + seconds
        while not self._stopped:
            now = self._clock()
            if now - self._beaten_s >= BEAT_S:
                self._beat()
            command = self._inbox.take(min(until - now, BEAT_S))
            if command is not None:
                self._obey(command)
                if isinstance(command, Scene | Pause):
                    return  # no reason to wait any longer
            elif now >= until:
                return

    def _obey(self, command: Command) -> None:
        self._commands_received += 1
        match command:
            case Scene():
                try:
                    self._session.apply(command)
                except DreamError as error:
                    self._send(NonFatalError(str(error)))
            case Motion() | Bump():
                self._session.apply(command)
            case Tuned():
                self._tuned = command
            case ResourceLimit():
                self._limit_resources(command)
            case Inspect():
                self._inspect = True
            case Pause():
                if self._paused and not command.paused:
                    self._stand()
                self._paused = command.paused
            case Stop():
                self._stopped = True

    def _limit_resources(self, resource_limit: ResourceLimit) -> None:
        """Use this much of the machine from now on."""
        self._scheduler.limit_share(resource_limit.share)
        threads = max(1, self._dream.threads - resource_limit.threads_fewer)
        if self._dream.threads and threads != self._threads:
            self._threads = threads
            self._session.apply(ThreadsChanged(threads))


def in_one_line(error: BaseException) -> str:
    """Return an exception's type and message in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ConfigRejected) else f"{type(error).__name__}: {text}".rstrip(": ")
