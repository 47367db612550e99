"""What a dream needs besides its picture to go on as if nothing had happened. Kept by the worker, and in snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamer.messages.motion import Pose


@dataclass(frozen=True, slots=True, eq=False)
class DreamState:
    """The inner state of a dream at a moment: its momentum, and where its chance stood.

    Whoever takes it up uses what fits, and does without the rest.
    """

    network: str
    """Name of the ensemble whose it is."""
    algorithm: str
    """As in ``dream.algorithm``."""
    pose: Pose
    """Where the camera stood."""
    arrays: Mapping[str, np.ndarray]
    """By name, as the algorithm has them; momentum as float16, so that it takes no more room than two pictures."""
    numbers: Mapping[str, Any]
    """Likewise, whatever JSON knows."""

    def array(self, name: str, dtype: type, dimensions: int) -> np.ndarray | None:
        """An array by its name, if there is one of that type and so many dimensions."""
        found = self.arrays.get(name)
        return found if found is not None and found.dtype == dtype and found.ndim == dimensions else None

    def count(self, name: str) -> int:
        """A whole number from 0 on by its name; 0 where there is none."""
        found = self.numbers.get(name)
        return found if type(found) is int and found >= 0 else 0

    def seconds(self, name: str) -> float:
        """A number from 0 on by its name, infinity included; 0 where there is none."""
        found = self.numbers.get(name)
        return float(found) if isinstance(found, int | float) and found >= 0 else 0.0
