"""The dreaming loop of the worker process: commands in, keyframes out."""

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
"""The longest stretch the camera is moved at once: after a longer silence the picture would be one blurred spot."""
BEAT_S = 0.25
"""Seconds between signs of life while nothing else is to be said."""
TIDY_S = 60.0
"""Seconds after which freed memory is handed back."""
STILL_S = 0.5
"""Seconds between pictures while paused, which tell that the camera stands."""
KEEP_S = 0.25
"""Seconds from one picture with which momentum and chance are sent, for another worker to go on from, to the next."""
SPOILT = 3
"""Pictures that may be spoilt one after the other before the dream is begun anew."""
INSPECTED = 50
"""So many times as long as a look at a step took nobody gets another: it costs the dream a fiftieth of its time at most."""
RESEEDS = 3
"""How often it is begun anew, at first from its last good picture, then from noise, before another worker is to try."""


class UnusablePictureError(ZoomdreamError):
    """Whatever it begins from, the dream becomes no picture; its message says what is wrong with it."""


class Inbox:
    """What the renderer sent, in order; slots that were given back lie apart."""

    def __init__(self) -> None:
        self.free: deque[int] = deque(range(SLOTS))
        """Slots of the ring to write to."""
        self.kept_free = True
        """Whether the place for what is kept can be written to."""
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()  # no capacity: the renderer sends little before a beat

    def put(self, command: Command) -> None:
        """Take in a command, in any thread."""
        if isinstance(command, FreeSlot) and command.slot == STATE_SLOT:
            self.kept_free = True
        elif isinstance(command, FreeSlot):
            self.free.append(command.slot)
        else:
            self._commands.put(command)

    def take(self, timeout_s: float) -> Command | None:
        """The next command, waited for if need be; None when there is none in time."""
        try:
            return self._commands.get(timeout=timeout_s) if timeout_s > 0 else self._commands.get_nowait()
        except queue.Empty:
            return None


class DreamLoop:
    """Drives a session by the clock.

    Args:
        motion: How the camera moves at first.
        config: The settings that it was begun with; the usual ones if not given.
        resume: Where an earlier worker got to.
        feed: Pictures to ride on.
        sleep: Watches for a dream that has settled; None leaves it alone.
        clock: Monotonic seconds, the pictures' time.
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
        sleep: ConvergenceDetector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dream, self._scheduler, self._frame_slots, self._inbox, self._send = dream, scheduler, frame_slots, inbox, send
        self._feed, self._clock = feed, clock
        self._paused = self._stopped = False
        self._heard = 0
        self._tuned: Tuned | None = None  # settings that wait for the next keyframe
        self._beaten_s = self._tidied_s = began_s = clock()
        self._kept_s = began_s - KEEP_S
        self._sets_up = False  # whether the next step does
        self._spoilt = self._reseeds = 0  # in a row
        self._inspect = False  # whether somebody wants to see what a step is made of
        self._inspect_s = began_s  # from when on there is time for that
        self._fresh = resume is None
        latest = kept = kept_ago = None
        if resume is not None:
            began_s = min(resume.time_s, began_s)
            latest = Keyframe(resume.picture, resume.pose, began_s, Scene(0, ()), 0, 0, ridden=resume.ridden)
            kept, kept_ago = resume.kept, None if resume.kept is None else resume.kept_ago
        self._session = Session(
            lambda: dream.dreamer,
            motion,
            config,
            at_s=began_s,
            latest=latest,
            kept=kept,
            sleep=sleep,
            compute_with=dream.compute_with,
        )
        self._coming: tuple[PendingKeyframe, StoredState | None] | None = None  # a keyframe whose picture is on its way
        self._threads = dream.threads
        begun = DreamStarted(dream.network, dream.device, dream.threads, scheduler.size, not self._fresh, kept_ago, dream.form)
        self._session.apply(begun)

    def run(self) -> None:
        """Dream until told to stop.

        Raises:
            Exception: what a step raised, unless a smaller canvas cures it.
            UnusablePictureError: the dream was begun anew several times, and its pictures are still none to be seen.
        """
        dream = self._dream
        self._send(Ready(dream.network, dream.device, dream.wnids, dream.layers, dream.nearest))
        while self._session.scene is None and not self._stopped:  # a picture belongs to a scene
            self._listen(BEAT_S)
        if self._fresh:
            self._session.start_at(self._clock())
            self._publish()
            self._deliver()  # the first step prepares a lot
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
            self._deliver()  # it was copied meanwhile
        self._publish()
        if self._clock() - self._tidied_s >= TIDY_S:
            return_freed_memory()
            self._tidied_s = self._clock()
        if self._scheduler.keyframe():
            log.info("canvas now %dx%d, to hold a keyframe every %.2f s", *self._scheduler.size[::-1], self._scheduler.target_s)
            self._resize()

    def _show_step(self) -> None:
        """Show what a step is made of, where somebody asked and there is time; the dream is not changed by it."""
        began_s = self._clock()
        if not self._inspect or self._stopped or began_s < self._inspect_s:
            return
        self._inspect, dreamer, view = False, self._dream.dreamer, None
        if isinstance(dreamer, Inspectable):
            self._deliver()  # nobody's picture waits for it
            self._set_up()
            try:
                view = dreamer.inspect()
            except Exception as error:  # whatever it is: nobody's dream is to end for a look at it
                if diagnose(error) is Cause.MEMORY:
                    self._dream.free_memory()
                log.warning("a step cannot be shown: %s", in_one_line(error))
        self._inspect_s = self._clock() + INSPECTED * (self._clock() - began_s)
        self._send(Inspected(view))

    def _tune(self) -> None:
        """Go by the settings that came since the last keyframe, if any did."""
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
        """Tell that the next step may take long."""
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
        """Go on upon the newest picture of a moving source."""
        rider = self._session.rider
        if rider is None or self._feed is None:
            return
        ridden = rider.ridden
        picture = self._feed.newest(after=0 if ridden is None else ridden.number) or ridden
        if picture is not None:
            self._session.ride(picture, dt_s)

    def _whole_ms(self, until_s: float) -> int:
        """Milliseconds from where the dream has got to up to a moment: whole ones, so that they can be told exactly."""
        return max(0, math.floor((until_s - self._session.time_s) * 1000))

    def _stand(self) -> None:
        """Let time pass without the camera."""
        self._session.apply(Idle(self._whole_ms(self._clock())))

    def _publish(self) -> None:
        """Send the picture, unless all slots are taken: then a later one is newer."""
        self._deliver()
        if self._session.scene is None or not self._inbox.free or self._is_spoilt():
            return
        kept = self._keep()
        self._coming = self._session.begin(), kept
        if self._coming[0].copy.done:
            self._deliver()

    def _deliver(self) -> None:
        """Send the picture that is on its way, if there is one; by now it should have come."""
        coming, self._coming = self._coming, None
        if coming is None:
            return
        begun, kept = coming
        keyframe = self._session.finish(begun, watch=not self._paused)
        slot, image, ridden = self._inbox.free.popleft(), keyframe.image, keyframe.ridden
        height, width = image.shape[:2]
        self._frame_slots.write(slot, image if ridden is None else np.concatenate([image, ridden.image]))
        on = None if ridden is None else (ridden.number, ridden.time_s)
        told = (
            keyframe.pose,
            keyframe.time_s,
            keyframe.scene,
            keyframe.steps,
            self._scheduler.step_s,
            self._session.events,
            on,
        )
        self._send(KeyframeReady(slot, (height, width), *told, kept))

    def _is_spoilt(self) -> bool:
        """Whether nobody should see the picture. That is told, and too often in a row the dream is begun anew."""
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
            raise UnusablePictureError(f"the picture is spoilt, begun anew or not: {fault}")
        noise = self._reseeds > 1
        source = "noise, for its last good picture did not help" if noise else "its last good picture, blurred"
        self._send(
            NonFatalError(f"{SPOILT} pictures in a row were not fit to be seen, {fault}: the dream begins anew from {source}")
        )
        self._session.apply(Reseeded(noise))
        return True

    def _keep(self) -> StoredState | None:
        """Put what it takes to go on from this picture where another worker will find it, if that is due."""
        if not self._inbox.kept_free or self._clock() - self._kept_s < KEEP_S:
            return None
        kept = StoredState.put(self._frame_slots, self._session.keep())
        if kept is not None:
            self._kept_s, self._inbox.kept_free = self._clock(), False
        return kept

    def _beat(self) -> None:
        self._send(Heartbeat(self._scheduler.step_s, self._heard, self._scheduler.median_s, self._sets_up))
        self._beaten_s = self._clock()

    def _listen(self, seconds: float) -> None:
        """Obey what there is, and what comes within some seconds; give signs of life."""
        until = self._clock() + seconds
        while not self._stopped:
            now = self._clock()
            if now - self._beaten_s >= BEAT_S:
                self._beat()
            command = self._inbox.take(min(until - now, BEAT_S))
            if command is not None:
                self._obey(command)
                if isinstance(command, Scene | Pause):
                    return  # no reason to rest any longer
            elif now >= until:
                return

    def _obey(self, command: Command) -> None:
        self._heard += 1
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
                self._save(command)
            case Inspect():
                self._inspect = True
            case Pause():
                if self._paused and not command.paused:
                    self._stand()
                self._paused = command.paused
            case Stop():
                self._stopped = True

    def _save(self, resource_limit: ResourceLimit) -> None:
        """Take so much of the machine from now on."""
        self._scheduler.save(resource_limit.share)
        threads = max(1, self._dream.threads - resource_limit.threads_fewer)
        if self._dream.threads and threads != self._threads:
            self._threads = threads
            self._session.apply(ThreadsChanged(threads))


def in_one_line(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ConfigRejected) else f"{type(error).__name__}: {text}".rstrip(": ")
