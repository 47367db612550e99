"""The tasks that run on a node: each renders a stretch, from where the one before it ended.

A node keeps loaded networks for later tasks. It gets everything it needs, and opens no files except weights.
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
from streamer.dream.sessions.film import FilmDream, RenderedPicture
from streamer.dream.sessions.script import OfflineDream
from streamer.dream.sessions.still import Plan, StillDream
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.messages.network_contents import LayerEntry
from streamer.messages.scenes import Scene
from streamer.saved_state import unpack

T = TypeVar("T")

KEPT = 2
"""Number of setups whose networks are kept."""
PART = "dream"
"""The name of the dream in the state saved between two stretches."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What all tasks of a command share. Setups with equal settings and threads can use each other's networks."""

    settings: str
    """The settings that the pixels depend on, as JSON; it names no files."""
    threads: int
    """Threads to compute with on a CPU."""
    parcels: tuple[WeightsFile, ...] = field(compare=False)
    guides: tuple[tuple[str, tuple[Any]], ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Introduced:
    """What the first node renders with, so that the others do the same."""

    names: tuple[str, ...]
    network: str
    wnids: tuple[str, ...]
    layers: tuple[LayerEntry, ...]
    trained_px: int
    """Size of the pictures that the first network was trained on."""
    precision: str
    layout: str
    device: str
    machine: str
    size: tuple[int, int]
    """(height, width) of the canvas, from the settings."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch(Generic[T]):
    """A part of a dream."""

    items: tuple[T, ...]
    state: bytes | None
    """The state at the end, for the next stretch; None if there is none."""
    seconds: float
    """How long it took, without one-time set-up."""


@dataclass(frozen=True, slots=True)
class ScriptPlan:
    """A script to render."""

    scenes: tuple[Scene, ...]
    starts_s: tuple[float, ...]
    seed: int

    def scene_at(self, time_s: float) -> Scene:
        """Return the scene at a second of the video."""
        return [scene for scene, start_s in zip(self.scenes, self.starts_s, strict=True) if start_s <= time_s or start_s == 0][
            -1
        ]


@dataclass(frozen=True, slots=True)
class StillPlan:
    """A picture to render."""

    scene: Scene
    plan: Plan
    seed: int
    shown: Collection[int] | None
    """The iterations whose pictures are returned; None for all."""


@dataclass(frozen=True, slots=True)
class FilmPlan:
    """A film to render, with ``steps`` for each picture of (height, width)."""

    size: tuple[int, int]
    scene: Scene
    steps: int
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture after some iterations; None if it is not shown."""

    iteration: int
    image: np.ndarray | None


def wake() -> None:
    """Do nothing: the task starts a process and imports this module."""


def introduce(setup: Setup) -> Introduced:
    """Load the networks and return what they are."""
    with _at_work(setup):
        dream = OfflineDream(config_of(setup))  # not kept, since later setups name what this one found
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
    """Estimate the time and memory of a picture on this node."""
    with _at_work(setup):
        return _stills(setup).estimate(scene, plan, trial=trial)


def try_film(setup: Setup, scene: Scene, first: SourcePicture, steps: int, trial: bool) -> Estimate:
    """Estimate the time and memory of a film's picture on this node."""
    with _at_work(setup):
        return _films(setup).estimate(scene, _own(first), steps, trial=trial)


def try_script(setup: Setup, scene: Scene, trial: bool) -> Estimate:
    """Estimate the time and memory of a keyframe on this node."""
    with _at_work(setup):
        return _scripts(setup).estimate(scene, trial=trial)


def dream_still(setup: Setup, spec: StillPlan, picture: np.ndarray, state: bytes | None, count: int) -> Stretch[Shown]:
    """Render ``count`` more iterations of a picture, (H, W, 3) uint8, or up to its end."""
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
    """Render ``count`` more keyframes."""
    with _at_work(setup):
        keyframes = _scripts(setup).keyframes(spec.scene_at, spec.seed, None if start is None else np.array(start))
        _go_on(keyframes, state)
        begun_s = time.perf_counter()
        return _stretch([next(keyframes) for _ in range(count)], keyframes, begun_s)


def dream_film(
    setup: Setup, spec: FilmPlan, pictures: Sequence[SourcePicture], state: bytes | None
) -> Stretch[RenderedPicture]:
    """Render some more pictures of a film."""
    with _at_work(setup):
        run = _films(setup).begin(spec.size, spec.scene, spec.steps, spec.seed)
        _go_on(run, state)
        begun_s = time.perf_counter()
        return _stretch([run.dream(_own(picture)) for picture in pictures], run, begun_s)


def dream_whole(setup: Setup, scene: Scene, plan: Plan, seed: int, picture: np.ndarray) -> tuple[np.ndarray, float]:
    """Render a picture to its end; return it, (H, W, 3) uint8, and the seconds it took."""
    with _at_work(setup):
        begun_s = time.perf_counter()
        for stage in _stills(setup).dream(picture, scene, plan, seed):
            if stage.iteration == plan.steps:
                return np.array(stage.picture()), time.perf_counter() - begun_s
    raise AssertionError("a plan has steps")


@contextlib.contextmanager
def _at_work(setup: Setup) -> Iterator[None]:
    """Compute repeatably, with the guide pictures that were sent."""
    make_torch_repeatable(setup.threads)
    with guides_from(pictures(setup.guides)):
        yield


def config_of(setup: Setup) -> Config:
    """Return the settings on this node, with the weights that were sent."""
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
    """Return a copy of a picture: received arrays are read-only, and torch warns about those."""
    return replace(picture, image=np.array(picture.image))
