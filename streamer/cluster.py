"""Connects to a Ray cluster and asks its nodes for their versions and resources. It never starts a cluster.

Ray is the extra ``ray``; it is imported only when a cluster is used.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import ModuleType, TracebackType
from typing import Any

from streamer.cluster_nodes import Node, Versions
from streamer.errors import ZoomdreamError

AUTO = "auto"
"""The address of the cluster that has a node on this machine; ``RAY_ADDRESS`` can name another."""
CLIENT = "ray://"
"""Prefix of the address of a cluster that this machine is not a node of."""
CLIENT_PORT = 10001
"""Default port on which a head listens for Ray clients."""
KINDS = "auto, HOST:PORT if this machine is a node of the cluster, or ray://HOST:10001 if it is not"
INSTALL = "pip install 'zoomdream[ray]'"
TOKEN = (
    "it needs its token here too: RAY_AUTH_MODE=token, and the token in ~/.ray/auth_token, in the file that "
    "RAY_AUTH_TOKEN_PATH names, or in RAY_AUTH_TOKEN"
)
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}
"""Environment variables that Ray reads when it is imported: it sends no usage statistics and prints no lines of its nodes."""
REACH_S, ASK_S = 5.0, 30.0
"""Seconds to connect to an address, and for nodes to report their versions: each first starts a process."""

_ADDRESS = re.compile(r"(?P<client>ray://)?(?P<host>\[[0-9a-fA-F:.]+\]|[^\s\[\]:/]+)(?::(?P<port>\d{1,5}))?")


class ClusterError(ZoomdreamError):
    """A cluster cannot be used; the message, one line, says what to do."""

    wrong_call = True


class Cluster:
    """A connection to a cluster. A process has one at a time."""

    def __init__(self, ray: ModuleType, address: str) -> None:
        self.ray = ray
        """The ray package, for callers that give work to the cluster, so that they need not import it."""
        self.address = address
        """The requested address."""

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect; this program's tasks and actors on the cluster end."""
        self.ray.shutdown()

    @property
    def home(self) -> str:
        """Node id of this machine; empty if it is not a node of this cluster."""
        return "" if self._is_client else str(self.ray.get_runtime_context().get_node_id())

    @property
    def _is_client(self) -> bool:
        """Whether this machine is connected as a Ray client, from outside."""
        from ray.util.client import ray as client

        return bool(client.is_connected())

    def on(self, node: Node) -> dict[str, Any]:
        """Return options for a task or actor that needs no CPU and runs on this node or fails."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return {"num_cpus": 0, "scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False)}

    def nodes(self, timeout_s: float = ASK_S) -> tuple[Node, ...]:
        """Return all nodes, including this machine's, with the answers of those that are alive; see ``listed`` and ``asked``.

        Raises:
            ClusterError: the cluster does not answer.
        """
        return self.asked(self.listed(), timeout_s)

    def listed(self) -> tuple[Node, ...]:
        """Return all nodes and what they have free, as the head knows them; no node is asked, so there are no versions.

        Raises:
            ClusterError: the cluster does not answer.
        """
        with _told(self.address):
            found, free = [_listed(each) for each in self.ray.nodes()], self._free_resources()
        shared = Counter(node.address for node in found if node.alive)
        found = [replace(node, name=f"{node.address} ({node.id[:6]})") if shared[node.address] > 1 else node for node in found]
        return tuple(
            replace(node, free_cpus=has.get("CPU", 0.0), free_gpus=has.get("GPU", 0.0))
            for node, has in ((node, free.get(node.id, {})) for node in found)
        )

    def _free_resources(self) -> Mapping[str, Mapping[str, float]]:
        """Return each node's free resources by its id. Only a node can look them up, so a client asks any of them."""
        look_up = _resource_lookup()
        if not self._is_client:
            return look_up()
        found: Mapping[str, Mapping[str, float]] = self.ray.get(
            self.ray.remote(look_up).options(num_cpus=0).remote(), timeout=ASK_S
        )
        return found

    def asked(self, nodes: Sequence[Node], timeout_s: float = ASK_S) -> tuple[Node, ...]:
        """Ask nodes for their versions, which starts a process on each that is alive; return the nodes with their answers.

        Raises:
            ClusterError: the cluster does not answer.
        """
        question = self.ray.remote(version_question())
        with _told(self.address):
            asked = {node.id: question.options(**self.on(node), max_retries=0).remote() for node in nodes if node.alive}
            answered, _ = self.ray.wait(list(asked.values()), num_returns=len(asked), timeout=timeout_s) if asked else ([], [])
        return tuple(self._answered(node, asked.get(node.id), answered, timeout_s) for node in nodes)

    def _answered(self, node: Node, reference: Any, answered: Collection[Any], timeout_s: float) -> Node:
        if reference is None:
            return node
        return self.answer(node, reference, timeout_s) if reference in answered else _silent(node, timeout_s)

    def answer(self, node: Node, reference: Any, timeout_s: float) -> Node:
        """Wait for a node's answer to ``version_question``; return the node with its versions, or with why it reports none."""
        try:
            return replace(node, versions=Versions(**self.ray.get(reference, timeout=timeout_s)))
        except self.ray.exceptions.GetTimeoutError:
            return _silent(node, timeout_s)
        except (self.ray.exceptions.TaskUnschedulableError, self.ray.exceptions.ActorUnschedulableError):
            return replace(node, alive=False, problem="it is gone")  # the cluster lists a lost node as alive for a few seconds
        except self.ray.exceptions.RayError as error:
            return replace(node, problem=one_line(error))


def connect(address: str) -> Cluster:
    """Connect to a cluster.

    Ray sends no usage statistics, starts no dashboard and logs nothing here. It reads its token from its usual places.

    Args:
        address: ``auto`` for the cluster with a node on this machine, ``host:port`` if this machine is a node of it, or
            ``ray://host:port`` if it is not.

    Raises:
        ClusterError: the address is invalid, Ray is not installed, there is no cluster, its versions of Ray or Python differ,
            or it requires another token.
    """
    found = _ADDRESS.fullmatch(address.strip())
    if found is None or (not found["client"] and not found["port"] and address.strip() != AUTO):
        raise ClusterError(f"'{address}' is not the address of a cluster; must be {KINDS}")
    ray = _package(client=bool(found["client"]))
    if ray.is_initialized():
        raise ClusterError("this program is already connected to a cluster")
    with _told(address):
        reached = _local(address) if address.strip() == AUTO else address.strip()
        found = _ADDRESS.fullmatch(reached)
        if found is not None:
            reached = reached if found["port"] else f"{reached}:{CLIENT_PORT}"
            _reach(found["host"].strip("[]"), int(found["port"] or CLIENT_PORT), address)
            if not found["client"]:
                _be_a_node(address)
        with _signals_kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray warns of what it also raises
            ray.init(reached, log_to_driver=False, logging_level=logging.CRITICAL)
    return Cluster(ray, address)


def others_free() -> dict[str, tuple[float, float]]:
    """Return the free CPUs and GPUs of all other nodes, by node id; call this on a node."""
    import ray

    ours, found = ray.get_runtime_context().get_node_id(), _resource_lookup()()
    return {node: (has.get("CPU", 0.0), has.get("GPU", 0.0)) for node, has in found.items() if node != ours}


def fetched(reference: Any) -> Any:
    """Return the object behind a reference, inside a task. Its arrays are read-only."""
    import ray

    return ray.get(reference)


def one_line(error: BaseException) -> str:
    """Shorten the message of a Ray error to one line: it may contain whole tracebacks of other machines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    line = lines[-1] if lines[0].endswith(":") or "\x1b" in lines[0] or "ray::" in lines[0] else lines[0]
    return line if len(line) <= 300 else f"{line[:299]}…"


def _package(*, client: bool) -> ModuleType:
    """Import Ray, made as quiet as possible."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise ClusterError(f"a cluster needs Ray, which is not installed: {INSTALL} ({error})") from error
    if client:
        try:
            import grpc  # noqa: F401
        except ImportError as error:
            raise ClusterError(f"an address with {CLIENT} needs grpcio, which is not installed: {INSTALL}") from error
    package: ModuleType = ray
    return package


def _local(address: str) -> str:
    """Return the address behind ``auto``; without one Ray would start a cluster."""
    from ray._private.services import canonicalize_bootstrap_address

    if (named := os.environ.get("RAY_ADDRESS", "")).startswith(CLIENT):
        return named
    found: str | None = canonicalize_bootstrap_address(address)
    if found is None:
        raise ConnectionError("none runs on this machine")
    return found


def _reach(host: str, port: int, address: str) -> None:
    """Check immediately whether the port is open: Ray itself waits for a minute, and may then end the program."""
    try:
        socket.create_connection((host, port), REACH_S).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ClusterError(
            f"no cluster at '{address}': {why} ({host}:{port}); has ray start --head run there, and is the port open?"
        ) from error


def _be_a_node(address: str) -> None:
    """Check that a node runs on this machine; Ray itself would wait for one."""
    from ray._private import services

    find: Callable[[], Collection[str]] | None = getattr(services, "find_node_ids", None)
    if find is not None and not find():
        raise ClusterError(
            f"this machine is not a node of the cluster at '{address}': join it with ray start --address={address}, or connect "
            f"from outside with {CLIENT}HOST:{CLIENT_PORT}"
        )


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


@contextlib.contextmanager
def _told(address: str) -> Iterator[None]:
    """Turn Ray's exceptions into a ``ClusterError`` that says what to do."""
    try:
        yield
    except ClusterError:
        raise
    except Exception as error:  # Ray raises bare RuntimeError, ValueError, ConnectionError and, as a client, gRPC's own
        raise ClusterError(_reason(error, address)) from error


def _reason(error: Exception, address: str) -> str:
    text = str(error)
    if "Version mismatch" in text:
        found = re.findall(r"(Ray|Python): (\S+)", text)
        (_, their_ray), (_, their_python), (_, our_ray), (_, our_python) = (found + [("", "?")] * 4)[:4]
        return (
            f"the cluster at '{address}' has Ray {their_ray} with Python {their_python}, this is Ray {our_ray} with Python "
            f"{our_python}: use the same on both"
        )
    causes = [error, error.__cause__, error.__context__]
    names = " ".join(f"{type(each).__name__} {each}" for each in causes if each is not None)
    if re.search(r"AuthenticationError|UNAUTHENTICATED|Unauthenticated|[Aa]uthentication", names):
        return f"the cluster at '{address}' refuses this program: {TOKEN}"
    if "ray client connection timeout" in text:  # the port is open, but the connection is dropped without an answer
        return f"the server at '{address}' is not the head of a cluster, is overloaded, or refuses this program: {TOKEN}"
    if "Initialization failure from server" in text:
        return f"the cluster at '{address}' has no process for this program: {one_line(error)}; is its head overloaded?"
    if isinstance(error, ConnectionError | TimeoutError):
        return f"no cluster at '{address}': {one_line(error)}; start one with ray start --head, or name another: {KINDS}"
    return f"the cluster at '{address}' cannot be used: {one_line(error)}"


def _silent(node: Node, timeout_s: float) -> Node:
    return replace(node, problem=f"it has not answered in {timeout_s:g} s")


def _listed(entry: Mapping[str, Any]) -> Node:
    """Return the node of an entry in Ray's list."""
    resources: Mapping[str, float] = entry.get("Resources") or {}
    kinds = [name.partition(":")[2] for name in resources if name.startswith("accelerator_type:")]
    address = str(entry["NodeManagerAddress"])
    return Node(
        id=str(entry["NodeID"]),
        name=address,
        address=address,
        alive=bool(entry["Alive"]),
        cpus=float(resources.get("CPU", 0.0)),
        gpus=float(resources.get("GPU", 0.0)),
        accelerator=kinds[0] if kinds else "",
    )


def _resource_lookup() -> Callable[[], Mapping[str, Mapping[str, float]]]:
    """Return a function that looks up each node's free resources; see ``version_question``."""

    def look_up() -> Mapping[str, Mapping[str, float]]:
        from ray._private.state import available_resources_per_node

        found: Mapping[str, Mapping[str, float]] = available_resources_per_node()
        return found

    return look_up


def version_question() -> Callable[[], dict[str, str]]:
    """Return the function that a node looks up its ``Versions`` with.

    As an inner function it is pickled by value: the node may have no zoomdream.
    """

    def answer() -> dict[str, str]:
        import importlib.metadata
        import platform

        found = {"python": platform.python_version()}
        for name in ("zoomdream", "torch", "ray"):
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                found[name] = ""
        return found

    return answer
