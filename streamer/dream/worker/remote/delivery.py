"""Opens the batches of a host in order, and passes their contents to the renderer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from streamer.dream.worker.frame_slots import FrameSlots
from streamer.dream.worker.protocol import Failed, Hello, KeyframeReady, Report, StoredState
from streamer.dream.worker.remote.link_meter import LinkMeter
from streamer.dream.worker.remote.mailbox import Mailbox
from streamer.dream.worker.remote.picture_coding import PictureDecoder, Undecodable
from streamer.dream.worker.remote.relay_protocol import ReportBatch, SentKeyframe
from streamer.events import DreamEvent
from streamer.messages.scenes import Scene

log = logging.getLogger(__name__)


class Delivery:
    """Passes the contents of batches on. Thread-safe, since batches may arrive out of order in several threads.

    Args:
        frame_slots: Shared with the renderer.
        mailbox: Knows which of its slots are free.
        send: Sends a report to the renderer.
        end: Called with the failure of the worker, if it fails.
    """

    def __init__(
        self, frame_slots: FrameSlots, mailbox: Mailbox, send: Callable[[Report], None], end: Callable[[Failed], None]
    ) -> None:
        self._frame_slots, self._mailbox, self._send, self._end = frame_slots, mailbox, send, end
        self._lock = threading.Lock()
        self._early: dict[int, tuple[ReportBatch, float]] = {}
        self._next = 0
        self._unpacker = PictureDecoder()
        self._unseen: list[KeyframeReady] = []  # keyframes whose pictures could not be decoded

    def __call__(self, parcel: ReportBatch, got_s: float, link_meter: LinkMeter) -> None:
        """Take a batch that came at ``got_s``, and pass on all batches that are next in order.

        It waits for a free slot: until there is one, no other batch is fetched.
        """
        if parcel.number is None:
            return
        with self._lock:
            self._early[parcel.number] = parcel, got_s
            while (found := self._early.pop(self._next, None)) is not None:
                self._next += 1
                self._open(*found, link_meter)

    def _open(self, parcel: ReportBatch, got_s: float, link_meter: LinkMeter) -> None:
        for each in parcel.held:
            if isinstance(each, SentKeyframe):
                link_meter.came(each, parcel.sent_s, got_s)
                self._show(each, link_meter)
            elif isinstance(each, Failed):
                self._end(each)
            elif not isinstance(each, Hello):
                self._send(each)

    def _show(self, sent: SentKeyframe, link_meter: LinkMeter) -> None:
        """Pass a keyframe on."""
        try:
            picture = self._unpacker(sent.picture)
            source_picture = None if sent.source_picture is None else sent.source_picture.opened()
        except Undecodable as error:
            log.warning("a keyframe was lost in transit: %s", error)
            self._unseen.append(sent.keyframe_ready)
            link_meter.lost()
            return
        keyframes_ready, self._unseen = [*self._unseen, sent.keyframe_ready], []
        slot = self._mailbox.slot()
        self._frame_slots.write(slot, picture if source_picture is None else np.concatenate([picture, source_picture]))
        kept = None
        if sent.kept is not None and self._mailbox.kept_free:
            kept = StoredState.put(self._frame_slots, sent.kept)
            self._mailbox.kept_free = kept is None
        keyframe_ready = replace(
            sent.keyframe_ready,
            slot=slot,
            time_s=link_meter.ours(sent.keyframe_ready.time_s),
            steps=sum(each.steps for each in keyframes_ready),
            scene=self._mailbox.whole(sent.keyframe_ready.scene),
            events=tuple(self._whole(event) for each in keyframes_ready for event in each.events),
            kept=kept,
        )
        self._send(keyframe_ready)
        link_meter.shown(keyframe_ready)

    def _whole(self, event: DreamEvent) -> DreamEvent:
        return self._mailbox.whole(event) if isinstance(event, Scene) else event
