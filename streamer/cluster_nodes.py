"""The nodes of a Ray cluster, and whether their versions are compatible with this program's."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata


@dataclass(frozen=True, slots=True)
class Versions:
    """Installed versions; empty for a package that is not installed."""

    zoomdream: str
    python: str
    torch: str
    ray: str


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of a cluster, or one of several nodes on a machine."""

    id: str
    """Ray's node id, in hexadecimal digits."""
    name: str
    """Its address, followed by the first digits of its id if nodes share the address."""
    address: str
    alive: bool
    cpus: float
    """Number of CPUs that it offers, as Ray counts them."""
    gpus: float
    """Number of GPUs that it offers."""
    accelerator: str = ""
    """Ray's name for the kind of its GPUs, such as ``H200``; empty if it has none or the kind is unknown."""
    free_cpus: float = 0.0
    """Number of free CPUs when the nodes were listed."""
    free_gpus: float = 0.0
    """Number of free GPUs when the nodes were listed."""
    versions: Versions | None = None
    """None if it was not asked, is not alive or did not answer."""
    problem: str = ""
    """Why it did not answer."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between a node and this program, in words."""

    node: Node
    text: str
    fits: bool
    """Whether the node can be used anyway."""


def here() -> Versions:
    """Return the versions that are installed here."""
    return Versions(**{name: _version(name) for name in ("zoomdream", "torch", "ray")}, python=platform.python_version())


def compare(nodes: Sequence[Node], ours: Versions | None = None) -> tuple[Difference, ...]:
    """Return the differences between the nodes that are alive and this program, node by node.

    Args:
        ours: the versions to compare with; None for the installed ones.

    Returns:
        Nothing for a node with the same versions. A node does not fit without zoomdream or torch, or with another zoomdream,
        Ray, or minor version of Python; with another torch it fits, but its pixels may differ.
    """
    ours = ours or here()
    return tuple(difference for node in nodes if node.alive for difference in _differences(node, ours))


def fitting(nodes: Sequence[Node], differences: Sequence[Difference]) -> tuple[Node, ...]:
    """Return the nodes that are alive and have no difference that rules them out."""
    ruled_out = {each.node.id for each in differences if not each.fits}
    return tuple(node for node in nodes if node.alive and node.id not in ruled_out)


def _differences(node: Node, ours: Versions) -> Iterator[Difference]:
    theirs, named = node.versions, f"node {node.name}"
    if theirs is None:
        yield Difference(node, f"{named} does not report its versions: {node.problem or 'no answer'}", fits=False)
        return
    if not theirs.zoomdream:
        yield Difference(node, f"{named} has no zoomdream; install {ours.zoomdream} there", fits=False)
    elif theirs.zoomdream != ours.zoomdream:
        text = f"{named} has zoomdream {theirs.zoomdream}, this is {ours.zoomdream}: install the same on both"
        yield Difference(node, text, fits=False)
    if not theirs.torch:
        yield Difference(node, f"{named} has no torch; the installation of zoomdream there is incomplete", fits=False)
    elif _release(theirs.torch) != _release(ours.torch):
        yield Difference(node, f"{named} has torch {theirs.torch}, this is {ours.torch}: its pixels may differ", fits=True)
    if _release(theirs.python, 2) != _release(ours.python, 2):
        yield Difference(node, f"{named} has Python {theirs.python}, this is {ours.python}: use the same on both", fits=False)
    if theirs.ray != ours.ray:
        yield Difference(node, f"{named} has Ray {theirs.ray}, this is {ours.ray}: install the same on both", fits=False)


def _release(version: str, parts: int = 3) -> tuple[str, ...]:
    """Return the first parts of a version without its build, such as ``2.13.0`` of ``2.13.0+cu130``, as strings."""
    return tuple(version.partition("+")[0].split(".")[:parts])


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
