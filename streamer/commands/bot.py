"""The chat bot: as a command of its own, and as the process that a stream starts, watches and ends."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import signal
import threading
import time
from multiprocessing import connection as pipes
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from streamer.commands import WRONG_CALL, CommandError
from streamer.commands.say import address
from streamer.config import Config
from streamer.logs import configure_logs

if TYPE_CHECKING:
    from bot.config import BotSettings

log = logging.getLogger(__name__)

PAUSE_S = (1.0, 60.0)
"""Before a bot that died is started again: at first, and at most; doubled each time."""
STEADY_S = 60.0
"""A bot that lived for so long begins with the first pause again."""
END_S = 1.5
"""Seconds that the bot has to end when it is told to."""


def command(config: Config, *, console: bool, url: str | None) -> None:
    """Run the bot here until Ctrl+C or SIGTERM.

    Args:
        console: talk with it in the terminal instead of a chat.
        url: the streamer's address; the config's if not given.

    Raises:
        CommandError: there is no chat to listen to, or no such address.
    """
    from bot.__main__ import make_adapter, run
    from bot.console import Console

    if config.twitch.channel is None and not console:
        raise CommandError("there is no chat to listen to; set twitch.channel, or try the bot here with --console", WRONG_CALL)
    try:
        where = address(url or f"{config.web.host}:{config.web.port}")
    except ValueError as error:
        raise CommandError(str(error), WRONG_CALL) from error
    with contextlib.suppress(KeyboardInterrupt):
        run(settings(config, where), (lambda settings, client: Console()) if console else make_adapter)


def settings(config: Config, url: str) -> BotSettings:
    """What the bot runs by, out of a stream's settings and its address."""
    from bot.config import BotSettings

    return BotSettings(config.twitch, config.chat, url.rstrip("/"), config.web.token, config.dream.layout)


class BotProcess:
    """The bot beside a stream: a process that is started again when it dies, and ends with the stream whatever happens."""

    def __init__(self, settings: BotSettings, pause_s: tuple[float, float] = PAUSE_S) -> None:
        self._settings, self._pause_s = settings, pause_s
        self._level = logging.getLevelName(logging.getLogger().getEffectiveLevel())
        self._spawn = multiprocessing.get_context("spawn")
        self._stopping = threading.Event()
        self._woken, self._wake = self._spawn.Pipe(duplex=False)
        self._thread = threading.Thread(target=self._run, name="bot", daemon=True)
        self.starts = 0
        """How often it was started so far."""
        self.pid: int | None = None
        """The process; None while there is none."""

    def start(self) -> None:
        """Start it, in the background."""
        self._thread.start()

    def tell_to_stop(self) -> None:
        """Let it end, without waiting; a second call does nothing."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._wake.close()

    def stop(self, deadline_s: float = 2 * END_S) -> bool:
        """End it; returns whether it has ended in time."""
        self.tell_to_stop()
        if self._thread.ident is not None:
            self._thread.join(deadline_s)
        if self._thread.is_alive():
            return False
        self._woken.close()
        return True

    def _run(self) -> None:
        if hasattr(signal, "pthread_sigmask"):  # what this thread starts inherits that: Ctrl+C is the stream's alone
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        first_s, most_s = self._pause_s
        pause_s = first_s
        while not self._stopping.is_set():
            began_s = time.monotonic()
            try:
                code = self._live()
            except OSError as error:  # no process or pipe to be had
                log.warning("the chat bot cannot be started: %s", error.strerror or error)
                code = None
            if self._stopping.is_set():
                return
            if time.monotonic() - began_s >= STEADY_S:
                pause_s = first_s
            log.warning("the chat bot ended with code %s; starting it again in %.0f s", code, pause_s)
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, most_s)

    def _live(self) -> int | None:
        """One life of the bot; returns its exit code."""
        ours, theirs = self._spawn.Pipe()
        process = self._spawn.Process(target=_child, args=(theirs, self._settings, self._level), name="bot", daemon=True)
        try:
            try:
                process.start()
            finally:
                theirs.close()
            self.starts, self.pid = self.starts + 1, process.pid
            pipes.wait([process.sentinel, self._woken])
        finally:
            ours.close()  # it hears that and ends
            if process.pid is not None:
                process.join(END_S)
                if process.is_alive():
                    process.kill()
                    process.join()
            self.pid, code = None, process.exitcode
            process.close()
        return code


def _child(parent: Connection, settings: BotSettings, level: str) -> None:
    """The bot's process."""
    configure_logs(level)
    from bot.__main__ import run

    run(settings, parent=parent)
