"""The objective of an ensemble: which of several networks sees the picture in a step.

For a class, the networks that know it take turns, one per step, each at all of its views. Patterns that only one network takes
for an object do not last; other networks, too, recognise the objects on which they agree. Layers and guides belong to the first
network that has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor

from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.network import Network
from streamer.dream.objectives.region_weights import WeightedRegions, gradient_weight, rms
from streamer.dream.objectives.scene import TILE_PX, SceneObjective
from streamer.dream.objectives.views import TransformFor
from streamer.messages.scenes import Region, Target

ViewsByNetwork = Mapping[str, Sequence[float]]
"""The sizes at which a network sees the picture, in turn, by the network's name: the shorter side as multiples of the side of
its training pictures."""


class EnsembleObjective:
    """The loss of the current scenes for the networks of an ensemble."""

    def __init__(self, ensemble: Ensemble, tile_px: int = TILE_PX, combine: Literal["in_turn", "added"] = "in_turn") -> None:
        """Prepare an objective for each network.

        Args:
            ensemble: the networks.
            tile_px: gradients are computed in tiles for pictures with more pixels than a square of this side.
            combine: whether one network sees the picture in each step, or all of them.
        """
        self._objectives = tuple(SceneObjective(network, tile_px) for network in ensemble.members)
        self._combine = combine

    def check(self, target: Target) -> None:
        """Check that a target can be rendered; read its guide.

        Raises:
            DreamError: no network has such a class, layer or channel, or the guide cannot be read.
        """
        (self._able(target) or self._objectives)[0].check(target)

    def gradient(
        self,
        picture: Tensor,
        weighted: WeightedRegions,
        number: int,
        views: ViewsByNetwork | None = None,
        show: TransformFor | None = None,
    ) -> Tensor:
        """Return the loss's gradient over the picture in one step; a step against it renders the targets.

        If several networks take part, their gradients are divided by their size and weighted by share and area.

        Args:
            picture: (1, 3, H, W) float32 RGB in 0..255.
            weighted: regions and shares; their targets have passed ``check``.
            number: number of the step, which determines the network's turn.
            views: the views of each network; None for one each.
            show: returns a network's view of the picture; None for the unchanged picture.

        Returns:
            A gradient of the picture's shape. Its scale is arbitrary.
        """
        parts: dict[tuple[SceneObjective, float], list[tuple[Region, float]]] = {}
        for region, share in weighted:
            for turn in self._turns(region.target, number, views):
                parts.setdefault(turn, []).append((region, share))
        total: Tensor | None = None
        for (objective, view), part in parts.items():
            transform = show(objective.network, view) if show else lambda seen: seen
            gradient = objective.gradient(picture, part, transform)
            if len(parts) == 1:
                return gradient
            gradient = gradient * (gradient_weight(part) / rms(gradient))
            total = gradient if total is None else total + gradient
        assert total is not None, "there is at least one region"
        return total

    def turn(self, weighted: WeightedRegions, number: int, views: ViewsByNetwork) -> tuple[Network, float] | None:
        """Return the only network, and its view, that sees the picture for all regions; None if there are several."""
        turns = {turn for region, _ in weighted for turn in self._turns(region.target, number, views)}
        if len(turns) != 1:
            return None
        ((objective, view),) = turns
        return objective.network, view

    def _turns(self, target: Target, number: int, views: ViewsByNetwork | None) -> list[tuple[SceneObjective, float]]:
        """Return the objectives, and their views, that see the picture for a target in one step."""
        able = self._able(target)
        each = [[(objective, view) for view in (views[objective.network.name] if views else (1.0,))] for objective in able]
        if self._combine == "added":
            return [turns[number % len(turns)] for turns in each]
        in_turn = [turn for turns in each for turn in turns]
        return [in_turn[number % len(in_turn)]]

    def _able(self, target: Target) -> tuple[SceneObjective, ...]:
        able = tuple(objective for objective in self._objectives if objective.knows(target))
        return able if able and able[0].in_turn(target) else able[:1]
