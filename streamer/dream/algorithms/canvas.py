"""The canvas: the picture that is being generated, its momentum, and its zoom."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from streamer import zoom
from streamer.dream.algorithms.host_copies import HostCopier
from streamer.dream.interface import Copy
from streamer.dream_state import DreamState
from streamer.messages.motion import Motion, Pose


def normalised(matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Convert a pixel map to the coordinates of ``grid_sample``, in which the picture's edges are at -1 and 1.

    Args:
        matrix: (2, 3) from target pixels to source pixels, pixel centres at integers; both pictures of one size.
        size: (height, width).

    Returns:
        (2, 3) float64.
    """
    height, width = size
    to_pixels = np.array([[width / 2, 0, (width - 1) / 2], [0, height / 2, (height - 1) / 2], [0, 0, 1]])
    theta: np.ndarray = (np.linalg.inv(to_pixels) @ np.vstack([matrix, [0, 0, 1]]) @ to_pixels)[:2]
    return theta


def grid_for(theta: np.ndarray, size: tuple[int, int], device: torch.device | str) -> Tensor:
    """Return the sampling grid of an affine map.

    Args:
        theta: (2, 3), as ``normalised`` returns it.
        size: (height, width).

    Returns:
        (1, H, W, 2) float32 for ``grid_sample`` with ``align_corners=False``.
    """
    height, width = size
    x, y = ((2 * torch.arange(count, device=device, dtype=torch.float64) + 1) / count - 1 for count in (width, height))
    grid = torch.empty(1, height, width, 2, device=device)
    for axis, (by_x, by_y, offset) in enumerate(theta.tolist()):  # a fraction of the time that affine_grid takes
        torch.add((by_x * x).float(), (by_y * y + offset).float()[:, None], out=grid[0, :, :, axis])
    return grid


def swirl_grid(size: tuple[int, int], radians: float, reach: float, device: torch.device | str) -> Tensor:
    """Return a sampling grid that turns the centre; the angle falls off toward the border as a bell curve.

    Args:
        size: (height, width).
        radians: the turn of the centre, counter-clockwise.
        reach: distance from the centre at which the angle is 1/e of that, in picture heights.

    Returns:
        (1, H, W, 2) float32, like ``grid_for``.
    """
    height, width = size
    y = (torch.arange(height, device=device, dtype=torch.float32) - (height - 1) / 2)[:, None]
    x = (torch.arange(width, device=device, dtype=torch.float32) - (width - 1) / 2)[None, :]
    angle = radians * torch.exp(-(x.square() + y.square()) / (reach * height) ** 2)
    cos, sin = angle.cos(), angle.sin()
    # On screens y points down, so a counter-clockwise turn reads the picture clockwise.
    return torch.stack([(cos * x - sin * y) / (width / 2), (sin * x + cos * y) / (height / 2)], dim=-1)[None]


MOMENTUM = "momentum"
"""Name of the momentum in a saved state."""
HALF_MOST = 60_000.0
"""Largest magnitude that is saved as float16."""
ROUNDING = 0.5
"""Levels by which a valid picture may exceed black and white."""


def sampled(picture: Tensor, grid: Tensor, mode: str, padding: str) -> Tensor:
    """Apply ``grid_sample`` to one picture with all threads.

    ``grid_sample`` distributes pictures over threads, not rows, so each band of rows is passed as a picture of its own.

    Args:
        picture: (1, C, H, W).
        grid: (1, h, w, 2), as ``grid_for`` returns it.
        mode: interpolation mode of ``grid_sample``.
        padding: padding mode of ``grid_sample``.

    Returns:
        (1, C, h, w) contiguous.
    """
    _, height, width, _ = grid.shape
    threads = torch.get_num_threads() if picture.device.type == "cpu" else 1
    bands = next(count for count in range(threads, 0, -1) if height % count == 0)
    shown = picture.contiguous().expand(bands, -1, -1, -1)
    found = F.grid_sample(shown, grid.reshape(bands, -1, width, 2), mode=mode, padding_mode=padding, align_corners=False)
    return found.transpose(0, 1).reshape(1, -1, height, width)


class Canvas:
    """A picture, float32 RGB in 0..255, (1, 3, H, W) contiguous, with the momentum of its steps and the camera's pose."""

    CHANGES = ("picture", "momentum", "pose")

    def __init__(self, picture: np.ndarray, device: torch.device | str = "cpu", pose: Pose | None = None) -> None:
        """Start from a picture (H, W, 3), uint8 or float, 0..255."""
        self.device = torch.device(device)
        start = torch.tensor(np.ascontiguousarray(picture, dtype=np.float32), device=self.device)
        self.picture = start.permute(2, 0, 1)[None].contiguous()
        self.momentum = torch.zeros_like(self.picture)
        self.pose = pose or Pose()
        self._copies = HostCopier(self.device)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.picture.shape[-2], self.picture.shape[-1]

    def move(self, motion: Motion, seconds: float) -> None:
        """Move the camera: resample picture (bicubic) and momentum (bilinear), reflected at the border."""
        target = zoom.advance(self.pose, motion, seconds)
        if target == self.pose:
            return
        theta = normalised(zoom.sampling_matrix(self.pose, target, self.size, self.size), self.size)
        # Reflection takes half as long again as repeating border pixels. When nothing comes from outside, both give the same,
        # apart from the outermost neighbours of the bicubic kernel.
        inside = bool((np.abs(theta).sum(1) <= 1).all())
        self.warp(grid_for(theta, self.size, self.device), "border" if inside else "reflection")
        self.pose = target

    def resize(self, size: tuple[int, int]) -> None:
        """Resample picture and momentum to another size, (height, width)."""
        if size == self.size:
            return
        picture = F.interpolate(self.picture, size=size, mode="bicubic", antialias=True, align_corners=False)
        momentum = F.interpolate(self.momentum, size=size, mode="bilinear", align_corners=False)
        self.picture = picture.clamp(0, 255).contiguous()
        self.momentum = momentum.contiguous()

    def warp(self, grid: Tensor, padding: str = "reflection") -> None:
        """Resample picture and momentum by a sampling grid, as ``grid_for`` returns it, with a padding of ``grid_sample``."""
        self.picture = sampled(self.picture, grid, "bicubic", padding).clamp_(0, 255)
        self.momentum = sampled(self.momentum, grid, "bilinear", padding)

    def array(self) -> np.ndarray:
        """Return the picture as (H, W, 3) uint8, C-contiguous."""
        return self.copy().array()

    def copy(self) -> Copy:
        """Start to copy the current picture to the host."""
        return self._copies.begin(self.picture)

    def fault(self) -> str:
        """Say in a few words what is wrong with the picture; empty when all of it is finite and within 0..255."""
        low, high = (float(bound) for bound in torch.aminmax(self.picture))  # NaN if any pixel is NaN
        if math.isnan(low) or math.isnan(high):
            return "it holds values that are not numbers"
        if low < -ROUNDING or high > 255 + ROUNDING:
            return f"it reaches from {low:.4g} to {high:.4g}, not from 0 to 255"
        return ""

    def kept(self) -> dict[str, np.ndarray]:
        """Return the momentum for a saved state, (3, H, W) float16."""
        return {MOMENTUM: self.momentum[0].clamp(-HALF_MOST, HALF_MOST).to(torch.float16).cpu().numpy()}

    def restore_momentum(self, kept: DreamState) -> None:
        """Restore a saved momentum, resampled to this size and to the camera's current pose; ignore an invalid one."""
        found = kept.array(MOMENTUM, np.float16, 3)
        if found is None or len(found) != 3 or not found.size or not bool(np.isfinite(found).all()):
            return
        momentum = torch.from_numpy(found.astype(np.float32))[None].to(self.device)
        if momentum.shape[-2:] != self.size:
            momentum = F.interpolate(momentum, size=self.size, mode="bilinear", align_corners=False)
        if kept.pose != self.pose:
            theta = normalised(zoom.sampling_matrix(kept.pose, self.pose, self.size, self.size), self.size)
            momentum = sampled(momentum, grid_for(theta, self.size, self.device), "bilinear", "reflection")
        self.momentum = momentum.contiguous()
