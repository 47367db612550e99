"""A dream on a moving picture: the overlay, which the dream adds to the picture, is warped along when the picture moves.

    start = new picture + warped(last dream - last picture)

The video dreams of 2015 did this with Farneback's flow. In addition, areas that were hidden before start without an overlay,
and the overlay is limited: it fades in time, keeps the picture's brightness and does not exceed a strength. Otherwise a still
shot would brighten and burn out.
"""

from __future__ import annotations

import math
from typing import Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.config import Config
from streamer.dream.algorithms.canvas import Canvas
from streamer.dream.interface import Copy, Dreaming, Inspectable
from streamer.dream.sources.noise import noise
from streamer.dream_state import DreamState
from streamer.messages.keyframes import SourcePicture
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene
from streamer.messages.step_view import StepView
from streamer.optical_flow import Flow, Tracker, places, search_image

CELLS = 9
"""Cells over the picture's height in which brightness and strength are limited."""
SHADE = 10.0
"""Largest change of a cell's brightness by the overlay, in levels."""
TINT = 14.0
"""Largest shift of a cell's colour by the overlay, in levels."""
STRENGTH = 34.0
"""Standard deviation, in levels, above which a cell's overlay is pulled back."""
BUMP_CONTRAST, BUMP_KEEP = 24.0, 0.4
"""A bump: the standard deviation of its noise, in levels, and the share of the overlay that it keeps."""
KEPT_LEAST = 0.95
"""Smallest share of the overlay that a step keeps, however long it took: on a slow machine nothing would grow otherwise."""
PULL = 0.25
"""Share of the excess that each step removes."""


class PaintableDream(Dreaming, Inspectable, Protocol):
    """A dream whose canvas can be painted on."""

    @property
    def canvas(self) -> Canvas:
        """The canvas."""


def config_for_riding(config: Config) -> Config:
    """Return the settings for a dream on a moving picture: without zoom, and with a limit on the overlay only."""
    return config.model_copy(
        update={
            "zoom": config.zoom.model_copy(update={"speed": 1.0, "rotation": 0.0}),
            "dream": config.dream.model_copy(update={"leash": 0.0}),
        }
    )


class FlowWarpedDream:
    """A dream on a moving picture. Not thread-safe; the same seed, steps and pictures give the same dream."""

    CHANGES = ("_dream", "_noise", "_grey", "_source_picture")

    def __init__(self, dream: PaintableDream, decay_s: float, seed: int) -> None:
        """Wrap a dream; until the first picture arrives, it runs by itself.

        Args:
            dream: made with the settings that ``config_for_riding`` returns.
            decay_s: seconds in which the overlay fades to 1/e.
            seed: seed of the noise of a bump.
        """
        self._dream, self._decay_s = dream, decay_s
        self._noise = np.random.default_rng(seed)
        self._tracker = Tracker()
        self._base: Tensor | None = None
        """The base picture, in the format of the canvas' picture."""
        self._grey: np.ndarray | None = None
        self._source_picture: SourcePicture | None = None

    @property
    def source_picture(self) -> SourcePicture | None:
        """The base picture, at the canvas' size; None before the first."""
        return self._source_picture

    def ride(self, picture: SourcePicture, dt_s: float) -> None:
        """Move the dream onto a base picture, the same as before or a newer one.

        Args:
            dt_s: seconds since the last call, in which the overlay fades.
        """
        canvas = self._dream.canvas
        if self._base is None or self._grey is None:
            self._set_base(picture)
            assert self._base is not None
            canvas.picture = self._base.clone()
            return
        added = canvas.picture - self._base
        if self._source_picture is None or picture.number != self._source_picture.number:
            before = (0 if self._source_picture is None else self._source_picture.number), self._grey
            self._set_base(picture)
            flow = self._tracker.flow(before, (picture.number, self._grey))
            if not flow.still:
                added, canvas.momentum = _warped(added, flow), _warped(canvas.momentum, flow)
        added = limit_overlay(added, max(KEPT_LEAST, math.exp(-dt_s / self._decay_s)))
        canvas.picture = (self._base + added).clamp(0, 255).contiguous()

    def observe(self, picture: SourcePicture) -> None:
        """Track the motion in a picture that is not a base picture; call it from any thread, a few times a second."""
        self._tracker.see(picture.number, search_image(picture.image), picture.time_s)

    def _set_base(self, picture: SourcePicture) -> None:
        height, width = self.size
        image = picture.image
        self._grey = search_image(image)
        if image.shape[:2] != (height, width):
            shrinks = image.shape[1] > width
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        self._source_picture = SourcePicture(image, picture.number, picture.time_s)
        self._base = Canvas(image, self._dream.canvas.device).picture

    # The interface of Dreaming

    @property
    def pose(self) -> Pose:
        """The camera's pose."""
        return self._dream.pose

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the canvas."""
        return self._dream.size

    def scene(self, scene: Scene) -> None:
        """Crossfade to another scene."""
        self._dream.scene(scene)

    def motion(self, motion: Motion) -> None:
        """Use only the motion's ``drive``, which scales the steps: the camera does not move."""
        self._dream.motion(Motion(1.0, 0.0, motion.drive))

    def tune(self, config: Config) -> None:
        """Use other settings from the next step on."""
        self._decay_s = config.source.decay_s
        self._dream.tune(config_for_riding(config))

    def bump(self) -> None:
        """Wake a converged dream: replace most of the overlay by coloured noise."""
        if self._base is None:
            self._dream.bump()
            return
        canvas = self._dream.canvas
        added_noise = Canvas(noise(self.size, self._noise, BUMP_CONTRAST), canvas.device).picture - 128
        changed = self._base + BUMP_KEEP * (canvas.picture - self._base) + added_noise
        canvas.picture = changed.clamp(0, 255).contiguous()

    def twist(self) -> None:
        """Wake a converged dream like ``bump``: the picture itself must not turn."""
        self.bump()

    def step(self, dt_s: float, camera_s: float | None = None) -> None:
        """Take one step."""
        self._dream.step(dt_s, camera_s)

    def resize(self, size: tuple[int, int]) -> None:
        """Change the canvas size to (height, width)."""
        if size == self.size:
            return
        self._dream.resize(size)
        if self._source_picture is not None:
            self._set_base(self._source_picture)

    def picture(self) -> np.ndarray:
        """Return the current picture, (H, W, 3) uint8 RGB."""
        return self._dream.picture()

    def copy(self) -> Copy:
        """Start to copy the current picture to the host."""
        return self._dream.copy()

    def fault(self) -> str:
        """Say what is wrong with the picture; empty when nothing is."""
        return self._dream.fault()

    def inspect(self) -> StepView | None:
        """Return pictures of the next step's components."""
        return self._dream.inspect()

    def keep(self) -> DreamState:
        """Return the state that is needed, besides the picture, to continue from here."""
        return self._dream.keep()

    def went_on(self) -> None:
        """Rebuild the base after a saved dream's attributes are restored."""
        if self._source_picture is not None:
            self._base = Canvas(self._source_picture.image, self._dream.canvas.device).picture

    def restore(self, picture: np.ndarray, pose: Pose, kept: DreamState | None = None) -> None:
        """Continue from an earlier picture (H, W, 3), 0..255; then call ``ride`` with the base picture it had."""
        self._dream.restore(picture, pose, kept)
        if self._source_picture is not None:
            self._set_base(self._source_picture)


def limit_overlay(added: Tensor, keep: float) -> Tensor:
    """Limit the overlay, which a dream adds to a picture.

    Args:
        added: (1, 3, H, W), in levels.
        keep: share of the overlay that is kept.

    Returns:
        The faded overlay; its large shapes stay near the picture's brightness and colour, its contrast at about ``STRENGTH``.
    """
    height, width = added.shape[-2:]
    grid = (min(CELLS, height), min(max(1, round(CELLS * width / height)), width))

    def spread(cells: Tensor) -> Tensor:
        return F.interpolate(cells, size=(height, width), mode="bilinear", align_corners=False)

    added = added - added.mean((1, 2, 3), keepdim=True)
    cells = F.adaptive_avg_pool2d(added, grid)
    luma = cells.mean(1, keepdim=True)
    tint = cells - luma
    excess = (luma - luma.clamp(-SHADE, SHADE)) + (tint - tint.clamp(-TINT, TINT))
    deviation = F.adaptive_avg_pool2d((added - spread(cells)).square().mean(1, keepdim=True), grid).sqrt().clamp_min(1e-3)
    gain = 1 - PULL * (1 - (STRENGTH / deviation).clamp_max(1.0))
    return (added - PULL * spread(excess)) * spread(gain) * keep


def _warped(added: Tensor, flow: Flow) -> Tensor:
    """Warp an overlay (1, C, H, W) from the earlier picture to the later one; 0 where the flow is unknown."""
    height, width = added.shape[-2:]
    at = torch.from_numpy(places(flow, (height, width))).to(added.device)
    at = (at * 2 + 1) / torch.tensor([width, height], device=added.device) - 1
    moved = F.grid_sample(added, at[None], mode="bicubic", padding_mode="border", align_corners=False)
    trust = torch.from_numpy(flow.trust).to(added.device)[None, None]
    trust = F.interpolate(trust, size=(height, width), mode="bilinear", align_corners=False)
    return (moved * trust).contiguous()
