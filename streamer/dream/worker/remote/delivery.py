"""Parcels of a host opened in their order, and what is in them handed to the renderer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from streamer.acts import Act
from streamer.dream.worker.protocol import Failed, Hello, KeptAt, Report, Shot
from streamer.dream.worker.remote.coding import Undecodable, Unpacker
from streamer.dream.worker.remote.gauge import Gauge
from streamer.dream.worker.remote.letters import Parcel, Sent
from streamer.dream.worker.remote.mailbox import Mailbox
from streamer.dream.worker.ring import Ring
from streamer.messages import Scene

log = logging.getLogger(__name__)


class Delivery:
    """May be called from several threads: calls for parcels overtake one another.

    Args:
        ring: Shared with the renderer.
        mailbox: Tells which of its slots are free.
        send: Tells the renderer.
        end: Told how the worker ended, if it did.
    """

    def __init__(self, ring: Ring, mailbox: Mailbox, send: Callable[[Report], None], end: Callable[[Failed], None]) -> None:
        self._ring, self._mailbox, self._send, self._end = ring, mailbox, send, end
        self._lock = threading.Lock()
        self._early: dict[int, tuple[Parcel, float]] = {}
        self._next = 0
        self._unpacker = Unpacker()
        self._unseen: list[Shot] = []  # whose pictures could not be opened

    def __call__(self, parcel: Parcel, got_s: float, gauge: Gauge) -> None:
        """Take a parcel that came at ``got_s``, and hand on all that is in order.

        It waits for a slot if need be: as long as there is none, no others are fetched.
        """
        if parcel.number is None:
            return
        with self._lock:
            self._early[parcel.number] = parcel, got_s
            while (found := self._early.pop(self._next, None)) is not None:
                self._next += 1
                self._open(*found, gauge)

    def _open(self, parcel: Parcel, got_s: float, gauge: Gauge) -> None:
        for each in parcel.held:
            if isinstance(each, Sent):
                gauge.came(each, parcel.sent_s, got_s)
                self._show(each, gauge)
            elif isinstance(each, Failed):
                self._end(each)
            elif not isinstance(each, Hello):
                self._send(each)

    def _show(self, sent: Sent, gauge: Gauge) -> None:
        """Hand a keyframe on."""
        try:
            picture = self._unpacker(sent.picture)
            ridden = None if sent.ridden is None else sent.ridden.opened()
        except Undecodable as error:
            log.warning("a keyframe was lost on its way: %s", error)
            self._unseen.append(sent.shot)
            gauge.lost()
            return
        shots, self._unseen = [*self._unseen, sent.shot], []
        slot = self._mailbox.slot()
        self._ring.write(slot, picture if ridden is None else np.concatenate([picture, ridden]))
        kept = None
        if sent.kept is not None and self._mailbox.kept_free:
            kept = KeptAt.put(self._ring, sent.kept)
            self._mailbox.kept_free = kept is None
        shot = replace(
            sent.shot,
            slot=slot,
            time_s=gauge.ours(sent.shot.time_s),
            steps=sum(each.steps for each in shots),
            scene=self._mailbox.whole(sent.shot.scene),
            acts=tuple(self._whole(act) for each in shots for act in each.acts),
            kept=kept,
        )
        self._send(shot)
        gauge.shown(shot)

    def _whole(self, act: Act) -> Act:
        return self._mailbox.whole(act) if isinstance(act, Scene) else act
