"""Remote control by OSC, Open Sound Control 1.0 over UDP, for light desks and controllers. The only importer of python-osc.

    /zoomdream/zoom/speed 1.1         any number, word or switch of the live controls, dots as slashes
    /zoomdream/preset "ink" 5.0       go over to a preset; the seconds may be left out
    /zoomdream/reset                  take back what was changed
    /zoomdream/compare "b"            one side of A/B; without a side, the other one
    /zoomdream/bump                   wake a settled dream; /zoomdream/twist likewise

OSC has neither answers nor passwords: what makes no sense is counted, and the last mistake kept. A fader sends hundreds of
values a second, of which the newest counts.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from streamer.control_status import OscStatus, Side
from streamer.errors import ZoomdreamError
from streamer.presets import PresetError
from streamer.settings_file import ConfigError
from streamer.settings_live import AT_DESK

log = logging.getLogger(__name__)

ROOT = "/zoomdream/"
DATAGRAM_BYTES = 8192
"""Far above any message meant for here."""
MESSAGES = 64
"""Messages of one datagram that are heeded; more are counted as ignored."""
EVERY_S = 0.05
"""Seconds between changes of settings: of what comes meanwhile the newest value of each counts."""
PENDING = 64
"""Settings whose newest values wait for that. When full: others are ignored."""
LOOK_S = 0.25
"""Longest wait for a datagram, so that stopping takes no longer."""
COMMANDS = frozenset({"reset", "bump", "twist", "preset", "compare"})
"""Addresses that are no settings."""
ALIKE_S = 10.0
"""Seconds between two lines of the log about what is ignored."""


class OscError(ZoomdreamError):
    """OSC cannot be listened for; one line says why and what to do."""

    wrong_call = True


class Controls(Protocol):
    """What messages change."""

    def change(self, values: Mapping[str, Any], fade_s: float = 0.0) -> tuple[str, ...]:
        """Change settings, dotted; raises ``ConfigError``."""
        ...

    def reset(self) -> tuple[str, ...]:
        """Take back what was changed; raises ``ConfigError``."""
        ...

    def go_over(self, name: str, fade_s: float | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Go over to a preset; raises ``ConfigError`` or ``PresetError``."""
        ...

    def compare(self, side: Side | None = None) -> Side:
        """Go to a side of A/B; raises ``ConfigError``."""
        ...


def parser() -> Callable[[bytes], Any]:
    """What makes messages of a datagram.

    Raises:
        OscError: python-osc is missing.
    """
    try:
        from pythonosc.osc_packet import OscPacket
    except ImportError:
        raise OscError("'controls.osc' needs python-osc: pip install 'zoomdream[osc]'") from None
    return OscPacket


def listen(host: str, port: int) -> socket.socket:
    """A UDP socket that datagrams come to.

    Raises:
        OscError: the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.bind(address)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        why = error.strerror or error
        raise OscError(
            f"cannot listen for OSC on {host} port {port}: {why}; look at controls.osc_host and controls.osc_port"
        ) from None
    return listening


class Osc:
    """Listens, in a thread of its own, from ``start`` to ``stop``.

    Args:
        host: The address to listen on.
        port: The UDP port; 0 takes a free one.
        wake: Bumps the dream, or with True twists it.
        clock: Monotonic seconds.

    Raises:
        OscError: python-osc is missing, or the address cannot be had.
    """

    def __init__(
        self,
        host: str,
        port: int,
        controls: Controls,
        wake: Callable[[bool], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._packet = parser()
        self._controls, self._wake, self._clock = controls, wake, clock
        self._pending: dict[str, Any] = {}
        self._changed_s = -EVERY_S
        self._warned_s = -ALIKE_S
        self._socket = listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        """The port listened on."""
        self._status = OscStatus(f"{host}:{self.port}")
        logging.getLogger().addFilter(_not_of_the_parser)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)

    @property
    def status(self) -> OscStatus:
        """How it does."""
        return self._status

    def start(self) -> None:
        """Begin."""
        log.info("listening for OSC on %s", self._status.address)
        self._thread.start()

    def stop(self, deadline_s: float = 1.0) -> bool:
        """End; returns whether it did in time. Harmless before ``start``, and twice."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(deadline_s)
        if not self._thread.is_alive():
            self._socket.close()
            logging.getLogger().removeFilter(_not_of_the_parser)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            wait_s = LOOK_S if not self._pending else max(0.001, self._changed_s + EVERY_S - self._clock())
            self._socket.settimeout(wait_s)
            datagram = b""
            try:
                datagram = self._socket.recv(DATAGRAM_BYTES + 1)
            except TimeoutError:
                pass
            except OSError as error:  # some systems tell here that nobody heard what was sent
                log.debug("OSC: %s", error)
                self._stopping.wait(EVERY_S)
            try:
                if datagram:
                    self.hear(datagram)
                self.flush()
            except Exception:  # ours: it would end unseen with this thread
                log.exception("an OSC message could not be heeded")
                self._pending.clear()

    def hear(self, datagram: bytes) -> None:
        """Take in a datagram; settings that it changes are changed by ``flush``."""
        if len(datagram) > DATAGRAM_BYTES:
            self._ignore("a datagram is too large")
            return
        if len(datagram) % 4:  # the parser would make up what is missing
            self._ignore("a datagram is no OSC (its length)")
            return
        try:
            messages = [timed.message for timed in self._packet(datagram).messages]
        except Exception as error:  # whatever its parser stumbles over: bytes from anywhere come here
            self._ignore(f"a datagram is no OSC ({type(error).__name__})")
            return
        if not messages:
            self._ignore("a datagram holds no message")
        for message in messages[:MESSAGES]:
            self._take(str(message.address), list(message.params))
        for _ in messages[MESSAGES:]:
            self._ignore("a datagram holds too many messages")

    def flush(self) -> None:
        """Change the settings that are due, each by itself: one that cannot be is no reason to leave out others."""
        if not self._pending or self._clock() - self._changed_s < EVERY_S:
            return
        pending, self._pending = self._pending, {}
        self._changed_s = self._clock()
        for key, value in pending.items():
            self._do(partial(self._controls.change, {key: value}))

    def _take(self, address: str, params: list[Any]) -> None:
        if not address.startswith(ROOT):
            self._ignore(f"'{address[:60]}' does not begin with {ROOT}")
            return
        key = address.removeprefix(ROOT).replace("/", ".")
        match key, params:
            case "reset", []:
                self._pending.clear()
                self._do(self._controls.reset)
            case (("bump" | "twist"), []):
                self._do(partial(self._wake, key == "twist"))
            case "preset", [str(name)]:
                self._pending.clear()
                self._do(partial(self._controls.go_over, name))
            case "preset", [str(name), float(fade_s) | int(fade_s)] if 0 <= fade_s <= 60:
                self._pending.clear()
                self._do(partial(self._controls.go_over, name, float(fade_s)))
            case "compare", []:
                self._do(self._controls.compare)
            case "compare", [("a" | "b") as side]:
                self._do(partial(self._controls.compare, side))
            case _, [bool() | int() | float() | str() as value] if key in AT_DESK:
                if key in self._pending or len(self._pending) < PENDING:
                    self._pending[key] = _plain(value)
                else:
                    self._ignore("too many settings at once")
            case _:
                known = key in AT_DESK or key in COMMANDS
                self._ignore(f"'{address[:60]}' {'takes other arguments' if known else 'is no address here'}")

    def _do(self, what: Callable[[], object]) -> None:
        try:
            what()
        except ConfigError as error:
            self._ignore(error.problems[0])
        except PresetError as error:
            self._ignore(str(error))
        else:
            self._status = replace(self._status, heard=self._status.heard + 1)

    def _ignore(self, why: str) -> None:
        why = " ".join(why.split())[:200]
        self._status = replace(self._status, ignored=self._status.ignored + 1, last_mistake=why)
        if self._clock() - self._warned_s >= ALIKE_S:
            self._warned_s = self._clock()
            log.info("OSC ignored: %s", why)


def _not_of_the_parser(record: logging.LogRecord) -> bool:
    """Keeps out what python-osc logs, by the root logger, of each datagram that it cannot read: those are counted."""
    return not record.module.startswith("osc_")


def _plain(value: bool | int | float | str) -> bool | int | float | str:
    """A value as it was meant: faders send everything as floats of 32 bits."""
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() else float(f"{value:.7g}")
