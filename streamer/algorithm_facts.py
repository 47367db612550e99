"""What is to be known of the dreaming algorithms without dreaming: their names, their pace, their screen, their sources.

``dream.algorithms`` holds what a step of each does. To add one, list it here and in ``dream.algorithms.dreamer``, and name it
in ``config.DreamConfig.algorithm``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class AlgorithmFacts:
    """Facts of one algorithm."""

    name: str
    """As in ``dream.algorithm``."""
    steps_per_keyframe: int | None = None
    """Steps for a keyframe where the settings leave it open; None: as many as there is time for."""
    rides: bool = True
    """Whether it can dream on moving pictures."""
    interpolator: Literal["colours", "ink"] = "colours"
    """How its pictures are shown: colours are blended, ink is enlarged with sharp edges."""
    normalisation: Literal["decorrelated", "mean"] = "decorrelated"
    """What becomes of a gradient where ``dream.normalisation`` is auto."""
    still_iterations: int = 40
    """Steps for a picture at a single size, where nothing else is asked for."""
    still_octaves: bool = False
    """Whether a picture is dreamt at several sizes where their number is left open."""


ALL = (
    AlgorithmFacts("default"),
    AlgorithmFacts("deepdream", normalisation="mean", still_octaves=True),
    # The camera moves before the first of its ten steps, by the time of all.
    AlgorithmFacts("original_2015", steps_per_keyframe=10, still_iterations=60),
    AlgorithmFacts("ink", rides=False, interpolator="ink", still_iterations=400),
)
ALGORITHMS: dict[str, AlgorithmFacts] = {each.name: each for each in ALL}
"""By name."""
