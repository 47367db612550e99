"""What a connection to a real cluster finds out about its nodes, and about the link to one."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from streamer.cluster import ClusterError, connect
from streamer.cluster_nodes import compare, here
from streamer.link_probe import probe
from tests.ray_cluster import STORE_BYTES

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster


def test_a_cluster_says_what_its_nodes_have(ray_address: str) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with connect(ray_address) as reached:
        assert signal.getsignal(signal.SIGTERM) == before
        nodes = reached.nodes()
        with pytest.raises(ClusterError, match="already connected to a cluster"):
            connect(ray_address)
    assert [(found.alive, found.cpus, found.gpus) for found in nodes] == [(True, 1.0, 0.0)] * 2
    assert [found.versions for found in nodes] == [here()] * 2
    assert [found.free_cpus for found in nodes] == [1.0, 1.0]
    assert len({found.name for found in nodes}) == 2, "two nodes of one machine are told apart"
    assert [each.text for each in compare(nodes) if "torch" not in each.text] == [], "which may not be installed here"


def test_a_node_that_was_just_lost_is_not_alive(ray_cluster: Cluster, ray_address: str) -> None:
    lost = ray_cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    with connect(ray_address) as reached:
        assert sum(each.alive for each in reached.nodes()) == 3
        ray_cluster.remove_node(lost, allow_graceful=False)
        nodes = reached.nodes()
        assert sum(each.alive for each in nodes) == 2
        assert not [each for each in nodes if each.alive and each.problem]


def test_a_real_node_is_measured(ray_address: str) -> None:
    with connect(ray_address) as cluster:
        node = cluster.nodes()[1]
        found = probe(cluster, node)
        assert 0 < found.round_trip_s < 10
        assert found.mbit_there > 1
        assert found.mbit_back > 1
        with pytest.raises(ClusterError):
            probe(cluster, replace(node, id="e" * len(node.id)), answer_s=20.0)
