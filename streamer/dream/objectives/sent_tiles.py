"""Tiles of large pictures on their way to another process and back, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streamer.dream.networks.layers import Tap
from streamer.dream.objectives.scene import SceneObjective
from streamer.dream.objectives.strength import Weighted
from streamer.dream.objectives.tiles import Span, Tile


@dataclass(frozen=True, slots=True, eq=False)
class SentTile:
    """A tile, as ``Tile`` has it."""

    shown: np.ndarray
    """(1, 3, h, w) float32."""
    rows: Span
    columns: Span
    wholes: Mapping[Tap, tuple[int, int]]


def sent(tile: Tile[Tap]) -> SentTile:
    """A tile to be sent."""
    return SentTile(tile.shown.detach().cpu().numpy(), tile.rows, tile.columns, dict(tile.wholes))


def look_at(objective: SceneObjective, groups: Sequence[Weighted], tile: SentTile) -> list[np.ndarray | None]:
    """The gradients of several losses over a tile that was sent, to be sent back; as ``SceneObjective.look`` says."""
    shown = torch.from_numpy(np.array(tile.shown)).to(objective.network.device)
    found = objective.look(groups, Tile(shown, tile.rows, tile.columns, tile.wholes))
    return [None if each is None else each.cpu().numpy() for each in found]


def taken(found: Sequence[np.ndarray | None]) -> list[Tensor | None]:
    """The gradients that came back."""
    return [None if each is None else torch.from_numpy(np.array(each)) for each in found]
