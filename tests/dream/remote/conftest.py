from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.ray_cluster import ray_address, two_nodes  # noqa: F401

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster


@pytest.fixture(scope="package")
def ray_cluster() -> Iterator[Cluster]:
    """Start one cluster for all tests of this folder; none adds nodes."""
    yield from two_nodes()
