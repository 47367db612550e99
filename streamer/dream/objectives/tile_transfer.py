"""Tiles of large pictures as arrays, to send them to another process and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streamer.dream.networks.layers import LayerHook
from streamer.dream.objectives.region_weights import WeightedRegions
from streamer.dream.objectives.scene import SceneObjective
from streamer.dream.objectives.tiling import Span, Tile


@dataclass(frozen=True, slots=True, eq=False)
class SentTile:
    """A tile as arrays; see ``Tile``."""

    shown: np.ndarray
    """(1, 3, h, w) float32."""
    rows: Span
    columns: Span
    map_sizes: Mapping[LayerHook, tuple[int, int]]


def pack_tile(tile: Tile[LayerHook]) -> SentTile:
    """Convert a tile to arrays."""
    return SentTile(tile.shown.detach().cpu().numpy(), tile.rows, tile.columns, dict(tile.map_sizes))


def tile_gradients(objective: SceneObjective, groups: Sequence[WeightedRegions], tile: SentTile) -> list[np.ndarray | None]:
    """Return the gradients of several losses over a received tile, as arrays; see ``SceneObjective.tile_gradients``."""
    shown = torch.from_numpy(np.array(tile.shown)).to(objective.network.device)
    gradients = objective.tile_gradients(groups, Tile(shown, tile.rows, tile.columns, tile.map_sizes))
    return [None if each is None else each.cpu().numpy() for each in gradients]


def unpack_gradients(gradients: Sequence[np.ndarray | None]) -> list[Tensor | None]:
    """Convert received gradients to tensors."""
    return [None if each is None else torch.from_numpy(np.array(each)) for each in gradients]
