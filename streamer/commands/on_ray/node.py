"""What runs on a node: a stretch of a dream, from where the stretch before it ended.

A node keeps the networks it has loaded for the tasks to come. It is told all it needs, and opens no file but weights.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Generic, TypeVar

import numpy as np

from streamer.commands.on_ray.node_files import WeightsFile, pictures, received
from streamer.commands.resumable_work import STATE_FORMAT
from streamer.config import Config
from streamer.dream.device import make_torch_repeatable
from streamer.dream.objectives.guide import guides_from
from streamer.dream.sessions.estimate import Estimate
from streamer.dream.sessions.film import DreamtPicture, FilmDream
from streamer.dream.sessions.script import OfflineDream
from streamer.dream.sessions.still import Plan, StillDream
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.messages.network_contents import LayerEntry
from streamer.messages.scenes import Scene
from streamer.saved_state import unpack

T = TypeVar("T")

KEPT = 2
"""Setups whose networks are kept."""
PART = "dream"
"""The name of what is written down of a dream between two stretches."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What tasks of one command have in common. Of two with the same settings and threads one has what the other needs."""

    settings: str
    """What the dream depends on, as JSON; no file is named in it."""
    threads: int
    """To compute with on a CPU."""
    parcels: tuple[WeightsFile, ...] = field(compare=False)
    guides: tuple[tuple[str, tuple[Any]], ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Introduced:
    """What a node that was asked first is about to dream with, for the others to do the same."""

    names: tuple[str, ...]
    network: str
    wnids: tuple[str, ...]
    layers: tuple[LayerEntry, ...]
    trained_px: int
    """Of its first network."""
    precision: str
    layout: str
    device: str
    machine: str
    size: tuple[int, int]
    """(height, width) of the canvas, as the settings say."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch(Generic[T]):
    """A part of a dream."""

    items: tuple[T, ...]
    state: bytes | None
    """Where it ended, for the next one; None where there is none."""
    seconds: float
    """That it took, without what comes once."""


@dataclass(frozen=True, slots=True)
class ScriptPlan:
    """A script to dream."""

    scenes: tuple[Scene, ...]
    starts_s: tuple[float, ...]
    seed: int

    def scene_at(self, time_s: float) -> Scene:
        """What is to be dreamt at a second of the video."""
        return [scene for scene, start_s in zip(self.scenes, self.starts_s, strict=True) if start_s <= time_s or start_s == 0][
            -1
        ]


@dataclass(frozen=True, slots=True)
class StillPlan:
    """A picture to dream on."""

    scene: Scene
    plan: Plan
    seed: int
    shown: Collection[int] | None
    """The iterations whose pictures are wanted; None for all."""


@dataclass(frozen=True, slots=True)
class FilmPlan:
    """A film to dream on, with so many steps for each picture of (height, width)."""

    size: tuple[int, int]
    scene: Scene
    steps: int
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture after some iterations; None where nobody looks at it."""

    iteration: int
    image: np.ndarray | None


def wake() -> None:
    """Nothing but what comes with it: a process is started, and all that is imported here is."""


def introduce(setup: Setup) -> Introduced:
    """Load the networks and tell what they are."""
    with _at_work(setup):
        dream = OfflineDream(config_of(setup))  # not kept: those to come are told what it found
        first = dream.ensemble.first
        return Introduced(
            dream.ensemble.names,
            dream.network,
            tuple(dream.wnids),
            tuple(dream.layers),
            first.trained_px,
            first.form.precision,
            first.form.layout,
            dream.device,
            dream.machine,
            dream.size,
        )


def try_still(setup: Setup, scene: Scene, plan: Plan, trial: bool) -> Estimate:
    """What a picture will take on this node."""
    with _at_work(setup):
        return _stills(setup).estimate(scene, plan, trial=trial)


def try_film(setup: Setup, scene: Scene, first: SourcePicture, steps: int, trial: bool) -> Estimate:
    """What a film's picture will take on this node."""
    with _at_work(setup):
        return _films(setup).estimate(scene, _own(first), steps, trial=trial)


def try_script(setup: Setup, scene: Scene, trial: bool) -> Estimate:
    """What a keyframe will take on this node."""
    with _at_work(setup):
        return _scripts(setup).estimate(scene, trial=trial)


def dream_still(setup: Setup, spec: StillPlan, picture: np.ndarray, state: bytes | None, count: int) -> Stretch[Shown]:
    """Take some more iterations of a picture (H, W, 3) uint8; fewer where it is done before."""
    with _at_work(setup):
        stages = _stills(setup).dream(np.array(picture), spec.scene, spec.plan, spec.seed)
        _go_on(stages, state)
        begun_s = time.perf_counter()
        items: list[Shown] = []
        for stage in stages:
            last = len(items) + 1 == count or stage.iteration == spec.plan.steps
            wanted = last or spec.shown is None or stage.iteration in spec.shown
            items.append(Shown(stage.iteration, np.array(stage.picture()) if wanted else None))
            if last:
                break
        return _stretch(items, stages if items[-1].iteration < spec.plan.steps else None, begun_s)


def dream_script(
    setup: Setup, spec: ScriptPlan, start: np.ndarray | None, state: bytes | None, count: int
) -> Stretch[Keyframe]:
    """Dream some more keyframes."""
    with _at_work(setup):
        keyframes = _scripts(setup).keyframes(spec.scene_at, spec.seed, None if start is None else np.array(start))
        _go_on(keyframes, state)
        begun_s = time.perf_counter()
        return _stretch([next(keyframes) for _ in range(count)], keyframes, begun_s)


def dream_film(setup: Setup, spec: FilmPlan, pictures: Sequence[SourcePicture], state: bytes | None) -> Stretch[DreamtPicture]:
    """Dream on some more pictures of a film."""
    with _at_work(setup):
        run = _films(setup).begin(spec.size, spec.scene, spec.steps, spec.seed)
        _go_on(run, state)
        begun_s = time.perf_counter()
        return _stretch([run.dream(_own(picture)) for picture in pictures], run, begun_s)


def dream_whole(setup: Setup, scene: Scene, plan: Plan, seed: int, picture: np.ndarray) -> tuple[np.ndarray, float]:
    """Dream a picture to its end: what came of it, (H, W, 3) uint8, and the seconds that it took."""
    with _at_work(setup):
        begun_s = time.perf_counter()
        for stage in _stills(setup).dream(picture, scene, plan, seed):
            if stage.iteration == plan.steps:
                return np.array(stage.picture()), time.perf_counter() - begun_s
    raise AssertionError("a plan has steps")


@contextlib.contextmanager
def _at_work(setup: Setup) -> Iterator[None]:
    """Compute as all nodes do, with the pictures at hand that were sent."""
    make_torch_repeatable(setup.threads)
    with guides_from(pictures(setup.guides)):
        yield


def config_of(setup: Setup) -> Config:
    """The settings on this node, with the weights that were sent."""
    settings = json.loads(setup.settings)
    settings["network"]["weights"] = received(setup.parcels)
    return Config.model_validate_json(json.dumps(settings, default=str))


@lru_cache(maxsize=KEPT)
def _stills(setup: Setup) -> StillDream:
    return StillDream(config_of(setup))


@lru_cache(maxsize=KEPT)
def _films(setup: Setup) -> FilmDream:
    return FilmDream(config_of(setup))


@lru_cache(maxsize=KEPT)
def _scripts(setup: Setup) -> OfflineDream:
    return OfflineDream(config_of(setup))


def _go_on(dream: object, state: bytes | None) -> None:
    if state is not None:
        STATE_FORMAT.thaw(unpack(state), {PART: dream})


def _stretch(items: Sequence[T], dream: object | None, begun_s: float) -> Stretch[T]:
    seconds = time.perf_counter() - begun_s
    return Stretch(tuple(items), None if dream is None else STATE_FORMAT.pack({}, {PART: dream}), seconds)


def _own(picture: SourcePicture) -> SourcePicture:
    """The same in memory of its own: what is sent cannot be written to, which torch warns of."""
    return replace(picture, image=np.array(picture.image))
