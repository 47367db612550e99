"""A real Ray cluster on this machine for the tests of a module: two nodes with one CPU each, ended with all its processes.

A test file that wants it says ``from tests.ray_cluster import ray_address`` beside ``pytest.importorskip("ray")``, and connects
by ``streamer.cluster.connect(ray_address)``, which it closes: a process has one connection at a time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

ROOT = Path(__file__).resolve().parents[1]
STORE_BYTES = 100 * 2**20
"""Memory of each node for what tasks are given and return."""
SIGNS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",  # whoever runs the tests may have a token, which is nothing to them
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
}
"""Of the environment, for the cluster and for those who connect to it."""
QUICK_DEATH = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
"""A node whose processes are gone is noticed in seconds."""


@contextlib.contextmanager
def ray_environment() -> Iterator[None]:
    """Have what is started within find this copy of the program, and nothing of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RAY_")]:
            patch.delenv(name)
        for name, value in SIGNS.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
        yield


@contextlib.contextmanager
def started(cpus: tuple[int, ...] = (1, 1), **options: Any) -> Iterator[Cluster]:
    """A cluster of nodes with so many CPUs each; the first is its head. Within ``ray_environment`` only."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for number, count in enumerate(cpus):
            of_head = {"include_dashboard": False, "no_monitor": True, "_system_config": QUICK_DEATH} if number == 0 else {}
            cluster.add_node(num_cpus=count, object_store_memory=STORE_BYTES, **of_head, **options)
        yield cluster
    finally:
        cluster.shutdown()


def two_nodes() -> Iterator[Cluster]:
    """A cluster for as long as a fixture lives; skips if Ray is not installed."""
    pytest.importorskip("ray")
    with ray_environment(), started() as cluster:
        yield cluster


@pytest.fixture(scope="module")  # its idle processes would slow down all later tests
def ray_cluster() -> Iterator[Cluster]:
    """The cluster itself, for a test that adds nodes to it and removes them."""
    yield from two_nodes()


@pytest.fixture
def ray_address(ray_cluster: Cluster) -> Iterator[str]:
    """Where the cluster is; whoever connects closes."""
    import ray

    yield ray_cluster.address
    left = ray.is_initialized()
    ray.shutdown()
    assert not left, "the connection to the cluster was left open"


def at_work(address: str, task: str) -> list[int]:
    """The processes of a cluster's workers that are at a task whose name begins so; Linux only."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(f"ray::{task}".encode()):
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                if (
                    address.encode() in (folder.parent / parent / "cmdline").read_bytes()
                ):  # its raylet is told where the head is
                    found.append(int(folder.name))
        except OSError:  # it ended meanwhile
            continue
    return found
