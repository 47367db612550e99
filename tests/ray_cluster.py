"""A real Ray cluster on one machine for the tests of a folder: two nodes with one CPU each, shut down after the last test.

The folder's ``conftest.py`` imports the fixtures. A test connects with ``streamer.cluster.connect(ray_address)`` and closes
that connection: a process has one at a time.
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
"""Memory of each node for the arguments and results of tasks."""
SIGNS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",  # ignore a token that the user may have
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_worker_niceness": "0",  # on a busy machine, one with 15 takes a minute to start
}
"""Environment variables for the cluster and for processes that connect to it."""
QUICK_DEATH = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
"""Settings that make Ray notice within seconds that a node's processes are gone."""


@contextlib.contextmanager
def ray_environment() -> Iterator[None]:
    """Make child processes import this copy of the program and ignore the user's Ray settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RAY_")]:
            patch.delenv(name)
        for name, value in SIGNS.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
        yield


@contextlib.contextmanager
def started(cpus: tuple[int, ...] = (1, 1), **options: Any) -> Iterator[Cluster]:
    """Start a cluster of nodes with these numbers of CPUs; the first is its head. Only for use in ``ray_environment``."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for number, count in enumerate(cpus):
            of_head = {"include_dashboard": False, "no_monitor": True, "_system_config": QUICK_DEATH} if number == 0 else {}
            cluster.add_node(num_cpus=count, object_store_memory=STORE_BYTES, include_log_monitor=False, **of_head, **options)
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture(scope="package")  # its idle processes would slow down all later tests
def ray_cluster() -> Iterator[Cluster]:
    """Provide the cluster itself, for tests that add nodes and remove them again; skip if Ray is not installed."""
    pytest.importorskip("ray")
    with ray_environment(), started() as cluster:
        yield cluster


@pytest.fixture
def ray_address(ray_cluster: Cluster) -> Iterator[str]:
    """Provide the cluster's address; a test that connects also closes its connection."""
    import ray

    yield ray_cluster.address
    left = ray.is_initialized()
    ray.shutdown()
    assert not left, "the connection to the cluster was left open"


def at_work(address: str, task: str) -> list[int]:
    """Return the worker processes of a cluster that run a task whose name starts with ``task``; Linux only."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(f"ray::{task}".encode()):
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                if (
                    address.encode() in (folder.parent / parent / "cmdline").read_bytes()
                ):  # the command line of its raylet has the head's address
                    found.append(int(folder.name))
        except OSError:  # the process ended meanwhile
            continue
    return found
