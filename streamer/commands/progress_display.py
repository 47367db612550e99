"""The progress bar of a dream that is not live."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def progress_bar(console: Console) -> Progress:
    """A bar for each task, behind its description; none where the console is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


Tell = Callable[[str], None]
"""Says a line to whoever waits."""


def teller(console: Console) -> Tell:
    """Says lines above the bars, as they stand."""
    return lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)
