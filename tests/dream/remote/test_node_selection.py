"""Which node a worker is started on, by what the nodes report."""

import inspect
from dataclasses import replace
from types import SimpleNamespace

import pytest

from streamer.cluster_nodes import Node, here
from streamer.config import RendererConfig
from streamer.dream.worker.protocol import ClusterPlacement
from streamer.dream.worker.remote import node_selection
from streamer.dream.worker.remote.host import WorkerHost
from streamer.dream.worker.remote.node_selection import NoNodeAvailable

pytestmark = pytest.mark.torch  # a node without torch is not chosen
GPU = RendererConfig(where="ray", address="auto")


def node(name, *, cpus=8.0, gpus=1.0, free_cpus=8.0, free_gpus=1.0, alive=True, zoomdream=None):
    versions = here()
    if zoomdream is not None:
        versions = type(versions)(zoomdream, versions.python, versions.torch, versions.ray)
    return Node(name, name, name, alive, cpus, gpus, "", free_cpus, free_gpus, versions)


class Cluster:
    """A cluster of these nodes; ``home`` is this machine."""

    def __init__(self, *nodes):
        self.all, self.were_asked, self.listings = nodes, [], 0
        self.ray = SimpleNamespace(get_runtime_context=lambda: SimpleNamespace(get_node_id=lambda: "home"))

    def listed(self):
        self.listings += 1
        return tuple(replace(each, versions=None) for each in self.all)

    def ask(self, node):
        self.were_asked.append(node.name)
        return next(each for each in self.all if each.id == node.id)


def choose_node(cluster, placement):
    return node_selection.choose_node(cluster, placement, cluster.ask)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(node_selection, "TRY_S", 0.0)


def test_the_freest_that_is_not_this_machine():
    cluster = Cluster(node("home", free_cpus=64), node("a", free_cpus=2), node("b", free_cpus=4))
    assert choose_node(cluster, ClusterPlacement(GPU)).name == "b"
    assert choose_node(cluster, ClusterPlacement(GPU, ("b",))).name == "a"
    assert cluster.were_asked == ["b", "a"], "each starts a process, so the others are left alone"
    assert choose_node(Cluster(node("home")), ClusterPlacement(GPU)).name == "home"


def test_who_cannot_lend_enough_is_not_asked():
    """A node to avoid is not asked either: it may be leaving, and nobody waits for its answer."""
    cluster = Cluster(node("home", cpus=0, gpus=0), node("a", alive=False), node("b"), node("c"))
    assert choose_node(cluster, ClusterPlacement(GPU, ("c",))).name == "b"
    assert cluster.were_asked == ["b"]


def test_part_of_a_gpu_is_enough_for_who_asks_for_part():
    half = GPU.model_copy(update={"gpus": 0.5})
    shared = Cluster(node("a", free_gpus=0.5))
    assert choose_node(shared, ClusterPlacement(half)).name == "a"
    with pytest.raises(NoNodeAvailable) as told:
        choose_node(shared, ClusterPlacement(GPU))
    assert str(told.value) == "no node of the cluster at 'auto' has 1 GPU and 1 CPU free: a has 0.5 of 1 and 8 of 8"
    assert shared.were_asked == ["a"], "the first time"
    assert shared.listings == 1 + node_selection.TRIES, "a worker that has just ended may hold it for a moment yet"


def test_where_there_is_none_it_is_said_what_to_do():
    with pytest.raises(NoNodeAvailable) as told:
        choose_node(Cluster(node("a", gpus=0)), ClusterPlacement(GPU))
    assert str(told.value) == (
        "no node of the cluster at 'auto' has 1 GPU and 1 CPU to lend; renderer.gpus: 0 dreams on their CPUs"
    )
    with pytest.raises(NoNodeAvailable, match="no other node of the cluster at 'auto' has 1 GPU and 1 CPU to lend"):
        choose_node(Cluster(node("a")), ClusterPlacement(GPU, ("a",)))


@pytest.mark.logs("node old has zoomdream 0.0.1, this is")
def test_a_node_of_another_version_is_skipped_and_named():
    old = node("old", zoomdream="0.0.1")
    assert choose_node(Cluster(old, node("a")), ClusterPlacement(GPU)).name == "a"
    with pytest.raises(
        NoNodeAvailable, match=r"no node of the cluster at 'auto' can be used: node old has zoomdream 0.0.1, this is"
    ):
        choose_node(Cluster(old), ClusterPlacement(GPU))
    busy = node("busy", free_gpus=0)
    with pytest.raises(NoNodeAvailable, match="has 1 GPU and 1 CPU free: busy has 0 of 1 and 8 of 8"):
        choose_node(Cluster(old, busy), ClusterPlacement(GPU))


def test_a_node_that_is_gone_when_it_is_asked_is_skipped():
    cluster = Cluster(gone := node("gone", free_cpus=64), node("a"))
    cluster.all = (replace(gone, alive=False, versions=None), cluster.all[1])
    cluster.listed = lambda: (gone, cluster.all[1])
    assert choose_node(cluster, ClusterPlacement(GPU)).name == "a"
    assert cluster.were_asked == ["gone", "a"]


def test_a_host_passes_on_every_call_with_the_same_parameters():
    def calls(of):
        return {name: str(inspect.signature(call)) for name, call in vars(of).items() if name[0] != "_" and callable(call)}

    passed_on = calls(node_selection._host_class())
    assert {name: passed_on.pop(name) for name in ("versions", "start")} == {
        "versions": "(self) -> 'dict[str, str]'",
        "start": "(self, worker_spec: 'WorkerSpec') -> 'None'",
    }
    assert passed_on == {name: call for name, call in calls(WorkerHost).items() if name != "stop"}  # the actor is killed
