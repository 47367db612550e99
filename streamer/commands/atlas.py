"""An atlas: a folder with a picture of every class that a network knows, and a contact sheet. Made in one call or several."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from streamer.commands import WRONG_CALL, CommandError, refusal
from streamer.commands.atlas_folder import AtlasFolder, Recipe
from streamer.commands.command_errors import as_command_error
from streamer.commands.on_ray.node_pool import NodePool, open_node_pool
from streamer.commands.on_ray.options import RayCall
from streamer.commands.progress_display import teller
from streamer.commands.still_picture import LEAST_PX, MOST_PX
from streamer.config import Config
from streamer.dream.device import make_torch_repeatable
from streamer.dream.sessions.estimate import duration
from streamer.dream.sessions.still import Plan, StillDream
from streamer.dream.sources.noise import noise
from streamer.dream.sources.start import starting_picture
from streamer.media.fit import fitted
from streamer.messages.network_contents import ClassEntry
from streamer.messages.refused import Refused
from streamer.messages.scenes import Scene, Target, arrange
from streamer.requests.vocabulary import Vocabulary

if TYPE_CHECKING:
    from streamer.commands.on_ray.remote_sessions import RemoteStills

INTERRUPTED = 130
"""Exit code after Ctrl+C, as in shells."""
TOLD_AFTER = 3
"""Classes after which the total time is estimated."""
RECENT = 20
"""Newest classes that the estimate uses: an hour ago, the machine's load may have been different."""


@dataclass(frozen=True, slots=True)
class AtlasOrder:
    """What to render for an atlas."""

    names: tuple[str, ...]
    """Classes, by name or by a word for several; empty for all."""
    folder: Path
    size: tuple[int, int]
    """(height, width) of each picture."""
    seed: int
    format: str
    """The pictures' extension, one of ``atlas_folder.FORMATS``."""
    iterations: int | None = None
    """Steps in each octave; None for the default."""
    octaves: int | None = None
    """None for the config's."""


class AtlasPace:
    """Estimates how long classes take, from those that are finished. All have the same steps and size."""

    def __init__(self, past: Iterable[float] = ()) -> None:
        """Start with the seconds of classes in earlier calls, which count until one of this call is finished."""
        self._past: deque[float] = deque(past, maxlen=RECENT)
        self._learnt = 0

    def learn(self, seconds: float) -> None:
        """Add a finished class. The first takes longer, since it sets up what all share; it counts until there is a second."""
        if self._learnt < 2:
            self._past.clear()
        self._learnt += 1
        self._past.append(seconds)

    def left_s(self, classes: int, share: float = 0.0, begun_s: float = 0.0) -> float | None:
        """Return the seconds that the remaining classes take.

        Args:
            classes: Number of classes, with the current one.
            share: How much of the current one is done, 0..1.
            begun_s: Seconds spent on the current one.

        Returns:
            None if nothing is known yet.
        """
        if self._past:
            one_s = sum(self._past) / len(self._past)
        elif share > 0:
            one_s = begun_s / share
        else:
            return None
        return one_s * (classes - share)


@dataclass(frozen=True, slots=True)
class AtlasWork:
    """What all classes of an atlas share."""

    dream: StillDream | RemoteStills
    plan: Plan
    order: AtlasOrder
    source: np.ndarray | None
    """The picture to start from; None for noise."""

    def begins_with(self, seed: int) -> np.ndarray:
        """Return the picture that a class starts from, (H, W, 3) uint8 RGB."""
        if self.source is None:
            return noise(self.order.size, np.random.default_rng(seed))
        return fitted(self.source, self.order.size, self.dream.config.source.fit, fine=True)

    def make(self, entry: ClassEntry, progress: Callable[[float], None]) -> np.ndarray:
        """Render a class, (H, W, 3) uint8 RGB; ``progress`` gets the share that is done, 0..1."""
        seed = seed_of(self.order.seed, entry.wnid)
        for stage in self.dream.dream(self.begins_with(seed), scene_of(entry), self.plan, seed):
            if stage.iteration == self.plan.steps:
                return stage.picture()
            progress(stage.iteration / self.plan.steps)
        raise AssertionError("a plan has steps")


def command(
    config: Config, order: AtlasOrder, console: Console, announce: Callable[[str], None], ray: RayCall | None = None
) -> None:
    """Render an atlas, or what is missing of it, and show a progress bar.

    Args:
        ray: The cluster to render on; None renders here.

    Raises:
        CommandError: the call was wrong, or it failed.
    """
    height, width = order.size
    if min(order.size) < LEAST_PX or max(order.size) > max(MOST_PX) or min(order.size) > min(MOST_PX):
        raise CommandError(f"--size is {width}x{height}; must be {LEAST_PX}x{LEAST_PX} to 7680x4320", WRONG_CALL)
    with as_command_error():
        words = Vocabulary.load()
        named = {target.wnid for name in order.names for target in _classes_of(words, name)}  # report mistakes early
        make_torch_repeatable()
        with open_node_pool(ray, config, teller(console), gpus=0.25) as node_pool:
            dream = StillDream(config) if node_pool is None else _far(config, node_pool)
            words = words.for_network(dream.wnids)
            known = {entry.wnid: entry for entry in words.search("", len(dream.wnids)) if entry.available}
            wanted = [known[wnid] for wnid in sorted(known) if wnid in named or not order.names]
            if not wanted:
                raise CommandError(f"{dream.network} knows nothing of '{', '.join(order.names)}'", WRONG_CALL)
            plan = dream.plan(order.size, order.iterations, order.octaves)
            work = AtlasWork(dream, plan, order, starting_picture(config.source))
            folder = AtlasFolder(order.folder, _recipe(work, config), words.kinds)
            missing = [entry for entry in wanted if not folder.has(entry.wnid)]
            if len(missing) < len(wanted):
                announce(f"{len(wanted) - len(missing)} of {len(wanted)} classes are there already")
            try:
                if missing:
                    _make(work, folder, missing, console, announce)
            except KeyboardInterrupt:
                done = sum(folder.has(entry.wnid) for entry in wanted)
                raise CommandError(f"{done} of {len(wanted)} classes are done; the same call continues", INTERRUPTED) from None
            finally:
                folder.show(known)
            announce(f"{folder.sheet}: {len(wanted)} classes")


def scene_of(entry: ClassEntry) -> Scene:
    """Return a scene with a single class."""
    return Scene(1, arrange([Target(entry.wnid, entry.label)]))


def _make(
    work: AtlasWork, folder: AtlasFolder, missing: Sequence[ClassEntry], console: Console, announce: Callable[[str], None]
) -> None:
    """Render what is missing, and estimate how long it takes."""
    estimate = work.dream.estimate(scene_of(missing[0]), work.plan)  # its trial steps set up what all classes share
    if not estimate.fits:
        raise CommandError(f"{work.plan} needs {estimate.needs}; try a smaller --size, or close other programs")
    made = _made(work, folder, missing, console, announce)
    announce(f"{len(missing)} classes took {duration(made.took_s)}; {duration(made.foretold_s)} were estimated")
    if made.failed:
        raise CommandError(f"{made.failed} of {len(missing)} classes could not be rendered; the same call tries them again")


@dataclass(frozen=True, slots=True)
class _Made:
    """The result of rendering classes."""

    took_s: float
    foretold_s: float
    failed: int = 0


def _made(
    work: AtlasWork, folder: AtlasFolder, missing: Sequence[ClassEntry], console: Console, announce: Callable[[str], None]
) -> _Made:
    if not isinstance(work.dream, StillDream):
        from streamer.commands.on_ray.remote_classes import make_classes

        return _Made(*make_classes(work.dream, work, folder, missing, console, announce))
    pace, foretold_s, begun_s = AtlasPace(folder.seconds), 0.0, time.monotonic()
    with atlas_bar(console) as shown:
        task = shown.add_task(missing[0].label, total=len(missing), left="")
        for number, entry in enumerate(missing):
            class_s, left = time.monotonic(), len(missing) - number

            def progress(share: float, entry: ClassEntry = entry, number: int = number, since_s: float = class_s) -> None:
                left_s = pace.left_s(len(missing) - number, share, time.monotonic() - since_s)
                remaining = "" if left_s is None else f"about {duration(left_s)} left"
                shown.update(task, description=entry.label, completed=number + share, left=remaining)

            image = work.make(entry, progress)
            took_s = time.monotonic() - class_s
            folder.put(entry, image, took_s)
            pace.learn(took_s)
            if number == min(TOLD_AFTER, len(missing)) - 1:
                foretold_s = time.monotonic() - begun_s + (pace.left_s(left - 1) or 0.0)
                announce(f"{len(missing)} classes, {work.plan} each: about {duration(foretold_s)}")
        shown.update(task, completed=len(missing), left="")
    return _Made(time.monotonic() - begun_s, foretold_s)


def _far(config: Config, node_pool: NodePool) -> RemoteStills:
    """Return what renders on nodes."""
    from streamer.commands.on_ray.remote_sessions import RemoteStills

    return RemoteStills(config, node_pool)


def _recipe(work: AtlasWork, config: Config) -> Recipe:
    """Return what the pictures depend on."""
    dream, order, plan = work.dream, work.order, work.plan
    changed = config.model_dump(mode="json", include={"dream", "ink", "source"}, exclude_defaults=True)
    return Recipe(
        network=dream.network,
        classes=len(dream.wnids),
        size=f"{order.size[1]}x{order.size[0]}",
        iterations=plan.iterations,
        octaves=len(plan.sizes),
        seed=order.seed,
        format=order.format,
        settings={f"{section}.{key}": value for section, settings in changed.items() for key, value in settings.items()},
    )


def seed_of(seed: int, wnid: str) -> int:
    """Return a class's own seed, whatever else is rendered: from the same noise, all would have the same colours."""
    return int.from_bytes(hashlib.sha256(f"{seed} {wnid}".encode()).digest()[:6])


def _classes_of(words: Vocabulary, name: str) -> tuple[Target, ...]:
    try:
        return words.classes_of(name)
    except Refused as refused:
        raise CommandError(refusal(refused), WRONG_CALL) from None


def atlas_bar(console: Console) -> Progress:
    """Return one bar for all classes; disabled if the console is not a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TextColumn("{task.fields[left]}"), console=console, disable=not console.is_terminal)
