"""The gradient of large pictures in tiles: exact, in the memory of one tile.

An objective that is a sum over positions of the network's maps splits into tiles: each tile owns some positions, sees the
picture around them up to their receptive field, and adds its gradient in its area. Nothing is blended, so there is no seam to
hide: the result is the whole picture's gradient, apart from rounding.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from streamer.dream.networks.fused import unfused

Key = TypeVar("Key", bound=Hashable)
"""Names a map, for example a layer's."""

PROBE_PX = 256
"""Width of the first strip with which the receptive field is measured."""
PROBE_LIMIT_PX = 1 << 15


@dataclass(frozen=True, slots=True)
class MapArea:
    """The area of a piece within a whole map, in positions."""

    top: int
    left: int
    whole: tuple[int, int]
    """(height, width) of the whole map."""

    def cut(self, whole: Tensor, piece: Tensor) -> Tensor:
        """Cut the part over ``piece`` out of values over the whole map, (…, height, width)."""
        height, width = piece.shape[-2:]
        return whole[..., self.top : self.top + height, self.left : self.left + width]


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The pixels that a map's position sees: from ``before`` pixels before its anchor to ``after`` pixels after it."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Span:
    """A tile along one side of the picture, in pixels."""

    start: int
    """First pixel that the network sees; a multiple of its grid."""
    stop: int
    first: int
    """Anchor of the first position that the tile owns."""
    last: int | None
    """Anchor after its last position; None for all up to the end."""


Losses = Callable[[Mapping[Key, Tensor], Mapping[Key, MapArea]], Sequence[Tensor]]
"""Maps pieces of the maps and their areas to their parts of each loss; the sum over all pieces is the loss of the whole. A map
is missing if the tile owns none of its positions."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile(Generic[Key]):
    """A tile, to be computed here or by another process that has the network."""

    shown: Tensor
    """(1, 3, h, w) float32: its part of the picture and the surroundings."""
    rows: Span
    columns: Span
    map_sizes: Mapping[Key, tuple[int, int]]
    """(height, width) of the whole maps."""


class Tiling(Generic[Key]):
    """Computes gradients of large pictures in tiles."""

    def __init__(
        self, forward: Callable[[Tensor], Mapping[Key, Tensor]], strides: Mapping[Key, int], tile_px: int, least_px: int
    ) -> None:
        """Measure the network's receptive field.

        Args:
            forward: maps a picture, (1, 3, H, W) float32, to maps (1, C, h, w).
            strides: pixels from one position of each map to the next; each divides the largest.
            tile_px: side of the square that the network may see at once. If its receptive field is nearly as large, tiles are
                larger: each owns at least half of what it sees.
            least_px: smallest side of a picture that gives every map a position.

        Raises:
            ValueError: a position of a map sees the whole picture.
        """
        self._forward, self._strides = forward, dict(strides)
        self._grid = max(self._strides.values())
        fields = [_receptive_field(forward, key, stride, self._grid, least_px) for key, stride in self._strides.items()]
        self._receptive_field = ReceptiveField(max(field.before for field in fields), max(field.after for field in fields))
        self._tile_px = tile_px

    @property
    def receptive_field(self) -> ReceptiveField:
        """The largest receptive field of all maps."""
        return self._receptive_field

    @property
    def shown_px(self) -> int:
        """Side of the largest square that the network sees at once."""
        return self._own_px + self._receptive_field.before + self._receptive_field.after + self._grid

    def count(self, size: tuple[int, int]) -> int:
        """Return the number of tiles of a picture of (height, width)."""
        return math.prod(len(list(self._spans(side))) for side in size)

    def gradients(
        self,
        picture: Tensor,
        losses: Losses[Key],
        remote: Callable[[Sequence[Tile[Key]]], Iterable[Sequence[Tensor | None]]] | None = None,
    ) -> list[Tensor]:
        """Return the gradients of the losses over the picture, (1, 3, H, W) each.

        Args:
            picture: (1, 3, H, W) float32.
            losses: computes the pieces' parts of each loss.
            remote: computes tiles like ``tile_gradients``, in their order; None computes all of them here.
        """
        map_sizes: dict[Key, tuple[int, int]] = {}
        height, width = picture.shape[-2:]
        # The last corner comes first: it determines the size of the whole maps.
        spans = [
            (rows, columns) for rows in reversed(list(self._spans(height))) for columns in reversed(list(self._spans(width)))
        ]
        tiles = [
            Tile(picture[..., rows.start : rows.stop, columns.start : columns.stop], rows, columns, map_sizes)
            for rows, columns in spans
        ]
        corner, rest = self.tile_gradients(tiles[0], losses, map_sizes), tiles[1:]
        others = (self.tile_gradients(tile, losses) for tile in rest) if remote is None else remote(rest)
        found: list[Tensor] = []
        for tile, gradients in zip(tiles, itertools.chain([corner], others), strict=True):
            found = found or [torch.zeros_like(picture) for _ in gradients]
            for whole, gradient in zip(found, gradients, strict=False):  # a tile without positions has none
                if gradient is not None:
                    part = whole[..., tile.rows.start : tile.rows.stop, tile.columns.start : tile.columns.stop]
                    part += gradient.to(part.device)
        return found

    def tile_gradients(
        self, tile: Tile[Key], losses: Losses[Key], map_sizes: dict[Key, tuple[int, int]] | None = None
    ) -> list[Tensor | None]:
        """Return the gradients of the losses over a tile, of its shape; None for a loss that does not depend on the tile.

        Args:
            tile: the tile.
            losses: computes the pieces' parts of each loss.
            map_sizes: filled from the last corner, the only tile that determines the sizes of the maps; None for other tiles.
        """
        shown = tile.shown.detach().requires_grad_(True)
        known = dict(tile.map_sizes) if map_sizes is None else map_sizes
        pieces, places = self._pieces(self._forward(shown), tile.rows, tile.columns, known)
        if not pieces:
            return []
        parts = list(losses(pieces, places))
        return [
            torch.autograd.grad(part, shown, retain_graph=number + 1 < len(parts))[0] if part.requires_grad else None
            for number, part in enumerate(parts)
        ]

    def _pieces(
        self, maps: Mapping[Key, Tensor], rows: Span, columns: Span, map_sizes: dict[Key, tuple[int, int]]
    ) -> tuple[dict[Key, Tensor], dict[Key, MapArea]]:
        """Return the positions that a tile owns, of each map that has any there, and their areas."""
        pieces: dict[Key, Tensor] = {}
        places: dict[Key, MapArea] = {}
        for key, seen in maps.items():
            stride = self._strides[key]
            top, left = rows.start // stride, columns.start // stride
            if key not in map_sizes:
                map_sizes[key] = (top + seen.shape[-2], left + seen.shape[-1])
            first_row, first_column = rows.first // stride, columns.first // stride
            last_row = map_sizes[key][0] if rows.last is None else rows.last // stride
            last_column = map_sizes[key][1] if columns.last is None else columns.last // stride
            piece = seen[..., first_row - top : last_row - top, first_column - left : last_column - left]
            if piece.numel():
                pieces[key], places[key] = piece, MapArea(first_row, first_column, map_sizes[key])
        return pieces, places

    @property
    def _own_px(self) -> int:
        """Most pixels along a side that a tile owns."""
        around = self._receptive_field.before + self._receptive_field.after
        return max(self._tile_px - around, around) // self._grid * self._grid or self._grid

    def _spans(self, side: int) -> Iterator[Span]:
        """Yield the tiles along one side, of about equal length."""
        count = math.ceil(side / self._own_px)
        cuts = [round(side * number / count / self._grid) * self._grid for number in range(count)]
        for first, last in zip(cuts, [*cuts[1:], None], strict=True):
            start = max(0, first - self._receptive_field.before) // self._grid * self._grid
            stop = side if last is None else min(side, last + self._receptive_field.after)
            yield Span(start, stop, first, last)


def _receptive_field(
    forward: Callable[[Tensor], Mapping[Key, Tensor]], key: Key, stride: int, grid: int, least_px: int
) -> ReceptiveField:
    """Measure the receptive field: one column of a strip is NaN, and so are all positions that see it."""
    width = PROBE_PX
    while width <= PROBE_LIMIT_PX:
        at = width // 2 // grid * grid
        strip = torch.zeros(1, 3, max(least_px, grid), width + least_px)
        strip[..., at] = math.nan
        with torch.no_grad(), unfused():
            seen = forward(strip)[key]
        reached = seen.isnan().any(dim=1)[0].any(dim=0).nonzero()[:, 0].tolist()
        if reached and reached[0] > 0 and reached[-1] < seen.shape[-1] - 1:
            return ReceptiveField(before=reached[-1] * stride - at + stride - 1, after=at - reached[0] * stride + stride)
        width *= 2
    raise ValueError(f"a position of '{key}' sees the whole picture, so the picture cannot be tiled")
