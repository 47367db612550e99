"""Measures the round trip and the throughput to a node of a cluster, by short calls and by transfers as large as pictures.

The measurement includes Ray's own overhead, from this program to a process on the node and back.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from streamer.cluster import Cluster, ClusterError, one_line
from streamer.cluster_nodes import Node

CALLS = 9
"""Number of round trips; their median counts, since the first may meet a process that has just started."""
LEAST_BYTES, MOST_BYTES = 1 << 17, 1 << 24
"""Smallest and largest transfer. Both exceed what Ray sends along with a call; the receiver fetches such data separately."""
LONG_S, LONG_TRIPS = 0.4, 8
"""A transfer gives the rate once it takes longer than the first by this time and this number of round trips; until then, the
size doubles."""
ANSWER_S = 30.0
"""Timeout of a call; the first one starts a process on the node."""


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """Figures of a link, measured from this machine."""

    round_trip_s: float
    """Seconds from a short call to its answer."""
    mbit_there: float
    """Throughput from this machine to the node, in Mbit/s."""
    mbit_back: float
    """Throughput from the node to this machine, in Mbit/s."""


def probe(
    cluster: Cluster, node: Node, *, answer_s: float = ANSWER_S, clock: Callable[[], float] = time.monotonic
) -> LinkFigures:
    """Measure the link to a node; this takes some seconds, ten over a link of 1 Mbit/s.

    Raises:
        ClusterError: the node does not answer.
    """
    ray = cluster.ray
    there = ray.remote(_far_side()).options(**cluster.on(node), max_restarts=0).remote(MOST_BYTES)

    def call(reference: Callable[[], Any]) -> float:
        began_s = clock()
        ray.get(reference(), timeout=answer_s)
        return clock() - began_s

    def send(size: int) -> float:
        data = os.urandom(size)
        return call(lambda: there.take.remote(data))

    def fetch(size: int) -> float:
        return call(lambda: there.give.remote(size))

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a Ray client warns of such large arguments
            call(lambda: there.take.remote(b""))
            round_trip_s = median(call(lambda: there.take.remote(b"")) for _ in range(CALLS))
            return LinkFigures(round_trip_s, rate_mbit(send, round_trip_s), rate_mbit(fetch, round_trip_s))
    except ray.exceptions.GetTimeoutError:
        raise ClusterError(f"it has not answered in {answer_s:g} s") from None
    except ray.exceptions.RayError as error:
        raise ClusterError(one_line(error)) from error
    finally:
        ray.kill(there)


def rate_mbit(transfer: Callable[[int], float], round_trip_s: float) -> float:
    """Return the throughput in Mbit/s, from transfers of increasing size until one takes long enough to measure.

    The result uses the difference between the last and the first, which removes overhead such as round trips.

    Args:
        transfer: Transfers this number of bytes, and returns the seconds until it was confirmed.
    """
    size, least_s, took_s = LEAST_BYTES, transfer(LEAST_BYTES), 0.0
    while took_s - least_s < max(LONG_S, LONG_TRIPS * round_trip_s) and size < MOST_BYTES:
        size *= 2
        took_s = transfer(size)
    return 8e-6 * (size - LEAST_BYTES) / max(took_s - least_s, 0.3 * took_s)


def _far_side() -> type:
    """Return the class of the actor on the node. As an inner class it is pickled by value: the node may have no zoomdream."""

    class FarSide:
        def __init__(self, size: int) -> None:
            import os

            self.data = os.urandom(size)  # incompressible

        def take(self, data: bytes) -> int:
            return len(data)

        def give(self, size: int) -> bytes:
            return self.data[:size]

    return FarSide
