"""The nodes that work for one command: submits tasks, waits for them, and repeats the lost ones."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from streamer.cluster import Cluster, ClusterError, connect, one_line
from streamer.cluster_nodes import Node, compare
from streamer.commands import CommandError
from streamer.commands.on_ray.options import RayCall
from streamer.commands.progress_display import Tell
from streamer.config import Config
from streamer.dream.device import DeviceError, threads
from streamer.dream.interface import DreamError
from streamer.dream.sources.picture import SourceError
from streamer.plurals import counted

P = ParamSpec("P")
T = TypeVar("T")

LOOK_S, SETTLE_S = 0.2, 5.0
"""Seconds between checks whether a task is finished or work should end; and until all waiting threads have checked."""
TRIES = 3
"""How many times a task may fail by itself, or with its worker."""
LOSSES = 20
"""How many times a task may be lost with its node, which is not its fault."""
FINAL = (DreamError, SourceError, DeviceError, CommandError)
"""Failures that a retry cannot cure."""


class WorkStopped(Exception):
    """The work should end."""


@dataclass(frozen=True, slots=True)
class TaskResources:
    """The resources of each task on a node."""

    cpus: int
    """CPUs, and as many threads if it renders on a CPU."""
    gpus: float

    @property
    def options(self) -> dict[str, float]:
        """The resources as options of a Ray task or actor."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus}

    def __str__(self) -> str:
        gpus = f"{self.gpus:g} of a GPU" if 0 < self.gpus < 1 else counted(int(self.gpus), "GPU")
        return f"{counted(self.cpus, 'CPU')}{f' and {gpus}' if self.gpus else ''}"


class NodePool:
    """The nodes that do tasks. Thread-safe."""

    def __init__(self, cluster: Cluster, share: TaskResources, at_once: int, tell: Tell, *, tiles: bool = False) -> None:
        self.share, self.at_once = share, at_once
        """``share`` is what each task gets, ``at_once`` how many run in parallel."""
        self.tiles = tiles
        """Whether tasks are tiles of a picture that is rendered here."""
        self.tell = tell
        self.cluster = cluster
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._nobody_waits = threading.Condition(self._lock)
        self._waiting = 0
        self._given: set[Any] = set()
        self._tasks: dict[Callable[..., Any], Any] = {}

    @property
    def device(self) -> str:
        """Where tasks compute: ``cpu`` or ``cuda``."""
        return "cuda" if self.share.gpus else "cpu"

    def put(self, value: object) -> Any:
        """Send a value that several tasks share, once to each node; return a reference for a task's arguments."""
        return self.cluster.ray.put(value)

    def begin(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> NodeTask[T]:
        """Submit a task to any node with room. ``work`` is a module-level function, since nodes import it by name."""
        return NodeTask(self, work, args, kwargs)

    def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Submit a task and wait for it; raises as ``NodeTask.result`` does."""
        return self.begin(work, *args, **kwargs).result()

    def check(self) -> None:
        """Raise WorkStopped if work should end."""
        if self._stopped.is_set():
            raise WorkStopped

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Count a thread that waits for a task within this context."""
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._nobody_waits:
                self._waiting -= 1
                self._nobody_waits.notify_all()

    def stop(self) -> None:
        """End all tasks, and wake those who wait for one."""
        self._stopped.set()
        with self._lock:
            given, self._given = self._given, set()
        for reference in given:
            with contextlib.suppress(Exception):  # the task or the cluster has ended meanwhile
                self.cluster.ray.cancel(reference)

    def settle(self) -> None:
        """Wait until no thread waits for a task, as the connection must not close before."""
        with self._nobody_waits:
            self._nobody_waits.wait_for(lambda: not self._waiting, SETTLE_S)

    def give(self, work: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Submit a task; return the reference to its result."""
        self.check()
        with self._lock:
            if work not in self._tasks:
                self._tasks[work] = self.cluster.ray.remote(work).options(max_retries=0, **self.share.options)
            reference = self._tasks[work].remote(*args, **kwargs)
            self._given.add(reference)
        return reference

    def actor(self, kind: type, *args: Any) -> Any:
        """Create an actor of a class on any node with room; it lives until work ends."""
        self.check()
        return self.cluster.ray.remote(kind).options(max_restarts=0, **self.share.options).remote(*args)

    def forget(self, reference: Any) -> None:
        """Forget a task that has ended."""
        with self._lock:
            self._given.discard(reference)


class NodeTask(Generic[T]):
    """A running task."""

    def __init__(self, node_pool: NodePool, work: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._node_pool, self._work, self._args, self._kwargs = node_pool, work, args, kwargs
        self._failed = self._lost = 0
        self._reference = node_pool.give(work, args, kwargs)

    def result(self) -> T:
        """Wait for the task and return its result.

        Raises:
            CommandError: it failed too many times.
            DreamError, SourceError, DeviceError: raised by the work itself.
            WorkStopped: all work should end.
        """
        with self._node_pool.waiting():
            while True:
                if (found := self._look()) is not None:
                    return found[0]

    def _look(self) -> tuple[T] | None:
        """Return the result; None while the task runs, or runs again."""
        ray = self._node_pool.cluster.ray
        try:
            done, _ = ray.wait([self._reference], timeout=LOOK_S)
            self._node_pool.check()
            if not done:
                return None
            found: T = ray.get(self._reference)
        except WorkStopped:
            raise
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, FINAL):
                raise cause from None
            self._again(cause, own=not isinstance(cause, ray.exceptions.RayError))
            return None
        except ray.exceptions.RayError as error:
            self._node_pool.check()
            self._again(error, own=not isinstance(error, ray.exceptions.NodeDiedError))
            return None
        except (ConnectionError, RuntimeError) as error:  # the head is gone
            raise CommandError(f"the cluster at '{self._node_pool.cluster.address}' is lost: {one_line(error)}") from error
        self._node_pool.forget(self._reference)
        return (found,)

    def _again(self, error: BaseException, *, own: bool) -> None:
        """Submit the task again, unless it failed too many times."""
        self._node_pool.forget(self._reference)
        self._failed, self._lost = self._failed + own, self._lost + (not own)
        if self._failed >= TRIES or self._lost >= LOSSES:
            raise CommandError(f"it failed {self._failed + self._lost} times on the cluster: {one_line(error)}") from error
        self._node_pool.tell(f"a task on a node is repeated: {one_line(error)}")
        self._reference = self._node_pool.give(self._work, self._args, self._kwargs)


@contextlib.contextmanager
def open_node_pool(call: RayCall | None, config: Config, tell: Tell, *, gpus: float = 1.0) -> Iterator[NodePool | None]:
    """Open the node pool that a call names, for the duration of the block; None if it names none.

    Args:
        gpus: GPUs per task, if the call does not say and the cluster has any.

    Raises:
        ClusterError: there is no such cluster, or its nodes cannot be used.
    """
    if call is None:
        yield None
        return
    with connect(call.address) as cluster:
        nodes = cluster.nodes()
        share = share_of(call, config, nodes, gpus, tell)
        able = [node for node in nodes if node.alive and _tasks(node, share)]
        if not able:
            best = max((node for node in nodes if node.alive), key=lambda node: (node.gpus, node.cpus), default=None)
            most = "there is none" if best is None else f"the largest has {best.cpus:g} CPUs and {best.gpus:g} GPUs"
            raise ClusterError(
                f"no node of '{call.address}' has room for a task of {share}: {most}; see --ray-cpus, --ray-gpus"
            )
        differences = compare(able)
        for each in differences:
            if not each.fits:
                raise ClusterError(each.text)
            tell(each.text)
        at_once = sum(_tasks(node, share) for node in able)
        tell(f"{counted(len(able), 'node')} of '{call.address}': {counted(at_once, 'task')} at once, each with {share}")
        node_pool = NodePool(cluster, share, at_once, tell, tiles=call.tiles)
        try:
            yield node_pool
        finally:
            node_pool.stop()
            node_pool.settle()


def share_of(call: RayCall, config: Config, nodes: tuple[Node, ...], gpus: float, tell: Tell) -> TaskResources:
    """Return each task's resources: the call's, else defaults, which on CPUs give the same pixels as here."""
    alive = [node for node in nodes if node.alive]
    wanted = call.gpus
    if wanted is None:
        wanted = 0.0 if config.device == "cpu" or call.tiles or not any(node.gpus for node in alive) else gpus
    if config.device == "cuda" and not wanted:
        raise ClusterError(f"'device' is cuda, and no node of '{call.address}' has a GPU; take --set device=cpu")
    if config.device == "cpu" and wanted:
        raise ClusterError("'device' is cpu, and --ray-gpus asks for GPUs; use one of the two")
    if call.cpus is not None:
        return TaskResources(call.cpus, wanted)
    if wanted:
        return TaskResources(1, wanted)
    here, most = threads(), int(max((node.cpus for node in alive), default=0))
    if 0 < most < here:
        tell(f"with {counted(most, 'thread')} each, for no node has the {here} CPUs that would be used here: pixels may differ")
    return TaskResources(max(1, min(here, most)), 0.0)


def _tasks(node: Node, share: TaskResources) -> int:
    """Return how many tasks a node has room for."""
    return int(min(node.cpus // share.cpus, node.gpus // share.gpus if share.gpus else node.cpus))
