"""The chat bot: as a command, and as the process that a stream starts, watches and ends."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing import connection as pipes
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from streamer.commands import WRONG_CALL, CommandError
from streamer.commands.say import address
from streamer.config import Config
from streamer.logs import LogSetup, configure_logs, in_force
from streamer.processes import LOOK_S, RoundClock, exit_code

if TYPE_CHECKING:
    from bot.config import BotSettings

log = logging.getLogger(__name__)

PAUSE_S = (1.0, 60.0)
"""Pause before a dead bot is restarted: the first and the longest; it doubles each time."""
STEADY_S = 60.0
"""A bot that ran this long starts with the first pause again."""
SILENT_S = 20.0
"""A bot without a sign of life for this long hangs, and is replaced; it sends one each second."""
LOADING_S = 120.0
"""The same before its first sign of life."""
END_S = 1.5
"""Seconds that the bot has to end."""


def command(config: Config, *, console: bool, url: str | None) -> None:
    """Run the bot here until Ctrl+C or SIGTERM.

    Args:
        console: Chat in the terminal instead of on Twitch.
        url: The streamer's address; None for the config's.

    Raises:
        CommandError: no chat is configured, or the address is wrong.
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
    """Return the bot's settings for a stream's settings and address."""
    from bot.config import BotSettings

    return BotSettings(config.twitch, config.chat, url.rstrip("/"), config.web.token, config.dream.layout)


def _ignore() -> None:
    """Ignore restarts."""


class BotProcess:
    """The bot of a stream: a process that is restarted when it dies or hangs, and always ends with the stream."""

    def __init__(
        self,
        settings: BotSettings,
        pause_s: tuple[float, float] = PAUSE_S,
        *,
        silent_s: float = SILENT_S,
        restarted: Callable[[], None] = _ignore,
        run: Callable[[Connection, BotSettings, LogSetup], None] | None = None,
    ) -> None:
        """Prepare it.

        Args:
            silent_s: Longest time without a sign of life.
            restarted: Called at each restart.
            run: What runs in the process, given its end of a pipe, its settings and its log setup; None for the bot.
        """
        self._settings, self._pause_s, self._silent_s = settings, pause_s, silent_s
        self._restarted, self._target = restarted, run or _child
        self._log = in_force().of_the_bot()
        self._spawn = multiprocessing.get_context("spawn")
        self._stopping = threading.Event()
        self._woken, self._wake = self._spawn.Pipe(duplex=False)
        self._thread = threading.Thread(target=self._run, name="bot", daemon=True)
        self._lock = threading.Lock()  # guards the settings, and the pipe that sends them
        self._ear: Connection | None = None
        self.starts = 0
        """How many times it was started."""
        self.pid: int | None = None
        """The process ID; None while there is no process."""

    def start(self) -> None:
        """Start the bot in the background."""
        self._thread.start()

    def configure(self, settings: BotSettings) -> None:
        """Apply other chat settings from now on; the connection stays."""
        with self._lock:
            self._settings, ear = settings, self._ear
        if ear is not None:  # in a thread, since a bot that hangs may not read
            threading.Thread(target=_send, args=(ear, settings), name="bot-settings", daemon=True).start()

    def tell_to_stop(self) -> None:
        """Tell the bot to end, without waiting; a second call does nothing."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._wake.close()

    def stop(self, deadline_s: float = 2 * END_S) -> bool:
        """End the bot; return whether it ended in time."""
        self.tell_to_stop()
        if self._thread.ident is not None:
            self._thread.join(deadline_s)
        if self._thread.is_alive():
            return False
        self._woken.close()
        return True

    def _run(self) -> None:
        if hasattr(signal, "pthread_sigmask"):  # child processes inherit this: Ctrl+C and SIGHUP are for the stream
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
        first_s, most_s = self._pause_s
        pause_s = first_s
        while not self._stopping.is_set():
            began_s = time.monotonic()
            try:
                code = self._live()
            except OSError as error:  # no process or pipe is available
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
        """Run one bot process to its end; return its exit code."""
        ours, theirs = self._spawn.Pipe()
        with self._lock:
            arguments = (theirs, self._settings, self._log)
            self._ear = ours
        process = self._spawn.Process(target=self._target, args=arguments, name="bot", daemon=True)
        try:
            try:
                process.start()
            finally:
                theirs.close()
            self.starts, self.pid = self.starts + 1, process.pid
            if self.starts > 1:
                self._restarted()
            if self._hangs(ours, process.sentinel):
                log.warning("the chat bot hangs: no sign of life for %.0f s; it is replaced", self._silent_s)
                process.kill()
        finally:
            with self._lock:
                self._ear = None
                ours.close()  # this tells it to end
            if process.pid is not None:
                process.join(END_S)
                if process.is_alive():
                    process.kill()
            self.pid, code = None, exit_code(process) if process.pid is not None else None
            process.close()
        return code

    def _hangs(self, ours: Connection, sentinel: int) -> bool:
        """Wait until the bot has ended, should end, or hangs; return whether it hangs."""
        clock = RoundClock()
        until_s = clock() + LOADING_S
        while (left_s := until_s - clock()) > 0:
            wait_s = min(left_s, LOOK_S)
            ready = pipes.wait([ours, sentinel, self._woken], wait_s)
            clock.end_round(wait_s)
            if sentinel in ready or self._woken in ready:
                return False
            if ours in ready:
                try:
                    ours.recv()
                except (EOFError, OSError):
                    return False
                until_s = clock() + self._silent_s
        return True


def _send(ear: Connection, settings: BotSettings) -> None:
    with contextlib.suppress(OSError, ValueError):  # it has ended; the next one starts with these settings
        ear.send(settings)


def _child(parent: Connection, settings: BotSettings, log: LogSetup) -> None:
    """Run the bot in its process."""
    configure_logs(log)
    from bot.__main__ import run

    run(settings, parent=parent)
