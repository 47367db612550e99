"""The results of checks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad a finding is."""

    GOOD = "[green]✓[/]"
    WARNING = "[yellow]![/]"
    """It works without something, or may work later: a server that does not answer, a disk that is nearly full."""
    BLOCKER = "[red]✗[/]"
    """It can never work with these settings: somebody has to change something."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    level: Level
    text: str
