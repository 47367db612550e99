"""Notifies a service manager such as systemd that the stream is ready, alive, in which state it is, and that it stops.

The protocol is one datagram per message, to the socket that ``NOTIFY_SOCKET`` names (systemd, sd_notify(3)). Without that
variable, nothing happens.
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
"""Longest time between checks of the frame number; a frame is made at least as often, even if nobody watches."""
LOOKS = 4
"""Number of checks within the watchdog's timeout."""
STATUS_S = 5.0
"""Seconds between status lines."""
SEND_S = 1.0
"""Longest time in seconds that sending a datagram may block."""


class ServiceNotifier:
    """Notifies a service manager. The watchdog is fed only while frames advance, so a frozen stream is restarted.

    Args:
        environment: Holds the manager's variables. They are removed, so that no child process notifies it.
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
        # Two threads, since a hanging status is no reason to restart the stream.
        self._pulse = Loop("service", self._look, every_s=self._look_s)
        self._reports = Loop("service-status", self._report, every_s=STATUS_S)

    def start(self, frame: Callable[[], int | None], read: Callable[[], StatusSnapshot]) -> None:
        """Report that the stream is ready once there is a frame, and feed the watchdog from then on.

        Args:
            frame: Returns the number of the frame on air; None before the first.
            read: Returns the status of the stream.
        """
        self._frame, self._read = frame, read
        if self._socket is not None:
            self._pulse.start()
            self._reports.start()

    def stopping(self) -> None:
        """Report that the stream stops."""
        self._send("STOPPING=1\nSTATUS=ending")

    def stop(self, deadline_s: float = 1.0) -> bool:
        """Stop notifying; return whether the threads ended within ``deadline_s``."""
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
        text = line(self._read())
        if text != self._told:
            self._told = text
            self._send(f"STATUS={text}")

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(message.encode("utf-8", "replace"))
        except OSError as error:
            if not self._unheard:  # once, not each second
                log.warning("the service manager cannot be notified: %s", error.strerror or error)
            self._unheard = True
        else:
            self._unheard = False


def line(status: StatusSnapshot) -> str:
    """Return the state of the stream, in one line."""
    scene, waiting = status.programme.scene, len(status.programme.waiting)
    dreaming = status.renderer.activity or (f"dreaming {scene.title}" if scene is not None else "dreaming nothing yet")
    parts = [f"{status.fps_measured:.0f} of {status.fps:g} frames a second", dreaming, f"{waiting} waiting"]
    parts += [f"{status.viewers} watching"]
    if status.problems:
        parts = [f"unwell: {status.problems[0]}", *parts]
    return " ".join("; ".join(parts).split())


def _reach(address: str) -> socket.socket | None:
    """Return a socket to the manager; None if there is no manager, or its address is of an unknown kind."""
    if not address:
        return None
    if address[0] not in "/@" or not hasattr(socket, "AF_UNIX"):
        log.warning("NOTIFY_SOCKET is '%s', which is an unknown kind of socket; the service manager is not notified", address)
        return None
    target = f"\0{address[1:]}" if address[0] == "@" else address  # @ means a name in Linux's abstract namespace
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sender.settimeout(SEND_S)
        sender.connect(os.fsencode(target))
    except OSError as error:
        sender.close()
        log.warning("the service manager cannot be reached at '%s': %s", address, error.strerror or error)
        return None
    return sender
