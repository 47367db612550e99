"""A member in training, on disk: enough to continue with the next step."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bundled_net import TrainingError
from bundled_net.net import Member


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that determines a member; its seed determines the random numbers."""

    member: Member
    wnids: tuple[str, ...]
    pictures: int
    """Number of training pictures."""
    steps: int
    """Total."""
    batch: int
    attack_steps: int
    rate: float
    """Highest learning rate."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The content of a file; tensors are on the CPU when read."""

    recipe: Recipe
    step: int
    """Steps done."""
    net: Mapping[str, Tensor]
    """State dict of the network."""
    mean: Mapping[str, Tensor]
    """State dict of its moving average, which is what ships."""
    optimiser: dict[str, Any]

    @property
    def epochs(self) -> float:
        """How often training has shown each picture so far."""
        return self.step * self.recipe.batch / self.recipe.pictures


def path_of(work: Path, name: str) -> Path:
    """Return the path of a member's checkpoint."""
    return work / f"{name}.pt"


def save(file: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically, in place of an older one.

    Raises:
        TrainingError: it cannot be written.
    """
    part = file.with_suffix(".part")
    recipe = asdict(checkpoint.recipe)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as opened:
            torch.save(
                {
                    "recipe": recipe,
                    "step": checkpoint.step,
                    "net": dict(checkpoint.net),
                    "mean": dict(checkpoint.mean),
                    "optimiser": checkpoint.optimiser,
                },
                opened,
            )
        os.replace(part, file)
    except OSError as error:
        raise TrainingError(f"{file}: cannot be written: {error}") from error


def load(file: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        TrainingError: it is missing, damaged or no checkpoint.
    """
    try:
        said = torch.load(file, map_location="cpu", weights_only=True)
        recipe = said["recipe"]
        member = Member(**recipe["member"] | {"widths": tuple(recipe["member"]["widths"])})
        recipe = Recipe(**recipe | {"member": member, "wnids": tuple(recipe["wnids"])})
        return Checkpoint(recipe, int(said["step"]), said["net"], said["mean"], said["optimiser"])
    except FileNotFoundError as error:
        raise TrainingError(f"{file}: there is no such checkpoint; train this member first") from error
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise TrainingError(
            f"{file}: not a checkpoint of this program, or damaged ({type(error).__name__}: {error})"
        ) from error


def require_same(file: Path, begun: Recipe, wanted: Recipe) -> None:
    """Refuse to continue a checkpoint with another recipe.

    Raises:
        TrainingError: they differ; the text says where.
    """
    old, new = (asdict(recipe) | asdict(recipe.member) for recipe in (begun, wanted))
    for key in ("member", "name", "epochs"):  # other fields cover them
        del old[key], new[key]
    for key, value in old.items():
        if value != new[key]:
            shown = f"{value}, not {new[key]}" if key != "wnids" else "other classes"
            raise TrainingError(f"{file}: was begun with {key} {shown}; ask for that again, take another --work or delete it")
