"""What a service manager is told, such as systemd: that the stream runs, that it lives, how it does, and that it ends.

The protocol is one datagram for each message, to the socket that ``NOTIFY_SOCKET`` names (systemd, sd_notify(3)). Nothing here
happens where there is none.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, MutableMapping

from streamer.loop import Loop
from streamer.messages.status import StatusSnapshot

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Longest time from one look at the frames to the next; a frame is made at least as often, though nobody watches."""
LOOKS = 4
"""Looks within the time after which the watchdog bites."""
STATUS_S = 5.0
"""Seconds from one line about the state to the next."""
SEND_S = 1.0
"""Longest that a datagram may wait for room."""


class ServiceNotifier:
    """Tells a service manager. The watchdog is fed only while frames advance: a stream that stands still is started again.

    Args:
        environment: Where the manager says how it is reached. It is taken out of there: none of our processes speaks for us.
    """

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        address, microseconds = environment.pop("NOTIFY_SOCKET", ""), environment.pop("WATCHDOG_USEC", "")
        meant = environment.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self._socket = _reach(address)
        bites_s = int(microseconds) / 1e6 if meant and microseconds.isdecimal() else 0.0
        self._fed = bites_s > 0
        self._look_s = min(LOOK_S, bites_s / LOOKS) if self._fed else LOOK_S
        self._frame: Callable[[], int | None] = lambda: None
        self._read: Callable[[], StatusSnapshot] | None = None
        self._seen: int | None = None
        self._told = ""
        self._unheard = False
        # Apart from each other: a status that hangs is no reason to start the stream again.
        self._pulse = Loop("service", self._look, every_s=self._look_s)
        self._reports = Loop("service-status", self._report, every_s=STATUS_S)

    def start(self, frame: Callable[[], int | None], read: Callable[[], StatusSnapshot]) -> None:
        """Say that the stream is ready once there is a frame, and feed the watchdog from then on.

        Args:
            frame: The number of the frame on air; None before the first.
            read: Everything that is told of the stream.
        """
        self._frame, self._read = frame, read
        if self._socket is not None:
            self._pulse.start()
            self._reports.start()

    def stopping(self) -> None:
        """Say that the stream ends."""
        self._send("STOPPING=1\nSTATUS=ending")

    def stop(self, deadline_s: float = 1.0) -> bool:
        """Tell nothing more; whether that was done within the deadline."""
        ended = self._pulse.stop(deadline_s)
        ended &= self._reports.stop(deadline_s)
        if self._socket is not None and ended:
            self._socket.close()
            self._socket = None
        return ended

    def _look(self) -> None:
        frame = self._frame()
        if frame is None or frame == self._seen:
            return
        if self._seen is None:
            self._send("READY=1")
        self._seen = frame
        if self._fed:
            self._send("WATCHDOG=1")

    def _report(self) -> None:
        if self._seen is None or self._read is None:
            return
        told = line(self._read())
        if told != self._told:
            self._told = told
            self._send(f"STATUS={told}")

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(message.encode("utf-8", "replace"))
        except OSError as error:
            if not self._unheard:  # once, not each second
                log.warning("the service manager cannot be told: %s", error.strerror or error)
            self._unheard = True
        else:
            self._unheard = False


def line(status: StatusSnapshot) -> str:
    """How the stream does, in one line."""
    scene, waiting = status.programme.scene, len(status.programme.waiting)
    dreaming = status.renderer.activity or (f"dreaming {scene.title}" if scene is not None else "dreaming nothing yet")
    parts = [f"{status.fps_measured:.0f} of {status.fps:g} frames a second", dreaming, f"{waiting} waiting"]
    parts += [f"{status.viewers} watching"]
    if status.problems:
        parts = [f"unwell: {status.problems[0]}", *parts]
    return " ".join("; ".join(parts).split())


def _reach(address: str) -> socket.socket | None:
    """A socket to the manager; None where there is none, or none of a kind that is known."""
    if not address:
        return None
    if address[0] not in "/@" or not hasattr(socket, "AF_UNIX"):
        log.warning("NOTIFY_SOCKET is '%s', which is no known kind of socket; the service manager is told nothing", address)
        return None
    target = f"\0{address[1:]}" if address[0] == "@" else address  # @ stands for the names that are no files
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sender.settimeout(SEND_S)
        sender.connect(os.fsencode(target))
    except OSError as error:
        sender.close()
        log.warning("the service manager cannot be reached at '%s': %s", address, error.strerror or error)
        return None
    return sender
