"""The local process that represents a worker on a cluster: to the renderer it is that worker, with the same pipe and memory."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from streamer.cluster import Cluster, one_line
from streamer.cluster_nodes import Node
from streamer.dream.interface import ConfigRejected
from streamer.dream.sources.picture_feed import PictureFeed
from streamer.dream.worker.disclosure import disclosed_config, disclosed_scene
from streamer.dream.worker.protocol import (
    Assignment,
    Begin,
    Busy,
    ClusterPlacement,
    Command,
    Failed,
    Hello,
    LinkReport,
    Prepared,
    PrepareMode,
    Report,
    Stop,
)
from streamer.dream.worker.remote import node_selection
from streamer.dream.worker.remote.delivery import Delivery
from streamer.dream.worker.remote.link_coding import measured
from streamer.dream.worker.remote.link_meter import LinkMeter
from streamer.dream.worker.remote.mailbox import Mailbox
from streamer.dream.worker.remote.picture_coding import encode_independently
from streamer.dream.worker.remote.relay_protocol import (
    PART_BYTES,
    RelayCommand,
    RemoteBegin,
    ReportBatch,
    SentSourcePicture,
    WorkerSpec,
)
from streamer.dream.worker.remote.start_picture import start_picture_bytes
from streamer.dream.worker.worker_main import ignore_terminals, log_to, sender
from streamer.messages.scenes import Scene
from streamer.processes import RoundClock

log = logging.getLogger(__name__)

FETCHES = 8
"""Concurrent fetch calls, so that a keyframe need not wait until the previous answer has arrived."""
PING_S = 0.5
"""Seconds between pings."""
SILENT_S = 3.0
"""Seconds without an answer to a ping after which the link counts as lost."""
LOOK_S = 0.25
"""Seconds between checks of the link."""
TELL_S = 1.0
"""Seconds between link reports."""
ROOMS_S = 5.0
"""Seconds between counts of other nodes with room."""
FIRST_PINGS, PROBES, PROBE_ENOUGH_S = 8, (1, 4, 8), 0.3
"""The link is measured by this many round trips, then by transfers of these numbers of parts, until one takes this long."""
PREPARE_S = 90.0
"""Seconds to reach the cluster and to start a host; Ray itself waits much longer if there is no answer."""
FEED_S = 0.01
"""Seconds between polls for a newer picture of the moving source."""
FEEDS = 2
"""Most source pictures in flight. When full, sending waits, then continues with the newest."""
LEAVE_S = 1.0
"""Seconds to disconnect from the cluster; if it is unreachable, the process ends without."""
ALONE = {"RAY_CLIENT_RECONNECT_GRACE_PERIOD": "0"}
"""Environment: Ray does not reconnect a lost link, since another worker takes over and the node should be free immediately."""


def main(connection: Connection, assignment: Assignment) -> None:
    """Run a relay until ``Stop``, or until the renderer's process, the worker or the link is gone."""
    ignore_terminals()
    os.environ.update(ALONE)
    send = sender(connection)
    log_to(send, logging.INFO)
    send(Hello(time.monotonic()))
    assert assignment.cluster_placement is not None, "a relay needs a place on a cluster"
    relay = Relay(assignment, assignment.cluster_placement, send)
    threading.Thread(target=_receive, args=(connection, relay), name="commands", daemon=True).start()
    try:
        relay.run()
    except (node_selection.NoNodeAvailable, ConfigRejected) as error:
        send(Failed(str(error), "", lasting=isinstance(error, ConfigRejected)))
    except Exception as error:  # Ray raises many kinds: the renderer reports it and continues without the cluster
        send(Failed(f"the cluster cannot be used: {one_line(error)}", "", lasting=False))
    relay.leave()


def _receive(connection: Connection, relay: Relay) -> None:
    """Receive commands; end the process at ``Stop`` or when the renderer is gone."""
    while True:
        try:
            command = connection.recv()
        except (EOFError, OSError):
            command = Stop()
        if isinstance(command, Stop):
            relay.leave()
        relay.mailbox.put(command)


class Relay:
    """Represents one worker."""

    def __init__(self, assignment: Assignment, cluster_placement: ClusterPlacement, send: Callable[[Report], None]) -> None:
        self.mailbox = Mailbox()
        self._assignment, self._cluster_placement, self._send = assignment, cluster_placement, send
        self._over = threading.Event()
        self._ended = threading.Lock()  # taken by the thread that reports the end
        self._cluster: Cluster | None = None
        self._host: Any = None
        self._delivery = Delivery(assignment.frame_slots, self.mailbox, send, self._end)
        self._pings = self._free_nodes = 0
        self._silent_s = 0.0  # of the worker, at the latest ping

    def run(self) -> None:
        """Find a node, start a worker there, and pass messages between it and the renderer until one of them ends.

        Raises:
            NoNodeAvailable: there is no cluster, or no node with room.
            Exception: raised by Ray.
        """
        settings, prepare_mode = self._cluster_placement.settings, self._assignment.prepare_mode
        with self._in_time():
            self._send(Busy(f"reaching the cluster at '{settings.address}'"))
            self._cluster = cluster = node_selection.connect_to_cluster(settings)
        if (
            prepare_mode is PrepareMode.SPARE_LIGHT
        ):  # the node is taken once it is needed: the one at work may have it until then
            self._send(Prepared())
            self.mailbox.begun.wait()
            prepare_mode = PrepareMode.NOW
        with self._in_time():
            self._send(Busy("looking for a node of the cluster"))
            starter = node_selection.HostStarter(cluster, settings)
            node = node_selection.choose_node(cluster, self._cluster_placement, starter.ask)
            self._send(Busy(f"starting on node {node.name}"))
            self._host = starter.start(self._hire(prepare_mode))
            link_meter = LinkMeter(self._assignment.config, node.name)
            self._measure(link_meter)
        status = link_meter.status()
        log.info("on node %s: %.3g Mbit/s, round trip %.3g ms", node.name, 8e-6 * status.bytes_per_s, 1e3 * status.round_trip_s)
        self._send(LinkReport(node.id, 0, status))
        threads = [("letters", self._write), ("pings", self._ping), *(("fetch", self._fetch) for _ in range(FETCHES))]
        for name, target in threads:
            threading.Thread(target=self._guarded, args=(target, link_meter, node), name=name, daemon=True).start()
        if self._assignment.feed is not None:
            threading.Thread(target=self._guarded, args=(self._feed, link_meter, node), name="feed", daemon=True).start()
        self._watch(link_meter, node)

    def _hire(self, prepare_mode: PrepareMode) -> WorkerSpec:
        """Return what the host needs to start the worker."""
        assignment, settings = self._assignment, self._cluster_placement.settings
        return WorkerSpec(
            disclosed_config(assignment.config),
            assignment.seed,
            assignment.factory,
            prepare_mode,
            0 if settings.gpus else settings.cpus or 0,
            None if assignment.feed is None else assignment.feed.largest,
            start_picture_bytes(assignment.config),
        )

    @contextlib.contextmanager
    def _in_time(self) -> Iterator[None]:
        """Give up if the work within this context takes too long."""

        def give_up() -> None:
            what = f"the cluster at '{self._cluster_placement.settings.address}' has not answered within {PREPARE_S:g} s"
            self._end(Failed(what, "", lasting=False))
            self.leave()

        watchdog = threading.Timer(PREPARE_S, give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def leave(self) -> None:
        """End the worker and this process, whatever else is running."""
        self._over.set()
        parting = threading.Thread(target=self._part, name="leave", daemon=True)
        parting.start()
        parting.join(LEAVE_S)
        os._exit(0)  # a normal exit would wait for Ray's threads

    def _part(self) -> None:
        with contextlib.suppress(Exception):  # Ray raises many kinds; an abandoned host ends by itself
            if self._cluster is not None:
                if self._host is not None:
                    self._cluster.ray.kill(self._host)
                self._cluster.close()

    def _end(self, failed: Failed) -> None:
        """Report the end, once."""
        if self._ended.acquire(blocking=False):
            self._send(failed)
            self._over.set()

    def _guarded(self, target: Callable[[LinkMeter, Node], None], link_meter: LinkMeter, node: Node) -> None:
        """Run a thread's work; any exception of Ray means that the worker is gone."""
        try:
            target(link_meter, node)
        except Exception as error:
            self._end(Failed(node_selection.loss_text(error, node), "", lasting=False))

    def _get(self, reference: Any) -> Any:
        assert self._cluster is not None
        return self._cluster.ray.get(reference)

    def _measure(self, link_meter: LinkMeter) -> None:
        """Measure the offset of the other clock, the round trip and the throughput."""
        for _ in range(FIRST_PINGS):
            self._ask_the_time(link_meter)
        for parts in PROBES:  # larger and later ones are more accurate, because of TCP's slow start
            asked_s = time.monotonic()
            self._get(self._host.noise.options(num_returns=parts).remote(parts))
            took_s = time.monotonic() - asked_s
            link_meter.probed(measured(parts * PART_BYTES, took_s, link_meter.trip_s))
            if took_s > PROBE_ENOUGH_S:
                break

    def _ask_the_time(self, link_meter: LinkMeter) -> None:
        asked_s = time.monotonic()
        told_s, self._silent_s = self._get(self._host.ping.remote())
        link_meter.answered(asked_s, told_s, time.monotonic())

    def _ping(self, link_meter: LinkMeter, node: Node) -> None:
        looked_s = -ROOMS_S
        while not self._over.wait(PING_S):
            self._ask_the_time(link_meter)
            self._pings += 1
            if time.monotonic() - looked_s >= ROOMS_S:
                looked_s = time.monotonic()
                self._free_nodes = self._get(
                    self._host.free_nodes.remote(*node_selection.needed_resources(self._cluster_placement.settings))
                )

    def _watch(self, link_meter: LinkMeter, node: Node) -> None:
        """Wait for the end; report on the link, and check that it is alive."""
        rounds = RoundClock()
        seen, heard_s, told_s = 0, rounds(), rounds()
        while not self._over.wait(LOOK_S):
            rounds.end_round(LOOK_S)
            if self._pings != seen:
                seen, heard_s = self._pings, rounds()
            elif rounds() - heard_s > SILENT_S:
                self._end(Failed(f"node {node.name} has been silent for {SILENT_S:g} s", "", lasting=False))
            if rounds() - told_s >= TELL_S:
                told_s = rounds()
                self._send(LinkReport(node.id, self._free_nodes, link_meter.status(), self._silent_s))

    def _write(self, link_meter: LinkMeter, node: Node) -> None:
        """Pass the renderer's commands on."""
        number = 0
        while True:
            self._host.tell.remote(number, self._letter(self.mailbox.next(), link_meter))
            number += 1

    def _letter(self, command: Command | Begin, link_meter: LinkMeter) -> RelayCommand:
        if isinstance(command, Begin):
            return RemoteBegin.of(command, self._assignment.frame_slots, link_meter.theirs)
        return disclosed_scene(command) if isinstance(command, Scene) else command

    def _fetch(self, link_meter: LinkMeter, node: Node) -> None:
        """Fetch the worker's reports, one call after the other."""
        while not self._over.is_set():
            ask = link_meter.ask()
            parts = self._host.fetch.options(num_returns=ask.parts).remote(ask)
            parcel = ReportBatch.joined(self._get(parts if ask.parts > 1 else [parts]))
            self._delivery(parcel, time.monotonic(), link_meter)

    def _feed(self, link_meter: LinkMeter, node: Node) -> None:
        """Pass on the newest picture of the moving source."""
        feed, seen, under_way = self._assignment.feed, 0, deque[Any]()
        assert isinstance(feed, PictureFeed)
        while not self._over.wait(FEED_S):
            picture = feed.newest(after=seen)
            if picture is None:
                continue
            seen = picture.number
            letter = SentSourcePicture(encode_independently(picture.image, link_meter.coding), picture.number, picture.time_s)
            under_way.append(self._host.see.remote(letter))
            if len(under_way) > FEEDS:
                self._get(under_way.popleft())
