"""The joint name of several networks that work together. No torch."""

from __future__ import annotations

from collections.abc import Sequence

JOIN = " + "
"""Text between their names."""


def split_names(name: str) -> Sequence[str]:
    """Split an ensemble's name into those of its networks."""
    return name.split(JOIN)
