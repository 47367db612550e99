from tests.ray_cluster import ray_address, ray_cluster  # noqa: F401
