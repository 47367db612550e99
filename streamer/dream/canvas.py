"""The picture being dreamt, its momentum, and its zoom."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from streamer import zoom
from streamer.messages import Motion, Pose


def grid_for(matrix: np.ndarray, size: tuple[int, int], device: torch.device | str) -> Tensor:
    """A pixel map as a sampling grid.

    Args:
        matrix: (2, 3) from target pixels to source pixels, pixel centres at integers; both pictures of one size.
        size: (height, width).

    Returns:
        (1, H, W, 2) float32 for ``grid_sample`` with ``align_corners=False``.
    """
    height, width = size
    to_pixels = np.array([[width / 2, 0, (width - 1) / 2], [0, height / 2, (height - 1) / 2], [0, 0, 1]])
    theta = np.linalg.inv(to_pixels) @ np.vstack([matrix, [0, 0, 1]]) @ to_pixels
    return F.affine_grid(torch.tensor(theta[None, :2], dtype=torch.float32), [1, 3, height, width], align_corners=False).to(
        device
    )


def twist_grid(size: tuple[int, int], radians: float, reach: float, device: torch.device | str) -> Tensor:
    """A turn of the middle against the border as a sampling grid; a point's turn falls with its distance as a bell curve.

    Args:
        size: (height, width).
        radians: the turn of the centre, counter-clockwise.
        reach: distance at which the turn is 1/e of that, in heights of the picture.

    Returns:
        As ``grid_for`` does.
    """
    height, width = size
    y = (torch.arange(height, device=device, dtype=torch.float32) - (height - 1) / 2)[:, None]
    x = (torch.arange(width, device=device, dtype=torch.float32) - (width - 1) / 2)[None, :]
    angle = radians * torch.exp(-(x.square() + y.square()) / (reach * height) ** 2)
    cos, sin = angle.cos(), angle.sin()
    # On screens y points down, so a counter-clockwise turn reads the picture clockwise.
    return torch.stack([(cos * x - sin * y) / (width / 2), (sin * x + cos * y) / (height / 2)], dim=-1)[None]


class Canvas:
    """float32 RGB in 0..255, (1, 3, H, W) channels-last, with the momentum of its ascent and the pose of its camera."""

    def __init__(self, picture: np.ndarray, device: torch.device | str = "cpu", pose: Pose | None = None) -> None:
        """Start from a picture (H, W, 3), uint8 or float, 0..255."""
        self.device = torch.device(device)
        start = torch.tensor(np.ascontiguousarray(picture, dtype=np.float32), device=self.device)
        self.picture = start.permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)
        self.momentum = torch.zeros_like(self.picture)
        self.pose = pose or Pose()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.picture.shape[-2], self.picture.shape[-1]

    def move(self, motion: Motion, seconds: float) -> None:
        """Move the camera on: picture and momentum are resampled, bicubic, reflected at the border."""
        target = zoom.advance(self.pose, motion, seconds)
        if target == self.pose:
            return
        matrix = zoom.sampling_matrix(self.pose, target, self.size, self.size)
        grid = grid_for(matrix, self.size, self.device)
        self.picture = self._sample(self.picture, grid, "bicubic").clamp_(0, 255)
        self.momentum = self._sample(self.momentum, grid, "bilinear")
        self.pose = target

    def resize(self, size: tuple[int, int]) -> None:
        """Go on at another size, (height, width)."""
        if size == self.size:
            return
        picture = F.interpolate(self.picture, size=size, mode="bicubic", antialias=True, align_corners=False)
        momentum = F.interpolate(self.momentum, size=size, mode="bilinear", align_corners=False)
        self.picture = picture.clamp(0, 255).contiguous(memory_format=torch.channels_last)
        self.momentum = momentum.contiguous(memory_format=torch.channels_last)

    def warp(self, grid: Tensor) -> None:
        """Let each pixel come from elsewhere; the grid is one for ``grid_sample``, as ``grid_for`` makes them."""
        self.picture = self._sample(self.picture, grid, "bicubic").clamp_(0, 255)
        self.momentum = self._sample(self.momentum, grid, "bilinear")

    def array(self) -> np.ndarray:
        """The picture as (H, W, 3) uint8, C-contiguous."""
        rounded = self.picture[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8)
        return np.ascontiguousarray(rounded.cpu().numpy())

    @staticmethod
    def _sample(picture: Tensor, grid: Tensor, mode: str) -> Tensor:
        sampled = F.grid_sample(picture, grid, mode=mode, padding_mode="reflection", align_corners=False)
        return sampled.contiguous(memory_format=torch.channels_last)
