"""Renders the classes of an atlas on nodes, each as a task."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing

import numpy as np
from rich.console import Console

from streamer.commands import CommandError
from streamer.commands.atlas import TOLD_AFTER, AtlasPace, AtlasWork, atlas_bar, scene_of, seed_of
from streamer.commands.atlas_folder import AtlasFolder
from streamer.commands.on_ray import node
from streamer.commands.on_ray.concurrent_jobs import at_once
from streamer.commands.on_ray.remote_sessions import RemoteStills
from streamer.dream.interface import DreamError
from streamer.dream.sessions.estimate import duration
from streamer.messages.network_contents import ClassEntry


def make_classes(
    dream: RemoteStills,
    work: AtlasWork,
    folder: AtlasFolder,
    missing: Sequence[ClassEntry],
    console: Console,
    announce: Callable[[str], None],
) -> tuple[float, float, int]:
    """Render classes into a folder, as many in parallel as the nodes have room for.

    Returns:
        The seconds it took, the seconds estimated after the first classes, and how many classes failed.
    """
    node_pool, begun_s = dream.node_pool, time.monotonic()
    setup, source = dream.setup(scene_of(missing[0])), None if work.source is None else node_pool.put(work.begins_with(0))

    def make(entry: ClassEntry) -> tuple[np.ndarray, float]:
        seed = seed_of(work.order.seed, entry.wnid)
        begins = work.begins_with(seed) if source is None else source
        return node_pool.call(node.dream_whole, setup, scene_of(entry), work.plan, seed, begins)

    pace, done, failed, foretold_s = AtlasPace(folder.seconds), 0, 0, 0.0
    results = closing(at_once(missing, make, node_pool, spare=node_pool.at_once))
    with atlas_bar(console) as shown, results as made:
        task = shown.add_task(f"{len(missing)} classes", total=len(missing), left="")
        for entry, future in made:
            try:
                image, took_s = future.result()
            except (CommandError, DreamError) as error:
                failed += 1
                announce(f"zoomdream: {entry.label}: {error}")
                continue
            folder.put(entry, image, took_s)
            pace.learn(took_s)
            done += 1
            left_s = (pace.left_s(len(missing) - done - failed) or 0.0) / node_pool.at_once
            shown.update(task, description=entry.label, completed=done, left=f"about {duration(left_s)} left")
            if done == min(TOLD_AFTER * node_pool.at_once, len(missing)):
                foretold_s = time.monotonic() - begun_s + left_s
                announce(f"{len(missing)} classes, {work.plan} each, {node_pool.at_once} at once: about {duration(foretold_s)}")
        shown.update(task, left="")
    return time.monotonic() - begun_s, foretold_s, failed
