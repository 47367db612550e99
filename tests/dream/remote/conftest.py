"""One cluster for all tests of this folder; none adds nodes."""

from tests.ray_cluster import ray_address, ray_cluster

__all__ = ["ray_address", "ray_cluster"]
