"""One cluster for all tests of this folder; none adds nodes."""

from collections.abc import Iterator

import pytest

from tests.forked_workers import MODULES, serving
from tests.ray_cluster import ray_address, ray_cluster

__all__ = ["fork_server", "ray_address", "ray_cluster"]


@pytest.fixture(scope="module")
def fork_server() -> Iterator[int | None]:
    """Provide the process ID of a fork server that has also imported what a relay needs."""
    with serving(*MODULES, "streamer.dream.worker.remote.relay", "ray") as server:
        yield server
