"""Starts, feeds, watches and restarts the process that dreams. The one place that knows where the worker runs; no torch here.

A thread of its own does all of it. The dream goes on after a crash: a new worker takes up the last picture at the last pose.
"""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import wait

import numpy as np

from streamer.acts import Act
from streamer.config import Config
from streamer.dream.moving.feed import Feed
from streamer.dream.worker.process import Wishes, WorkerProcess
from streamer.dream.worker.protocol import Beat, Busy, Factory, Failed, Ready, Report, Resume, Shot, Trouble
from streamer.messages import Keyframe, Motion, RendererStatus, Scene, SourcePicture

log = logging.getLogger(__name__)

RATE_OVER = 10
"""Keyframes over which rates are taken."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a renderer is."""

    loading_s: float = 300.0
    """Without a sign of life before the first step is done; downloads give signs."""
    silence_s: float = 30.0
    """Without a sign of life afterwards; more where steps take long."""
    silence_steps: float = 20.0
    """Likewise, in steps of their usual length."""
    backoff_s: float = 0.5
    """Pause before a restart; doubles with each until a worker lasts."""
    backoff_most_s: float = 30.0
    lasting_s: float = 60.0
    """A worker that dreamt for so long was sound: what happens then is a first failure."""
    tries: int = 3
    """Workers that may fail one after the other without a single picture before it is given up."""


class Renderer:
    """Dreams in a process of its own. Methods may be called from any thread.

    Args:
        on_keyframe: Called with each keyframe, in the renderer's thread; has to be quick. None: ask ``latest``.
        on_acts: Called likewise just before, with the keyframe and all that was done to the dream since the one before it.
        factory: Makes the dream, in the worker; picklable. None for the real one.
        feed: Pictures of a moving source for the dream to ride on.
    """

    def __init__(
        self,
        config: Config,
        seed: int,
        on_keyframe: Callable[[Keyframe], None] | None = None,
        *,
        factory: Factory | None = None,
        feed: Feed | None = None,
        on_acts: Callable[[Keyframe, tuple[Act, ...]], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits | None = None,
    ) -> None:
        self._config, self._seed, self._factory, self._feed = config, seed, factory, feed
        self._on_acts = on_acts
        self._on_keyframe, self._clock, self._limits = on_keyframe, clock, limits or Limits()
        self._lock = threading.Lock()  # over wishes and alarm
        self._wishes = Wishes(Motion(config.zoom.speed, config.zoom.rotation))
        self._alarm, self._button = multiprocessing.Pipe(duplex=False)
        self._pressed = False
        self._status = RendererStatus(activity="starting")
        self._failure = ""
        self._latest: Keyframe | None = None
        self._recent: deque[tuple[float, int]] = deque(maxlen=RATE_OVER)  # time and steps of the latest keyframes
        self._stopping = threading.Event()
        self._stop_by_s = 0.0
        self._thread = threading.Thread(target=self._run, name="renderer", daemon=True)

    def start(self) -> None:
        """Begin; returns at once. Keyframes come when the network is loaded and a scene is set."""
        self._thread.start()

    def scene(self, scene: Scene) -> None:
        """Dream this from now on; the same scene again changes nothing."""
        self._wish(lambda wishes: replace(wishes, scene=scene))

    def motion(self, motion: Motion) -> None:
        """Move the camera differently from now on."""
        self._wish(lambda wishes: replace(wishes, motion=motion))

    def bump(self) -> None:
        """Wake a settled dream by noise."""
        self._wish(lambda wishes: replace(wishes, bumps=wishes.bumps + 1))

    def twist(self) -> None:
        """Wake a settled dream by a slight twist."""
        self._wish(lambda wishes: replace(wishes, twists=wishes.twists + 1))

    def pause(self, paused: bool) -> None:
        """Stand still, or go on. Keyframes still come, of a camera that does not move."""
        self._wish(lambda wishes: replace(wishes, paused=paused))

    def latest(self) -> Keyframe | None:
        """The newest keyframe; None before the first."""
        return self._latest

    def status(self) -> RendererStatus:
        """How the dreaming goes."""
        return self._status

    @property
    def failure(self) -> str:
        """Why the dream was given up, in one line; empty while there is hope. Only other settings help then."""
        return self._failure

    def stop(self, deadline_s: float = 3.0) -> None:
        """End the worker, by force when it has not ended after so many seconds; nothing of it is left afterwards."""
        self._stop_by_s = time.monotonic() + deadline_s
        self._stopping.set()
        self._wish(lambda wishes: wishes, wake=True)
        if self._thread.ident is not None:
            self._thread.join()
        with self._lock:
            self._alarm.close()
            self._button.close()

    def _wish(self, change: Callable[[Wishes], Wishes], *, wake: bool = False) -> None:
        """Change what the worker is to do, and wake the thread to tell it."""
        with self._lock:
            before, self._wishes = self._wishes, change(self._wishes)
            if (wake or self._wishes != before) and not self._pressed and not self._button.closed:
                self._pressed = True
                self._button.send_bytes(b"!")

    # From here on: the renderer's own thread.

    def _run(self) -> None:
        failures = 0
        try:
            while not self._stopping.is_set():
                ended, dreamt_s = self._employ()
                if self._stopping.is_set():
                    return
                failures = 1 if dreamt_s >= self._limits.lasting_s else failures + 1
                if ended.trace:
                    log.info("where the worker failed:\n%s", ended.trace)
                if ended.lasting or (self._latest is None and failures >= self._limits.tries):
                    self._give_up(ended.message)
                    return
                pause_s = min(self._limits.backoff_s * 2 ** (failures - 1), self._limits.backoff_most_s)
                log.warning("the dream stopped: %s; it goes on with a new worker in %g s", ended.message, pause_s)
                self._recent.clear()
                self._note(error=ended.message, activity="starting again", steps_per_s=0.0, keyframe_s=None)
                self._stopping.wait(pause_s)
                self._note(restarts=self._status.restarts + 1)
        except Exception as error:  # ours, or that of who takes the keyframes: it would end unseen with this thread
            log.exception("the renderer itself failed")
            self._give_up(f"{type(error).__name__}: {error}")

    def _employ(self) -> tuple[Failed, float]:
        """Start a worker and serve it until it ends or is stopped.

        Returns:
            How it ended, and for how many seconds it dreamt.
        """
        with self._lock:
            wishes = self._wishes
        hand = WorkerProcess(self._config, self._seed, self._factory, wishes, self._resume(), self._feed)
        ended, began_s = None, None
        alive_s = self._clock()
        try:
            while not self._stopping.is_set():
                with self._lock:
                    wishes = self._wishes
                hand.tell(wishes)
                patience_s = self._limits.loading_s
                if began_s is not None:
                    patience_s = max(self._limits.silence_s, self._limits.silence_steps * hand.step_s)
                left_s = alive_s + patience_s - self._clock()
                if left_s <= 0:
                    ended = Failed(f"the worker was silent for {patience_s:g} s", "", lasting=False)
                    break
                ready = wait([hand.connection, hand.sentinel, self._alarm], left_s)
                if self._alarm in ready:
                    self._hush()
                if hand.connection in ready:
                    try:
                        report, picture = hand.receive()
                    except (EOFError, OSError):
                        ended = hand.obituary()
                        break
                    alive_s = self._clock()
                    if isinstance(report, Failed):
                        ended = report
                        break
                    if began_s is None and isinstance(report, Shot) and report.steps:
                        began_s = alive_s
                    self._take(hand, report, picture)
                elif hand.sentinel in ready:
                    ended = hand.obituary()
                    break
        finally:
            hand.dismiss(max(0.0, self._stop_by_s - time.monotonic()) if ended is None else 0.0)
        return ended or Failed("stopped", "", lasting=False), 0.0 if began_s is None else self._clock() - began_s

    def _take(self, hand: WorkerProcess, report: Report, picture: np.ndarray | None) -> None:
        match report:
            case Busy():
                self._note(activity=report.what)
            case Ready():
                self._note(network=report.network, device=report.device, wnids=report.wnids, layers=report.layers, activity="")
            case Trouble():
                log.warning("%s", report.message)
                self._note(error=report.message)
            case Beat():
                if self._wishes.paused:
                    self._recent.clear()
                    self._note(steps_per_s=0.0, keyframe_s=None)
            case Shot():
                assert picture is not None
                self._deliver(hand.time_s(report), report, picture)
            case logging.LogRecord():
                logger = logging.getLogger(report.name)
                if logger.isEnabledFor(report.levelno):
                    logger.handle(report)

    def _deliver(self, time_s: float, shot: Shot, picture: np.ndarray) -> None:
        number = 0 if self._latest is None else self._latest.number + 1
        ridden = None
        if shot.ridden is not None:
            picture, below = picture[: shot.size[0]], picture[shot.size[0] :]
            ridden = SourcePicture(below, *shot.ridden)
        self._latest = Keyframe(picture, shot.pose, time_s, shot.scene, number, shot.steps, shot.step_s, ridden)
        if shot.steps:
            self._recent.append((time_s, shot.steps))
        self._note(canvas=shot.size)
        if len(self._recent) > 1:
            seconds = max(self._recent[-1][0] - self._recent[0][0], 1e-9)
            steps = sum(steps for _, steps in self._recent) - self._recent[0][1]
            self._note(steps_per_s=steps / seconds, keyframe_s=seconds / (len(self._recent) - 1))
        if self._on_acts is not None:
            self._on_acts(self._latest, shot.acts)
        if self._on_keyframe is not None:
            self._on_keyframe(self._latest)

    def _resume(self) -> Resume | None:
        if self._latest is None:
            return None
        return Resume(self._latest.image, self._latest.pose, self._latest.time_s, self._latest.ridden)

    def _hush(self) -> None:
        with self._lock:
            self._alarm.recv_bytes()
            self._pressed = False

    def _note(self, **changes: object) -> None:
        self._status = replace(self._status, **changes)  # type: ignore[arg-type]

    def _give_up(self, why: str) -> None:
        self._failure = why
        self._note(error=why, activity="given up", steps_per_s=0.0, keyframe_s=None)
