"""Tiles of large pictures on their way to another process and back, as arrays."""

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
    """A tile, as ``Tile`` has it."""

    shown: np.ndarray
    """(1, 3, h, w) float32."""
    rows: Span
    columns: Span
    map_sizes: Mapping[LayerHook, tuple[int, int]]


def pack_tile(tile: Tile[LayerHook]) -> SentTile:
    """A tile to be sent."""
    return SentTile(tile.shown.detach().cpu().numpy(), tile.rows, tile.columns, dict(tile.map_sizes))


def tile_gradients(objective: SceneObjective, groups: Sequence[WeightedRegions], tile: SentTile) -> list[np.ndarray | None]:
    """The gradients of several losses over a tile that was sent, to be sent back; as ``SceneObjective.look`` says."""
    shown = torch.from_numpy(np.array(tile.shown)).to(objective.network.device)
    found = objective.look(groups, Tile(shown, tile.rows, tile.columns, tile.map_sizes))
    return [None if each is None else each.cpu().numpy() for each in found]


def unpack_gradients(found: Sequence[np.ndarray | None]) -> list[Tensor | None]:
    """The gradients that came back."""
    return [None if each is None else torch.from_numpy(np.array(each)) for each in found]
