"""Starts, feeds, watches and restarts the worker process; ``placement`` decides where it runs. No torch here.

All of this happens in one thread. The dream continues after a crash: a spare worker, which waits for that, resumes from the
last picture and pose, with the momentum and the random state that were saved last.
"""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait

import numpy as np

from streamer.config import Config
from streamer.dream.compute_formats import with_measured_format
from streamer.dream.device import dreaming_threads
from streamer.dream.interface import DreamFactory
from streamer.dream.sources.picture_feed import PictureFeed
from streamer.dream.worker.causes import Cause
from streamer.dream.worker.degradation import Degradation
from streamer.dream.worker.desired_state import DesiredState
from streamer.dream.worker.placement import Placement, PlacementLimits
from streamer.dream.worker.process import WorkerProcess
from streamer.dream.worker.protocol import (
    Busy,
    ClusterPlacement,
    Failed,
    Heartbeat,
    Inspected,
    KeyframeReady,
    LinkReport,
    NonFatalError,
    PictureRejected,
    PrepareMode,
    Ready,
    Report,
    ResourceLimit,
    Resume,
    forward_log_record,
)
from streamer.dream.worker.settings_switch import SettingsSwitch, SpareAction, can_dream, described, shares_state
from streamer.dream.worker.spare_worker import SpareLimits, SpareWorker, doubled_pause_s, error_text
from streamer.dream.worker.worker_watchdog import SilenceLimits, WorkerWatchdog
from streamer.dream_state import DreamState
from streamer.events import DreamEvent, Tuned
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.messages.motion import Motion
from streamer.messages.renderer_status import LinkStatus, RendererStatus
from streamer.messages.scenes import Scene
from streamer.messages.step_view import Inspection
from streamer.processes import LOOK_S, RoundClock

log = logging.getLogger(__name__)

RATE_OVER = 10
"""Number of keyframes over which rates are averaged."""


@dataclass(frozen=True, slots=True)
class RendererLimits:
    """Timeouts and retry limits of a renderer."""

    silence: SilenceLimits = field(default_factory=SilenceLimits)
    backoff_s: float = 0.5
    """Pause in seconds after a worker that failed early; doubles each time until one does not."""
    backoff_most_s: float = 30.0
    """Longest pause."""
    grown_up: int = 3
    """A worker that rendered this many pictures has not failed early: the next one starts immediately."""
    tries: int = 3
    """Workers that may fail in a row before any was ready; then the renderer gives up. Those that the system could not start do
    not count, since that passes."""
    spare: SpareLimits = field(default_factory=SpareLimits)
    placement: PlacementLimits = field(default_factory=PlacementLimits)


@dataclass(slots=True)
class _WorkerRun:
    """The record of one worker."""

    ended: Failed | None = None
    """How it failed; None while it runs, or if it was stopped on purpose."""
    pictures: int = 0
    """Number of pictures it has rendered."""
    began_s: float = 0.0
    """When the first of them came."""
    latest_s: float = 0.0
    """When the latest of them came."""
    cluster_placement: ClusterPlacement | None = None
    """Where it ran; None for this machine."""


class Renderer:
    """Renders the dream in a worker process. Methods may be called from any thread.

    Args:
        on_keyframe: Called with each keyframe, in the renderer's thread; must be quick. None: the caller polls ``latest``.
        on_events: Called in the same way just before, with the keyframe and the events since the previous one.
        factory: Makes the dream, in the worker; picklable. None for the real one.
        feed: Pictures of a moving source for the dream.
        first: The first worker, already started with the same settings, seed and feed; it ends with this renderer.
        latest: The last keyframe of an earlier run, at a size that canvases of these settings have: the dream resumes from it.
            None for a new dream.
        kept: The dream's state at that keyframe.
        on_switched: Called in the same way before the first keyframe of a worker with other settings, with these settings.
    """

    def __init__(
        self,
        config: Config,
        seed: int,
        on_keyframe: Callable[[Keyframe], None] | None = None,
        *,
        factory: DreamFactory | None = None,
        feed: PictureFeed | None = None,
        first: WorkerProcess | None = None,
        latest: Keyframe | None = None,
        kept: DreamState | None = None,
        on_events: Callable[[Keyframe, tuple[DreamEvent, ...]], None] | None = None,
        on_switched: Callable[[Config], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        limits: RendererLimits | None = None,
    ) -> None:
        self._seed, self._factory, self._feed = seed, factory, feed
        self._on_events, self._on_switched = on_events, on_switched
        self._on_keyframe, self._clock, self._limits = on_keyframe, clock, limits or RendererLimits()
        self._first = first
        self._rounds = RoundClock(clock)
        self._placement = Placement(config.renderer, self._limits.placement, self._rounds)
        self._wants_spare = config.renderer.spare
        self._spare = SpareWorker(self._make_spare, self._limits.spare, self._rounds, self._lose_spare)
        # Measured once, so that all workers with the same settings compute alike.
        self._degradation = Degradation(self._settled(config), clock)
        self._switch = SettingsSwitch(config)
        self._withheld: Scene | None = None  # a scene that the next network may not know
        self._swaps = False  # whether a prepared spare should replace a healthy worker
        self._stopped_s: float | None = None  # when the dream stopped; None while it runs
        self._lock = threading.Lock()  # over _desired and the wake-up pipe
        self._desired = DesiredState(Motion.from_config(config.zoom))
        self._wakeup_reader, self._wakeup_writer = multiprocessing.Pipe(duplex=False)
        self._wakeup_sent = False
        self._status = RendererStatus(activity="starting")
        self._erred_s = 0.0  # time of the last error, if there was one
        self._failure = ""
        self._inspection: Inspection | None = None
        self._latest = latest
        self._kept = None if latest is None or kept is None else (latest, kept)
        self._median_s = 0.0  # of recent step times
        self._ready = False  # whether any worker was ever ready
        self._recent: deque[tuple[float, int]] = deque(maxlen=RATE_OVER)  # time and steps of the latest keyframes
        self._stopping = threading.Event()
        self._stop_by_s = 0.0
        self._thread = threading.Thread(target=self._run, name="renderer", daemon=True)

    def start(self) -> None:
        """Start and return immediately. Keyframes come once the network is loaded and a scene is set."""
        self._thread.start()

    def scene(self, scene: Scene) -> None:
        """Show this scene from now on; setting the same scene again changes nothing."""
        self._change_desired(lambda desired: replace(desired, scene=scene))

    def motion(self, motion: Motion) -> None:
        """Move the camera differently from now on."""
        self._change_desired(lambda desired: replace(desired, motion=motion))

    def tune(self, tuned: Tuned) -> None:
        """Apply other live settings from the next keyframe on."""
        if not self._switch.tune(tuned):
            self._change_desired(lambda desired: replace(desired, tuned=tuned))

    def switch(self, config: Config, tuned: Tuned) -> None:
        """Switch to another network or algorithm: once a worker for it is prepared, it continues from the latest picture.

        Args:
            config: The settings that the new worker starts with.
            tuned: Live settings on top of these.
        """
        self._switch.ask(config, tuned)
        self._change_desired(lambda desired: desired, wake=True)

    def bump(self) -> None:
        """Wake a converged dream by noise."""
        self._change_desired(lambda desired: replace(desired, bumps=desired.bumps + 1))

    def twist(self) -> None:
        """Wake a converged dream by a slight twist."""
        self._change_desired(lambda desired: replace(desired, twists=desired.twists + 1))

    def inspect(self) -> None:
        """Ask the worker for an inspection of a step, when it has time for that."""
        self._change_desired(lambda desired: replace(desired, inspections=desired.inspections + 1))

    def inspection(self) -> Inspection | None:
        """Return the latest inspection; None before the first."""
        return self._inspection

    def pause(self, paused: bool) -> None:
        """Pause or continue. While paused, keyframes still come, but the camera does not move."""
        self._change_desired(lambda desired: replace(desired, paused=paused))

    def limit_resources(self, resource_limit: ResourceLimit) -> None:
        """Limit the worker to this much of the machine from now on."""
        self._change_desired(lambda desired: replace(desired, resource_limit=resource_limit))

    def latest(self) -> Keyframe | None:
        """Return the newest keyframe; None before the first."""
        return self._latest

    def kept(self) -> tuple[Keyframe, DreamState] | None:
        """Return a recent keyframe and the dream's state at it, to resume from; None before the first."""
        return self._kept

    def status(self) -> RendererStatus:
        """Return the renderer's status."""
        status = self._status
        switching, error, failures = self._switch.status
        return replace(
            status,
            reduced=self._degradation.summary,
            link=self._link(),
            last_error_ago_s=max(0.0, self._clock() - self._erred_s) if status.last_error else None,
            switching=switching,
            switch_error=error,
            switch_failures=failures,
        )

    def _link(self) -> LinkStatus | None:
        link, spare = self._placement.link_status, self._spare
        if link is None or not spare.waits:
            return link
        return replace(link, spare="here" if spare.cluster_placement is None else "cluster")

    @property
    def failure(self) -> str:
        """Why the renderer has given up, in one line; empty while it has not. Only other settings help then."""
        return self._failure

    def stop(self, deadline_s: float = 3.0) -> None:
        """End the worker, by force if it has not ended after ``deadline_s``, and release all that it used."""
        self._stop_by_s = time.monotonic() + deadline_s
        self._stopping.set()
        self._change_desired(lambda desired: desired, wake=True)
        if self._thread.ident is not None:
            self._thread.join()
        if self._first is not None:
            self._first.dismiss(0.0)
        with self._lock:
            self._wakeup_reader.close()
            self._wakeup_writer.close()

    def _change_desired(self, change: Callable[[DesiredState], DesiredState], *, wake: bool = False) -> None:
        """Change the desired state, and wake the thread to send it to the worker."""
        with self._lock:
            before, self._desired = self._desired, change(self._desired)
            if (wake or self._desired != before) and not self._wakeup_sent and not self._wakeup_writer.closed:
                self._wakeup_sent = True
                self._wakeup_writer.send_bytes(b"!")

    # From here on: the renderer's own thread.

    def _run(self) -> None:
        failures = hopeless = 0
        try:
            while not self._stopping.is_set():
                try:
                    worker, first, self._first = self._first or self._spare.take() or self._make_now(), self._first, None
                except (OSError, RuntimeError) as error:
                    life = _WorkerRun(Failed(f"no process can be started: {error_text(error)}", "", lasting=False))
                else:
                    if first is None:
                        self._begin_switch()
                    self._placement.begin(worker.cluster_placement)
                    life = self._serve(worker)
                    hopeless += 1
                if self._stopping.is_set():
                    return
                if life.ended is None:
                    log.info("another worker takes over, %s", self._why_another())
                    continue
                lost = self._placement.lost(life.cluster_placement, life.ended.message)
                if self._switch.tried:
                    self._fail_switch(life.ended)
                    continue
                failures = 0 if life.pictures >= self._limits.grown_up else failures + 1
                if self._record_exit(life):
                    hopeless = 0  # there is something left to try
                # Another node may be able to render what this one cannot.
                if (life.ended.lasting and not lost) or (not self._ready and hopeless >= self._limits.tries):
                    self._give_up(life.ended.message)
                    return
                pause_s = (
                    doubled_pause_s(self._limits.backoff_s, failures - 1, self._limits.backoff_most_s) if failures else 0.0
                )
                when = f"in {pause_s:g} s" if pause_s else "immediately"
                log.warning("the dream stopped: %s; continuing with a new worker %s", life.ended.message, when)
                self._stopping.wait(pause_s)
                self._note(restarts=self._status.restarts + 1)
        except Exception as error:  # a bug here or in a callback: it would end this thread unnoticed
            log.exception("the renderer itself failed")
            self._give_up(f"{type(error).__name__}: {error}")
        finally:
            self._spare.dismiss()

    def _serve(self, worker: WorkerProcess) -> _WorkerRun:
        """Run a worker until it fails, is relieved or the renderer stops; end it and return its record."""
        life = _WorkerRun(cluster_placement=worker.cluster_placement)
        watchdog = WorkerWatchdog(
            self._limits.silence,
            self._rounds,
            prepared=worker.prepared,
            median_s=self._median_s,
            starved=lambda: worker.starved_s,
        )
        try:
            with self._lock:
                desired = self._desired
            worker.begin(desired, self._resume(), self._degradation.level)
            while not self._stopping.is_set() and life.ended is None and not self._is_relieved():
                with self._lock:
                    desired = self._desired
                worker.tell(replace(desired, scene=None) if desired.scene is self._withheld else desired)
                watched = [worker.connection, worker.sentinel, self._wakeup_reader, *self._spare.watched]
                wait_s = max(0.0, min(watchdog.left_s, self._spare.left_s, LOOK_S))
                ready = wait(watched, wait_s)
                self._rounds.end_round(wait_s)
                if self._wakeup_reader in ready:
                    self._clear_wakeup()
                if worker.connection in ready:
                    try:
                        report, picture = worker.receive()
                    except (EOFError, OSError):
                        life.ended = worker.exit_reason()
                        continue
                    watchdog.note_report(report)
                    self._median_s = watchdog.median_s
                    self._hear(worker, report, picture, life)
                elif worker.sentinel in ready:
                    life.ended = worker.exit_reason()
                elif watchdog.left_s <= 0:
                    life.ended = Failed(f"the worker was silent for {watchdog.seconds:.3g} s", "", lasting=False)
                self._spare.tick(ready)
                self._look_at_switch()
        finally:
            if self._stopping.is_set():
                self._spare.dismiss()
                worker.dismiss(max(0.0, self._stop_by_s - time.monotonic()))
            else:
                worker.dismiss(0.0)
        return life

    def _hear(self, worker: WorkerProcess, report: Report, picture: np.ndarray | None, life: _WorkerRun) -> None:
        if isinstance(report, Failed):
            life.ended = report
            return
        if isinstance(report, KeyframeReady) and report.steps:
            if not life.pictures:
                life.began_s = self._clock()
                self._placement.dreams()
                if self._keeps_spare:
                    self._spare.want()
                self._show_switch()
            life.pictures += 1
            life.latest_s = self._clock()
        self._take(worker, report, picture)

    def _record_exit(self, life: _WorkerRun) -> bool:
        """Record how a worker ended; return whether the next one runs with a further reduction."""
        assert life.ended is not None
        if life.ended.trace:
            log.info("where the worker failed:\n%s", life.ended.trace)
        if not self._ready:  # the state they resumed from may be the cause
            self._latest, self._kept = (None if self._kept is None else self._latest), None
        before = self._degradation.config
        degradation = self._degradation.worker_failed(life.ended.cause, life.latest_s - life.began_s, self._status.device)
        if degradation:
            log.warning("%s: %s", "out of memory" if life.ended.cause is Cause.MEMORY else "the GPU fails", degradation)
        if self._degradation.config != before:
            self._spare.dismiss()
        self._stopped_s = self._clock() if self._stopped_s is None else self._stopped_s
        self._recent.clear()
        self._report_error(life.ended.message, activity="starting again", steps_per_s=0.0, keyframe_s=None)
        return bool(degradation)

    def _is_relieved(self) -> bool:
        """Return whether a better worker is ready to take over; prepare one when a reduction can be undone."""
        if self._degradation.undo_if_due():
            self._swaps = True
            self._spare.dismiss()
            self._spare.want()
        elif self._spare.waits and not self._swaps and self._placement.is_better(self._spare.cluster_placement):
            self._spare.dismiss()
            self._spare.want()
        if not self._spare.waits or not (self._swaps or self._placement.relieves(self._spare.cluster_placement)):
            return False
        self._swaps = False
        return True

    def _why_another(self) -> str:
        """Return the advantage of the worker that takes over, in a few words."""
        if self._switch.coming:
            return f"with {described(self._switch.next_config)}"
        return "without the earlier reductions" if self._spare.cluster_placement is None else "on the cluster"

    def _look_at_switch(self) -> None:
        """Prepare a spare for a requested switch, or give the switch up if that spare has failed."""
        if self._switch.coming and self._spare.lost is not None:
            self._fail_switch(self._spare.lost)
        action, tuned = self._switch.next_action()
        if action is SpareAction.NOTHING:
            return
        self._prepare_next()
        self._swaps = action is SpareAction.PREPARE
        if tuned is not None:
            self._change_desired(lambda desired: replace(desired, tuned=tuned))

    def _begin_switch(self) -> None:
        """Prepare for a worker that may start with other settings than the previous one."""
        before, tuned = self._switch.at_work, self._switch.begin(self._desired.tuned)
        if tuned is None:
            return
        self._change_desired(lambda desired: replace(desired, tuned=tuned))
        self._withheld, self._swaps = self._desired.scene, False
        self._recent.clear()
        if not shares_state(before, self._switch.at_work):
            self._kept = None

    def _show_switch(self) -> None:
        """Complete a switch, if there is one, at a worker's first picture."""
        if not self._switch.tried:
            return
        self._switch.reached()
        if self._on_switched is not None:
            self._on_switched(self._switch.next_config)

    def _fail_switch(self, failed: Failed) -> None:
        """Give up a switch and continue with the old settings."""
        if failed.trace:
            log.info("where the worker failed:\n%s", failed.trace)
        wanted, tuned = described(self._switch.next_config), self._switch.fail(failed.message)
        log.warning("cannot switch to %s: %s; the dream continues as before", wanted, failed.message)
        if tuned is not None:
            self._change_desired(lambda desired: replace(desired, tuned=tuned))
        self._withheld, self._swaps = None, False
        self._prepare_next()

    def _prepare_next(self) -> None:
        """Prepare spares for the settings of the next worker."""
        self._degradation.set_config(self._settled(self._switch.next_config))
        if not self._switch.coming and self._status.network:
            self._degradation.worker_started(self._status.network)
        self._spare.dismiss()
        if self._keeps_spare or self._switch.coming:
            self._spare.want()

    @property
    def _keeps_spare(self) -> bool:
        """Whether a spare waits all the time: as the settings say, and to return to the cluster."""
        return self._wants_spare or self._placement.is_fallback

    def _settled(self, config: Config) -> Config:
        here = self._factory is None and config.renderer.where == "local"
        return with_measured_format(config, dreaming_threads()) if here else config

    def _make(self, prepare_mode: PrepareMode, cluster_placement: ClusterPlacement | None) -> WorkerProcess:
        config = self._degradation.config
        if cluster_placement is None:
            config = self._placement.here(config)
        return WorkerProcess(config, self._seed, self._factory, self._feed, prepare_mode, cluster_placement)

    def _make_now(self) -> WorkerProcess:
        return self._make(PrepareMode.NOW, self._placement.next())

    def _make_spare(self) -> WorkerProcess:
        cluster_placement, prepare_mode = self._placement.spare(self._status.device)
        return self._make(prepare_mode, cluster_placement)

    def _lose_spare(self, cluster_placement: ClusterPlacement | None, failed: Failed) -> bool:
        """Handle the failure of a spare; return whether to start another immediately, in another place."""
        return self._placement.lost(cluster_placement, failed.message) and not self._switch.coming

    def _take(self, worker: WorkerProcess, report: Report, picture: np.ndarray | None) -> None:
        match report:
            case Busy():
                self._note(activity=report.what)
            case LinkReport():
                self._placement.note_link(report)
            case Ready():
                self._ready = True
                if self._withheld is not None and can_dream(report, self._withheld):
                    self._withheld = None
                self._degradation.worker_started(report.network)
                activity = "" if self._stopped_s is None else "starting again"  # until the next picture
                self._note(network=report.network, device=report.device, activity=activity)
                self._note(wnids=report.wnids, layers=report.layers, nearest=report.nearest)
            case NonFatalError():
                log.warning("%s", report.message)
                self._report_error(report.message)
                if report.cause is Cause.MEMORY:
                    self._degradation.canvas_shrunk(report.level)
            case PictureRejected():
                self._report_error(f"an unusable picture was skipped: {report.message}", spoilt=self._status.spoilt + 1)
            case Inspected():
                number = 1 if self._inspection is None else self._inspection.number + 1
                self._inspection = Inspection(number, report.view)
            case Heartbeat():
                if self._desired.paused:
                    self._recent.clear()
                    self._note(steps_per_s=0.0, keyframe_s=None)
            case KeyframeReady():
                assert picture is not None
                self._deliver(worker.time_s(report), report, picture, worker.kept(report))
            case logging.LogRecord():
                forward_log_record(report)

    def _deliver(self, time_s: float, keyframe_ready: KeyframeReady, picture: np.ndarray, kept: DreamState | None) -> None:
        number = 0 if self._latest is None else self._latest.number + 1
        source_picture = None
        if keyframe_ready.source_picture is not None:
            picture, below = picture[: keyframe_ready.size[0]], picture[keyframe_ready.size[0] :]
            source_picture = SourcePicture(below, *keyframe_ready.source_picture)
        about = (
            keyframe_ready.pose,
            time_s,
            keyframe_ready.scene,
            number,
            keyframe_ready.steps,
            keyframe_ready.step_s,
            source_picture,
            keyframe_ready.checksum,
        )
        self._latest = Keyframe(picture, *about)
        if kept is not None:
            self._kept = self._latest, kept
        if keyframe_ready.steps:
            if self._status.error:
                self._note(error="")  # the dream continues
            self._recent.append((time_s, keyframe_ready.steps))
            if self._stopped_s is not None:
                log.info("the dream continues after %.2f s", self._clock() - self._stopped_s)
                self._stopped_s = None
                self._note(activity="")
        self._note(canvas=keyframe_ready.size)
        if len(self._recent) > 1:
            seconds = max(self._recent[-1][0] - self._recent[0][0], 1e-9)
            steps = sum(steps for _, steps in self._recent) - self._recent[0][1]
            self._note(steps_per_s=steps / seconds, keyframe_s=seconds / (len(self._recent) - 1))
        if self._on_events is not None:
            self._on_events(self._latest, keyframe_ready.events)
        if self._on_keyframe is not None:
            self._on_keyframe(self._latest)

    def _resume(self) -> Resume | None:
        if (latest := self._latest) is None:
            return None
        kept, ago = None, 0
        if self._kept is not None:
            keyframe, kept = self._kept
            ago = latest.number - keyframe.number
        scene = None if self._withheld is not None else latest.scene
        return Resume(latest.image, latest.pose, latest.time_s, latest.source_picture, scene, kept, ago)

    def _clear_wakeup(self) -> None:
        with self._lock:
            self._wakeup_reader.recv_bytes()
            self._wakeup_sent = False

    def _note(self, **changes: object) -> None:
        self._status = replace(self._status, **changes)  # type: ignore[arg-type]

    def _report_error(self, what: str, **changes: object) -> None:
        """Record an error; the next picture clears it."""
        self._erred_s = self._clock()
        self._note(error=what, last_error=what, **changes)

    def _give_up(self, why: str) -> None:
        self._failure = why
        self._report_error(why, activity="given up", steps_per_s=0.0, keyframe_s=None)
