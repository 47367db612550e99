"""What changes while a member is trained, by steps: the same on a fast machine and on a slow one, and after a pause."""

from __future__ import annotations

import math

WARM_UP = 0.1
"""Share of the steps in which the learning rate grows (Goyal et al. 2017)."""
LEAST_RATE = 1e-4
"""Added throughout, so that neither the first steps nor the last are for nothing."""
RAMP = 0.25
"""Share of the steps in which the radius grows, with what the network can tell."""
LEAST_RADIUS = 0.02
"""Below it, an attack makes a step several times as slow and hardly a difference."""


def rate_at(step: int, steps: int, peak: float) -> float:
    """Learning rate of a step, counted from 0: linearly up to ``peak``, then half a cosine down (Loshchilov & Hutter 2017)."""
    done = step / steps
    if done < WARM_UP:
        return LEAST_RATE + peak * done / WARM_UP
    return LEAST_RATE + peak * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def radius_at(step: int, steps: int, full: float) -> float:
    """Radius of a step's attack; 0 where it is not worth one."""
    radius = full * min(1.0, step / steps / RAMP)
    return radius if radius >= LEAST_RADIUS else 0.0
