"""Several networks dream one picture: whose turn it is.

Of a class, each network that knows it has its turn, one a step, at each of its scales. What only one of them takes for a thing
does not last, and what they agree on is recognised by others, too. Layers and guides belong to the first that has them.
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
"""The sizes at which a network sees the picture, taken in turn, by its name: the shorter side as multiples of what it was
trained on."""


class EnsembleObjective:
    """The loss of the scenes on air as the networks of an ensemble see it."""

    def __init__(self, ensemble: Ensemble, tile_px: int = TILE_PX, combine: Literal["in_turn", "added"] = "in_turn") -> None:
        """Climb what these networks see.

        Args:
            tile_px: of pictures with more pixels than a square of this side gradients are taken tile by tile.
            combine: whether one network sees the picture in each step, or all of them do.
        """
        self._objectives = tuple(SceneObjective(network, tile_px) for network in ensemble.members)
        self._combine = combine

    def check(self, target: Target) -> None:
        """Make sure that a target can be dreamt; a guide is read here.

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
        """The loss's gradient over the picture in one step: against it lies what is asked for.

        Where networks have a part each, their gradients are divided by their size, and count by share and area.

        Args:
            picture: (1, 3, H, W) float32 RGB in 0..255.
            weighted: what is on air; its targets have passed ``check``.
            number: counts the steps: it decides whose turn it is.
            views: of each network; None for one each.
            show: how they see the picture; None for as it is.

        Returns:
            Of the picture's shape. Only its direction and its sizes relative to each other mean something.
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
        assert total is not None, "something is on air"
        return total

    def turn(self, weighted: WeightedRegions, number: int, views: ViewsByNetwork) -> tuple[Network, float] | None:
        """The one network, and its view, that sees the picture for all that is on air; None where several do."""
        turns = {turn for region, _ in weighted for turn in self._turns(region.target, number, views)}
        if len(turns) != 1:
            return None
        ((objective, view),) = turns
        return objective.network, view

    def _turns(self, target: Target, number: int, views: ViewsByNetwork | None) -> list[tuple[SceneObjective, float]]:
        """Who sees the picture for a target in one step, and at which view."""
        able = self._able(target)
        each = [[(objective, view) for view in (views[objective.network.name] if views else (1.0,))] for objective in able]
        if self._combine == "added":
            return [turns[number % len(turns)] for turns in each]
        in_turn = [turn for turns in each for turn in turns]
        return [in_turn[number % len(in_turn)]]

    def _able(self, target: Target) -> tuple[SceneObjective, ...]:
        able = tuple(objective for objective in self._objectives if objective.knows(target))
        return able if able and able[0].in_turn(target) else able[:1]
