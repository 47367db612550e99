"""Learning rate and attack radius by step, so that neither the machine's speed nor a pause changes them."""

from __future__ import annotations

import math

WARM_UP = 0.1
"""Share of the steps in which the learning rate grows (Goyal et al. 2017)."""
LEAST_RATE = 1e-4
"""Added to every step's rate, so that the first and last steps count too."""
RAMP = 0.25
"""Share of the steps in which the radius grows, as the network learns."""
LEAST_RADIUS = 0.02
"""Smaller attacks make a step several times slower and hardly matter."""


def rate_at(step: int, steps: int, peak: float) -> float:
    """Return the rate of a step, counted from 0: linear up to ``peak``, then half a cosine down (Loshchilov & Hutter 2017)."""
    done = step / steps
    if done < WARM_UP:
        return LEAST_RATE + peak * done / WARM_UP
    return LEAST_RATE + peak * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def radius_at(step: int, steps: int, full: float) -> float:
    """Return the radius of a step's attack; 0 for no attack."""
    radius = full * min(1.0, step / steps / RAMP)
    return radius if radius >= LEAST_RADIUS else 0.0
