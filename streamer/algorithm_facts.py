"""Facts about the algorithms that are known without torch: names, steps, interpolators and sources.

``dream.algorithms`` implements them. To add one, list it here and in ``dream.algorithms.dreamer``, and name it in
``config.DreamConfig.algorithm``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class AlgorithmFacts:
    """Facts of one algorithm."""

    name: str
    """Its value of ``dream.algorithm``."""
    steps_per_keyframe: int | None = None
    """Steps per keyframe if the settings leave it open; None for as many as there is time for."""
    rides: bool = True
    """Whether it can follow a moving source."""
    interpolator: Literal["colours", "ink"] = "colours"
    """How its pictures are interpolated: colours are blended, ink is enlarged with sharp edges."""
    normalisation: Literal["decorrelated", "mean"] = "decorrelated"
    """How gradients are normalised if ``dream.normalisation`` is auto."""
    still_iterations: int = 40
    """Default iterations for a still picture at a single size."""
    still_octaves: bool = False
    """Whether a still picture is rendered in several octaves if their number is left open."""


ALL = (
    AlgorithmFacts("default"),
    AlgorithmFacts("deepdream", normalisation="mean", still_octaves=True),
    # The camera moves before the first of the ten steps, by the time of all of them.
    AlgorithmFacts("original_2015", steps_per_keyframe=10, still_iterations=60),
    AlgorithmFacts("ink", rides=False, interpolator="ink", still_iterations=400),
)
ALGORITHMS: dict[str, AlgorithmFacts] = {each.name: each for each in ALL}
"""The facts of each algorithm, by name."""
