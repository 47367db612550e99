"""The worker process: Scenes in, pictures out. Torch is imported here only once a dream is put together."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import math
import os
import queue
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np

from streamer.acts import Act, Begun, Bump, Resized, Stood, Stumbled
from streamer.dream.moving.feed import Feed
from streamer.dream.settled import Sleep
from streamer.dream.worker.budget import Budget
from streamer.dream.worker.protocol import (
    Assignment,
    Beat,
    Busy,
    Command,
    Dream,
    Factory,
    Failed,
    Free,
    Hello,
    Pause,
    Ready,
    Report,
    Resume,
    Riding,
    Shot,
    Stop,
    Trouble,
    Unfit,
    wake,
)
from streamer.dream.worker.ring import SLOTS, Ring
from streamer.messages import Motion, Pose, Scene

log = logging.getLogger(__name__)

MAX_DT_S = 30.0
"""The longest stretch the camera is moved at once: after a longer silence the picture would be one blurred spot."""
BEAT_S = 0.25
"""Seconds between signs of life while nothing else is to be said."""
STILL_S = 0.5
"""Seconds between pictures while paused, which tell that the camera stands."""
WATCH_S = 0.2
"""Seconds between looks at a moving source that is ridden on."""
NICENESS = 5
"""The picture may wait, the video may not: the worker gives way to the process that shows it."""


class Inbox:
    """What the renderer sent, in order; slots that were given back lie apart."""

    def __init__(self) -> None:
        self.free: deque[int] = deque(range(SLOTS))
        """Slots of the ring to write to."""
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()  # no capacity: the renderer sends little before a beat

    def put(self, command: Command) -> None:
        """Take in a command, in any thread."""
        if isinstance(command, Free):
            self.free.append(command.slot)
        else:
            self._commands.put(command)

    def take(self, timeout_s: float) -> Command | None:
        """The next command, waited for if need be; None when there is none in time."""
        try:
            return self._commands.get(timeout=timeout_s) if timeout_s > 0 else self._commands.get_nowait()
        except queue.Empty:
            return None


class Worker:
    """The dreaming loop.

    Args:
        resume: Where an earlier worker got to.
        feed: Pictures to ride on.
        sleep: Watches for a dream that has settled; None leaves it alone.
        clock: Monotonic seconds, the pictures' time.
    """

    def __init__(
        self,
        dream: Dream,
        budget: Budget,
        ring: Ring,
        inbox: Inbox,
        send: Callable[[Report], None],
        *,
        motion: Motion,
        resume: Resume | None = None,
        feed: Feed | None = None,
        sleep: Sleep | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dream, self._budget, self._ring, self._inbox, self._send = dream, budget, ring, inbox, send
        self._dreamer, self._motion, self._clock = dream.dreamer, motion, clock
        self._rider, self._feed, self._sleep = dream.rider, feed, sleep
        self._scene: Scene | None = None
        self._paused = self._stopped = False
        self._steps = 0  # since the last picture that went out
        self._heard = 0
        self._beaten_s = self._stood_s = self._moved_s = clock()
        self._fresh = resume is None
        if resume is not None:
            if self._rider is not None and resume.ridden is not None:
                self._rider.ride(resume.ridden, 0.0)
            self._dreamer.restore(resume.picture, resume.pose)
            self._moved_s = min(resume.time_s, self._moved_s)
        self._posed_s = self._moved_s
        self._dreamer.resize(budget.size)
        self._acts: list[Act] = [Begun(dream.network, dream.device, dream.threads, budget.size, not self._fresh)]
        """What was done since the last picture that went out."""

    def run(self) -> None:
        """Dream until told to stop.

        Raises:
            Exception: what a step raised, unless a smaller canvas cures it.
        """
        self._send(Ready(self._dream.network, self._dream.device, self._dream.wnids, self._dream.layers))
        while self._scene is None and not self._stopped:  # a picture belongs to a scene
            self._listen(BEAT_S)
        if self._fresh:
            self._moved_s = self._posed_s = self._clock()
            self._publish()
        while not self._stopped:
            began = self._clock()
            if self._paused:
                self._stand_still()
                until = began + STILL_S
            else:
                self._make_keyframe()
                until = began + self._budget.least_s
            self._listen(until - self._clock())

    def _make_keyframe(self) -> None:
        for step in range(self._budget.steps):
            if step:
                self._listen(0.0)
            if self._stopped or self._paused:
                return
            self._step()
        self._publish()
        if self._budget.keyframe():
            log.info("canvas now %dx%d, to hold a keyframe every %.2f s", *self._budget.size[::-1], self._budget.target_s)
            self._resize()

    def _step(self) -> None:
        now, before = self._clock(), self._dreamer.pose
        dt_ms = self._whole_ms(now - MAX_DT_S)
        if dt_ms > 0:
            self._acts.append(Stood(dt_ms))
        dt_ms = self._whole_ms(now)
        try:
            self._ride(dt_ms / 1000)
            self._dreamer.step(dt_ms / 1000)
        except Exception as error:
            if not self._dream.out_of_memory(error) or not self._budget.out_of_memory():
                raise
            height, width = self._budget.size
            self._send(Trouble(f"out of memory: dreaming on a canvas of {width}x{height} from now on ({_line(error)})"))
            self._acts += [Stood(dt_ms), Stumbled()]
            self._resize()
        else:
            self._budget.took(self._clock() - now)
            self._acts.append(dt_ms)
            self._steps += 1
        still = self._rider is not None or (self._motion.speed == 1 and self._motion.rotation == 0)
        if still or self._dreamer.pose != before:  # the 2015 algorithm moves once for many steps
            self._posed_s = self._moved_s

    def _ride(self, dt_s: float) -> None:
        """Go on upon the newest picture of a moving source."""
        if self._rider is None or self._feed is None:
            return
        ridden = self._rider.ridden
        picture = self._feed.newest(after=0 if ridden is None else ridden.number) or ridden
        if picture is not None:
            self._rider.ride(picture, dt_s)

    def _whole_ms(self, now_s: float) -> int:
        """Move the camera's time up to a moment, by whole milliseconds, so that it can be told exactly; returns how many."""
        ms = max(0, math.floor((now_s - self._moved_s) * 1000))
        self._moved_s += ms / 1000
        return ms

    def _resize(self) -> None:
        self._dreamer.resize(self._budget.size)
        self._acts.append(Resized(self._budget.size))

    def _stand(self) -> None:
        """Let time pass without the camera."""
        self._acts.append(Stood(self._whole_ms(self._clock())))

    def _stand_still(self) -> None:
        """Tell that time passes and the camera does not move."""
        self._stand()
        self._posed_s = self._moved_s
        self._publish()

    def _publish(self) -> None:
        """Send the picture, unless all slots are taken: then a later one is newer."""
        if self._scene is None or not self._inbox.free:
            return
        slot, image = self._inbox.free.popleft(), self._dreamer.picture()
        height, width = image.shape[:2]
        ridden = None if self._rider is None else self._rider.ridden
        self._ring.write(slot, image if ridden is None else np.concatenate([image, ridden.image]))
        pose: Pose = self._dreamer.pose
        acts = tuple(self._acts)
        on = None if ridden is None else (ridden.number, ridden.time_s)
        step_s = self._budget.step_s
        self._send(Shot(slot, (height, width), pose, self._posed_s, self._scene, self._steps, step_s, acts, on))
        self._steps, self._acts = 0, []
        if self._sleep is not None and not self._paused and (bump := self._sleep.look(self._posed_s, pose, image)):
            log.info("the dream had settled: woken by %s", "a twist" if bump.twist else "noise")
            self._wake(bump)

    def _listen(self, seconds: float) -> None:
        """Obey what there is, and what comes within some seconds; give signs of life."""
        until = self._clock() + seconds
        while not self._stopped:
            now = self._clock()
            if now - self._beaten_s >= BEAT_S:
                self._send(Beat(self._budget.step_s, self._heard))
                self._beaten_s = now
            command = self._inbox.take(min(until - now, BEAT_S))
            if command is not None:
                self._obey(command)
                if isinstance(command, Scene | Pause):
                    return  # no reason to rest any longer
            elif now >= until:
                return

    def _wake(self, bump: Bump) -> None:
        self._acts.append(bump)
        wake(self._dreamer, bump)

    def _obey(self, command: Command) -> None:
        self._heard += 1
        if isinstance(command, Scene | Motion):
            self._acts.append(command)
        match command:
            case Scene():
                try:
                    self._dreamer.scene(command)
                    self._scene = command
                    if self._sleep is not None:
                        self._sleep.renew()
                except self._dream.unknown as error:
                    self._send(Trouble(str(error)))
                    self._scene = self._scene or command  # better a picture without it than none
            case Motion():
                self._motion = command
                self._dreamer.motion(command)
            case Bump():
                self._wake(command)
            case Pause():
                if self._paused and not command.paused:
                    self._stand()
                self._paused = command.paused
            case Stop():
                self._stopped = True


def main(connection: Connection, assignment: Assignment) -> None:
    """Run a worker in its own process until told to stop, or until the renderer's process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches all processes of a terminal; the renderer says when to stop
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's threads wait asleep, and leave the cores to the video
    with contextlib.suppress(AttributeError, OSError):
        os.nice(NICENESS)
    lock = threading.Lock()

    def send(report: Report) -> None:
        try:
            with lock:
                connection.send(report)
        except OSError:
            os._exit(0)  # nobody is left to dream for

    _log_to(send)
    inbox, begun = Inbox(), threading.Event()
    ring = assignment.ring
    send(Hello(time.monotonic()))
    threading.Thread(target=_receive, args=(connection, inbox, begun), name="commands", daemon=True).start()
    config = assignment.config
    try:
        dream = (assignment.factory or _real_factory())(config, assignment.seed, lambda what: send(Busy(what)))
        shrinkable = config.dream.keyframe_s != "auto" or config.canvas.width == config.canvas.height == "auto"
        budget = Budget(config.dream, dream.dreamer.size, frame_s=1 / config.video.fps, shrinkable=shrinkable)
        motion = Motion(config.zoom.speed, config.zoom.rotation)
        resume, feed, sleep = assignment.resume, assignment.feed, Sleep(config.dream)
        worker = Worker(dream, budget, ring, inbox, send, motion=motion, resume=resume, feed=feed, sleep=sleep)
        begun.set()
        if dream.rider is not None and assignment.feed is not None:
            threading.Thread(target=_watch, args=(assignment.feed, dream.rider), name="watch", daemon=True).start()
        worker.run()
    except Unfit as error:
        send(Failed(_line(error), "", lasting=True))
    except Exception as error:  # whatever a step can raise: the renderer reports it and starts another worker
        send(Failed(_line(error), traceback.format_exc(), lasting=False))
    finally:
        ring.close()


def _real_factory() -> Factory:
    from streamer.dream.worker.studio import build  # imports torch

    return build


def _receive(connection: Connection, inbox: Inbox, begun: threading.Event) -> None:
    """Take in commands; ends the process when the other side is gone, or asks to stop while a network is still being loaded."""
    while True:
        try:
            command = connection.recv()
        except (EOFError, OSError):
            os._exit(0)
        inbox.put(command)
        if isinstance(command, Stop) and not begun.is_set():
            os._exit(0)


def _watch(feed: Feed, rider: Riding) -> None:
    """Let a dream whose steps are long see what moves meanwhile, as long as the process lives."""
    seen = 0
    while True:
        picture = feed.newest(after=seen)
        if picture is not None:
            seen = picture.number
            rider.pass_by(picture)
        time.sleep(WATCH_S)


class _Sender(logging.handlers.QueueHandler):
    """Log lines to the renderer's process, where logging is set up."""

    def __init__(self, send: Callable[[Report], None]) -> None:
        super().__init__(queue.SimpleQueue())  # not used
        self._send = send

    def enqueue(self, record: logging.LogRecord) -> None:
        self._send(record)


def _log_to(send: Callable[[Report], None]) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_Sender(send)]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)


def _line(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, Unfit) else f"{type(error).__name__}: {text}".rstrip(": ")
