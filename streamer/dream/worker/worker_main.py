"""The worker process: sets up, prepares a dream and runs the main loop. Torch is imported only when the dream is built."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import logging.handlers
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

from streamer.algorithm_facts import ALGORITHMS
from streamer.config import Config
from streamer.dream.device import largest_canvas, make_cpu_sums_repeatable
from streamer.dream.interface import ConfigRejected, Dream, DreamFactory, VideoRider
from streamer.dream.sessions.convergence import ConvergenceDetector
from streamer.dream.sources.picture_feed import PictureFeed
from streamer.dream.worker.causes import diagnose
from streamer.dream.worker.dream_loop import DreamLoop, Inbox, in_one_line
from streamer.dream.worker.frame_slots import FrameSlots
from streamer.dream.worker.protocol import (
    Assignment,
    Begin,
    Busy,
    Failed,
    Hello,
    Prepared,
    PrepareMode,
    Report,
    Resume,
    ResumeSlots,
    Stop,
)
from streamer.dream.worker.step_scheduler import StepScheduler, may_shrink
from streamer.messages.motion import Motion

log = logging.getLogger(__name__)

WATCH_S = 0.2
"""Seconds between polls of a moving source."""
NICENESS = 15
"""The worker's niceness: the dream may wait, the video may not. With a weight of 36 to 1024 the worker gets the CPU time that
the video leaves, and a thirtieth of a core that other programs of the same session use fully, so that it stays alive."""
SPARE_NICENESS = 4
"""Extra niceness of a spare while it prepares, so that the active worker comes first."""
NICE_THREADS = sys.platform == "linux"
"""Whether niceness applies to each thread; elsewhere it applies to the process."""
OOM_SCORE = 500
"""Of 1000: adjustment of Linux's OOM score for a spare, so that it is killed first when memory runs out."""

BeginQueue = queue.SimpleQueue[Begin | None]
"""Holds ``Begin``, or None when everything is prepared. No capacity: at most one of each is sent."""


def main(connection: Connection, assignment: Assignment) -> None:
    """Run a worker in its own process until ``Stop``, or until the renderer's process is gone.

    It prepares its dream immediately, and starts rendering at ``Begin``.
    """
    ignore_terminals()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's threads sleep while they wait, to leave cores for the video
    make_cpu_sums_repeatable()  # or a replay could not give the same pixels
    spare = assignment.prepare_mode is not PrepareMode.NOW
    if not NICE_THREADS:  # else it was started with its niceness
        lower_priority(NICENESS)
    send = sender(connection)
    log_to(send, logging.ERROR if spare else logging.INFO)  # a spare would repeat what the active worker has logged
    inbox, orders, begun = Inbox(), BeginQueue(), threading.Event()
    frame_slots, config = assignment.frame_slots, assignment.config
    send(Hello(time.monotonic()))
    threading.Thread(target=_receive, args=(connection, inbox, orders, begun), name="commands", daemon=True).start()
    try:
        if spare:
            with _first_to_go():
                dream, begin = _prepare_aside(assignment, send, orders)
        else:
            dream, begin = _make(assignment, send), _order(orders)
        logging.getLogger().setLevel(logging.INFO)
        dream = _with_threads(dream or _make(assignment, send), assignment.threads)
        is_ink = ALGORITHMS[config.dream.algorithm].interpolator == "ink"
        scheduler = StepScheduler(
            config.dream,
            dream.dreamer.size,
            frame_s=1 / config.video.fps,
            shrinkable=may_shrink(config),
            largest=None if is_ink else largest_canvas(config.canvas, config.video),
            level=begin.level,
        )
        worker = DreamLoop(
            dream,
            scheduler,
            frame_slots,
            inbox,
            send,
            motion=Motion.from_config(config.zoom),
            config=config,
            resume=_resume(begin.left, frame_slots, dream, config),
            feed=assignment.feed,
            detector=ConvergenceDetector(config.dream),
        )
        begun.set()
        if isinstance(dream.dreamer, VideoRider) and assignment.feed is not None:
            threading.Thread(target=_watch, args=(assignment.feed, dream.dreamer), name="watch", daemon=True).start()
        worker.run()
    except ConfigRejected as error:
        send(Failed(in_one_line(error), "", lasting=True))
    except Exception as error:  # a step can raise anything: the renderer reports it and starts another worker
        send(Failed(in_one_line(error), traceback.format_exc(), lasting=False, cause=diagnose(error)))
    finally:
        frame_slots.close()


def lower_priority(niceness: int) -> None:
    """Raise the niceness of this thread, and of those that it starts, by ``niceness``; on other systems, of the process.

    On Linux, also make it a batch job: such threads do not preempt others when they wake, as torch's threads do all the time.
    """
    with contextlib.suppress(AttributeError, OSError):
        os.nice(niceness)
    with contextlib.suppress(AttributeError, OSError):
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _make(assignment: Assignment, send: Callable[[Report], None]) -> Dream:
    factory = assignment.factory or _real_factory()
    return factory(assignment.config, assignment.seed, lambda what: send(Busy(what)))


def _with_threads(dream: Dream, threads: int) -> Dream:
    """Return the dream, limited to this number of threads; 0 leaves it unchanged."""
    if not 0 < threads < dream.threads:
        return dream
    dream.compute_with(threads)
    return dataclasses.replace(dream, threads=threads)


def _prepare_aside(assignment: Assignment, send: Callable[[Report], None], orders: BeginQueue) -> tuple[Dream | None, Begin]:
    """Prepare in a low-priority thread: a process that lowered its priority can seldom raise it again for the dream.

    Returns:
        The dream, warmed up unless ``Begin`` comes earlier, or None if it still has to be made; and ``Begin``.
    """
    wanted, threads = threading.Event(), [0]

    def prepare() -> Dream | None:
        threads[0] = threading.get_native_id()
        if assignment.prepare_mode is PrepareMode.SPARE_LIGHT:
            _ = assignment.factory or _real_factory()
            return None
        dream = _make(assignment, send)
        if not wanted.is_set():
            dream.warm_up()
            dream.probe(wanted.is_set)
        return dream

    with ThreadPoolExecutor(1, initializer=lower_priority, initargs=(SPARE_NICENESS if NICE_THREADS else 0,)) as aside:
        made = aside.submit(prepare)
        made.add_done_callback(lambda _: orders.put(None))
        begin = orders.get()
        if begin is None:
            dream = made.result()
            send(Prepared())
            return dream, _order(orders)
        wanted.set()
        with contextlib.suppress(AttributeError, OSError):  # raise the priority again where that is allowed
            os.setpriority(os.PRIO_PROCESS, threads[0], os.getpriority(os.PRIO_PROCESS, 0))
        return made.result(), begin


def _order(orders: BeginQueue) -> Begin:
    """Wait for ``Begin``."""
    begin = orders.get()
    assert begin is not None, "None is sent once, and was received before"
    return begin


def _resume(left: ResumeSlots | None, frame_slots: FrameSlots, dream: Dream, config: Config) -> Resume | None:
    """Return where an earlier worker stopped, without the saved state if this dream cannot use it."""
    if left is None:
        return None
    resume = left.opened(frame_slots)
    if left.kept is None:
        return resume
    theirs, ours = (left.kept.algorithm, left.kept.network), (config.dream.algorithm, dream.network)
    if theirs != ours:
        was, now = (f"{algorithm} with {network}" for algorithm, network in (theirs, ours))
        log.warning("the previous dream used %s, this one uses %s: its picture is kept, its momentum is not", was, now)
        return resume
    return dataclasses.replace(resume, kept=left.kept.get(frame_slots), kept_ago=left.kept_ago)


@contextlib.contextmanager
def _first_to_go() -> Iterator[None]:
    """Within this context, Linux kills this process first when memory runs out: better the spare than the active worker."""
    file, before = Path("/proc/self/oom_score_adj"), None
    with contextlib.suppress(OSError):  # Linux only
        before = file.read_text()
        file.write_text(f"{OOM_SCORE}\n")
    try:
        yield
    finally:
        if before is not None:
            with contextlib.suppress(OSError):
                file.write_text(before)


def _real_factory() -> DreamFactory:
    from streamer.dream.worker.worker_setup import build_dream  # imports torch

    return build_dream


def _receive(connection: Connection, inbox: Inbox, orders: BeginQueue, begun: threading.Event) -> None:
    """Receive commands; end the process when the renderer is gone, or at ``Stop`` while the dream is still being prepared."""
    while True:
        try:
            command = connection.recv()
        except (EOFError, OSError):
            os._exit(0)
        if isinstance(command, Begin):
            orders.put(command)
            continue
        inbox.put(command)
        if isinstance(command, Stop) and not begun.is_set():
            os._exit(0)


def _watch(feed: PictureFeed, rider: VideoRider) -> None:
    """Show the source's pictures to the dream during long steps, as long as the process lives."""
    seen = 0
    while True:
        picture = feed.newest(after=seen)
        if picture is not None:
            seen = picture.number
            rider.observe(picture)
        time.sleep(WATCH_S)


class _Sender(logging.handlers.QueueHandler):
    """Sends log records to the renderer's process, where logging is configured."""

    def __init__(self, send: Callable[[Report], None]) -> None:
        super().__init__(queue.SimpleQueue())  # not used
        self._send = send

    def enqueue(self, record: logging.LogRecord) -> None:
        self._send(record)


def ignore_terminals() -> None:
    """Ignore the signals of a terminal, which sends them to all processes: the renderer decides when to stop."""
    for name in {"SIGINT", "SIGHUP"} & set(dir(signal)):
        signal.signal(getattr(signal, name), signal.SIG_IGN)


def sender(connection: Connection) -> Callable[[Report], None]:
    """Return a function that sends reports to the renderer, from any thread; it ends the process if the renderer is gone."""
    lock = threading.Lock()

    def send(report: Report) -> None:
        try:
            with lock:
                connection.send(report)
        except OSError:
            os._exit(0)

    return send


def log_to(send: Callable[[Report], None], level: int) -> None:
    """Send all log records of this process, from ``level`` on, as reports."""
    root = logging.getLogger()
    root.handlers[:] = [_Sender(send)]
    root.setLevel(level)
    logging.captureWarnings(True)
