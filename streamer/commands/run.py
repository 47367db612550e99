"""The live stream from the command line: start, run, stop; and what Ctrl+C means when."""

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
"""Seconds in which a second signal is the first once more: some launchers pass on a Ctrl+C that the program heard itself."""
CHAT_S = 1.0
"""Seconds that the chat bot has beyond the stream's own end; it is told first, so it has ended long since."""
DEADLINE_S = 4.8
"""Seconds from the first Ctrl+C after which the program ends whatever still hangs…"""
SLOWEST = 2.0
"""…or up to so many times as many where other programs take the machine: Docker and systemd wait for ten."""
LOOK_S = 0.2
"""Seconds between looks whether to stop, while a cluster is waited for."""
SWITCH_S = 0.0005
"""Longest turn of one thread while another waits; Python's own 5 ms, taken a few times, make a frame late at 30 a second."""


def command(config: Config, announce: Callable[[str], None], reload: Reload | None = None, *, fresh: bool = False) -> None:
    """Stream until Ctrl+C or SIGTERM, until its terminal is closed, or until the stream cannot go on.

    Args:
        announce: told where the page is.
        reload: reads the config again, when its file changes or SIGHUP comes; None for a config that has no file.
        fresh: whether the dream begins anew, whatever an earlier run got to.

    Raises:
        CommandError: it cannot start, or it ended by itself.
    """
    stopping, reload = threading.Event(), reload or Reload(config)
    watch, service = FileWatch(reload.path, reload.look), ServiceNotifier()
    sys.setswitchinterval(SWITCH_S)
    file_descriptors.raise_most()
    with _signals(stopping, watch.ask), _head_start(config, stopping) as first:
        if stopping.is_set():
            return
        _look_at_weights(config)
        # The rooms are imported here, so that Ctrl+C is heard while they load.
        from streamer.commands.bot import BotProcess, settings
        from streamer.dream.sources.picture import SourceError
        from streamer.osc import OscError
        from streamer.pipeline import STOP_S, Pipeline, PipelineError
        from streamer.requests.schema import QueueError
        from streamer.video.encoding.shared_encoder import EncoderError
        from streamer.web.errors import WebError

        try:
            pipeline = Pipeline(config, first=first, fresh=fresh, reload=reload)
        except (QueueError, EncoderError) as error:
            raise CommandError(str(error)) from error
        except (SourceError, OscError) as error:
            raise CommandError(str(error), WRONG_CALL) from error
        # What is built lives to the end. Looking through it for garbage stops every thread for 50 ms, longer than a frame.
        gc.collect()
        gc.freeze()
        ended, chat = False, None
        try:
            pipeline.start()
            announce(f"zoomdream is at {pipeline.url} (Ctrl+C ends it)")
            if config.twitch.channel is not None:
                chat = BotProcess(settings(config, pipeline.url), restarted=pipeline.chat_restarted)
                chat.start()
                reload.taken_by(partial(_tell_chat, chat, pipeline.url))
            watch.start()
            service.start(lambda: pipeline.frame_number, pipeline.status)
            pipeline.run(stopping)
        except WebError as error:
            raise CommandError(str(error), WRONG_CALL) from error
        except PipelineError as error:
            raise CommandError(str(error)) from error
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
    """Let the chat bot go by other settings."""
    from streamer.commands.bot import settings

    if among(changed, CHAT):
        chat.configure(settings(config, url))


def _look_at_weights(config: Config) -> None:
    """See whether the weights that are named are whole, while the worker loads what reads them: that takes far longer."""
    from streamer.dream.networks.weight_checks import QUICK_BYTES, NetworkError, check_weights

    given = config.network.weights
    files = {(config.network.names or (None,))[0]: given} if isinstance(given, Path) else given or {}
    for name, file in files.items():
        try:
            check_weights(file, name, most_bytes=QUICK_BYTES, tensors=True)
        except NetworkError as error:
            raise CommandError(str(error)) from error


@contextmanager
def _head_start(config: Config, stopping: threading.Event) -> Iterator[WorkerProcess | None]:
    """A worker that imports torch and loads the network while all else is set up, on another core; gone at the end.

    None where it takes pictures of a moving source, which is not there yet.

    Raises:
        CommandError: it is to be on a cluster and nowhere else, and there is no place for it.
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
        except OSError as error:  # the renderer tries again, for ever
            log.warning("no process to dream in can be started yet: %s", error.strerror or error)
    try:
        if first is not None and insists:
            _await_place(first, stopping)
            if config.source.moves:  # it was only to see whether there is one
                first.dismiss(0.0)
                first = None
        yield first
    finally:
        if first is not None:
            first.dismiss(0.0)


def _await_place(first: WorkerProcess, stopping: threading.Event) -> None:
    """Wait until a worker has its place on the cluster, or it is time to stop.

    Raises:
        CommandError: there is none.
    """
    from streamer.dream.worker.protocol import Failed, LinkReport

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
        if isinstance(report, logging.LogRecord) and logging.getLogger(report.name).isEnabledFor(report.levelno):
            logging.getLogger(report.name).handle(report)


@contextmanager
def _signals(stopping: threading.Event, reload: Callable[[], None]) -> Iterator[None]:
    """Within, the first signal to end sets ``stopping`` and the second ends the program at once; SIGHUP calls ``reload``.

    A terminal that is closed sends SIGHUP, too: it ends what was started in it, unless nohup said otherwise.
    """
    first_s: float | None = None
    hangup = getattr(signal, "SIGHUP", None)  # not every system has it
    stays = hangup is None or signal.getsignal(hangup) is signal.SIG_IGN or not _has_terminal()

    def heard(number: int, frame: FrameType | None) -> None:
        nonlocal first_s
        if first_s is None:
            first_s = time.monotonic()
            stopping.set()
        elif time.monotonic() - first_s > ECHO_S:
            _force("forced to end")

    def hung_up(number: int, frame: FrameType | None) -> None:
        if stays or _has_terminal():
            reload()
        else:
            heard(number, frame)

    names = ("SIGINT", "SIGTERM", "SIGBREAK")  # likewise
    before = {number: signal.signal(number, heard) for name in names if (number := getattr(signal, name, None))}
    if hangup is not None:
        before[hangup] = signal.signal(hangup, hung_up)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    """Whether there is a terminal that the program belongs to, and that is still open."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _force(why: str) -> None:
    """End now: kill the worker, and leave without waiting for any thread. Shared memory goes with the resource tracker."""
    for child in multiprocessing.active_children():
        child.kill()
    sys.stderr.write(f"zoomdream: {why}\n")
    sys.stderr.flush()
    os._exit(FAILED)
