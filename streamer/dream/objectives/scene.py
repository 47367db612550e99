"""The loss of the scenes on air: targets of every kind, each over its own part of the picture, and its gradient."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

import torch
from torch import Tensor

from streamer.dream.interface import DreamError
from streamer.dream.networks.layers import LayerHook
from streamer.dream.networks.network import Network
from streamer.dream.objectives.masks import Box, region_mask
from streamer.dream.objectives.objective import Objective
from streamer.dream.objectives.region_weights import WeightedRegions, gradient_weight, rms
from streamer.dream.objectives.registry import OBJECTIVES
from streamer.dream.objectives.tiling import Losses, MapArea, Tile, Tiling
from streamer.messages.scenes import Region, Target

TILE_PX = 1280
"""Side of the square that a network is shown at once, where the settings say nothing else."""
KEPT_TILINGS = 16
"""Tilings that are kept, one for each scene."""
RemoteTiles = Callable[[Network, Sequence[WeightedRegions], Sequence[Tile[LayerHook]]], Iterable[Sequence[Tensor | None]]]
"""Looks at tiles with another copy of a network: does what ``SceneObjective.look`` does, in the tiles' order."""
_REMOTE_TILES: ContextVar[RemoteTiles | None] = ContextVar("who looks at tiles", default=None)
KEPT_MASKS = 256
"""Masks that are kept: canvas sizes and boxes vary little, and sizes of views a handful."""


@contextmanager
def tiles_computed_by(look: RemoteTiles) -> Iterator[None]:
    """Within, have somebody else look at the tiles of large pictures."""
    before = _REMOTE_TILES.set(look)
    try:
        yield
    finally:
        _REMOTE_TILES.reset(before)


class SceneObjective:
    """The loss of the scenes on air as one network sees it, and its gradient over the picture.

    Losses of different kinds have different units: where kinds, layers or guides meet, the gradient of each is divided by its
    size, and counts by its share and its area.
    """

    def __init__(self, network: Network, tile_px: int = TILE_PX) -> None:
        """Climb what this network sees.

        Args:
            tile_px: of pictures with more pixels than a square of this side the gradient is taken tile by tile.
        """
        self._network = network
        self._tile_px = tile_px
        self._kinds = {name: kind(network) for name, kind in OBJECTIVES.items()}
        self._strides = {entry.name: entry.stride for entry in network.layer_entries}
        self._masks: dict[tuple[Box, tuple[int, int]], Tensor] = {}
        self._tilings: dict[frozenset[LayerHook], Tiling[LayerHook]] = {}

    @property
    def network(self) -> Network:
        """Whose objective it is."""
        return self._network

    def knows(self, target: Target) -> bool:
        """Whether the network has a target's class or layer."""
        return self._kind(target).knows(target)

    def in_turn(self, target: Target) -> bool:
        """Whether every network that knows the target dreams it, one after the other."""
        return self._kind(target).in_turn

    def check(self, target: Target) -> None:
        """Make sure that a target can be dreamt; a guide is read here.

        Raises:
            DreamError: the network has no such class, layer or channel, or the guide cannot be read.
        """
        self._kind(target).check(target)

    def gradient(
        self,
        picture: Tensor,
        weighted: WeightedRegions,
        transform: Callable[[Tensor], Tensor] = lambda picture: picture,
    ) -> Tensor:
        """The loss's gradient over the picture: against it lies what is asked for. One forward pass.

        Args:
            picture: (1, 3, H, W) float32 RGB in 0..255.
            weighted: what is on air; its targets have passed ``check``.
            transform: how the network is shown the picture, for example shifted and at another size; large ones in tiles.

        Returns:
            Of the picture's shape. Only its direction and its sizes relative to each other mean something.
        """
        groups: dict[Hashable, list[tuple[Region, float]]] = {}
        for region, share in weighted:
            kind = self._kind(region.target)
            groups.setdefault(kind.name if kind.grouped else region.target, []).append((region, share))
        picture = picture.detach().requires_grad_(True)
        gradients = self._gradients(picture, transform(picture), list(groups.values()))
        if len(groups) == 1:
            return next(gradients)
        total = torch.zeros_like(picture)
        for gradient, group in zip(gradients, groups.values(), strict=True):
            total += gradient * (gradient_weight(group) / rms(gradient))
        return total

    def score(self, picture: Tensor, region: Region) -> float:
        """How much a picture (1, 3, H, W) shows of what a region asks for, as its kind counts it; more is better."""
        kind = self._kind(region.target)
        hook = kind.hook(region.target)
        with torch.no_grad():
            seen = self._network.look(picture, [hook])[hook]
            return kind.score(seen, region.target, self._mask(region.box, (seen.shape[-2], seen.shape[-1])))

    def _gradients(self, picture: Tensor, shown: Tensor, groups: Sequence[WeightedRegions]) -> Iterator[Tensor]:
        """The gradients of several losses over the picture, given what the network is shown of it."""
        hooks, number = self._hooks(groups), len(groups)
        if shown.shape[-2] * shown.shape[-1] <= self._tile_px**2:
            maps = self._network.look(shown, hooks)
            for left, group in zip(reversed(range(number)), groups, strict=True):
                yield torch.autograd.grad(self._loss(maps, group), picture, retain_graph=left > 0)[0]
            return
        look = _REMOTE_TILES.get()
        remote = None if look is None else partial(look, self._network, groups)
        gradients = self._tiling(hooks).gradients(shown, self._losses(groups), remote)
        for left, part in zip(reversed(range(number)), gradients, strict=True):
            yield torch.autograd.grad(shown, picture, part, retain_graph=left > 0)[0]

    def look(self, groups: Sequence[WeightedRegions], tile: Tile[LayerHook]) -> list[Tensor | None]:
        """The gradients of several losses over a tile; as ``Tiling.look`` says."""
        return self._tiling(self._hooks(groups)).look(tile, self._losses(groups))

    def _hooks(self, groups: Sequence[WeightedRegions]) -> frozenset[LayerHook]:
        targets = [region.target for group in groups for region, _ in group]
        return frozenset(hook for each in targets for hook in (self._hook(each), self._kind(each).shared_hook(each)))

    def _losses(self, groups: Sequence[WeightedRegions]) -> Losses[LayerHook]:
        return lambda maps, places: [self._loss(maps, group, places) for group in groups]

    def _tiling(self, hooks: frozenset[LayerHook]) -> Tiling[LayerHook]:
        if hooks not in self._tilings:
            if len(self._tilings) > KEPT_TILINGS:
                self._tilings.clear()
            network, strides = self._network, {hook: self._strides[hook.layer] for hook in hooks}
            least_px = max(network.min_size, network.window)
            self._tilings[hooks] = Tiling(
                lambda shown: network.look(shown.to(network.device), hooks), strides, self._tile_px, least_px
            )
        return self._tilings[hooks]

    def _loss(
        self, maps: Mapping[LayerHook, Tensor], group: WeightedRegions, places: Mapping[LayerHook, MapArea] | None = None
    ) -> Tensor:
        """Of targets of one group, which look at one place.

        Args:
            maps: what the network sees, or pieces of it.
            places: where the pieces lie; they then give their part of the whole's loss. None for whole maps.
        """
        first = group[0][0].target
        kind = self._kind(first)
        hook = kind.shared_hook(first)
        if hook not in maps:
            return torch.zeros((), device=self._network.device)
        seen = maps[hook]
        place = MapArea(0, 0, (seen.shape[-2], seen.shape[-1])) if places is None else places[hook]
        loss = kind.shared_loss(seen)
        value_maps = {region.target: kind.value_map(maps[self._hook(region.target)], region.target) for region, _ in group}
        for region, share in group:
            mask = place.cut(self._mask(region.box, place.whole), seen)
            loss = loss - (share * region.weight) * (mask * value_maps[region.target]).mean()
        return loss if places is None else loss * (seen[0, 0].numel() / (place.whole[0] * place.whole[1]))

    def _kind(self, target: Target) -> Objective:
        if target.kind not in self._kinds:
            raise DreamError(f"'{target.label}' has the objective '{target.kind}'; there are {', '.join(self._kinds)}")
        return self._kinds[target.kind]

    def _hook(self, target: Target) -> LayerHook:
        return self._kind(target).hook(target)

    def _mask(self, box: Box, size: tuple[int, int]) -> Tensor:
        key = (box, size)
        if key not in self._masks:
            if len(self._masks) > KEPT_MASKS:
                self._masks.clear()
            self._masks[key] = region_mask(box, size, self._network.device)
        return self._masks[key]
