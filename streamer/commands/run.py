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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from streamer.commands import FAILED, WRONG_CALL, CommandError
from streamer.config import Config

log = logging.getLogger(__name__)

ECHO_S = 0.5
"""Seconds in which a second signal is the first once more: some launchers pass on a Ctrl+C that the program heard itself."""
CHAT_S = 1.0
"""Seconds that the chat bot has beyond the stream's own end; it is told first, so it has ended long since."""
DEADLINE_S = 4.8
"""Seconds from the first Ctrl+C after which the program ends whatever still hangs."""
SWITCH_S = 0.0005
"""Longest turn of one thread while another waits; Python's own 5 ms, taken a few times, make a frame late at 30 a second."""


def command(config: Config, announce: Callable[[str], None]) -> None:
    """Stream until Ctrl+C, SIGTERM or SIGHUP, or until the stream cannot go on.

    Args:
        announce: told where the page is.

    Raises:
        CommandError: it cannot start, or it ended by itself.
    """
    stopping = threading.Event()
    sys.setswitchinterval(SWITCH_S)
    with _signals(stopping):
        # The rooms are imported here, so that Ctrl+C is heard while they load.
        from streamer.commands.bot import BotProcess, settings
        from streamer.dream.sources import SourceError
        from streamer.pipeline import Pipeline, PipelineError
        from streamer.requests.queue import QueueError
        from streamer.video.encoding.encode import EncoderError
        from streamer.web.errors import WebError

        try:
            pipeline = Pipeline(config)
        except (QueueError, EncoderError) as error:
            raise CommandError(str(error)) from error
        except SourceError as error:
            raise CommandError(str(error), WRONG_CALL) from error
        # What is built lives to the end. Looking through it for garbage stops every thread for 50 ms, longer than a frame.
        gc.collect()
        gc.freeze()
        ended, chat = False, None
        try:
            pipeline.start()
            announce(f"zoomdream is at {pipeline.url} (Ctrl+C ends it)")
            if config.twitch.channel is not None:
                chat = BotProcess(settings(config, pipeline.url))
                chat.start()
            pipeline.run(stopping)
        except WebError as error:
            raise CommandError(str(error), WRONG_CALL) from error
        except PipelineError as error:
            raise CommandError(str(error)) from error
        finally:
            watchdog = threading.Timer(DEADLINE_S, _force, ["did not end in time"])
            watchdog.daemon = True
            watchdog.start()
            if chat is not None:
                chat.tell_to_stop()  # while the stream ends, too
            ended = pipeline.stop()
            if chat is not None:
                ended &= chat.stop(CHAT_S)
            watchdog.cancel()
        if not ended:
            raise CommandError("ended, but not everything did so in time; the log says what")


@contextmanager
def _signals(stopping: threading.Event) -> Iterator[None]:
    """Within, the first signal to end sets ``stopping`` and the second ends the program at once."""

    first_s: float | None = None

    def heard(number: int, frame: FrameType | None) -> None:
        nonlocal first_s
        if first_s is None:
            first_s = time.monotonic()
            stopping.set()
        elif time.monotonic() - first_s > ECHO_S:
            _force("forced to end")

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # not every system has all of them
    before = {number: signal.signal(number, heard) for name in names if (number := getattr(signal, name, None))}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _force(why: str) -> None:
    """End now: kill the worker, and leave without waiting for any thread. Shared memory goes with the resource tracker."""
    for child in multiprocessing.active_children():
        child.kill()
    sys.stderr.write(f"zoomdream: {why}\n")
    sys.stderr.flush()
    os._exit(FAILED)
