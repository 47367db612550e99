"""A place for a worker on a cluster: which node has one, and how a host is started there."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from streamer.cluster import Cluster, ClusterError, connect, one_line
from streamer.cluster_nodes import Node, compare, fitting
from streamer.config_renderer import RendererConfig
from streamer.dream.worker.protocol import Elsewhere
from streamer.dream.worker.remote.letters import Hire

log = logging.getLogger(__name__)

SCAN_S = 10.0
"""Seconds for all nodes to say what they have; one that has not by then is not chosen."""
TRIES, TRY_S = 4, 0.5
"""How often a node with room is looked for, and the seconds between."""
START_S = 60.0
"""Seconds for a host to start: it imports what it needs, from a disk that may be slow."""
CALLS = 16
"""Calls to a host that may be under way."""


class NoBerth(Exception):
    """There is no place for a worker; one line says why and what to do."""


def reach(settings: RendererConfig) -> Cluster:
    """Connect to the cluster.

    Raises:
        NoBerth: there is none, or it cannot be used.
    """
    try:
        return connect(settings.address)
    except ClusterError as error:
        raise NoBerth(str(error)) from error


def needs(settings: RendererConfig) -> tuple[float, float]:
    """CPUs and GPUs to ask for."""
    return float(settings.cpus or 1), settings.gpus


def choose(cluster: Cluster, elsewhere: Elsewhere) -> Node:
    """The node to start a host on: not this program's own if there is another, and the freest.

    Raises:
        NoBerth: none has room, or none fits.
    """
    settings, told = elsewhere.settings, set[str]()
    cpus, gpus = needs(settings)
    ours = cluster.ray.get_runtime_context().get_node_id()
    for tries in range(TRIES):
        try:
            nodes = cluster.nodes(SCAN_S)
        except ClusterError as error:
            raise NoBerth(str(error)) from error
        differences = compare(nodes)
        usable = fitting(nodes, differences)
        if not usable:
            reason = "; ".join(each.text for each in differences if not each.fits) or "it has no node that is alive"
            raise NoBerth(f"no node of the cluster at '{settings.address}' can be used: {reason}")
        for text in {each.text for each in differences} - told:
            log.warning("%s", text)
            told.add(text)
        free = [each for each in usable if each.free_cpus >= cpus and each.free_gpus >= gpus and each.id not in elsewhere.avoid]
        if free:
            return min(free, key=lambda node: (node.id == ours, -node.free_gpus, -node.free_cpus))
        if elsewhere.avoid or not _could(settings, usable):
            break
        if tries < TRIES - 1:  # a worker that has just ended may hold it for a moment yet
            time.sleep(TRY_S)
    raise NoBerth(_full(settings, usable, elsewhere))


def start(cluster: Cluster, node: Node, settings: RendererConfig, hire: Hire) -> Any:
    """Start a host on a node; returns the actor's handle.

    Raises:
        NoBerth: it could not be started.
    """
    from streamer.dream.worker.remote.host import Host  # what it starts is this module's own caller

    cpus, gpus = needs(settings)
    options = cluster.on(node) | {"num_cpus": cpus, "num_gpus": gpus, "max_concurrency": CALLS, "max_restarts": 0}
    try:
        host = cluster.ray.remote(Host).options(**options).remote(hire)
        cluster.ray.get(host.ping.remote(), timeout=START_S)
    except cluster.ray.exceptions.GetTimeoutError as error:
        raise NoBerth(f"no worker has started on node {node.name} within {START_S:.0f} s") from error
    except Exception as error:  # Ray raises many kinds, and as a client gRPC's own
        raise NoBerth(f"no worker can be started on node {node.name}: {one_line(error)}") from error
    return host


def _could(settings: RendererConfig, nodes: Sequence[Node]) -> bool:
    """Whether any node would have room if nobody else used it."""
    cpus, gpus = needs(settings)
    return any(node.cpus >= cpus and node.gpus >= gpus for node in nodes)


def _full(settings: RendererConfig, nodes: Sequence[Node], elsewhere: Elsewhere) -> str:
    cpus, gpus = needs(settings)
    wanted = f"{gpus:g} GPU{'s' * (gpus != 1)} and {cpus:g} CPU{'s' * (cpus != 1)}"
    what = "no other node" if elsewhere.avoid else "no node"
    has = "; ".join(
        f"{node.name} has {node.free_gpus:g} of {node.gpus:g} and {node.free_cpus:g} of {node.cpus:g}" for node in nodes
    )
    cure = "" if _could(settings, nodes) else "; renderer.gpus: 0 dreams on their CPUs" if gpus else ""
    return f"{what} of the cluster at '{settings.address}' has {wanted} free: {has}{cure}"
