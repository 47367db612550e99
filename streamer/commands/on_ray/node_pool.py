"""The nodes of a cluster at work for one command: tasks are given to them, waited for, and given again where one is lost."""

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
"""Seconds between two looks whether a task is done, or work is to end; and until everybody has looked."""
TRIES = 3
"""Times that a task may fail by itself, or take its worker with it."""
LOSSES = 20
"""Times that it may be lost with a node, which is no fault of its own."""
FINAL = (DreamError, SourceError, DeviceError, CommandError)
"""Failures that come again however often it is tried."""


class WorkStopped(Exception):
    """The work is to end."""


@dataclass(frozen=True, slots=True)
class TaskResources:
    """What each task gets of a node."""

    cpus: int
    """And as many threads, where it dreams on a CPU."""
    gpus: float

    @property
    def options(self) -> dict[str, float]:
        """It as options of a task or an actor."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus}

    def __str__(self) -> str:
        gpus = f"{self.gpus:g} of a GPU" if 0 < self.gpus < 1 else counted(int(self.gpus), "GPU")
        return f"{counted(self.cpus, 'CPU')}{f' and {gpus}' if self.gpus else ''}"


class NodePool:
    """Nodes that do tasks. Thread-safe."""

    def __init__(self, cluster: Cluster, share: TaskResources, at_once: int, tell: Tell, *, tiles: bool = False) -> None:
        self.share, self.at_once = share, at_once
        """How many tasks run at a time."""
        self.tiles = tiles
        """Whether tasks are tiles of what is dreamt here."""
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
        """Where its tasks dream: ``cpu`` or ``cuda``."""
        return "cuda" if self.share.gpus else "cpu"

    def put(self, value: object) -> Any:
        """Send something that several tasks share, once to each node; gives what stands for it among a task's arguments."""
        return self.cluster.ray.put(value)

    def begin(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> NodeTask[T]:
        """Give a task to whichever node has room: a function of a module, for nodes import it by its name."""
        return NodeTask(self, work, args, kwargs)

    def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same, waited for; raises as ``NodeTask.result`` does."""
        return self.begin(work, *args, **kwargs).result()

    def check(self) -> None:
        """See whether work is to end; raises Stopped."""
        if self._stopped.is_set():
            raise WorkStopped

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Somebody waits for a task within."""
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._nobody_waits:
                self._waiting -= 1
                self._nobody_waits.notify_all()

    def stop(self) -> None:
        """End all tasks; whoever waits for one hears of it."""
        self._stopped.set()
        with self._lock:
            given, self._given = self._given, set()
        for reference in given:
            with contextlib.suppress(Exception):  # it has ended meanwhile, or the cluster has
                self.cluster.ray.cancel(reference)

    def settle(self) -> None:
        """Wait until nobody waits any more: they must not be at it when the connection ends."""
        with self._nobody_waits:
            self._nobody_waits.wait_for(lambda: not self._waiting, SETTLE_S)

    def give(self, work: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Give a task; what stands for its result."""
        self.check()
        with self._lock:
            if work not in self._tasks:
                self._tasks[work] = self.cluster.ray.remote(work).options(max_retries=0, **self.share.options)
            reference = self._tasks[work].remote(*args, **kwargs)
            self._given.add(reference)
        return reference

    def actor(self, kind: type, *args: Any) -> Any:
        """Have an object of a class live on whichever node has room, until work ends."""
        self.check()
        return self.cluster.ray.remote(kind).options(max_restarts=0, **self.share.options).remote(*args)

    def forget(self, reference: Any) -> None:
        """A task has ended."""
        with self._lock:
            self._given.discard(reference)


class NodeTask(Generic[T]):
    """A task at work."""

    def __init__(self, node_pool: NodePool, work: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._node_pool, self._work, self._args, self._kwargs = node_pool, work, args, kwargs
        self._failed = self._lost = 0
        self._reference = node_pool.give(work, args, kwargs)

    def result(self) -> T:
        """What comes of it, waited for.

        Raises:
            CommandError: it failed as often as it may.
            DreamError, SourceError, DeviceError: as the work does.
            WorkStopped: all work is to end.
        """
        with self._node_pool.waiting():
            while True:
                if (found := self._look()) is not None:
                    return found[0]

    def _look(self) -> tuple[T] | None:
        """What has come of it; None where it is at work still, or again."""
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
        """Give it once more, unless that was done often enough."""
        self._node_pool.forget(self._reference)
        self._failed, self._lost = self._failed + own, self._lost + (not own)
        if self._failed >= TRIES or self._lost >= LOSSES:
            raise CommandError(f"it failed {self._failed + self._lost} times on the cluster: {one_line(error)}") from error
        self._node_pool.tell(f"what a node was at is done again: {one_line(error)}")
        self._reference = self._node_pool.give(self._work, self._args, self._kwargs)


@contextlib.contextmanager
def open_node_pool(call: RayCall | None, config: Config, tell: Tell, *, gpus: float = 1.0) -> Iterator[NodePool | None]:
    """The crew that a call asks for, for as long as the block lasts; None where it asks for none.

    Args:
        gpus: of each task, where the call leaves it open and there are some.

    Raises:
        ClusterError: there is no such cluster, or its nodes are of no use.
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
    """What each task gets: as the call says, else what suits, and on CPUs what gives the pixels that would come about here."""
    alive = [node for node in nodes if node.alive]
    wanted = call.gpus
    if wanted is None:
        wanted = 0.0 if config.device == "cpu" or call.tiles or not any(node.gpus for node in alive) else gpus
    if config.device == "cuda" and not wanted:
        raise ClusterError(f"'device' is cuda, and no node of '{call.address}' has a GPU; take --set device=cpu")
    if config.device == "cpu" and wanted:
        raise ClusterError("'device' is cpu, and --ray-gpus asks for GPUs; take one of the two")
    if call.cpus is not None:
        return TaskResources(call.cpus, wanted)
    if wanted:
        return TaskResources(1, wanted)
    here, most = threads(), int(max((node.cpus for node in alive), default=0))
    if 0 < most < here:
        tell(f"with {counted(most, 'thread')} each, for no node has the {here} CPUs that would be used here: pixels may differ")
    return TaskResources(max(1, min(here, most)), 0.0)


def _tasks(node: Node, share: TaskResources) -> int:
    """How many tasks a node has room for at once."""
    return int(min(node.cpus // share.cpus, node.gpus // share.gpus if share.gpus else node.cpus))
