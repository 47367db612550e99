"""The state that a dream needs besides its picture to resume seamlessly. The worker and snapshots keep it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamer.messages.motion import Pose


@dataclass(frozen=True, slots=True, eq=False)
class DreamState:
    """The inner state of a dream at a moment: its momentum and its random state.

    A dream that resumes from it uses what fits and ignores the rest.
    """

    network: str
    """Name of the ensemble that rendered it."""
    algorithm: str
    """Value of ``dream.algorithm``."""
    pose: Pose
    """The camera's pose."""
    arrays: Mapping[str, np.ndarray]
    """The algorithm's arrays, by name; momentum is float16, so that it takes no more space than two pictures."""
    numbers: Mapping[str, Any]
    """The algorithm's other values, by name; any JSON."""

    def array(self, name: str, dtype: type, dimensions: int) -> np.ndarray | None:
        """Return an array by name; None unless it has that dtype and number of dimensions."""
        found = self.arrays.get(name)
        return found if found is not None and found.dtype == dtype and found.ndim == dimensions else None

    def count(self, name: str) -> int:
        """Return a non-negative integer by name; 0 if there is none."""
        found = self.numbers.get(name)
        return found if type(found) is int and found >= 0 else 0

    def seconds(self, name: str) -> float:
        """Return a non-negative number by name, possibly infinite; 0 if there is none."""
        found = self.numbers.get(name)
        return float(found) if isinstance(found, int | float) and found >= 0 else 0.0
