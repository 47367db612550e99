"""The Ray actor on a node: starts a worker there and passes messages between it and the relay.

Each call runs in a thread of its own, so several may run at the same time.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np

from streamer.cluster import others_free
from streamer.dream.compute_formats import with_measured_format
from streamer.dream.device import dreaming_threads
from streamer.dream.sources.picture_feed import PictureFeed
from streamer.dream.worker.frame_slots import STATE_SLOT
from streamer.dream.worker.process import WorkerProcess
from streamer.dream.worker.protocol import Failed, KeyframeReady
from streamer.dream.worker.remote.outbox import Outbox, OutgoingKeyframe
from streamer.dream.worker.remote.picture_coding import PictureEncoder, encode_independently
from streamer.dream.worker.remote.relay_protocol import (
    PART_BYTES,
    FetchRequest,
    RelayCommand,
    RemoteBegin,
    ReportBatch,
    SentKeyframe,
    SentSourcePicture,
    WorkerSpec,
)
from streamer.dream.worker.remote.start_picture import with_start_picture
from streamer.dream.worker.worker_watchdog import Silence, SilenceLimits

LEASE_S = 60.0
"""Seconds of silence after which the relay counts as gone. Ray usually ends an actor earlier, together with its owner."""
LOOK_S = 1.0
"""Seconds between checks of that."""
NOISE = os.urandom(PART_BYTES)
"""Incompressible data, to measure a link."""


class WorkerHost:
    """Runs a worker for a relay on another machine.

    Raises:
        OSError, RuntimeError: the node has no process, descriptor or memory left.
    """

    def __init__(self, worker_spec: WorkerSpec, leave: Callable[[], None] = lambda: os._exit(0)) -> None:
        """Start the worker; it prepares immediately.

        Args:
            leave: Called once the relay is gone.
        """
        self._leave = leave
        config = worker_spec.config
        if worker_spec.picture is not None:
            self._folder = tempfile.TemporaryDirectory(prefix="zoomdream-")  # exists as long as this host
            config = with_start_picture(config, worker_spec.picture, Path(self._folder.name))
        if worker_spec.factory is None:
            config = with_measured_format(config, worker_spec.threads or dreaming_threads())
        self._feed = None if worker_spec.feed is None else PictureFeed(worker_spec.feed)
        self._worker = WorkerProcess(
            config,
            worker_spec.seed,
            worker_spec.factory,
            self._feed,
            worker_spec.prepare_mode,
            threads=worker_spec.threads,
            frees_slots=False,
        )
        self._outbox, self._packer = Outbox(), PictureEncoder()
        self._turn = threading.Lock()  # one thread at a time numbers batches
        self._number = self._seen = 0
        self._letters: dict[int, RelayCommand] = {}
        self._next_letter = 0
        self._post = threading.Lock()  # over letters, and sending to the worker
        self._keep_s = self._kept_at_s = 0.0
        self._kept_back = False  # whether the worker must not use the state slot
        self._heard_s = time.monotonic()
        self._silence = Silence(lambda: self._worker.starved_s, time.monotonic, SilenceLimits().starved_s)
        self._begun = False  # before that the worker waits, perhaps for a large picture on a slow link
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="worker", daemon=True)
        self._thread.start()

    def ping(self) -> tuple[float, float]:
        """Return this machine's monotonic clock, and for how many seconds the worker has been silent; see ``LinkReport``."""
        self._heard_s = time.monotonic()
        return self._heard_s, max(0.0, self._silence.seconds) if self._begun else 0.0

    def noise(self, parts: int) -> list[bytes] | bytes:
        """Return ``parts`` times ``PART_BYTES`` incompressible bytes."""
        self._heard_s = time.monotonic()
        return [NOISE] * parts if parts > 1 else NOISE

    def fetch(self, ask: FetchRequest) -> list[bytes] | bytes:
        """Wait for reports of the worker; return them up to and including one picture, as a ``ReportBatch`` in parts."""
        parts = self._fetched(ask).cut(ask.parts)
        return parts if len(parts) > 1 else parts[0]

    def _fetched(self, ask: FetchRequest) -> ReportBatch:
        self._heard_s = time.monotonic()
        until_s = self._heard_s + ask.hold_s
        self._keep_s = ask.keep_s
        self._free(self._outbox.acknowledge(ask.acknowledged, ask.window))
        if not self._turn.acquire(timeout=ask.hold_s):
            return ReportBatch(None, time.monotonic())
        try:
            said = self._outbox.take(max(0.0, until_s - time.monotonic()))
            if not said:
                return ReportBatch(None, time.monotonic())
            held = tuple(self._pack(each, ask) if isinstance(each, OutgoingKeyframe) else each for each in said)
            number, self._number = self._number, self._number + 1
            return ReportBatch(number, time.monotonic(), held)
        finally:
            self._turn.release()

    def tell(self, number: int, letter: RelayCommand) -> None:
        """Pass a command to the worker once all with lower numbers were passed: calls may arrive out of order."""
        self._heard_s = time.monotonic()
        with self._post:
            self._letters[number] = letter
            while (letter_now := self._letters.pop(self._next_letter, None)) is not None:
                self._next_letter += 1
                if isinstance(letter_now, RemoteBegin):
                    self._worker.resume_from(letter_now.resume, letter_now.level)
                    self._silence.end()
                    self._begun = True
                else:
                    self._worker.command(letter_now)

    def see(self, seen: SentSourcePicture) -> None:
        """Take a newer picture of the moving source."""
        assert self._feed is not None, "the worker was started for a moving source"
        self._heard_s = time.monotonic()
        picture = seen.opened()
        with self._post:
            if picture.number > self._seen:
                self._seen = picture.number
                self._feed.put(picture)

    def free_nodes(self, cpus: float, gpus: float) -> int:
        """Return the number of other nodes that have this much free."""
        return sum(has[0] >= cpus and has[1] >= gpus for has in others_free().values())

    def stop(self) -> None:
        """End the worker."""
        self._over.set()
        self._thread.join(LOOK_S)
        with self._post:
            self._worker.dismiss(0.0)

    def _listen(self) -> None:
        """Receive the worker's reports until it ends or the relay is gone."""
        while not self._over.is_set():
            self._free_kept()
            if time.monotonic() - self._heard_s > LEASE_S:
                with self._post:
                    self._worker.dismiss(0.0)
                self._leave()
                return
            if self._worker.connection not in (ready := wait([self._worker.connection, self._worker.sentinel], LOOK_S)):
                if ready:
                    self._end()
                    return
                continue
            try:
                report, picture = self._worker.receive()
            except (EOFError, OSError):
                self._end()
                return
            self._silence.end()
            if isinstance(report, KeyframeReady):
                assert picture is not None
                kept = self._worker.kept(report)
                if kept is not None:
                    self._kept_at_s, self._kept_back = time.monotonic(), True
                self._free(self._outbox.put(OutgoingKeyframe(report, picture, kept)))
            else:
                self._outbox.put(report)
                if isinstance(report, Failed):
                    return

    def _end(self) -> None:
        if not self._over.is_set():
            self._outbox.put(self._worker.exit_reason())

    def _free(self, slots: Sequence[int]) -> None:
        with self._post:
            for slot in slots:
                self._worker.free(slot)

    def _free_kept(self) -> None:
        """Free the state slot, so that the worker saves its state again, when the link has room for it."""
        if self._kept_back and time.monotonic() - self._kept_at_s >= self._keep_s:
            self._kept_back = False
            self._free([STATE_SLOT])

    def _pack(self, taken: OutgoingKeyframe, ask: FetchRequest) -> SentKeyframe:
        """Encode a keyframe."""
        keyframe_ready, picture, source_picture = taken.keyframe_ready, taken.picture, None
        if keyframe_ready.source_picture is not None:
            height = keyframe_ready.size[0]
            source_picture, picture = encode_independently(picture[height:], ask.coding), picture[:height]
        coded = self._packer(picture, ask.coding)
        checksum = None if coded.exact else zlib.crc32(np.ascontiguousarray(picture).data)
        return SentKeyframe(
            replace(keyframe_ready, slot=0, kept=None, checksum=checksum), coded, ask.coding, source_picture, taken.kept
        )
