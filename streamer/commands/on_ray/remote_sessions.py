"""Counterparts of ``streamer.dream.sessions`` whose networks run on the nodes of a cluster."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np

from streamer.commands.on_ray import node
from streamer.commands.on_ray.node import Introduced, ScriptPlan, Setup, Shown, StillPlan, Stretch
from streamer.commands.on_ray.node_files import dream_settings, sent_guides, weights
from streamer.commands.on_ray.node_pool import NodePool, NodeTask
from streamer.commands.on_ray.stretches import Stretches, StretchPace
from streamer.config import Config
from streamer.dream.sessions.estimate import Estimate
from streamer.dream.sessions.script import steps_and_interval
from streamer.dream.sessions.still import Plan, make_plan
from streamer.messages.keyframes import Keyframe
from streamer.messages.network_contents import LayerEntry
from streamer.messages.scenes import Scene

STILL_S, FLOW_S = 15.0, 4.0
"""Seconds of a stretch: for a picture's iterations, of which only the last is shown, and for what is shown as it comes."""


class RemoteNetworks:
    """Networks on nodes: those of the first node that was asked, which the others load too."""

    def __init__(self, config: Config, node_pool: NodePool) -> None:
        """Have a node load the networks.

        Raises:
            NetworkError: a file of weights that the settings name cannot be read.
            CommandError: no node could load them.
        """
        self.config = config
        self.node_pool = node_pool
        """The nodes that do the work."""
        settings = dream_settings(config, node_pool.device)
        parcels = weights(config, node_pool)
        found: Introduced = node_pool.call(node.introduce, Setup(json.dumps(settings), node_pool.share.cpus, parcels))
        if not (len(parcels) == 1 and not parcels[0].network):
            settings["network"]["name"] = list(found.names) if len(found.names) > 1 else found.names[0]
        if found.device == "cpu":
            settings["network"].update(precision=found.precision, layout=found.layout)
        self._setup, self._found = Setup(json.dumps(settings), node_pool.share.cpus, parcels), found

    @property
    def wnids(self) -> Collection[str]:
        """The classes that the networks know."""
        return self._found.wnids

    @property
    def layers(self) -> tuple[LayerEntry, ...]:
        """The networks' layers."""
        return self._found.layers

    @property
    def network(self) -> str:
        """The networks' names, joined as by ``Ensemble.name``."""
        return self._found.network

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda``."""
        return self._found.device

    @property
    def machine(self) -> str:
        """What the speed depends on besides the size."""
        return f"{self._found.machine} | {self.node_pool.at_once} on Ray"

    @property
    def found(self) -> Introduced:
        """The answer of the first node."""
        return self._found

    def with_guides(self, *scenes: Scene) -> Setup:
        """Return the setup that nodes need for scenes."""
        return replace(self._setup, guides=sent_guides(scenes, self.node_pool))


@dataclass(frozen=True, slots=True, eq=False)
class RemoteIteration:
    """A picture after some iterations."""

    iteration: int
    """Over all octaves, from 1."""
    image: np.ndarray | None

    def picture(self) -> np.ndarray:
        """Return the picture, (H, W, 3) uint8 RGB; only for iterations that are shown."""
        assert self.image is not None, "it was to be shown"
        return self.image


class RemoteIterations(Iterator[RemoteIteration]):
    """A picture being rendered on nodes; see ``StillIterations``."""

    CHANGES = ("_shown",)

    def __init__(self, shown: Stretches[Shown]) -> None:
        self._shown = shown

    @property
    def can_checkpoint(self) -> bool:
        """Whether its state can be saved now."""
        return self._shown.can_checkpoint

    def __next__(self) -> RemoteIteration:
        found = next(self._shown)
        return RemoteIteration(found.iteration, found.image)


class RemoteStills(RemoteNetworks):
    """Renders pictures on nodes; see ``StillDream``. Thread-safe."""

    def __init__(self, config: Config, node_pool: NodePool) -> None:
        for _ in range(node_pool.at_once):
            node_pool.begin(node.wake)  # all of them load torch while one is asked
        super().__init__(config, node_pool)
        self._lock = threading.Lock()
        self._pixel_s: float | None = None
        self._scene: tuple[Scene, Setup] | None = None

    @property
    def at_once(self) -> int:
        """The number of pictures rendered in parallel."""
        return self.node_pool.at_once

    def plan(self, size: tuple[int, int], iterations: int | None = None, octaves: int | None = None) -> Plan:
        """Return the plan for a picture of (height, width)."""
        return make_plan(self.config.dream, self._found.trained_px, size, iterations, octaves)

    def estimate(self, scene: Scene, plan: Plan, *, trial: bool = True) -> Estimate:
        """Estimate the time and memory of a plan on a node; trial steps are taken once."""
        work = plan.iterations * sum(map(math.prod, plan.sizes))
        with self._lock:  # the first tries, the others know
            known = self._pixel_s
            found = self.node_pool.call(node.try_still, self.setup(scene), scene, plan, trial and known is None)
            if found.seconds is not None:
                self._pixel_s = found.seconds / work
        if trial and found.fits and found.seconds is None and known is not None:
            found = replace(found, seconds=known * work)
        return found

    def dream(
        self, picture: np.ndarray, scene: Scene, plan: Plan, seed: int, shown: Collection[int] | None = None
    ) -> RemoteIterations:
        """Render a picture, iteration by iteration; only the ``shown`` iterations have pictures, or all if that is None."""
        setup, spec, sent = self.setup(scene), StillPlan(scene, plan, seed, shown), self.node_pool.put(picture)
        one_s = None if self._pixel_s is None else self._pixel_s * math.prod(plan.size)

        def ask(state: bytes | None, count: int) -> NodeTask[Stretch[Shown]]:
            return self.node_pool.begin(node.dream_still, setup, spec, sent, state, count)

        films = shown is None
        return RemoteIterations(
            Stretches(ask, StretchPace(FLOW_S if films else STILL_S, picture.nbytes if films else 1, one_s))
        )

    def setup(self, scene: Scene) -> Setup:
        """Return the setup that nodes need for a scene; all pictures of a call share one."""
        if self._scene is None or self._scene[0] != scene:
            self._scene = scene, self.with_guides(scene)
        return self._scene[1]


class RemoteScript(RemoteNetworks):
    """Renders a script's keyframes on nodes; see ``OfflineDream``."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the canvas."""
        return self._found.size

    def estimate(self, scene: Scene, *, trial: bool = True) -> Estimate:
        """Estimate the time and memory of a keyframe on a node."""
        return self.node_pool.call(node.try_script, self.with_guides(scene), scene, trial)

    def keyframes(
        self, scenes: tuple[Scene, ...], starts_s: tuple[float, ...], seed: int, start: np.ndarray | None, seconds: float
    ) -> Stretches[Keyframe]:
        """Return the keyframes of a video, and some more; for the arguments see ``ScriptPlan``."""
        setup, spec = self.with_guides(*scenes), ScriptPlan(scenes, starts_s, seed)
        sent = None if start is None else self.node_pool.put(start)

        def ask(state: bytes | None, count: int) -> NodeTask[Stretch[Keyframe]]:
            return self.node_pool.begin(node.dream_script, setup, spec, sent, state, min(count, most))

        most = max(1, math.ceil(seconds / steps_and_interval(self.config.dream)[1]) + 1)
        return Stretches(ask, StretchPace(FLOW_S, 3 * math.prod(self.size)))
