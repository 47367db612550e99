"""Runs the live stream from the command line: start, run, stop, and the signals that end it."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from streamer import file_descriptors
from streamer.commands import FAILED, WRONG_CALL, CommandError
from streamer.commands.command_errors import as_command_error
from streamer.config import Config
from streamer.processes import slowness
from streamer.reload import Reload
from streamer.service_notifier import ServiceNotifier
from streamer.settings_live import CHAT, among
from streamer.settings_watch import FileWatch

if TYPE_CHECKING:
    from streamer.commands.bot import BotProcess
    from streamer.dream.worker.process import WorkerProcess

log = logging.getLogger(__name__)

ECHO_S = 0.5
"""Seconds in which a second signal counts as the first: some launchers repeat a Ctrl+C that the program got already."""
CHAT_S = 1.0
"""Seconds that the chat bot gets after the stream has ended; it is told first, so it has usually ended by then."""
DEADLINE_S = 4.8
"""Seconds from the first Ctrl+C until the program kills what still hangs."""
SLOWEST = 2.0
"""Largest factor for that deadline while other programs use the CPU: Docker and systemd wait for ten seconds."""
LOOK_S = 0.2
"""Seconds between checks whether to stop, while waiting for a cluster."""
SWITCH_S = 0.0005
"""Longest turn of a thread while another waits. A few turns of Python's default, 5 ms, delay a frame at 30 per second."""


def command(config: Config, announce: Callable[[str], None], reload: Reload | None = None, *, fresh: bool = False) -> None:
    """Stream until Ctrl+C or SIGTERM, until its terminal is closed, or until the stream cannot go on.

    Args:
        announce: Gets a line with the page's address.
        reload: Reads the config again when its file changes or SIGHUP comes; None for a config without a file.
        fresh: Whether to start over instead of continuing an earlier run.

    Raises:
        CommandError: it cannot start, or it ended by itself.
    """
    stopping, reload = threading.Event(), reload or Reload(config)
    watch, service = FileWatch(reload.path, reload.try_reload), ServiceNotifier()
    sys.setswitchinterval(SWITCH_S)
    file_descriptors.raise_most()
    with _signals(stopping, watch.ask), _head_start(config, stopping) as first:
        if stopping.is_set():
            return
        _look_at_weights(config)
        # The packages are imported here, so that Ctrl+C works while they load.
        from streamer.commands.bot import BotProcess, settings
        from streamer.pipeline import STOP_S, Pipeline

        with as_command_error():
            pipeline = Pipeline(config, first=first, fresh=fresh, reload=reload)
        # What exists now lives to the end. Collecting garbage among it would stop all threads for 50 ms, longer than a frame.
        gc.collect()
        gc.freeze()
        ended, chat = False, None
        try:
            with as_command_error():
                pipeline.start()
                announce(f"zoomdream is at {pipeline.url} (Ctrl+C ends it)")
                if config.twitch.channel is not None:
                    chat = BotProcess(settings(config, pipeline.url), restarted=pipeline.chat_restarted)
                    chat.start()
                    reload.taken_by(partial(_tell_chat, chat, pipeline.url))
                watch.start()
                service.start(lambda: pipeline.frame_number, pipeline.status)
                pipeline.run(stopping)
        finally:
            slow = slowness(SLOWEST)
            watchdog = threading.Timer(slow * DEADLINE_S, _force, ["did not end in time"])
            watchdog.daemon = True
            watchdog.start()
            service.stopping()
            watch.stop(0.0)
            if chat is not None:
                chat.tell_to_stop()  # while the stream ends, too
            ended = pipeline.stop(slow * STOP_S)
            if chat is not None:
                ended &= chat.stop(CHAT_S)
            ended &= watch.stop(CHAT_S)
            ended &= service.stop(CHAT_S)
            watchdog.cancel()
        if not ended:
            raise CommandError("ended, but not everything did so in time; the log says what")


def _tell_chat(chat: BotProcess, url: str, config: Config, changed: Collection[str]) -> None:
    """Send changed settings to the chat bot."""
    from streamer.commands.bot import settings

    if among(changed, CHAT):
        chat.configure(settings(config, url))


def _look_at_weights(config: Config) -> None:
    """Check the weights that the settings name while the worker loads torch, which takes far longer."""
    from streamer.dream.networks.weight_checks import QUICK_BYTES, check_weights

    given = config.network.weights
    files = {(config.network.names or (None,))[0]: given} if isinstance(given, Path) else given or {}
    with as_command_error():
        for name, file in files.items():
            check_weights(file, name, most_bytes=QUICK_BYTES, tensors=True)


@contextmanager
def _head_start(config: Config, stopping: threading.Event) -> Iterator[WorkerProcess | None]:
    """Start a worker that imports torch and loads the network while the rest is set up; it ends with the context.

    Yields None if it needs pictures of a moving source, which does not run yet.

    Raises:
        CommandError: it must run on a cluster, which has no room for it.
    """
    from streamer.dream.compute_formats import with_measured_format
    from streamer.dream.device import dreaming_threads
    from streamer.dream.worker.process import WorkerProcess, choose_seed
    from streamer.dream.worker.protocol import ClusterPlacement

    first, remote = None, config.renderer.where == "ray"
    insists = remote and config.renderer.fallback == "none"
    if not config.source.moves or insists:
        cluster_placement = ClusterPlacement(config.renderer) if remote else None
        try:
            first = WorkerProcess(
                config if remote else with_measured_format(config, dreaming_threads()),
                choose_seed(config),
                cluster_placement=cluster_placement,
            )
        except OSError as error:  # the renderer keeps trying
            log.warning("no process to dream in can be started yet: %s", error.strerror or error)
    try:
        if first is not None and insists:
            _await_place(first, stopping)
            if config.source.moves:  # it only checked that there is room
                first.dismiss(0.0)
                first = None
        yield first
    finally:
        if first is not None:
            first.dismiss(0.0)


def _await_place(first: WorkerProcess, stopping: threading.Event) -> None:
    """Wait until a worker has its place on the cluster, or the program is stopped.

    Raises:
        CommandError: the cluster has no room.
    """
    from streamer.dream.worker.protocol import Failed, LinkReport, forward_log_record

    while not stopping.is_set():
        if not first.connection.poll(LOOK_S):
            continue
        try:
            report, _ = first.receive()
        except (EOFError, OSError):
            report = first.exit_reason()
        if isinstance(report, Failed):
            raise CommandError(report.message, WRONG_CALL)
        if isinstance(report, LinkReport):
            return
        if isinstance(report, logging.LogRecord):
            forward_log_record(report)


@contextmanager
def _signals(stopping: threading.Event, reload: Callable[[], None]) -> Iterator[None]:
    """Handle signals: the first to end sets ``stopping``, the second ends the program immediately; SIGHUP calls ``reload``.

    Closing a terminal sends SIGHUP too, and ends what was started in it, unless under nohup.
    """
    first_s: float | None = None
    hangup = getattr(signal, "SIGHUP", None)  # not every system has it
    stays = hangup is None or signal.getsignal(hangup) is signal.SIG_IGN or not _has_terminal()

    def handle_end(number: int, frame: FrameType | None) -> None:
        nonlocal first_s
        if first_s is None:
            first_s = time.monotonic()
            stopping.set()
        elif time.monotonic() - first_s > ECHO_S:
            _force("forced to end")

    def handle_hangup(number: int, frame: FrameType | None) -> None:
        if stays or _has_terminal():
            reload()
        else:
            handle_end(number, frame)

    names = ("SIGINT", "SIGTERM", "SIGBREAK")  # not every system has them all
    before = {number: signal.signal(number, handle_end) for name in names if (number := getattr(signal, name, None))}
    if hangup is not None:
        before[hangup] = signal.signal(hangup, handle_hangup)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    """Return whether the program has a terminal that is still open."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _force(why: str) -> None:
    """Kill the worker and exit without waiting for threads. The resource tracker frees shared memory."""
    for child in multiprocessing.active_children():
        child.kill()
    sys.stderr.write(f"zoomdream: {why}\n")
    sys.stderr.flush()
    os._exit(FAILED)
