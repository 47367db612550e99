"""Renders one large picture here, while nodes compute the tiles of each step.

Each tile crosses the network twice in float32, as pixels and as a gradient, since fewer bits would give other pixels: 39 MB for
the default tile of 1280x1280. So this is for CPUs, which take seconds for a tile, and for gigabit networks.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from streamer.commands.on_ray.node import Setup, config_of
from streamer.commands.on_ray.node_files import dream_settings, pictures, sent_guides, weights
from streamer.commands.on_ray.node_pool import NodePool, NodeTask
from streamer.config import Config
from streamer.dream.device import choose_device, make_torch_repeatable
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.layers import LayerHook
from streamer.dream.networks.loading import load
from streamer.dream.networks.network import Network
from streamer.dream.objectives.guide import guides_from
from streamer.dream.objectives.region_weights import WeightedRegions
from streamer.dream.objectives.scene import SceneObjective
from streamer.dream.objectives.tile_transfer import SentTile, pack_tile, tile_gradients, unpack_gradients
from streamer.dream.objectives.tiling import Tile
from streamer.messages.scenes import Scene

AHEAD = 2
"""Most tiles sent for each one being computed: more would only fill memory."""


class TilePool:
    """Has nodes compute tiles with the networks loaded here; called as in ``scene.RemoteTiles``."""

    def __init__(self, config: Config, ensemble: Ensemble, scene: Scene, node_pool: NodePool) -> None:
        settings = dream_settings(config, node_pool.device)
        form, names = ensemble.first.form, ensemble.names
        settings["network"].update(precision=form.precision, layout=form.layout)
        if config.network.names or config.network.weights is None:
            settings["network"]["name"] = list(names) if len(names) > 1 else names[0]
        self._setup = Setup(
            json.dumps(settings), node_pool.share.cpus, weights(config, node_pool), sent_guides((scene,), node_pool)
        )
        self._ensemble, self._node_pool = ensemble, node_pool

    def __call__(
        self, network: Network, groups: Sequence[WeightedRegions], tiles: Sequence[Tile[LayerHook]]
    ) -> Iterator[Sequence[Any]]:
        """Return the tiles' gradients, in order."""
        member, left = self._ensemble.members.index(network), iter(tiles)
        at_work: deque[NodeTask[list[np.ndarray | None]]] = deque()
        while True:
            for tile in itertools.islice(left, AHEAD * self._node_pool.at_once - len(at_work)):
                at_work.append(self._node_pool.begin(compute_tile, self._setup, member, tuple(groups), pack_tile(tile)))
            if not at_work:
                return
            yield unpack_gradients(at_work.popleft().result())


def compute_tile(setup: Setup, member: int, groups: Sequence[WeightedRegions], tile: SentTile) -> list[np.ndarray | None]:
    """Return the gradients of some losses over a tile, for one of the networks; runs on a node."""
    make_torch_repeatable(setup.threads)
    with guides_from(pictures(setup.guides)):
        return tile_gradients(_objectives(setup)[member], groups, tile)


@lru_cache(maxsize=1)
def _objectives(setup: Setup) -> tuple[SceneObjective, ...]:
    config = config_of(setup)
    ensemble = load(config.network, choose_device(config.device))
    return tuple(SceneObjective(member, config.dream.tile_px) for member in ensemble.members)
