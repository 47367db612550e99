"""Statistics of natural pictures at close range, fitted to photographs: a Student-t prior on whitened 8x8x3 patches.

A patch, minus the level 128, is projected on 192 filters that make natural patches white and sparse; the penalty is the mean of
log(1 + z²/ν), the energy of a product of Student-t experts (Welling, Hinton, Osindero 2002, 'Learning Sparse Topographic
Representations with Products of Student-t Distributions', section 2), summed over pooled copies of the picture, so that coarse
and fine structure follow the same statistics. The same photographs give the colours that decorrelate the ascent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from streamer.errors import ZoomdreamError

PATCH = 8
"""Side of a patch in pixels."""
LEVEL = 128.0
"""Grey level that is subtracted from patches."""
KEYS = ("filters", "nu", "colour")


class PriorError(ZoomdreamError):
    """A prior file cannot be read, or photographs cannot be fitted."""


@dataclass(frozen=True, slots=True, eq=False)
class PriorParameters:
    """The parameters that are fitted to photographs."""

    filters: Tensor
    """(192, 3, 8, 8) float32, for values in 0..255 minus 128; responses to natural patches have unit variance."""
    nu: float
    """Scale of the Student-t distribution."""
    colour: Tensor
    """(3, 3) float32: covariance of the colours of natural pictures, scaled to unit mean variance."""

    @classmethod
    def read(cls, path: Path) -> PriorParameters:
        """Read a fitted prior.

        Raises:
            PriorError: not a prior file; the message names the file and what is wrong.
        """
        try:
            with safe_open(path, "pt") as file:
                missing = [key for key in KEYS if key not in file.keys()]  # noqa: SIM118  (not a mapping)
                if missing:
                    raise PriorError(f"{path}: no tensor {missing[0]!r}; make a prior file with 'zoomdream fit-prior'")
                filters, nu, colour = (file.get_tensor(key).float() for key in KEYS)
        except (OSError, SafetensorError) as error:
            raise PriorError(f"{path}: cannot be read as a patch prior ({error})") from error
        if filters.shape[1:] != (3, PATCH, PATCH) or colour.shape != (3, 3):
            raise PriorError(f"{path}: filters have shape {tuple(filters.shape)}; must be (n, 3, {PATCH}, {PATCH})")
        return cls(filters, float(nu), colour)

    def write(self, path: Path) -> None:
        """Write the parameters as a safetensors file."""
        save_file(
            {"filters": self.filters.contiguous(), "nu": torch.tensor(self.nu), "colour": self.colour.contiguous()}, str(path)
        )


def _patches(pictures: Iterable[np.ndarray], per_picture: int, generator: np.random.Generator) -> np.ndarray:
    """Draw random patches (n, 3, 8, 8) float32, minus 128, at full and half size; skip pictures smaller than a patch."""
    found = []
    for picture in pictures:
        full = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None] - LEVEL
        for scaled in (full, F.avg_pool2d(full, 2) if min(full.shape[-2:]) >= 2 else full):
            height, width = scaled.shape[-2:]
            if min(height, width) < PATCH:
                continue
            array = scaled[0].numpy()
            tops = generator.integers(0, height - PATCH + 1, per_picture // 2)
            lefts = generator.integers(0, width - PATCH + 1, per_picture // 2)
            found.append(np.stack([array[:, t : t + PATCH, u : u + PATCH] for t, u in zip(tops, lefts, strict=True)]))
    if not found:
        raise PriorError("no photograph of at least 8x8 pixels was given")
    return np.concatenate(found)


def fit(
    pictures: Iterable[np.ndarray],
    seed: int = 1,
    per_picture: int = 2000,
    rounds: int = 60,
    progress: Callable[[float], None] = lambda fraction: None,
) -> PriorParameters:
    """Fit filters, scale and colours to photographs.

    The patches are whitened by their principal components (with a floor that keeps camera noise from being amplified), then
    rotated so that a product of Student-t experts gives them the highest likelihood (independent component analysis by
    fixed-point iteration, Hyvärinen 1999, with the Student-t score as its nonlinearity).

    Args:
        pictures: (H, W, 3) uint8 RGB photographs.
        seed: seed of the choice of patches.
        per_picture: number of patches from each photograph.
        rounds: fixed-point iterations.
        progress: called with the fraction done, 0..1.

    Raises:
        PriorError: no photograph is large enough.
    """
    generator = np.random.default_rng(seed)
    patches = _patches(pictures, per_picture, generator)
    pixels = patches.transpose(0, 2, 3, 1).reshape(-1, 3)
    colour = np.cov(pixels[:: max(1, len(pixels) // 500_000)].T)
    flat = torch.from_numpy(patches.reshape(len(patches), -1)).double()
    covariance = flat.T @ flat / len(flat)
    variances, directions = torch.linalg.eigh(covariance)
    floor = variances.mean() * 1e-5 + 0.25  # a quarter of a grey level squared: below that is rounding and compression
    whitening = directions.T / torch.sqrt(variances + floor)[:, None]
    white = flat @ whitening.T
    count = white.shape[1]
    rotation = torch.linalg.qr(torch.from_numpy(generator.standard_normal((count, count))))[0]
    nu = 1.0
    for round_number in range(rounds):
        some = white[torch.from_numpy(generator.integers(0, len(white), min(len(white), 60_000)))]
        z = some @ rotation.T
        score, slope = z / (nu + z.square()), (nu - z.square()) / (nu + z.square()).square()
        rotation = score.T @ some / len(some) - slope.mean(0)[:, None] * rotation
        left, _, right = torch.linalg.svd(rotation, full_matrices=False)
        rotation = left @ right
        progress((round_number + 1) / (rounds + 1))
    responses = (white @ rotation.T)[:: max(1, len(white) // 100_000)]
    candidates = np.geomspace(0.05, 5.0, 60)
    # Energy (α log(1 + z²/ν)) with its normaliser for α = 1.5: Student-t with two degrees of freedom, scale √(ν/2).
    likelihoods = [float((1.5 * torch.log1p(responses.square() / nu)).mean() + 0.5 * np.log(nu)) for nu in candidates]
    nu = float(candidates[int(np.argmin(likelihoods))])
    progress(1.0)
    filters = (rotation @ whitening).reshape(count, 3, PATCH, PATCH).float()
    return PriorParameters(filters, nu, torch.from_numpy(colour / np.trace(colour) * 3).float())
