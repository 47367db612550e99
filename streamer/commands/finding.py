"""What a look at something found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad a finding is."""

    GOOD = "[green]✓[/]"
    WARNING = "[yellow]![/]"
    """It works with something missing, or may work later: a server that does not answer, a disk that is nearly full."""
    BLOCKER = "[red]✗[/]"
    """It can never work as it is set: somebody has to change something."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found."""

    level: Level
    text: str
