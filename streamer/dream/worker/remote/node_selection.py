"""Finds a node of a cluster for a worker, and starts a host there."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from streamer.cluster import Cluster, ClusterError, connect, one_line
from streamer.cluster_nodes import Node, compare, fitting
from streamer.config_renderer import RendererConfig
from streamer.dream.worker.protocol import ClusterPlacement
from streamer.dream.worker.remote.relay_protocol import WorkerSpec
from streamer.errors import ZoomdreamError

log = logging.getLogger(__name__)

SCAN_S = 10.0
"""Seconds for a node to report its versions; one that has not by then is not chosen."""
TRIES, TRY_S = 4, 0.5
"""Number of attempts to find a node with room, and the seconds between them."""
START_S = 60.0
"""Seconds for a host to start: it imports its modules, perhaps from a slow disk."""
CALLS = 16
"""Most concurrent calls to a host."""


class NoNodeAvailable(ZoomdreamError):
    """No node has room for a worker; the message, one line, says why and what to do."""


def connect_to_cluster(settings: RendererConfig) -> Cluster:
    """Connect to the cluster.

    Raises:
        NoNodeAvailable: there is no cluster, or it cannot be used.
    """
    try:
        return connect(settings.address)
    except ClusterError as error:
        raise NoNodeAvailable(str(error)) from error


def needed_resources(settings: RendererConfig) -> tuple[float, float]:
    """Return the CPUs and GPUs to request."""
    return float(settings.cpus or 1), settings.gpus


def choose_node(cluster: Cluster, placement: ClusterPlacement) -> Node:
    """Return the node to start a host on: the one with the most room, and this program's own only if there is no other.

    Only that node is asked for its versions, and another one only if they rule it out.

    Raises:
        NoNodeAvailable: no node has room, or none is compatible.
    """
    settings, refused = placement.settings, dict[str, str]()
    cpus, gpus = needed_resources(settings)
    ours = cluster.ray.get_runtime_context().get_node_id()

    def could(node: Node) -> bool:
        """Return whether the node would be large enough if nothing else used it."""
        return node.alive and node.id not in {*placement.avoid, *refused} and node.cpus >= cpus and node.gpus >= gpus

    large: list[Node] = []
    for tries in range(TRIES):
        if tries:  # a worker that has just ended may still hold it for a moment
            time.sleep(TRY_S)
        try:
            large = [node for node in cluster.listed() if could(node)]
            free = [node for node in large if node.free_cpus >= cpus and node.free_gpus >= gpus]
            for candidate in sorted(free, key=lambda node: (node.id == ours, -node.free_gpus, -node.free_cpus)):
                (node,) = cluster.asked([candidate], SCAN_S)
                differences = compare([node])
                if fitting([node], differences):
                    for text in filter(None, [*refused.values(), *(each.text for each in differences)]):
                        log.warning("%s", text)
                    return node
                refused[node.id] = "; ".join(each.text for each in differences)  # empty if it is gone
        except ClusterError as error:
            raise NoNodeAvailable(str(error)) from error
        large = [node for node in large if could(node)]
        if placement.avoid or not large:
            break
    reasons = "; ".join(filter(None, refused.values()))
    if reasons and not large:
        raise NoNodeAvailable(f"no node of the cluster at '{settings.address}' can be used: {reasons}")
    raise NoNodeAvailable(_full(placement, large))


def start_host(cluster: Cluster, node: Node, settings: RendererConfig, worker_spec: WorkerSpec) -> Any:
    """Start a host on a node; return the actor's handle.

    Raises:
        NoNodeAvailable: it could not be started.
    """
    from streamer.dream.worker.remote.host import WorkerHost  # imported here to avoid a circular import

    cpus, gpus = needed_resources(settings)
    options = cluster.on(node) | {"num_cpus": cpus, "num_gpus": gpus, "max_concurrency": CALLS, "max_restarts": 0}
    try:
        host = cluster.ray.remote(WorkerHost).options(**options).remote(worker_spec)
        cluster.ray.get(host.ping.remote(), timeout=START_S)
    except cluster.ray.exceptions.GetTimeoutError as error:
        raise NoNodeAvailable(f"no worker has started on node {node.name} within {START_S:.0f} s") from error
    except Exception as error:  # Ray raises many kinds, and as a client gRPC's own
        raise NoNodeAvailable(f"no worker can be started on node {node.name}: {one_line(error)}") from error
    return host


def _full(placement: ClusterPlacement, large: Sequence[Node]) -> str:
    """Return the message that no node has room, with what those have that are large enough."""
    cpus, gpus = needed_resources(placement.settings)
    wanted = f"{gpus:g} GPU{'s' * (gpus != 1)} and {cpus:g} CPU{'s' * (cpus != 1)}"
    what = f"no {'other ' if placement.avoid else ''}node of the cluster at '{placement.settings.address}' has {wanted}"
    if not large:
        return f"{what} to lend{'; renderer.gpus: 0 dreams on their CPUs' if gpus else ''}"
    has = "; ".join(
        f"{node.name} has {node.free_gpus:g} of {node.gpus:g} and {node.free_cpus:g} of {node.cpus:g}" for node in large
    )
    return f"{what} free: {has}"


def loss_text(error: Exception, node: Node) -> str:
    """Describe an error of Ray in a call to the host on a node, in one line."""
    if type(error).__name__ in ("ActorUnavailableError", "ActorDiedError", "RayActorError", "OwnerDiedError"):
        return f"node {node.name}, its worker or the connection to it is gone"
    return f"the worker on node {node.name} is gone: {one_line(error)}"
