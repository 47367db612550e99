"""Finds a node of a cluster for a worker, and starts a host there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from streamer.cluster import Cluster, ClusterError, connect, one_line, version_question
from streamer.cluster_nodes import Node, compare, fitting
from streamer.config_renderer import RendererConfig
from streamer.dream.worker.protocol import ClusterPlacement
from streamer.dream.worker.remote.relay_protocol import FetchRequest, RelayCommand, SentSourcePicture, WorkerSpec
from streamer.errors import ZoomdreamError

if TYPE_CHECKING:
    from streamer.dream.worker.remote.host import WorkerHost

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


def choose_node(cluster: Cluster, placement: ClusterPlacement, ask: Callable[[Node], Node]) -> Node:
    """Return the node to start a host on: the one with the most room, and this program's own only if there is no other.

    Args:
        ask: Returns a node with its versions, or with why it reports none. It is called for that node, and for another one only
            if the versions rule it out.

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
                node = ask(candidate)
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


class HostStarter:
    """Starts a process on a node that first reports the node's versions and then hosts a worker.

    One process does both: to start a second one takes a second. It takes the node's resources from the beginning.
    """

    def __init__(self, cluster: Cluster, settings: RendererConfig) -> None:
        self._cluster, self._settings = cluster, settings
        self._host: Any = None
        self._node: Node | None = None

    def ask(self, node: Node) -> Node:
        """Start the process on a node, instead of an earlier one elsewhere; return the node with its versions."""
        ray = self._cluster.ray
        if self._host is not None:
            ray.kill(self._host)
        cpus, gpus = needed_resources(self._settings)
        options = self._cluster.on(node) | {"num_cpus": cpus, "num_gpus": gpus, "max_concurrency": CALLS, "max_restarts": 0}
        self._host, self._node = ray.remote(_host_class()).options(**options).remote(), node
        return self._cluster.answer(node, self._host.versions.remote(), SCAN_S)

    def start(self, worker_spec: WorkerSpec) -> Any:
        """Start the host on the node that was asked last; return the actor's handle, with the methods of ``WorkerHost``.

        Raises:
            NoNodeAvailable: it could not be started.
        """
        ray, node = self._cluster.ray, self._node
        assert node is not None, "ask a node first"
        try:
            ray.get(self._host.start.remote(worker_spec), timeout=START_S)
        except ray.exceptions.GetTimeoutError as error:
            raise NoNodeAvailable(f"no worker has started on node {node.name} within {START_S:.0f} s") from error
        except Exception as error:  # Ray raises many kinds, and as a client gRPC's own
            raise NoNodeAvailable(f"no worker can be started on node {node.name}: {one_line(error)}") from error
        return self._host


def _host_class() -> type:
    """Return the actor's class.

    As an inner class it is pickled by value: the node may have no zoomdream, or another version.
    """
    look_up = version_question()

    class Host:
        """Passes calls to the ``WorkerHost``, which is imported after the versions were compared."""

        _host: WorkerHost

        def versions(self) -> dict[str, str]:
            return look_up()

        def start(self, worker_spec: WorkerSpec) -> None:
            from streamer.dream.worker.remote.host import WorkerHost

            self._host = WorkerHost(worker_spec)

        def ping(self) -> tuple[float, float]:
            return self._host.ping()

        def noise(self, parts: int) -> list[bytes] | bytes:
            return self._host.noise(parts)

        def fetch(self, ask: FetchRequest) -> list[bytes] | bytes:
            return self._host.fetch(ask)

        def tell(self, number: int, letter: RelayCommand) -> None:
            self._host.tell(number, letter)

        def see(self, seen: SentSourcePicture) -> None:
            self._host.see(seen)

        def free_nodes(self, cpus: float, gpus: float) -> int:
            return self._host.free_nodes(cpus, gpus)

    Host.__name__ = "WorkerHost"  # as Ray's lists and processes name it
    return Host


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
