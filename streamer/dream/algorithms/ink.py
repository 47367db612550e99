"""Ink: each pixel is black or white, and a step flips the few that matter most (Deep Ink, 2017).

The network sees a nearly grey picture, in which paper is a little lighter than ink. A step computes the gradient and flips
black pixels that should be lighter and white ones that should be darker, those with the steepest gradient first. Only the
gradient's sign and order matter. An empty sheet has almost no gradient, so drawings grow at their edges.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from streamer import zoom
from streamer.config import Config
from streamer.dream.algorithms.canvas import grid_for, normalised, swirl_grid
from streamer.dream.algorithms.fading import LONG_S, Fading
from streamer.dream.algorithms.host_copies import FinishedCopy
from streamer.dream.algorithms.ink_start import dark_mask, disc_mask, text_mask
from streamer.dream.algorithms.rng_state import numpy_rng_state, restore_rng, torch_rng_state
from streamer.dream.interface import Copy
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.network import Network
from streamer.dream.objectives.ensemble_objective import EnsembleObjective
from streamer.dream.objectives.masks import Box
from streamer.dream.objectives.region_weights import WeightedRegions, rms
from streamer.dream.objectives.views import Transform, ViewSampler
from streamer.dream.sources.noise import noise
from streamer.dream_state import DreamState
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Region, Scene, Target

FAINT, STRONG = 2.0, 60.0
"""How far paper is above mid-grey and ink below it, in levels. Networks of photographs draw finest at faint contrast; a network
of small pictures, which is trained to overlook faint contrast, would draw only stripes."""
LARGE_PX = 160
"""A network trained on pictures of at least this side counts as one of photographs."""
LINE = 0.45
"""Share of a pixel that ink covers for the pixel to stay ink when the sheet is turned or enlarged; fine lines survive."""
BLEACHING = 0.25
"""Old ink fades within about this share of ``ink.fade_s``."""
TIE_S = 0.005
"""Ages that differ by less than twice this count as equal: they are sums of many short times."""
BUMP_WASH, BUMP_DROPS = 0.5, 2.2
"""Noise levels, in standard deviations, at which a bump washes ink off and splashes new ink."""
TWIST_DEGREES, TWIST_REACH = 12.0, 0.4
"""Angle of a twist, and the distance from the centre, in picture heights, at which it falls to 1/e."""


class InkDreamer:
    """A drawing in progress. Not thread-safe; the same seed, steps and device give the same drawings.

    The sheet is at the pose ``zoom.kept(pose)``; show it from ``pose``.
    """

    CHANGES = (
        *("_chance", "_noise", "_motion", "_fading", "_steps", "_wanted", "_since_s"),
        *("pose", "_ink", "_age_s", "uphill"),
    )

    def __init__(
        self,
        ensemble: Ensemble,
        config: Config,
        size: tuple[int, int],
        device: torch.device,
        seed: int,
        start: np.ndarray | None = None,
    ) -> None:
        """Start a drawing.

        Args:
            ensemble: the networks whose gradients are followed.
            config: uses ``ink``, ``zoom``, ``source.fit``, ``network.combine``, and views, shifts and crossfades of ``dream``.
            size: (height, width) of the sheet in pixels.
            device: the device to compute on.
            seed: seed of everything random.
            start: (H, W, 3) uint8 picture whose dark parts become ink, if ``ink.start`` allows it.
        """
        self._ensemble, self._device = ensemble, device
        self._settings, self._dream, self._fit = config.ink, config.dream, config.source.fit
        self._motion = Motion.from_config(config.zoom)
        self._chance = torch.Generator().manual_seed(seed)
        self._noise = np.random.default_rng(seed)
        self._objective = EnsembleObjective(ensemble, combine=config.network.combine)
        self._sampler = ViewSampler(config.dream, size, self._chance)
        self._fading = Fading(config.dream.crossfade_s, config.dream.surge)
        self._steps = 0
        self._wanted: set[tuple[Target, Box]] = set()
        self._since_s = math.inf
        """Seconds since the old drawing started to wash off."""
        self.pose = Pose()
        """The camera's pose."""
        self._ink = torch.from_numpy(self._first(size, start)).to(device)
        self._age_s = torch.zeros(size, device=device)
        self.uphill = torch.zeros(size, device=device)
        """(H, W) float32, direction of the last step: above 0 where the picture should be lighter. Its scale is arbitrary."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the sheet."""
        return self._ink.shape[0], self._ink.shape[1]

    @property
    def ink(self) -> Tensor:
        """(H, W) bool, true where ink is; read-only."""
        return self._ink

    def seen(self, network: Network) -> Tensor:
        """Return what a network sees, (1, 3, H, W) float32: mid-grey, a little lighter for paper, a little darker for ink."""
        return self._tinted(network, self._ink[None, None].logical_not().float())

    def _tinted(self, network: Network, paper: Tensor) -> Tensor:
        """Return a sheet (1, 1, H, W), 1 for paper and 0 for ink, in the two greys that suit a network."""
        white, black = self._settings.levels(FAINT if network.trained_px >= LARGE_PX else STRONG)
        return network.mean + black + (white - black) * paper

    def scene(self, scene: Scene) -> None:
        """Crossfade to another scene, while the old drawing is washed off.

        A region that has no ink, or will soon have none, gets a disc for its subject to grow from.

        Raises:
            DreamError: the network does not have one of its targets.
        """
        for region in scene.regions:
            self._objective.check(region.target)
        wanted = {(region.target, region.box) for region in scene.regions}
        if self._wanted and wanted != self._wanted and self._settings.wash_s > 0:
            self._since_s = 0.0
            self._age_s = self._age_s + 2 * TIE_S  # ink of the last step is older than new ink
        self._wanted = wanted
        self._fading.scene(scene)
        for region in scene.regions:
            self._plant(region)

    def motion(self, motion: Motion) -> None:
        """Move the camera differently from now on."""
        self._motion = motion

    def tune(self, config: Config) -> None:
        """Use the ``ink`` and ``dream`` blocks of other settings from the next step on; the drawing stays."""
        self._settings, self._dream = config.ink, config.dream
        self._fading.tune(config.dream.crossfade_s, config.dream.surge)
        self._sampler = ViewSampler(config.dream, self.size, self._chance)

    def bump(self) -> None:
        """Wake a converged drawing: wash some of it off and splash some ink."""
        cloud = noise(self.size, self._noise, 40.0).mean(axis=-1)
        cloud = torch.from_numpy((cloud - cloud.mean()) / max(1e-6, cloud.std())).to(self._device)
        self._set((self._ink & (cloud < BUMP_WASH)) | (cloud < -BUMP_DROPS))

    def twist(self) -> None:
        """Wake a converged drawing: turn its middle a little, to a random side."""
        side = 1 if self._noise.random() < 0.5 else -1
        self._resample(swirl_grid(self.size, side * math.radians(TWIST_DEGREES), TWIST_REACH, self._device))

    def resize(self, size: tuple[int, int]) -> None:
        """Change the sheet's size to (height, width)."""
        if size == self.size:
            return
        drawn = F.interpolate(self._ink[None, None].float(), size=size, mode="bilinear", antialias=True, align_corners=False)
        self._ink = drawn[0, 0] > LINE
        self._age_s = F.interpolate(self._age_s[None, None], size=size)[0, 0]
        self.uphill = F.interpolate(self.uphill[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]

    def picture(self) -> np.ndarray:
        """Return the sheet at ``zoom.kept(pose)``, (H, W, 3) uint8 RGB: 0 where ink is, else 255."""
        return np.repeat(np.where(self._ink.cpu().numpy(), 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)

    def copy(self) -> Copy:
        """Return a finished copy of the current sheet."""
        return FinishedCopy(self.picture())

    def fault(self) -> str:
        """Say what is wrong: the ink itself is always valid; only the direction of the next step may not be finite."""
        return "" if bool(torch.isfinite(self.uphill).all()) else "the direction of its steps holds values that are not numbers"

    def keep(self) -> DreamState:
        """Return the state that is needed, besides the sheet, to continue from here."""
        arrays = {"uphill": self.uphill.cpu().numpy().copy(), "age_s": self._age_s.cpu().numpy().copy()}
        numbers = {"steps": self._steps, "since_s": min(self._since_s, LONG_S), **numpy_rng_state(self._noise)}
        whose = self._ensemble.name, "ink"
        return DreamState(*whose, self.pose, arrays | torch_rng_state(self._chance), numbers)

    def restore(self, picture: np.ndarray, pose: Pose, kept: DreamState | None = None) -> None:
        """Continue from an earlier ``picture`` and pose; dark parts of any other picture become ink that is washed off.

        Args:
            kept: what ``keep`` returned then or shortly before.
        """
        grey = np.asarray(picture, np.float32).mean(axis=-1)
        self._ink = torch.from_numpy(grey < 128).to(self._device)
        self._age_s, self.uphill = (torch.zeros(self.size, device=self._device) for _ in range(2))
        self.pose = pose
        if kept is None and bool(((grey > 0) & (grey < 255)).any()):  # the picture is in colour
            self._since_s, self._age_s = 0.0, self._age_s + 2 * TIE_S
        if kept is None:
            return
        for name, values in (("uphill", self.uphill), ("age_s", self._age_s)):
            found = kept.array(name, np.float32, 2)  # a little off if the sheet has moved since; that fades
            if found is not None and found.shape == self.size and bool(np.isfinite(found).all()):
                values.copy_(torch.from_numpy(found))
        self._steps, self._since_s = kept.count("steps"), kept.seconds("since_s")
        restore_rng(kept, self._chance, self._noise)

    def step(self, dt_s: float, camera_s: float | None = None) -> None:
        """Move the camera by ``dt_s`` seconds, fade old ink, and flip the pixels that matter most.

        Without a scene only the camera moves. A ``dt_s`` of 0 is a whole step without camera movement. ``camera_s`` is ignored:
        the sheet follows the camera in small leaps.
        """
        self._move(dt_s)
        regions = self._fading.advance(dt_s).regions
        if not regions:
            return
        whole_s = self._settings.step_s
        # Slower steps do not age ink faster: on a slow machine drawings would fade before they are finished.
        share = min(1.0, dt_s / whole_s) if whole_s > 0 and dt_s > 0 else 1.0
        self._bleach(share * whole_s if whole_s > 0 else dt_s)
        if not bool(self._fresh().any()):
            for region, part in regions:
                if part > 0:
                    self._plant(region)
        gradient = self._gradient(regions)
        memory = self._settings.memory
        self.uphill = memory * self.uphill - (1 - memory) * gradient / rms(gradient)
        self._set(
            self._ink
            ^ pixels_to_flip(
                self._ink, self.uphill, math.ceil(self._settings.flips * share), self._settings.reach_px, self._fresh()
            )
        )
        self._steps += 1

    def _gradient(self, regions: WeightedRegions) -> Tensor:
        """Return the objective's gradient over the sheet, (H, W), with this step's shift and size."""
        if self._sampler.size != self.size:
            self._sampler = ViewSampler(self._dream, self.size, self._chance)
        views = self._dream.views

        def show(network: Network, view: float) -> Transform:
            transform = self._sampler(network, view)
            return lambda paper: transform(self._tinted(network, paper))

        each = {
            member.name: auto_ink_views(member.trained_px) if views == "auto" else views for member in self._ensemble.members
        }
        paper = self._ink[None, None].logical_not().float()
        return self._objective.gradient(paper, regions, self._steps, each, show)[0, 0]

    def _first(self, size: tuple[int, int], start: np.ndarray | None) -> np.ndarray:
        """Return the first ink, (H, W) bool; discs follow with the first scene."""
        settings = self._settings
        if settings.start in ("auto", "image") and start is not None:
            return dark_mask(start, size, None if settings.threshold == "auto" else settings.threshold, self._fit)
        if settings.start in ("auto", "text") and settings.text.strip():
            return text_mask(size, settings.text)
        return np.zeros(size, bool)

    def _plant(self, region: Region) -> None:
        """Draw a disc in a region that has no ink, or only ink that is being washed off."""
        height, width = self.size
        x0, y0, x1, y1 = region.box
        rows, columns = slice(int(y0 * height), math.ceil(y1 * height)), slice(int(x0 * width), math.ceil(x1 * width))
        if bool(self._fresh()[rows, columns].any()):
            return
        spot = torch.from_numpy(disc_mask(self.size, ((x0 + x1) / 2, (y0 + y1) / 2), self._settings.radius_px)).to(self._device)
        self._set(self._ink | spot)
        self._age_s[spot] = 0.0

    def _fresh(self) -> Tensor:
        """Return the ink that stays: while an old drawing is washed off, only newer ink."""
        return self._ink if self._since_s >= self._settings.wash_s else self._ink & (self._age_s < self._since_s + TIE_S)

    def _set(self, ink: Tensor) -> None:
        """Replace the ink; ink that stays keeps its age."""
        self._age_s = torch.where(self._ink & ink, self._age_s, 0.0)
        self._ink = ink

    def _bleach(self, dt_s: float) -> None:
        """Age the ink and remove some of the oldest."""
        fade_s, wash_s = self._settings.fade_s, self._settings.wash_s
        left_s = max(wash_s - self._since_s, 0.0)
        self._age_s, self._since_s = self._age_s + dt_s, self._since_s + dt_s
        going = torch.zeros_like(self._age_s)
        if fade_s > 0:
            going[self._age_s > fade_s] = 1 - math.exp(-dt_s / (BLEACHING * fade_s))
        if left_s > 0:  # evenly, until none is left
            going[self._age_s > self._since_s + TIE_S] = min(1.0, dt_s / left_s)
        if bool(going.any()):
            self._set(self._ink & (torch.rand(self.size, generator=self._chance).to(self._device) >= going))

    def _move(self, dt_s: float) -> None:
        """Move the camera; the sheet follows in small leaps."""
        before, self.pose = zoom.kept(self.pose), zoom.advance(self.pose, self._motion, dt_s)
        after = zoom.kept(self.pose)
        if after != before:
            theta = normalised(zoom.sampling_matrix(before, after, self.size, self.size), self.size)
            self._resample(grid_for(theta, self.size, self._device))

    def _resample(self, grid: Tensor) -> None:
        """Turn or enlarge the sheet; areas that come into view are empty."""

        def read(values: Tensor, mode: str) -> Tensor:
            return F.grid_sample(values[None, None], grid, mode=mode, padding_mode="zeros", align_corners=False)[0, 0]

        oldest = F.max_pool2d(self._age_s[None, None], 3, stride=1, padding=1)[0, 0]  # new outline pixels inherit its age
        self._ink = read(self._ink.float(), "bilinear") > LINE
        self._age_s, self.uphill = read(oldest, "nearest"), read(self.uphill, "bilinear")


def auto_ink_views(trained_px: int) -> tuple[float, ...]:
    """Return the sizes at which a network sees the sheet, in turn: its shorter side as multiples of ``trained_px``."""
    return (0.7, 1.0) if trained_px >= LARGE_PX else (1.6, 3.0)


def pixels_to_flip(ink: Tensor, uphill: Tensor, flips: int, reach_px: int, home: Tensor | None = None) -> Tensor:
    """Choose the pixels to flip: black ones that should be lighter and white ones that should be darker, steepest first.

    Args:
        ink: (H, W) bool, the drawing.
        uphill: (H, W) float32, above 0 where the picture should be lighter.
        flips: largest number of pixels to flip.
        reach_px: how far from ink new ink may appear, along rows and columns; 0 for anywhere.
        home: (H, W) bool, the ink that ``reach_px`` counts from; None for all of it.

    Returns:
        (H, W) bool.
    """
    willing = torch.where(ink, uphill > 0, uphill < 0)
    if reach_px > 0:
        home = (ink if home is None else home)[None, None].float()
        willing &= ink | (F.max_pool2d(home, 2 * reach_px + 1, stride=1, padding=reach_px)[0, 0] > 0)
    steep = torch.where(willing, uphill.abs(), 0.0).flatten()
    best = steep.topk(min(flips, steep.numel()))
    chosen = torch.zeros_like(steep, dtype=torch.bool)
    chosen[best.indices[best.values > 0]] = True
    return chosen.view_as(ink)
