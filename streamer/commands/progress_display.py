"""The progress bar of offline renders."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def progress_bar(console: Console) -> Progress:
    """Return a bar per task, with its description; disabled if the console is not a terminal."""
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
"""Reports a line to the user."""


def teller(console: Console) -> Tell:
    """Return a function that prints lines above the bars, without markup."""
    return lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)
