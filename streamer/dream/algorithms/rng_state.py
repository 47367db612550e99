"""Where chance stands, as something that can be kept and taken up again."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch

from streamer.dream_state import DreamState

log = logging.getLogger(__name__)

CHANCE, NOISE = "chance", "noise"
"""Under which names torch's and numpy's are kept."""


def torch_rng_state(chance: torch.Generator) -> dict[str, np.ndarray]:
    """The arrays that say where torch's generator stands: some 5 kB."""
    return {CHANCE: chance.get_state().numpy().copy()}


def numpy_rng_state(noise: np.random.Generator) -> dict[str, Any]:
    """The numbers that say where numpy's generator stands."""
    return {NOISE: dict(noise.bit_generator.state)}


def restore_rng(kept: DreamState, chance: torch.Generator, noise: np.random.Generator) -> None:
    """Let both generators go on from where they were kept; one whose state another version wrote goes on from its own seed."""
    state = kept.array(CHANCE, np.uint8, 1)
    try:
        if state is not None:
            chance.set_state(torch.from_numpy(state.copy()))
        if NOISE in kept.numbers:
            noise.bit_generator.state = kept.numbers[NOISE]
    except (RuntimeError, TypeError, ValueError, KeyError, OverflowError) as error:
        log.info("the state of chance is of another version, so it starts afresh: %s", error)
