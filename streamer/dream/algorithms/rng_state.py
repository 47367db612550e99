"""The state of the random number generators, to save and to restore."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch

from streamer.dream_state import DreamState

log = logging.getLogger(__name__)

CHANCE, NOISE = "chance", "noise"
"""Names of torch's and numpy's generator in a saved state."""


def torch_rng_state(generator: torch.Generator) -> dict[str, np.ndarray]:
    """Return the state of torch's generator as arrays, about 5 kB."""
    return {CHANCE: generator.get_state().numpy().copy()}


def numpy_rng_state(noise: np.random.Generator) -> dict[str, Any]:
    """Return the state of numpy's generator as JSON values."""
    return {NOISE: dict(noise.bit_generator.state)}


def restore_rng(kept: DreamState, generator: torch.Generator, noise: np.random.Generator) -> None:
    """Restore both generators; one whose state another version wrote keeps its own."""
    state = kept.array(CHANCE, np.uint8, 1)
    try:
        if state is not None:
            generator.set_state(torch.from_numpy(state.copy()))
        if NOISE in kept.numbers:
            noise.bit_generator.state = kept.numbers[NOISE]
    except (RuntimeError, TypeError, ValueError, KeyError, OverflowError) as error:
        log.info("another version saved the random state, so it starts from the seed again: %s", error)
