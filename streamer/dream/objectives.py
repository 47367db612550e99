"""What the ascent climbs: classes, layers, channels and guides, each over its own part of the picture.

Of classes the logits, never softmax: softmax rises as well by making the other classes less likely, which paints nothing
(Simonyan, Vedaldi, Zisserman 2014, 'Deep Inside Convolutional Networks', section 2). Of a layer half the square of its norm, as
DeepDream had it in 2015. Of chosen channels their mean before the ReLU, which has a gradient where they are silent (Olah,
Mordvintsev, Schubert 2017, 'Feature Visualization'), less the response of the whole layer. Of a guide what ``guide`` says.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.dream.ascent import rms
from streamer.dream.guide import Guide
from streamer.dream.networks.layers import Tap
from streamer.dream.networks.network import Network
from streamer.dream.sources import SourceError
from streamer.dream.tiles import Place, Tiling
from streamer.messages import Kind, Region, Target

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in fractions of the picture."""
EDGE = 0.12
"""Width of a region's soft edge, as a fraction of the picture's side."""
TILE_PX = 1280
"""Side of the square that a network is shown at once, where the settings say nothing else."""

RIVALS = 2.0
"""How much the layer's response, a root mean square, counts against that of chosen channels: without it, what excites them all
rises too, and others end above them. Taken position by position, so that pictures can be dreamt in tiles."""


class DreamError(Exception):
    """A scene that this network cannot dream."""


def region_mask(box: Box, size: tuple[int, int], device: torch.device | str = "cpu") -> Tensor:
    """A region's soft mask over a map of the picture.

    Args:
        box: where the region lies in the picture.
        size: (height, width) of the map.

    Returns:
        (height, width) float32 in 0..1: 1 inside, a half on an inner edge, 0 outside; the picture's own edges are not soft.
    """

    def ramp(low: float, high: float, count: int) -> Tensor:
        at = (torch.arange(count, device=device) + 0.5) / count
        rise = torch.ones_like(at) if low <= 0 else ((at - low) / EDGE + 0.5).clamp(0, 1)
        fall = torch.ones_like(at) if high >= 1 else ((high - at) / EDGE + 0.5).clamp(0, 1)
        return torch.minimum(rise, fall)

    x0, y0, x1, y1 = box
    height, width = size
    return ramp(y0, y1, height)[:, None] * ramp(x0, x1, width)[None, :]


Weighted = Sequence[tuple[Region, float]]
"""Regions, each with the share of it in the present fade: 0..1, or below 0 for what is to go."""


class SceneObjective:
    """The loss of the scenes on air, and its gradient over the picture.

    Of classes: ``− Σ regions weight · mean(mask · logit of the region's class) + mean(all logits)``; the second term takes off
    what raises every class alike, such as contrast. Losses of other kinds have other units: where kinds, layers or guides meet,
    the gradient of each is divided by its size, and counts by its share and its area.
    """

    def __init__(self, network: Network, tile_px: int = TILE_PX) -> None:
        """Climb what this network sees.

        Args:
            tile_px: of pictures with more pixels than a square of this side the gradient is taken tile by tile.
        """
        self._network = network
        self._tile_px = tile_px
        self._classes = {wnid: i for i, wnid in enumerate(network.wnids)}
        self._entries = {entry.name: entry for entry in network.layer_entries}
        self._logits = Tap(network.classes_layer)
        self._masks: dict[tuple[Box, tuple[int, int]], Tensor] = {}
        self._tilings: dict[frozenset[Tap], Tiling[Tap]] = {}
        self._guides: dict[tuple[str, str], Guide] = {}

    @property
    def network(self) -> Network:
        """Whose objective it is."""
        return self._network

    def knows(self, target: Target) -> bool:
        """Whether the network has a target's class or layer."""
        if target.kind is Kind.CLASS:
            return target.wnid in self._classes
        return self._layer(target) in self._entries

    def check(self, target: Target) -> None:
        """Make sure that a target can be dreamt; a guide is read here.

        Raises:
            DreamError: the network has no such class, layer or channel, or the guide cannot be read.
        """
        name = self._network.name
        if target.kind is Kind.CLASS:
            if target.wnid not in self._classes:
                raise DreamError(f"{name} does not know '{target.label}' ({target.wnid})")
            return
        layer = self._layer(target)
        if layer not in self._entries:
            near = difflib.get_close_matches(layer.lower(), self._entries, 3, 0.5)
            offer = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(self._entries)}"
            raise DreamError(f"{name} has no layer '{layer}'; {offer}")
        count = self._entries[layer].channels
        if wrong := [channel for channel in target.channels if not 0 <= channel < count]:
            raise DreamError(f"{name}'s layer '{layer}' has no channel {wrong[0]}; they run from 0 to {count - 1}")
        if target.kind is Kind.GUIDE:
            try:
                self._guide(target)
            except SourceError as error:
                raise DreamError(f"the guide: {error}") from error

    def gradient(
        self,
        picture: Tensor,
        weighted: Weighted,
        see: Callable[[Tensor], Tensor] = lambda picture: picture,
    ) -> Tensor:
        """The loss's gradient over the picture: against it lies what is asked for. One forward pass.

        Args:
            picture: (1, 3, H, W) float32 RGB in 0..255.
            weighted: what is on air; its targets have passed ``check``.
            see: how the network is shown the picture, for example shifted and at another size; large ones in tiles.

        Returns:
            Of the picture's shape. Only its direction and its sizes relative to each other mean something.
        """
        groups: dict[Hashable, list[tuple[Region, float]]] = {}
        for region, share in weighted:
            target = region.target
            groups.setdefault(Kind.CLASS if target.kind is Kind.CLASS else target, []).append((region, share))
        picture = picture.detach().requires_grad_(True)
        gradients = self._gradients(picture, see(picture), list(groups.values()))
        if len(groups) == 1:
            return next(gradients)
        total = torch.zeros_like(picture)
        for gradient, group in zip(gradients, groups.values(), strict=True):
            total += gradient * (strength(group) / rms(gradient))
        return total

    def _gradients(self, picture: Tensor, shown: Tensor, groups: Sequence[Weighted]) -> Iterator[Tensor]:
        """The gradients of several losses over the picture, given what the network is shown of it."""
        taps = frozenset(self._tap(region.target) for group in groups for region, _ in group)
        number = len(groups)
        if shown.shape[-2] * shown.shape[-1] <= self._tile_px**2:
            maps = self._network.look(shown, taps)
            for left, group in zip(reversed(range(number)), groups, strict=True):
                yield torch.autograd.grad(self._loss(maps, group), picture, retain_graph=left > 0)[0]
            return

        def losses(maps: Mapping[Tap, Tensor], places: Mapping[Tap, Place]) -> list[Tensor]:
            return [self._loss(maps, group, places) for group in groups]

        for left, part in zip(reversed(range(number)), self._tiling(taps).gradients(shown, losses), strict=True):
            yield torch.autograd.grad(shown, picture, part, retain_graph=left > 0)[0]

    def _tiling(self, taps: frozenset[Tap]) -> Tiling[Tap]:
        if taps not in self._tilings:
            network, strides = self._network, {tap: self._entries[tap.layer].stride for tap in taps}
            least_px = max(network.min_size, network.window)
            self._tilings[taps] = Tiling(
                lambda shown: network.look(shown.to(network.device), taps), strides, self._tile_px, least_px
            )
        return self._tilings[taps]

    def score(self, picture: Tensor, region: Region) -> float:
        """How much a picture (1, 3, H, W) shows of what a region asks for; more is better.

        A class: its mean logit there. A layer: the root mean square of its response. Channels: their mean before the ReLU. A
        guide: the mean cosine between the picture's features and those of the guide that they follow.
        """
        target = region.target
        tap = self._tap(target)
        with torch.no_grad():
            seen = self._network.look(picture, [tap])[tap][0]
            mask = self._mask(region.box, (seen.shape[-2], seen.shape[-1]))
            if target.kind is Kind.CLASS:
                each = seen[self._classes[target.wnid]]
            elif target.kind is Kind.GUIDE:
                each = self._guide(target).cosine(seen)
            elif target.channels:
                each = seen[list(target.channels)].mean(0)
            else:
                return float(((mask * seen.square().mean(0)).sum() / mask.sum()).sqrt())
            return float((mask * each).sum() / mask.sum())

    def _loss(self, maps: Mapping[Tap, Tensor], group: Weighted, places: Mapping[Tap, Place] | None = None) -> Tensor:
        """Of targets that are all classes, or all the same.

        Args:
            maps: what the network sees, or pieces of it.
            places: where the pieces lie; they then give their part of the whole's loss. None for whole maps.
        """
        first = group[0][0].target
        tap = self._tap(first)
        if tap not in maps:
            return torch.zeros((), device=self._network.device)
        seen = maps[tap]
        place = Place(0, 0, (seen.shape[-2], seen.shape[-1])) if places is None else places[tap]
        if first.kind is Kind.CLASS:
            loss, each = seen.mean(), None
        elif first.kind is Kind.GUIDE:
            loss, each = seen.new_zeros(()), self._guide(first).likeness(seen[0])
        elif first.channels:
            response = (seen[0].relu().square().mean(0) + 1e-6).sqrt()
            loss, each = seen.new_zeros(()), seen[0, list(first.channels)].mean(0) - RIVALS * response
        else:
            loss, each = seen.new_zeros(()), seen[0].square().mean(0) / 2
        for region, share in group:
            values = seen[0, self._classes[region.target.wnid]] if each is None else each
            mask = place.cut(self._mask(region.box, place.whole), seen)
            loss = loss - (share * region.weight) * (mask * values).mean()
        return loss if places is None else loss * (seen[0, 0].numel() / (place.whole[0] * place.whole[1]))

    def _tap(self, target: Target) -> Tap:
        if target.kind is Kind.CLASS:
            return self._logits
        return Tap(self._layer(target), raw=target.kind is Kind.LAYER and bool(target.channels))

    def _layer(self, target: Target) -> str:
        return target.layer or self._network.favourite

    def _guide(self, target: Target) -> Guide:
        key = (target.guide, self._layer(target))
        if key not in self._guides:
            if len(self._guides) >= 16:
                self._guides.clear()
            self._guides[key] = Guide.read(self._network, Path(target.guide).expanduser(), key[1])
        return self._guides[key]

    def _mask(self, box: Box, size: tuple[int, int]) -> Tensor:
        key = (box, size)
        if key not in self._masks:
            if len(self._masks) > 256:  # canvas sizes and boxes vary little; random scales a handful
                self._masks.clear()
            self._masks[key] = region_mask(box, size, self._network.device)
        return self._masks[key]


def strength(group: Weighted) -> float:
    """How much some regions count against others whose gradients have other units: by their shares and their areas."""
    total = 0.0
    for region, share in group:
        x0, y0, x1, y1 = region.box
        total += abs(share) * region.weight * (x1 - x0) * (y1 - y0)
    return float(total**0.5)


def resample(picture: Tensor, factor: float, least: tuple[int, int] | int = 32) -> Tensor:
    """Scale a picture (1, 3, H, W), anti-aliased, no side falling under ``least`` pixels."""
    floor_h, floor_w = (least, least) if isinstance(least, int) else least
    height = max(floor_h, round(picture.shape[-2] * factor))
    width = max(floor_w, round(picture.shape[-1] * factor))
    if (height, width) == (picture.shape[-2], picture.shape[-1]):
        return picture
    return F.interpolate(picture, size=(height, width), mode="bilinear", antialias=factor < 1, align_corners=False)
