"""A Ray cluster: how to reach one, and what its nodes say of themselves. Nothing here starts one.

Ray is the extra ``ray`` and is imported when a cluster is asked for, never before.
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
"""The address of the cluster that has a node on this machine; ``RAY_ADDRESS`` names another."""
CLIENT = "ray://"
"""Begins the address of a cluster of which this machine is no node."""
CLIENT_PORT = 10001
"""Where a head listens for those, unless it was told otherwise."""
KINDS = "auto, HOST:PORT where this machine is a node of the cluster, or ray://HOST:10001 where it is none"
INSTALL = "pip install 'zoomdream[ray]'"
TOKEN = (
    "its token has to be here too: RAY_AUTH_MODE=token, and the token in ~/.ray/auth_token, in the file that "
    "RAY_AUTH_TOKEN_PATH names, or in RAY_AUTH_TOKEN"
)
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}
"""Of the environment, which Ray reads when it is imported: it tells nobody of its use, and prints no line of its nodes here."""
REACH_S, ASK_S = 5.0, 30.0
"""Seconds for a connection to an address, and for all nodes to say what they have: each first starts a process."""

_ADDRESS = re.compile(r"(?P<client>ray://)?(?P<host>\[[0-9a-fA-F:.]+\]|[^\s\[\]:/]+)(?::(?P<port>\d{1,5}))?")


class ClusterError(ZoomdreamError):
    """A cluster that cannot be used; its message is one line that says what to do."""

    wrong_call = True


class Cluster:
    """A connection to a cluster. A process has one at a time."""

    def __init__(self, ray: ModuleType, address: str) -> None:
        self.ray = ray
        """The package, for those who give work to the cluster: only what is connected should have imported it."""
        self.address = address
        """As it was asked for."""

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster; what this program has running there ends."""
        self.ray.shutdown()

    @property
    def home(self) -> str:
        """Id of the node that this machine is; empty where it is none of this cluster's."""
        from ray.util.client import ray as client

        return "" if client.is_connected() else str(self.ray.get_runtime_context().get_node_id())

    def on(self, node: Node) -> dict[str, Any]:
        """Options of a task or an actor that needs no CPU and runs on one node, or fails."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return {"num_cpus": 0, "scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False)}

    def nodes(self, timeout_s: float = ASK_S, wanted: Callable[[Node], bool] = lambda node: True) -> tuple[Node, ...]:
        """All nodes, this machine's included; each that is alive is asked for its versions, and for what is free.

        Args:
            wanted: tells of a node as it is listed whether to ask it; others are left out.

        Raises:
            ClusterError: the cluster does not answer.
        """
        with _told(self.address):
            found = [_listed(each) for each in self.ray.nodes()]
        shared = Counter(node.address for node in found if node.alive)
        found = [replace(node, name=f"{node.address} ({node.id[:6]})") if shared[node.address] > 1 else node for node in found]
        return self._asked([node for node in found if wanted(node)], timeout_s)

    def _asked(self, nodes: Sequence[Node], timeout_s: float) -> tuple[Node, ...]:
        """The nodes with what they answered."""
        question = self.ray.remote(_question())
        with _told(self.address):
            asked = {node.id: question.options(**self.on(node), max_retries=0).remote() for node in nodes if node.alive}
            answered, _ = self.ray.wait(list(asked.values()), num_returns=len(asked), timeout=timeout_s) if asked else ([], [])
        return tuple(self._answered(node, asked.get(node.id), answered, timeout_s) for node in nodes)

    def _answered(self, node: Node, reference: Any, answered: Collection[Any], timeout_s: float) -> Node:
        if reference is None:
            return node
        if reference not in answered:
            return replace(node, problem=f"it has not answered in {timeout_s:g} s")
        try:
            answer = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            return replace(node, problem=one_line(error))
        free = answer.pop("free")
        return replace(
            node, versions=Versions(**answer), free_cpus=float(free.get("CPU", 0.0)), free_gpus=float(free.get("GPU", 0.0))
        )


def connect(address: str) -> Cluster:
    """Reach a cluster.

    It is told no usage statistics, starts no dashboard and logs nothing here. Ray's token is read from where Ray looks for it.

    Args:
        address: ``auto`` for the one that has a node on this machine, ``host:port`` if this machine is a node of it, or
            ``ray://host:port`` if it is none.

    Raises:
        ClusterError: there is no such address, no Ray here or no cluster there, or other versions of Ray or Python, or it
            wants another token.
    """
    found = _ADDRESS.fullmatch(address.strip())
    if found is None or (not found["client"] and not found["port"] and address.strip() != AUTO):
        raise ClusterError(f"'{address}' is no address of a cluster; must be {KINDS}")
    ray = _package(client=bool(found["client"]))
    if ray.is_initialized():
        raise ClusterError("this program is connected to a cluster already")
    with _told(address):
        reached = _local(address) if address.strip() == AUTO else address.strip()
        found = _ADDRESS.fullmatch(reached)
        if found is not None:
            reached = reached if found["port"] else f"{reached}:{CLIENT_PORT}"
            _reach(found["host"].strip("[]"), int(found["port"] or CLIENT_PORT), address)
            if not found["client"]:
                _be_a_node(address)
        with _signals_kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it raises as well
            ray.init(reached, log_to_driver=False, logging_level=logging.CRITICAL)
    return Cluster(ray, address)


def others_free() -> dict[str, tuple[float, float]]:
    """CPUs and GPUs that nobody holds, by the ids of the nodes besides this one; for what runs on a node."""
    import ray
    from ray._private.state import available_resources_per_node

    ours = ray.get_runtime_context().get_node_id()
    found = available_resources_per_node().items()
    return {node: (has.get("CPU", 0.0), has.get("GPU", 0.0)) for node, has in found if node != ours}


def fetched(reference: Any) -> Any:
    """In a task: what somebody put into the cluster, given what stands for it. Its arrays cannot be written to."""
    import ray

    return ray.get(reference)


def one_line(error: BaseException) -> str:
    """What an error of Ray says, shortened to a line: it may bring whole tracebacks of other machines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    line = lines[-1] if lines[0].endswith(":") or "\x1b" in lines[0] or "ray::" in lines[0] else lines[0]
    return line if len(line) <= 300 else f"{line[:299]}…"


def _package(*, client: bool) -> ModuleType:
    """Ray, as quiet as it can be told to be before it is imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise ClusterError(f"a cluster needs Ray, which is not here: {INSTALL} ({error})") from error
    if client:
        try:
            import grpc  # noqa: F401
        except ImportError as error:
            raise ClusterError(f"an address with {CLIENT} needs grpcio, which is not here: {INSTALL}") from error
    package: ModuleType = ray
    return package


def _local(address: str) -> str:
    """The address behind ``auto``; without one Ray would start a cluster."""
    from ray._private.services import canonicalize_bootstrap_address

    if (named := os.environ.get("RAY_ADDRESS", "")).startswith(CLIENT):
        return named
    found: str | None = canonicalize_bootstrap_address(address)
    if found is None:
        raise ConnectionError("none runs on this machine")
    return found


def _reach(host: str, port: int, address: str) -> None:
    """See at once whether somebody listens: Ray itself waits for a minute, and may then end the program."""
    try:
        socket.create_connection((host, port), REACH_S).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ClusterError(
            f"no cluster at '{address}': {why} ({host}:{port}); is it started there, with ray start --head, and the port open?"
        ) from error


def _be_a_node(address: str) -> None:
    """See that a node runs on this machine, which Ray would wait for."""
    from ray._private import services

    find: Callable[[], Collection[str]] | None = getattr(services, "find_node_ids", None)
    if find is not None and not find():
        raise ClusterError(
            f"this machine is no node of the cluster at '{address}': join it with ray start --address={address}, or reach it "
            f"from outside with {CLIENT}HOST:{CLIENT_PORT}"
        )


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep what SIGTERM does: Ray sets it anew."""
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
    """Turn what Ray raises into a line that says what to do."""
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
            f"{our_python}: take the same on both"
        )
    causes = [error, error.__cause__, error.__context__]
    names = " ".join(f"{type(each).__name__} {each}" for each in causes if each is not None)
    if re.search(r"AuthenticationError|UNAUTHENTICATED|Unauthenticated|[Aa]uthentication", names):
        return f"the cluster at '{address}' does not let this program in: {TOKEN}"
    if "ray client connection timeout" in text:  # somebody listens, but turns it down without a word
        return f"who listens at '{address}' is no cluster's head, has too much to do, or does not let this program in: {TOKEN}"
    if "Initialization failure from server" in text:
        return f"the cluster at '{address}' has no process for this program: {one_line(error)}; has its head too much to do?"
    if isinstance(error, ConnectionError | TimeoutError):
        return f"no cluster at '{address}': {one_line(error)}; start one with ray start --head, or name another: {KINDS}"
    return f"the cluster at '{address}' cannot be used: {one_line(error)}"


def _listed(told: Mapping[str, Any]) -> Node:
    """A node as Ray lists it."""
    resources: Mapping[str, float] = told.get("Resources") or {}
    kinds = [name.partition(":")[2] for name in resources if name.startswith("accelerator_type:")]
    address = str(told["NodeManagerAddress"])
    return Node(
        id=str(told["NodeID"]),
        name=address,
        address=address,
        alive=bool(told["Alive"]),
        cpus=float(resources.get("CPU", 0.0)),
        gpus=float(resources.get("GPU", 0.0)),
        accelerator=kinds[0] if kinds else "",
    )


def _question() -> Callable[[], dict[str, Any]]:
    """What a node is asked. Being a function in a function, it is sent whole: the node may have another zoomdream, or none."""

    def answer() -> dict[str, Any]:
        import importlib.metadata
        import platform

        import ray
        from ray._private.state import available_resources_per_node

        found: dict[str, Any] = {"python": platform.python_version()}
        for name in ("zoomdream", "torch", "ray"):
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                found[name] = ""
        found["free"] = available_resources_per_node().get(ray.get_runtime_context().get_node_id(), {})
        return found

    return answer
