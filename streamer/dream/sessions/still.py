"""Renders a still picture: octaves from coarse to fine, each passing its detail on to the next.

This is DeepDream's method of 2015: the dream runs on a reduced picture, and the detail it adds is enlarged and added to the
next larger picture, so that large shapes come from small pictures and fine ones from large ones.
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
"""Seconds of dream time per iteration, for settings in seconds such as the speed of fading."""
LEAST_PX = 48
"""Shorter side below which an octave is left out: a network cannot see anything in it."""
OCTAVE_ITERATIONS = 10
"""Default iterations in each of several octaves; the same as in DeepDream."""
COARSEST = 0.6
"""Shorter side of the coarsest octave if their number is open, relative to the size that the network was trained on."""
TRIAL_PX = 1920 * 1080
"""Most pixels of the picture on which steps are timed: in 8K three of them would take minutes. Beyond this, the time is
proportional to the pixels: 4K takes 4.2 times as long as full HD (measured)."""


def octave_sizes(size: tuple[int, int], octaves: int, scale: float) -> tuple[tuple[int, int], ...]:
    """Return the (height, width) of each octave, smallest first; the last is ``size``.

    Args:
        octaves: number of octaves; those smaller than ``LEAST_PX`` are left out.
        scale: size ratio from each octave to the next.
    """
    shrunk = [(round(size[0] / scale**n), round(size[1] / scale**n)) for n in range(1, octaves)]
    return (*reversed([small for small in shrunk if min(small) >= LEAST_PX]), size)


def trial_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) at which a picture's steps are timed: its own, reduced to ``TRIAL_PX`` if it is larger."""
    shrunk = min(1.0, math.sqrt(TRIAL_PX / math.prod(size)))
    return round(size[0] * shrunk), round(size[1] * shrunk)


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes at which a picture is rendered, and the iterations."""

    sizes: tuple[tuple[int, int], ...]
    """(height, width) of the octaves, smallest first; the last is the picture's own."""
    iterations: int
    """Iterations in each octave."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture."""
        return self.sizes[-1]

    @property
    def steps(self) -> int:
        """Total number of iterations."""
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
    """Return the plan for a picture of (height, width).

    Args:
        trained_px: side of the pictures that the network was trained on.
        iterations: iterations in each octave; None for the default.
        octaves: number of octaves; None for the settings, where ``auto`` means as many as fit for ``deepdream``, else one.
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
    """A picture after an iteration."""

    iteration: int
    """Number of the iteration over all octaves, from 1."""
    _session: Session
    _base: np.ndarray
    _whole: np.ndarray

    def picture(self) -> np.ndarray:
        """Return the picture, (H, W, 3) uint8 RGB, at full size; valid only until the next iteration."""
        rendered = self._session.dreamer.picture()
        if rendered.shape == self._whole.shape:
            return rendered
        detail = resized(rendered.astype(np.float32) - self._base, self._whole.shape[:2])
        whole: np.ndarray = np.clip(np.rint(detail + self._whole), 0, 255).astype(np.uint8)
        return whole


class StillDream:
    """Networks ready to render still pictures."""

    def __init__(self, config: Config) -> None:
        """Load the networks.

        Raises:
            NetworkError: the weights are unavailable.
            DeviceError: the requested device does not exist.
        """
        still = {"speed": 1.0, "rotation": 0.0}
        # No transition boost: a picture has no earlier scene to replace.
        dream = {"surge": 0.0, "octaves": 1}
        self._asked = config.dream
        self.config = config.model_copy(
            update={"zoom": config.zoom.model_copy(update=still), "dream": config.dream.model_copy(update=dream)}
        )
        self.device = choose_device(config.device)
        self.ensemble: Ensemble = load(config.network, self.device)

    @property
    def machine(self) -> str:
        """What the pace depends on besides the size; see ``pace_key``."""
        return pace_key(self.config, self.ensemble.name, self.device)

    @property
    def wnids(self) -> Collection[str]:
        """WordNet ids of the networks' classes."""
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
        """Return a new dream of a scene.

        Raises:
            DreamError: the network does not have one of the scene's targets.
        """
        make = partial(make_dreamer, self.ensemble, self.config, size, self.device, seed, start)
        return Session.of(make, Motion(1.0, 0.0), DreamStarted(self.ensemble.name, self.device.type, 0, size), scene)

    def plan(self, size: tuple[int, int], iterations: int | None = None, octaves: int | None = None) -> Plan:
        """Return the plan for a picture of (height, width); see ``make_plan``."""
        return make_plan(self._asked, self.ensemble.first.trained_px, size, iterations, octaves)

    def estimate(self, scene: Scene, plan: Plan, *, trial: bool = True) -> Estimate:
        """Estimate the cost of a plan; this takes some steps if there is enough memory for them.

        Args:
            trial: whether to measure the time.

        Raises:
            DreamError: the network does not have one of the scene's targets.
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
        """Render a picture, iteration by iteration.

        Args:
            picture: (H, W, 3) uint8 RGB, of the plan's size.
            shown: the iterations whose pictures the caller needs besides the last; None for all. Not used here, since all of
                them are available.

        Raises:
            DreamError: the network does not have one of the scene's targets.
        """
        base = shrunk(picture, plan.sizes[0])
        session = self.new_dream(scene, plan.sizes[0], seed, np.clip(np.rint(base), 0, 255).astype(np.uint8))
        return StillIterations(session, picture, plan)


class StillIterations(Iterator[StillIteration]):
    """A picture being rendered, iteration by iteration; it can be saved and resumed after any of them (``saved_state``)."""

    CHANGES = ("_session", "_octave", "_step")
    can_checkpoint = True
    """Whether it can be saved and resumed after every iteration."""

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
        """Recompute the base picture after the saved state was restored."""
        self._base = shrunk(self._picture, self._plan.sizes[self._octave])

    def _next_octave(self) -> None:
        """Pass the detail on to the next larger picture."""
        if self._octave + 1 == len(self._plan.sizes):
            raise StopIteration
        detail = self._session.dreamer.picture().astype(np.float32) - self._base
        self._octave, self._step = self._octave + 1, 0
        size = self._plan.sizes[self._octave]
        self._base = shrunk(self._picture, size)
        self._session.restore(np.clip(self._base + resized(detail, size), 0, 255), Pose())


def shrunk(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale an (H, W, 3) uint8 picture to (height, width); return it as float32."""
    return resized(picture.astype(np.float32), size)


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale (h, w, 3) float32 values to (height, width): bicubic, anti-aliased when shrinking."""
    if picture.shape[:2] == size:
        return picture
    planes = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    scaled = F.interpolate(planes, size=size, mode="bicubic", antialias=True, align_corners=False)
    return np.ascontiguousarray(scaled[0].permute(1, 2, 0).numpy())
