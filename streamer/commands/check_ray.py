"""Checks everything that could go wrong with rendering on a cluster, before it does."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator, Sequence

from streamer.cluster import ClusterError, connect
from streamer.cluster_nodes import Difference, Node, compare, fitting, here
from streamer.commands.finding import Finding, Level
from streamer.config import Config
from streamer.dream.device import canvas_size
from streamer.dream.worker.remote.link_coding import QUALITIES, SHARE, CodingChooser, KeyframeDemand
from streamer.dream.worker.remote.picture_coding import Coding
from streamer.dream.worker.step_scheduler import StepScheduler
from streamer.link_probe import LinkFigures, probe
from streamer.plurals import counted


def look_at_cluster(config: Config, address: str) -> Iterator[tuple[str, Finding]]:
    """Check the cluster, its nodes, the link to each, and whether that carries the stream; yield findings with topics.

    Raises:
        ClusterError: Ray is not installed, or there is no cluster at the address.
    """
    with connect(address) as cluster:
        nodes = cluster.nodes()
        home = cluster.home
        alive = sorted((node for node in nodes if node.alive), key=lambda node: (node.id != home, node.name))
        yield "cluster", _cluster(address, alive, gone=len(nodes) - len(alive))
        differences = compare(alive)
        usable = fitting(alive, differences)
        for node in alive:
            for finding in _node(node, [each for each in differences if each.node == node], home, among_others=bool(usable)):
                yield "node", finding
        if not usable:
            return
        yield "room", look_for_room(usable, config)
        for node in usable:
            if node.id == home:
                yield "link", Finding(Level.GOOD, f"{node.name} is this machine: nothing has to cross a network")
                continue
            try:
                link = probe(cluster, node)
            except ClusterError as error:
                yield "link", Finding(Level.WARNING, f"{node.name}: {error}")
                continue
            yield "link", _link(node, link)
            yield "stream", look_at_stream(node, link, config)


def look_at_renderer(config: Config) -> Iterator[Finding]:
    """Check the cluster that the settings render on; yield nothing if they render on this machine."""
    if config.renderer.where == "local":
        return
    try:
        for _, finding in look_at_cluster(config, config.renderer.address):
            yield finding
    except ClusterError as error:
        lasting = importlib.util.find_spec("ray") is None
        meanwhile = "dreams here until then" if config.renderer.fallback == "local" else "does not start before"
        yield Finding(Level.BLOCKER if lasting else Level.WARNING, f"{error}; the stream {meanwhile}")


def look_for_room(nodes: Sequence[Node], config: Config) -> Finding:
    """Check whether a stream with these settings finds a node, now or ever."""
    gpus, cpus = config.renderer.gpus, config.renderer.cpus or 1
    wanted = f"{gpus:g} GPU and {counted(cpus, 'CPU')}" if gpus else counted(cpus, "CPU")
    if not any(node.gpus >= gpus and node.cpus >= cpus for node in nodes):
        remedy = "; with 'renderer.gpus: 0' it dreams on a node's CPUs" if gpus else ""
        return Finding(Level.BLOCKER, f"no node has the {wanted} that 'renderer' asks for{remedy}")
    room = sum(_fits(node, gpus, cpus) for node in nodes)
    if room:
        return Finding(Level.GOOD, f"for {counted(room, 'stream')} with {wanted} each")
    meanwhile = "and dreams here meanwhile" if config.renderer.fallback == "local" else "and does not start before"
    return Finding(Level.WARNING, f"the cluster is busy: a stream waits until a node has {wanted} free, {meanwhile}")


def look_at_stream(node: Node, link: LinkFigures, config: Config) -> Finding:
    """Check whether the link from a node carries the keyframes, in the coding that the stream would start with."""
    (height, width), wanted = _wanted(config, "cuda" if config.renderer.gpus and node.gpus else "cpu")
    bytes_per_s = 1e6 / 8 * link.mbit_back
    source_pictures = ", each with its source picture," if config.source.moves else ""
    demand = f"up to {wanted.per_s:.3g} keyframes of {width}x{height} a second{source_pictures} take about {_needs(wanted)}"
    coding = CodingChooser(config.renderer.compress, lambda: 0.0)(wanted, bytes_per_s, link.round_trip_s)
    how = "uncompressed" if coding.kind == "none" else f"as {coding}"
    carried = SHARE * bytes_per_s / _keyframe_bytes(coding, wanted)
    if carried >= 0.99 * wanted.per_s:
        return Finding(Level.GOOD, f"{demand}; {node.name} can send them {how}")
    less = "a smaller canvas or a longer dream.keyframe_s needs less"
    if config.renderer.compress in ("none", "jpeg"):
        less = f"with 'renderer.compress: auto' they may be more, and {less}"
    return Finding(Level.WARNING, f"{demand}; {node.name} can send {carried:.2g} a second {how}: {less}")


def _wanted(config: Config, device: str) -> tuple[tuple[int, int], KeyframeDemand]:
    """Return (height, width) of keyframes, and how many a worker makes if it is never late."""
    size = canvas_size(config.canvas, config.video, device)
    per_s = 1 / StepScheduler(config.dream, size, frame_s=1 / config.video.fps).least_s
    return size, KeyframeDemand(size[0] * size[1] * (2 if config.source.moves else 1), per_s)


def _needs(wanted: KeyframeDemand) -> str:
    """Return the Mbit/s that all keyframes take in each coding, in words, largest first."""
    bits = 8e-6 * wanted.pixels * wanted.per_s
    jpegs = [f"{bits * QUALITIES[quality]:.3g} as JPEG {quality}" for quality in (max(QUALITIES), min(QUALITIES))]
    least = f"at least {1e-6 * wanted.least_bits_per_s:.3g} as H.264"
    return ", ".join([f"{3 * bits:.3g} Mbit/s uncompressed", *jpegs, least])


def _keyframe_bytes(coding: Coding, wanted: KeyframeDemand) -> float:
    """Return the approximate bytes of a keyframe."""
    if coding.kind == "h264":  # it may use the whole link, but needs only this
        return wanted.least_bits_per_s / 8 / wanted.per_s
    return wanted.pixels * (3.0 if coding.kind == "none" else QUALITIES[coding.quality])


def _fits(node: Node, gpus: float, cpus: int) -> int:
    """Return how many streams a node has room for."""
    by_cpu = math.floor(node.free_cpus / cpus + 1e-6)
    return min(by_cpu, math.floor(node.free_gpus / gpus + 1e-6)) if gpus else by_cpu


def _cluster(address: str, alive: Sequence[Node], *, gone: int) -> Finding:
    gpus, cpus = sum(node.gpus for node in alive), sum(node.cpus for node in alive)
    left = f" ({gone} more {'is' if gone == 1 else 'are'} gone)" if gone else ""
    ours = here()
    return Finding(
        Level.GOOD,
        f"{address}: {counted(len(alive), 'node')}{left} with {gpus:g} GPUs and {cpus:g} CPUs; here are zoomdream "
        f"{ours.zoomdream}, torch {ours.torch}, Python {ours.python}, Ray {ours.ray}",
    )


def _node(node: Node, differences: Sequence[Difference], home: str, *, among_others: bool) -> Iterator[Finding]:
    """Yield what a node has, and each difference from this machine."""
    kind = f" ({node.accelerator})" if node.accelerator else ""
    gpus = f"{node.gpus:g} GPUs{kind}, {node.free_gpus:g} free; " if node.gpus else ""
    if all(each.fits for each in differences) and (theirs := node.versions):
        name = f"{node.name} (this machine)" if node.id == home else node.name
        has = f"{gpus}{node.cpus:g} CPUs, {node.free_cpus:g} free"
        yield Finding(Level.GOOD, f"{name}: {has}; zoomdream {theirs.zoomdream}, torch {theirs.torch}, Python {theirs.python}")
    for each in differences:
        hopeless = not each.fits and not among_others
        yield Finding(Level.BLOCKER if hopeless else Level.WARNING, each.text)


def _link(node: Node, link: LinkFigures) -> Finding:
    rates = f"{link.mbit_back:.3g} Mbit/s from it, {link.mbit_there:.3g} Mbit/s to it"
    return Finding(Level.GOOD, f"{node.name}: {1000 * link.round_trip_s:.3g} ms round trip through Ray, {rates}")
