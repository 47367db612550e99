"""Remote control by OSC, Open Sound Control 1.0 over UDP, for light desks and controllers. The only importer of python-osc.

    /zoomdream/zoom/speed 1.1         any number, word or switch of the live controls, dots as slashes
    /zoomdream/preset "ink" 5.0       apply a preset; the seconds are optional
    /zoomdream/reset                  undo all changes
    /zoomdream/compare "b"            one side of A/B; without a side, the other one
    /zoomdream/bump                   wake a converged dream by noise; /zoomdream/twist by a twist

OSC has neither answers nor passwords: invalid messages are counted, and the last mistake is kept. A fader sends hundreds of
values per second, of which the newest counts.
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
"""Largest datagram that is read; valid messages are far smaller."""
MESSAGES = 64
"""Most messages of one datagram that are applied; more are counted as ignored."""
EVERY_S = 0.05
"""Seconds between changes of settings; of the values in between, the newest of each setting counts."""
PENDING = 64
"""Most settings whose newest values wait. When full, others are ignored."""
LOOK_S = 0.25
"""Longest wait for a datagram, and so the time that stopping may take."""
COMMANDS = frozenset({"reset", "bump", "twist", "preset", "compare"})
"""Addresses that are not settings."""
ALIKE_S = 10.0
"""Seconds between log lines about ignored messages."""


class OscError(ZoomdreamError):
    """OSC is unavailable; the message, one line, says why and what to do."""

    wrong_call = True


class Controls(Protocol):
    """The controls that messages change."""

    def change(self, values: Mapping[str, Any], fade_s: float = 0.0) -> tuple[str, ...]:
        """Change dotted settings; raise ``ConfigError``."""
        ...

    def reset(self) -> tuple[str, ...]:
        """Undo all changes; raise ``ConfigError``."""
        ...

    def go_over(self, name: str, fade_s: float | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Apply a preset; raise ``ConfigError`` or ``PresetError``."""
        ...

    def compare(self, side: Side | None = None) -> Side:
        """Go to a side of A/B; raise ``ConfigError``."""
        ...


def parser() -> Callable[[bytes], Any]:
    """Return the function that parses a datagram.

    Raises:
        OscError: python-osc is missing.
    """
    try:
        from pythonosc.osc_packet import OscPacket
    except ImportError:
        raise OscError("'controls.osc' needs python-osc: pip install 'zoomdream[osc]'") from None
    return OscPacket


def listen(host: str, port: int) -> socket.socket:
    """Return a UDP socket bound to the address.

    Raises:
        OscError: the address is unavailable.
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
            f"cannot listen for OSC on {host} port {port}: {why}; check controls.osc_host and controls.osc_port"
        ) from None
    return listening


class Osc:
    """Listens in a thread of its own, from ``start`` to ``stop``.

    Args:
        host: The address to listen on.
        port: The UDP port; 0 takes a free one.
        wake: Called with False to bump the dream, with True to twist it.
        clock: Monotonic seconds.

    Raises:
        OscError: python-osc is missing, or the address is unavailable.
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
        """The port it listens on."""
        self._status = OscStatus(f"{host}:{self.port}")
        logging.getLogger().addFilter(_not_of_the_parser)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)

    @property
    def status(self) -> OscStatus:
        """Status of the listener."""
        return self._status

    def start(self) -> None:
        """Start the thread."""
        log.info("listening for OSC on %s", self._status.address)
        self._thread.start()

    def stop(self, deadline_s: float = 1.0) -> bool:
        """Stop; return whether the thread ended within ``deadline_s``. Safe before ``start``, and twice."""
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
            except OSError as error:  # some systems report here that an earlier datagram was not delivered
                log.debug("OSC: %s", error)
                self._stopping.wait(EVERY_S)
            try:
                if datagram:
                    self.hear(datagram)
                self.flush()
            except Exception:  # a bug here would end this thread unnoticed
                log.exception("an OSC message could not be applied")
                self._pending.clear()

    def hear(self, datagram: bytes) -> None:
        """Handle a datagram; ``flush`` applies the settings that it changes."""
        if len(datagram) > DATAGRAM_BYTES:
            self._ignore("a datagram is too large")
            return
        if len(datagram) % 4:  # the parser would invent the missing bytes
            self._ignore("a datagram is not OSC (its length)")
            return
        try:
            messages = [timed.message for timed in self._packet(datagram).messages]
        except Exception as error:  # the parser may raise anything on arbitrary bytes
            self._ignore(f"a datagram is not OSC ({type(error).__name__})")
            return
        if not messages:
            self._ignore("a datagram holds no message")
        for message in messages[:MESSAGES]:
            self._take(str(message.address), list(message.params))
        for _ in messages[MESSAGES:]:
            self._ignore("a datagram holds too many messages")

    def flush(self) -> None:
        """Apply the pending settings if that is due, each by itself, so that an invalid one does not affect others."""
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
                self._ignore(f"'{address[:60]}' {'takes other arguments' if known else 'is not a known address'}")

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
    """Filter out what python-osc logs, with the root logger, for each invalid datagram: those are counted here."""
    return not record.module.startswith("osc_")


def _plain(value: bool | int | float | str) -> bool | int | float | str:
    """Return a value as it was meant: faders send everything as 32-bit floats."""
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() else float(f"{value:.7g}")
