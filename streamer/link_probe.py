"""How far away a node of a cluster is, and how much gets there: measured by short calls and by as many bytes as pictures have.

What is measured is the way as Ray goes it, its own work included, from this program to a process on the node and back.
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
"""Round trips whose median counts: the first ones may meet a process that has just begun."""
LEAST_BYTES, MOST_BYTES = 1 << 17, 1 << 24
"""The first is more than Ray sends along with a call: what is larger is fetched by the other side, over several round trips."""
LONG_S, LONG_TRIPS = 0.4, 8
"""A transfer that took so much longer than the first one tells the rate; another is followed by one of twice the size."""
ANSWER_S = 30.0
"""The longest that a call may take: the first one starts a process on the node."""


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """A link as a program on this side sees it."""

    round_trip_s: float
    """From a short call to its answer."""
    mbit_there: float
    """Million bits a second from here…"""
    mbit_back: float
    """…and to here."""


def probe(
    cluster: Cluster, node: Node, *, answer_s: float = ANSWER_S, clock: Callable[[], float] = time.monotonic
) -> LinkFigures:
    """Measure the link to a node; takes some seconds, and ten over a link of 1 Mbit/s.

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
            warnings.simplefilter("ignore")  # as a client it finds so much data too much for a call
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
    """Million bits a second of ever larger transfers, until one takes long enough to tell.

    The last is compared with the first: what both take besides, such as round trips, is none of the link's rate.

    Args:
        transfer: Sends so many bytes, and returns how many seconds it took until that was known here.
    """
    size, least_s, took_s = LEAST_BYTES, transfer(LEAST_BYTES), 0.0
    while took_s - least_s < max(LONG_S, LONG_TRIPS * round_trip_s) and size < MOST_BYTES:
        size *= 2
        took_s = transfer(size)
    return 8e-6 * (size - LEAST_BYTES) / max(took_s - least_s, 0.3 * took_s)


def _far_side() -> type:
    """What runs on the node. Being a class in a function, it is sent whole: the node may have another zoomdream, or none."""

    class FarSide:
        def __init__(self, size: int) -> None:
            import os

            self.data = os.urandom(size)  # nothing on the way can make it smaller

        def take(self, data: bytes) -> int:
            return len(data)

        def give(self, size: int) -> bytes:
            return self.data[:size]

    return FarSide
