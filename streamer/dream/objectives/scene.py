"""The loss of the current scenes, and its gradient: targets of every kind, each over its own part of the picture."""

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
"""Default side of the square that a network sees at once."""
KEPT_TILINGS = 16
"""Most tilings in the cache, one for each scene."""
RemoteTiles = Callable[[Network, Sequence[WeightedRegions], Sequence[Tile[LayerHook]]], Iterable[Sequence[Tensor | None]]]
"""Computes tiles with another copy of a network: like ``SceneObjective.tile_gradients``, in the tiles' order."""
_REMOTE_TILES: ContextVar[RemoteTiles | None] = ContextVar("remote tiles", default=None)
KEPT_MASKS = 256
"""Most masks in the cache: there are few canvas sizes, boxes and sizes of views."""


@contextmanager
def tiles_computed_by(compute: RemoteTiles) -> Iterator[None]:
    """In this context, let ``compute`` compute the tiles of large pictures."""
    before = _REMOTE_TILES.set(compute)
    try:
        yield
    finally:
        _REMOTE_TILES.reset(before)


class SceneObjective:
    """The loss of the current scenes for one network, and its gradient over the picture.

    Losses of different kinds have different units: with several kinds, layers or guides, each gradient is divided by its size
    and weighted by share and area.
    """

    def __init__(self, network: Network, tile_px: int = TILE_PX) -> None:
        """Prepare all kinds of targets for a network.

        Args:
            network: the network.
            tile_px: the gradient is computed in tiles for pictures with more pixels than a square of this side.
        """
        self._network = network
        self._tile_px = tile_px
        self._kinds = {name: kind(network) for name, kind in OBJECTIVES.items()}
        self._strides = {entry.name: entry.stride for entry in network.layer_entries}
        self._masks: dict[tuple[Box, tuple[int, int]], Tensor] = {}
        self._tilings: dict[frozenset[LayerHook], Tiling[LayerHook]] = {}

    @property
    def network(self) -> Network:
        """The network of this objective."""
        return self._network

    def knows(self, target: Target) -> bool:
        """Return whether the network has a target's class or layer."""
        return self._kind(target).knows(target)

    def in_turn(self, target: Target) -> bool:
        """Return whether all networks that know the target take turns."""
        return self._kind(target).in_turn

    def check(self, target: Target) -> None:
        """Check that a target can be rendered; read its guide.

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
        """Return the loss's gradient over the picture, in one forward pass; a step against it renders the targets.

        Args:
            picture: (1, 3, H, W) float32 RGB in 0..255.
            weighted: regions and shares; their targets have passed ``check``.
            transform: the network's view of the picture, for example shifted and at another size; large views are tiled.

        Returns:
            A gradient of the picture's shape. Its scale is arbitrary.
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
        """Rate how well a picture (1, 3, H, W) shows a region's target, in the unit of its kind; more is better."""
        kind = self._kind(region.target)
        hook = kind.hook(region.target)
        with torch.no_grad():
            seen = self._network.hook_outputs(picture, [hook])[hook]
            return kind.score(seen, region.target, self._mask(region.box, (seen.shape[-2], seen.shape[-1])))

    def _gradients(self, picture: Tensor, shown: Tensor, groups: Sequence[WeightedRegions]) -> Iterator[Tensor]:
        """Yield the gradients of several losses over the picture, given the network's view of it."""
        hooks, number = self._hooks(groups), len(groups)
        if shown.shape[-2] * shown.shape[-1] <= self._tile_px**2:
            maps = self._network.hook_outputs(shown, hooks)
            for left, group in zip(reversed(range(number)), groups, strict=True):
                yield torch.autograd.grad(self._loss(maps, group), picture, retain_graph=left > 0)[0]
            return
        compute = _REMOTE_TILES.get()
        remote = None if compute is None else partial(compute, self._network, groups)
        gradients = self._tiling(hooks).gradients(shown, self._losses(groups), remote)
        for left, part in zip(reversed(range(number)), gradients, strict=True):
            yield torch.autograd.grad(shown, picture, part, retain_graph=left > 0)[0]

    def tile_gradients(self, groups: Sequence[WeightedRegions], tile: Tile[LayerHook]) -> list[Tensor | None]:
        """Return the gradients of several losses over a tile; see ``Tiling.tile_gradients``."""
        return self._tiling(self._hooks(groups)).tile_gradients(tile, self._losses(groups))

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
                lambda shown: network.hook_outputs(shown.to(network.device), hooks), strides, self._tile_px, least_px
            )
        return self._tilings[hooks]

    def _loss(
        self, maps: Mapping[LayerHook, Tensor], group: WeightedRegions, places: Mapping[LayerHook, MapArea] | None = None
    ) -> Tensor:
        """Return the loss of one group of targets, which use one layer.

        Args:
            maps: the network's maps, or pieces of them.
            places: the areas of the pieces, for their part of the whole loss; None for whole maps.
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
            raise DreamError(f"'{target.label}' has the unknown objective '{target.kind}'; there are {', '.join(self._kinds)}")
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
