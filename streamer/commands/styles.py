"""Shows the included styles, each with a picture if the terminal has colours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from rich.color import Color
from rich.console import Console
from rich.style import Style as Look
from rich.table import Table
from rich.text import Text

from streamer.assets import asset
from streamer.commands.style_files import STYLES, Style

COLUMNS, ROWS = 40, 11
"""Size of a picture in characters; each shows two pixels, one above the other."""
COLOURFUL = ("256", "truecolor", "windows")
"""rich's names of colour systems that can show pictures."""


def command(console: Console, announce: Callable[[str], None]) -> None:
    """List the styles: with pictures in a colour terminal, otherwise as lines with the pictures' paths."""
    if not console.is_terminal or console.color_system not in COLOURFUL:
        for style in STYLES:
            announce(f"{style.name}: {style.about}\n    zoomdream render {style.call}\n    {_path(style)}")
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    for style in STYLES:
        words = Text.assemble((style.name, "bold"), "\n", style.about, "\n\n", f"zoomdream render {style.call}", "\n")
        words.append(str(_path(style)), "dim")
        table.add_row(drawn(np.asarray(Image.open(_path(style)).convert("RGB"))), words)
        table.add_row("", "")
    console.print(table)


def drawn(picture: np.ndarray) -> Text:
    """Draw a picture, (H, W, 3) uint8 RGB, in characters: each is a lower half block on the colour of the upper pixel."""
    small = np.asarray(Image.fromarray(picture).resize((COLUMNS, 2 * ROWS), Image.Resampling.LANCZOS))
    text = Text(no_wrap=True)
    for row in range(ROWS):
        for column in range(COLUMNS):
            upper, lower = (Color.from_rgb(*small[2 * row + half, column].tolist()) for half in (0, 1))
            text.append("▄", Look(color=lower, bgcolor=upper))
        text.append("\n" if row < ROWS - 1 else "")
    return text


def _path(style: Style) -> Path:
    return asset(f"styles/{style.name}.jpg")
