"""Sends to a server over the network through a child process, which is killed and replaced whenever data stops moving.

Incoming pieces never wait. While there is no connection, the pictures since the latest keyframe are kept, so that a new
connection starts immediately and not at the next keyframe. The next child starts during the pause before the next try, so that
it only has to connect.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from enum import Enum, auto

from streamer.video.encoding.packet_protocol import Media, MediaInfo, PacketUnpacker, pack, pack_info
from streamer.video.sinks.backoff import BackOff
from streamer.video.sinks.ingest import Destination
from streamer.video.sinks.push_process_handle import PushProcessHandle
from streamer.video.sinks.secrets import Redactor, StreamKeyError
from streamer.video.sinks.sink import Sink, SinkState, Subscribe

log = logging.getLogger(__name__)

OPEN_S = 14.0
"""Seconds allowed for connecting; FFmpeg gives up a little earlier and can say how far it got."""
HUNG_S = 5.0
"""Seconds without a byte moving after which the status says so."""
STALL_S = 15.0
"""Seconds without a byte moving after which the connection is closed."""
LULL_S = 2.0
"""Seconds without a picture after which the server's time limit restarts: it had nothing to take."""
GOODBYE_S = 1.0
"""Seconds allowed for closing a connection."""
WRITE_S = 0.02
"""Seconds to wait for space in the pipe before checking everything else again."""
HELD_BYTES = 32 << 20
"""Bytes kept for the next connection. When full: all are dropped, and keeping starts again at the next keyframe."""


class Phase(Enum):
    """What the current child process does."""

    WAITING = auto()
    """Nothing yet: the pause is not over, or there is no picture."""
    CONNECTING = auto()
    SENDING = auto()


class ConnectionBacklog:
    """What a new connection starts with: the encoder's info, and the pieces since the latest video keyframe."""

    def __init__(self) -> None:
        self.info: MediaInfo | None = None
        self._pieces: list[bytes] = []
        self._bytes = 0

    def take(self, piece: bytes, *, keep: bool) -> tuple[bytes, bool]:
        """Take a piece; with ``keep``, keep those from the latest keyframe on.

        Returns:
            The piece without infos; whether it starts with a keyframe.
        """
        items = PacketUnpacker().feed(piece)
        media = [item for item in items if isinstance(item, Media)]
        for item in items:
            if isinstance(item, MediaInfo):
                self.info = item
                piece = b"".join(map(pack, media))
        key = any(item.key and not item.audio for item in media)
        if key or not keep or self._bytes > HELD_BYTES:
            self.clear()
        if keep and (key or self._pieces):
            self.keep(piece)
        return piece, key

    @property
    def ready(self) -> bool:
        """Whether there is enough to start a connection."""
        return self.info is not None and bool(self._pieces)

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """The kept pieces, oldest first."""
        return tuple(self._pieces)

    def clear(self) -> None:
        """Drop all pieces; the info stays."""
        self._pieces.clear()
        self._bytes = 0

    def keep(self, piece: bytes) -> None:
        """Keep a piece that follows the kept ones, or one with a keyframe."""
        self._pieces.append(piece)
        self._bytes += len(piece)


class NetworkSink(Sink):
    """Takes pieces of the kinds ``packets`` and ``packets+audio``.

    Its states: ``connecting`` until it is live for the first time; ``live`` while bytes reach the server; ``retrying``, with
    the reason, from a failure until it is live again. ``delivered_bytes`` counts those that the server's machine acknowledged.
    """

    state_when_open = None

    def __init__(
        self,
        name: str,
        subscribe: Subscribe,
        find: Callable[[], Destination],
        *,
        kind: str = "",
        redact: Redactor | None = None,
        reconnect_s: float | None = None,
        back_off: BackOff | None = None,
    ) -> None:
        """Prepare to send.

        Args:
            find: Returns the destination, called for every try, so that a corrected key is found; raises StreamKeyError.
            redact: Hides secrets; it learns the keys that ``find`` returns.
            reconnect_s: Seconds after which to reconnect, at a keyframe; None: never.
        """
        super().__init__(name, subscribe, kind=kind, back_off=back_off)
        self._find = find
        self._redact = Redactor() if redact is None else redact
        self._reconnect_s = reconnect_s
        self._backlog = ConnectionBacklog()
        self._phase = Phase.WAITING
        self._child: PushProcessHandle | None = None
        self._next: PushProcessHandle | None = None
        self._leaving: list[tuple[PushProcessHandle, float]] = []
        self._try_at_s = self._phase_since_s = 0.0
        self._live_since_s: float | None = None
        self._hung_since_s: float | None = None
        self._handed_s = 0.0
        self._confirmed = self._taken = 0
        self._reason = ""

    @property
    def processes(self) -> tuple[int, ...]:
        """Process ids of its current children."""
        children = (self._child, self._next, *(child for child, _ in self._leaving))
        return tuple(child.pid for child in children if child is not None)

    def open(self) -> None:
        """Nothing to open: connecting needs the first piece."""

    def deliver(self, piece: bytes) -> None:
        """Send a piece, or keep it for the next connection."""
        info = self._backlog.info
        media, key = self._backlog.take(piece, keep=self._phase is not Phase.SENDING)
        if self._phase is Phase.WAITING:
            return
        if self._backlog.info != info:
            self._reconnect(media if key else b"", "the picture's settings have changed")
        elif key and self._is_due():
            self._reconnect(media, "reconnecting, as planned")
        elif self._phase is Phase.SENDING:
            self._send(media)

    def taken(self, piece: bytes) -> None:
        """Nothing to count yet: the server does not have it."""

    def tick(self) -> bool:
        """Read the child's reports and act on them; return whether the child takes another piece."""
        now_s = self._clock()
        self._reap(now_s)
        try:
            if self._child is None:
                self._child, self._next = self._next or PushProcessHandle(), None
                self._enter(Phase.WAITING)
            if self._next is None and self._is_due():
                self._next = PushProcessHandle()
        except OSError as error:
            self._lose(f"no process can be started: {error.strerror}")
            return True
        ended = self._child.ended  # checked first, because its last report comes before its end
        for report in self._child.reports():
            self._handle_report(report, now_s)
        if ended:
            self._lose(self._reason or self._child.exit_reason())
        elif self._phase is Phase.WAITING:
            if now_s >= self._try_at_s and self._backlog.ready and not self._leaving:
                self._connect()
        elif self._phase is Phase.CONNECTING:
            if now_s - self._phase_since_s > OPEN_S:
                self._lose(f"no connection within {OPEN_S:.0f} s")
        else:
            self._watch()
        if self._child is None or self._child.flush(WRITE_S):
            return True
        self._handed_s = self._clock()
        return self._phase is not Phase.SENDING

    def finish(self) -> None:
        """Close the connection, briefly; afterwards no process is left."""
        end_s = self._clock() + GOODBYE_S
        for child in (self._child, self._next):
            if child is not None:
                child.close()
                self._leaving.append((child, end_s))
        self._child = self._next = None
        for child, _ in self._leaving:
            child.wait(max(0.0, end_s - self._clock()))
            child.kill()
        self._leaving.clear()

    def _connect(self) -> None:
        assert self._child is not None
        assert self._backlog.info is not None
        try:
            destination = self._find()
        except StreamKeyError as problem:
            self._lose(str(problem))
            return
        self._redact.learn(*destination.secrets)
        order = {
            "url": destination.url,
            "format": destination.format,
            "options": dict(destination.options),
            "where": destination.where,
            "keyed": destination.keyed,
        }
        self._child.send(json.dumps(order).encode() + b"\n" + pack_info(self._backlog.info))
        self._child.flush()
        log.debug("output %s connects to %s", self.name, destination.where)
        self._enter(Phase.CONNECTING)

    def _handle_report(self, report: dict[str, object], now_s: float) -> None:
        if report.get("state") == "connected" and self._phase is Phase.CONNECTING:
            self._enter(Phase.SENDING)
            self._confirmed = self._taken = 0
            self._hung_since_s = None
            for piece in self._backlog.pieces:
                self._send(piece)
            self._backlog.clear()
        if "error" in report:
            self._reason = str(report["error"])
        confirmed, taken = report.get("bytes"), report.get("taken")
        if self._phase is not Phase.SENDING or not isinstance(confirmed, int) or not isinstance(taken, int):
            return
        if confirmed > self._confirmed:
            self._count(0, confirmed - self._confirmed)
            self._confirmed = confirmed
        if confirmed and taken > self._taken:
            self._taken = taken
            self._hung_since_s = None
            if self._live_since_s is None:
                self._live_since_s = now_s
            self._set(SinkState.LIVE)

    def _send(self, media: bytes) -> None:
        assert self._child is not None
        now_s = self._clock()
        if self._hung_since_s is None or now_s - self._handed_s > LULL_S:
            self._hung_since_s = now_s
        self._handed_s = now_s
        self._child.send(media)
        self._child.flush()
        self._count(1, 0)

    def _watch(self) -> None:
        """Report when no data moves, and disconnect when that lasts."""
        # The time after the last piece does not count; waiting for a full pipe does.
        hung_s = 0.0 if self._hung_since_s is None else self._handed_s - self._hung_since_s
        if hung_s >= STALL_S:
            self._lose(f"the server has accepted no data for {STALL_S:.0f} s")
        elif hung_s >= HUNG_S:
            self._set(
                SinkState.RETRYING, f"the server has accepted no data for {HUNG_S:.0f} s; disconnecting after {STALL_S:.0f} s"
            )

    def _is_due(self) -> bool:
        if self._reconnect_s is None or self._phase is not Phase.SENDING:
            return False
        return self._clock() - self._phase_since_s >= self._reconnect_s

    def _reconnect(self, media: bytes, why: str) -> None:
        """Disconnect, then reconnect from this keyframe on. Servers refuse two connections with one key."""
        log.info("output %s: %s", self.name, why)
        if self._child is not None:
            self._child.close()
            self._leaving.append((self._child, self._clock() + GOODBYE_S))
        self._child, self._next = self._next, None
        self._try_at_s, self._live_since_s = self._clock(), None
        self._enter(Phase.WAITING)
        self._backlog.clear()
        if media:
            self._backlog.keep(media)
        self._set(SinkState.CONNECTING, why)

    def _lose(self, reason: str) -> None:
        """Kill the child and try again after a pause."""
        if self._child is not None:
            self._child.kill()
        self._child = None
        worked_s = 0.0 if self._live_since_s is None else self._clock() - self._live_since_s
        self._live_since_s, self._reason = None, ""
        self._enter(Phase.WAITING)
        self._try_at_s = self._clock() + self._failed(self._redact(reason), worked_s)

    def _enter(self, phase: Phase) -> None:
        with self._changed:
            self._phase, self._phase_since_s = phase, self._clock()
            self._changed.notify_all()

    def _reap(self, now_s: float) -> None:
        """Kill closing processes that exceed their deadline."""
        for child, end_s in self._leaving:
            if not child.ended:
                child.flush()
            if child.ended or now_s >= end_s:
                child.kill()
        self._leaving = [(child, end_s) for child, end_s in self._leaving if not child.ended]
