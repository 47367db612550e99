"""What the nodes of a Ray cluster have, and whether that goes with what is here."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata


@dataclass(frozen=True, slots=True)
class Versions:
    """What is installed somewhere; empty where a package is not."""

    zoomdream: str
    python: str
    torch: str
    ray: str


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of a cluster, or one of several nodes on a machine."""

    id: str
    """Ray's, in hexadecimal digits."""
    name: str
    """Its address, with the beginning of its id where nodes share one."""
    address: str
    alive: bool
    cpus: float
    """What it lends, in CPUs as Ray counts them…"""
    gpus: float
    """…and in GPUs."""
    accelerator: str = ""
    """Kind of its GPUs as Ray names it, such as ``H200``; empty where it has none, or says nothing."""
    free_cpus: float = 0.0
    free_gpus: float = 0.0
    """What of that nobody holds, when it was asked."""
    versions: Versions | None = None
    """None where it is not alive, or did not say."""
    problem: str = ""
    """Why it did not."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a node has other than this program, in words."""

    node: Node
    text: str
    fits: bool
    """Whether the node is of use all the same."""


def here() -> Versions:
    """What is installed here."""
    return Versions(**{name: _version(name) for name in ("zoomdream", "torch", "ray")}, python=platform.python_version())


def compare(nodes: Sequence[Node], ours: Versions | None = None) -> tuple[Difference, ...]:
    """What the nodes that are alive have other than this program, node by node.

    Args:
        ours: what to compare with; None for what is here.

    Returns:
        Nothing of a node that has the same. A node that does not fit has no zoomdream or no torch, another zoomdream, or
        another Python than 3.11 is to 3.12; with another torch its pixels may be others.
    """
    ours = ours or here()
    return tuple(difference for node in nodes if node.alive for difference in _differences(node, ours))


def fitting(nodes: Sequence[Node], differences: Sequence[Difference]) -> tuple[Node, ...]:
    """The nodes that are alive and have no difference that rules them out."""
    ruled_out = {each.node.id for each in differences if not each.fits}
    return tuple(node for node in nodes if node.alive and node.id not in ruled_out)


def _differences(node: Node, ours: Versions) -> Iterator[Difference]:
    theirs, named = node.versions, f"node {node.name}"
    if theirs is None:
        yield Difference(node, f"{named} does not say what it has: {node.problem or 'no answer'}", fits=False)
        return
    if not theirs.zoomdream:
        yield Difference(node, f"{named} has no zoomdream; install {ours.zoomdream} there", fits=False)
    elif theirs.zoomdream != ours.zoomdream:
        text = f"{named} has zoomdream {theirs.zoomdream}, this is {ours.zoomdream}: install the same on both"
        yield Difference(node, text, fits=False)
    if not theirs.torch:
        yield Difference(node, f"{named} has no torch; zoomdream's installation there is not whole", fits=False)
    elif _release(theirs.torch) != _release(ours.torch):
        yield Difference(node, f"{named} has torch {theirs.torch}, this is {ours.torch}: its pixels may differ", fits=True)
    if _release(theirs.python, 2) != _release(ours.python, 2):
        yield Difference(node, f"{named} has Python {theirs.python}, this is {ours.python}: take the same on both", fits=False)
    if theirs.ray != ours.ray:
        yield Difference(node, f"{named} has Ray {theirs.ray}, this is {ours.ray}: install the same on both", fits=False)


def _release(version: str, parts: int = 3) -> tuple[str, ...]:
    """``2.13.0`` of ``2.13.0+cu130``, which computes alike; of two parts ``3.11``."""
    return tuple(version.partition("+")[0].split(".")[:parts])


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
