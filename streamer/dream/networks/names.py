"""How several networks that dream together are called. No torch."""

from __future__ import annotations

from collections.abc import Sequence

JOIN = " + "
"""Between their names."""


def split_names(name: str) -> Sequence[str]:
    """The networks' names in an ensemble's."""
    return name.split(JOIN)
