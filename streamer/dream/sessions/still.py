"""A picture dreamt where it stands: octaves from coarse to fine, each handing what it dreamt on to the next.

As DeepDream did it in 2015: the picture is shrunk, dreamt, and what was added, the detail, is enlarged and laid on the next
larger picture, so that large shapes come from small pictures and fine ones from large ones.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from streamer.algorithm_facts import ALGORITHMS
from streamer.config import Config, DreamConfig
from streamer.dream.algorithms.dreamer_factory import make_dreamer
from streamer.dream.device import choose_device
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.loading import load
from streamer.dream.sessions.estimate import Estimate, available_bytes, needed_bytes, pace_key, step_seconds
from streamer.dream.sessions.session import Session
from streamer.events import DreamStarted
from streamer.messages.motion import Motion, Pose
from streamer.messages.network_contents import LayerEntry
from streamer.messages.scenes import Scene

STEP_S = 0.1
"""Seconds of a dream that an iteration stands for: of what is told in seconds, such as how fast scenes fade."""
LEAST_PX = 48
"""Shorter side under which an octave is left out: nothing can be seen in less."""
OCTAVE_ITERATIONS = 10
"""In each of several octaves, where nothing else is asked for; as DeepDream had it."""
COARSEST = 0.6
"""Shorter side of the coarsest octave, where their number is left open, as a share of what the network was trained on."""
TRIAL_PX = 1920 * 1080
"""Pixels of the picture on which steps are timed, at most: in 8K three of them would be minutes of silence. Past this, steps
take as long as their pixels: 4K was measured at 4.2 times full HD."""


def octave_sizes(size: tuple[int, int], octaves: int, scale: float) -> tuple[tuple[int, int], ...]:
    """The (height, width) of each octave, smallest first; the last is the size itself.

    Args:
        octaves: how many; those that would be too small to see anything in are left out.
        scale: how much larger each is than the one before.
    """
    shrunk = [(round(size[0] / scale**n), round(size[1] / scale**n)) for n in range(1, octaves)]
    return (*reversed([small for small in shrunk if min(small) >= LEAST_PX]), size)


def trial_size(size: tuple[int, int]) -> tuple[int, int]:
    """The (height, width) at which the steps of a picture are timed: its own, or one of the same shape of ``TRIAL_PX``."""
    shrunk = min(1.0, math.sqrt(TRIAL_PX / math.prod(size)))
    return round(size[0] * shrunk), round(size[1] * shrunk)


@dataclass(frozen=True, slots=True)
class Plan:
    """At which sizes a picture is dreamt, and for how long."""

    sizes: tuple[tuple[int, int], ...]
    """(height, width) of the octaves, smallest first; the last is the picture's own."""
    iterations: int
    """Steps in each octave."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture."""
        return self.sizes[-1]

    @property
    def steps(self) -> int:
        """Iterations in all."""
        return len(self.sizes) * self.iterations

    def __str__(self) -> str:
        height, width = self.size
        steps = "1 iteration" if self.iterations == 1 else f"{self.iterations} iterations"
        if len(self.sizes) == 1:
            return f"{steps} at {width}x{height}"
        return f"{len(self.sizes)} octaves of {steps} up to {width}x{height}"


def make_plan(
    settings: DreamConfig, trained_px: int, size: tuple[int, int], iterations: int | None = None, octaves: int | None = None
) -> Plan:
    """How to dream a picture of (height, width).

    Args:
        trained_px: side of the pictures that the network was trained on.
        iterations: in each octave; None for what is usual.
        octaves: None for what the settings say; ``auto`` is as many as there is room for with ``deepdream``, else one.
    """
    facts, scale = ALGORITHMS[settings.algorithm], settings.octave_scale
    if octaves is None:
        octaves = settings.octaves if settings.octaves != "auto" else 1
        if settings.octaves == "auto" and facts.still_octaves:
            octaves = 1 + max(0, int(math.log(min(size) / (COARSEST * trained_px)) / math.log(scale)))
    sizes = octave_sizes(size, octaves, scale)
    usual = facts.still_iterations if len(sizes) == 1 else OCTAVE_ITERATIONS
    return Plan(sizes, iterations or usual)


@dataclass(frozen=True, slots=True, eq=False)
class StillIteration:
    """A picture as far as it is dreamt."""

    iteration: int
    """Over all octaves, from 1."""
    _session: Session
    _base: np.ndarray
    _whole: np.ndarray

    def picture(self) -> np.ndarray:
        """The picture now, (H, W, 3) uint8 RGB, at its full size; only until the next stage is asked for."""
        dreamt = self._session.dreamer.picture()
        if dreamt.shape == self._whole.shape:
            return dreamt
        detail = resized(dreamt.astype(np.float32) - self._base, self._whole.shape[:2])
        whole: np.ndarray = np.clip(np.rint(detail + self._whole), 0, 255).astype(np.uint8)
        return whole


class StillDream:
    """Networks ready to dream pictures."""

    def __init__(self, config: Config) -> None:
        """Load the networks.

        Raises:
            NetworkError: its weights cannot be had.
            DeviceError: the device asked for is not there.
        """
        still = {"speed": 1.0, "rotation": 0.0}
        # A picture has nothing before it that would have to be got rid of.
        dream = {"surge": 0.0, "octaves": 1}
        self._asked = config.dream
        self.config = config.model_copy(
            update={"zoom": config.zoom.model_copy(update=still), "dream": config.dream.model_copy(update=dream)}
        )
        self.device = choose_device(config.device)
        self.ensemble: Ensemble = load(config.network, self.device)

    @property
    def machine(self) -> str:
        """What its pace depends on besides the size."""
        return pace_key(self.config, self.ensemble.name, self.device)

    @property
    def wnids(self) -> Collection[str]:
        """The classes they can dream."""
        return self.ensemble.wnids

    @property
    def network(self) -> str:
        """The networks' names, as ``Ensemble.name`` joins them."""
        return self.ensemble.name

    @property
    def layers(self) -> tuple[LayerEntry, ...]:
        """The networks' layers."""
        return self.ensemble.layer_entries

    def new_dream(self, scene: Scene, size: tuple[int, int], seed: int, start: np.ndarray | None = None) -> Session:
        """A dream of a scene at its beginning.

        Raises:
            DreamError: the network has not got one of the scene's targets.
        """
        make = partial(make_dreamer, self.ensemble, self.config, size, self.device, seed, start)
        return Session.of(make, Motion(1.0, 0.0), DreamStarted(self.ensemble.name, self.device.type, 0, size), scene)

    def plan(self, size: tuple[int, int], iterations: int | None = None, octaves: int | None = None) -> Plan:
        """How to dream a picture of (height, width); as ``make_plan`` says."""
        return make_plan(self._asked, self.ensemble.first.trained_px, size, iterations, octaves)

    def estimate(self, scene: Scene, plan: Plan, *, trial: bool = True) -> Estimate:
        """What a plan will take; some steps are taken to find out, if the memory suffices for them.

        Args:
            trial: whether to find out how long it takes.

        Raises:
            DreamError: the network has not got one of the scene's targets.
        """
        needed = needed_bytes(self.ensemble, self.device, plan.size, self.config.dream.tile_px)
        found = Estimate(None, needed, available_bytes(self.device))
        if not found.fits or not trial:
            return found
        tried = trial_size(plan.size)
        session = self.new_dream(scene, tried, 0)
        pixel_s = step_seconds(lambda: session.apply(1000 * STEP_S), self.device, len(self.ensemble.members)) / math.prod(tried)
        return replace(found, seconds=pixel_s * plan.iterations * sum(height * width for height, width in plan.sizes))

    def dream(
        self, picture: np.ndarray, scene: Scene, plan: Plan, seed: int, shown: Collection[int] | None = None
    ) -> StillIterations:
        """Dream a picture, iteration by iteration.

        Args:
            picture: (H, W, 3) uint8 RGB, of the plan's size.
            shown: the iterations whose pictures are wanted besides the last; None for all. Here all can be had anyway.

        Raises:
            DreamError: the network has not got one of the scene's targets.
        """
        base = shrunk(picture, plan.sizes[0])
        session = self.new_dream(scene, plan.sizes[0], seed, np.clip(np.rint(base), 0, 255).astype(np.uint8))
        return StillIterations(session, picture, plan)


class StillIterations(Iterator[StillIteration]):
    """A picture being dreamt, iteration by iteration; it can be gone on with after any of them (``saved_state``)."""

    CHANGES = ("_session", "_octave", "_step")
    can_checkpoint = True
    """It can be gone on with after any."""

    def __init__(self, session: Session, picture: np.ndarray, plan: Plan) -> None:
        self._session, self._picture, self._plan = session, picture, plan
        self._octave = self._step = 0
        self._base = shrunk(picture, plan.sizes[0])

    def __next__(self) -> StillIteration:
        if self._step == self._plan.iterations:
            self._next_octave()
        self._session.apply(1000 * STEP_S)
        self._step += 1
        return StillIteration(self._octave * self._plan.iterations + self._step, self._session, self._base, self._picture)

    def went_on(self) -> None:
        """What was saved has been put back."""
        self._base = shrunk(self._picture, self._plan.sizes[self._octave])

    def _next_octave(self) -> None:
        """Hand the detail on to the next larger picture."""
        if self._octave + 1 == len(self._plan.sizes):
            raise StopIteration
        detail = self._session.dreamer.picture().astype(np.float32) - self._base
        self._octave, self._step = self._octave + 1, 0
        size = self._plan.sizes[self._octave]
        self._base = shrunk(self._picture, size)
        self._session.restore(np.clip(self._base + resized(detail, size), 0, 255), Pose())


def shrunk(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture (H, W, 3) uint8 at (height, width), as float32."""
    return resized(picture.astype(np.float32), size)


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale (h, w, 3) float32 values to (height, width), smoothly, anti-aliased where they shrink."""
    if picture.shape[:2] == size:
        return picture
    planes = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    scaled = F.interpolate(planes, size=size, mode="bicubic", antialias=True, align_corners=False)
    return np.ascontiguousarray(scaled[0].permute(1, 2, 0).numpy())
