"""Replays a journal on a node, with an actor, since a replay cannot be resumed in the middle.

If the node dies, another one starts over, and keyframes that already came are skipped.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamer.cluster import one_line
from streamer.commands import CommandError
from streamer.commands.on_ray.node import Setup, config_of
from streamer.commands.on_ray.node_files import dream_settings, pictures, sent_guides, weights
from streamer.commands.on_ray.node_pool import LOOK_S, LOSSES, TRIES, NodePool
from streamer.config import Config
from streamer.dream.device import compute_with, make_torch_repeatable
from streamer.dream.objectives.guide import guides_from
from streamer.dream.sessions.replay import Replay
from streamer.dream.sessions.script import OfflineDream
from streamer.dream_state import DreamState
from streamer.journal_reader import RecordedRun
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion

ONCE = 16
"""Keyframes requested in one call, while those before them are shown."""


@dataclass(frozen=True, slots=True, eq=False)
class ReplayPlan:
    """What to replay."""

    past_run: RecordedRun
    seed: int
    start: np.ndarray | None
    latest: Keyframe | None
    kept: DreamState | None
    from_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Some:
    """Some keyframes, and how many so far were compared with the journal and matched."""

    keyframes: tuple[Keyframe, ...]
    compared: int
    alike: int


class OnNode:
    """Replays a run on its node."""

    def __init__(self, setup: Setup, plan: ReplayPlan) -> None:
        past_run = plan.past_run
        make_torch_repeatable(past_run.begun.threads if past_run.begun.device == "cpu" else setup.threads)
        self._guides = pictures(setup.guides)
        config = config_of(setup)
        self._dream = OfflineDream(config)
        start = None if plan.start is None else np.array(plan.start)
        self._replay = Replay(
            past_run,
            lambda: self._dream.new_dream(plan.seed, start),
            Motion.from_config(config.zoom),
            config,
            sizes=self._dream.size == past_run.begun.size,
            compute_with=compute_with,
            latest=plan.latest,
            kept=plan.kept,
        )
        self._keyframes = self._replay.keyframes(plan.from_ms)

    def facts(self) -> tuple[str, str, tuple[int, int]]:
        """Return the network, the device and the canvas' (height, width)."""
        return self._dream.network, self._dream.device, self._dream.size

    def some(self, count: int) -> Some:
        """Return the next keyframes; fewer at the end."""
        with guides_from(self._guides):
            found = tuple(itertools.islice(self._keyframes, count))
        return Some(found, self._replay.compared, self._replay.alike)


class RemoteReplay(Iterator[Keyframe]):
    """The keyframes of a run that a node replays; see ``Replay`` and ``OfflineDream``."""

    def __init__(self, config: Config, plan: ReplayPlan, node_pool: NodePool) -> None:
        settings = dream_settings(config, node_pool.device)
        scenes = tuple(scene for _, scene in plan.past_run.scenes())
        self._setup = Setup(
            json.dumps(settings), node_pool.share.cpus, weights(config, node_pool), sent_guides(scenes, node_pool)
        )
        self._plan, self._node_pool = node_pool.put(plan), node_pool
        self._failed = self._taken = 0
        self._items: deque[Keyframe] = deque()
        self._ended = False
        self.compared = self.alike = 0
        """See ``Replay``."""
        self._hire()
        self.network, self.device, self.size = self._get("facts")
        self._ask()

    def __next__(self) -> Keyframe:
        while not self._items and not self._ended:
            self._take()
        if not self._items:
            raise StopIteration
        return self._items.popleft()

    def _hire(self) -> None:
        self._actor = self._node_pool.actor(OnNode, self._setup, self._plan)
        self._coming: Any = None
        self._passes = self._taken

    def _ask(self) -> None:
        self._coming = self._actor.some.remote(ONCE)

    def _take(self) -> None:
        some: Some = self._get("some")
        self._ended = len(some.keyframes) < ONCE
        new = some.keyframes[self._passes :]
        self._passes -= len(some.keyframes) - len(new)
        self._taken += len(new)
        self.compared, self.alike = some.compared, some.alike
        self._items.extend(new)
        if not self._ended:
            self._ask()

    def _get(self, what: str) -> Any:
        """Return the actor's answer; start a new actor if it is lost."""
        ray = self._node_pool.cluster.ray
        while True:
            try:
                if self._coming is None:
                    self._coming = self._actor.facts.remote() if what == "facts" else self._actor.some.remote(ONCE)
                done, _ = ray.wait([self._coming], timeout=LOOK_S)
                self._node_pool.check()
                if not done:
                    continue
                found, self._coming = ray.get(self._coming), None
            except ray.exceptions.RayError as error:
                self._node_pool.check()
                cause = getattr(error, "cause", error)
                self._failed += 1
                if self._failed >= (LOSSES if isinstance(cause, ray.exceptions.RayError) else TRIES):
                    raise CommandError(f"the replay failed on the cluster: {one_line(cause)}") from error
                self._node_pool.tell(f"the replay starts over on another node: {one_line(cause)}")
                self._hire()
            else:
                return found
