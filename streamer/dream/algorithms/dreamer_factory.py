"""Choose the dreamer that the settings ask for."""

from __future__ import annotations

import numpy as np
import torch

from streamer.config import Config
from streamer.dream.algorithms.dreamer import Dreamer
from streamer.dream.algorithms.flow_warping import FlowWarpedDream, config_for_riding
from streamer.dream.algorithms.ink import InkDreamer
from streamer.dream.interface import Dreaming
from streamer.dream.networks.ensemble import Ensemble


def make_dreamer(
    ensemble: Ensemble,
    config: Config,
    size: tuple[int, int],
    device: torch.device,
    seed: int,
    start: np.ndarray | None = None,
) -> Dreaming:
    """Start a dream, live or offline; see ``Dreamer`` for the arguments."""
    if config.dream.algorithm == "ink":
        return InkDreamer(ensemble, config, size, device, seed, start)
    if config.source.moves:
        return FlowWarpedDream(
            Dreamer(ensemble, config_for_riding(config), size, device, seed, start), config.source.decay_s, seed
        )
    return Dreamer(ensemble, config, size, device, seed, start)
