"""The styles that ship with the program."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from streamer.__main__ import app
from streamer.assets import asset
from streamer.commands import styles
from streamer.commands.style_files import STYLES, style_file
from streamer.settings_file import load, shipped_configs


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_each_has_a_config_a_small_picture_and_a_call(style: styles.Style) -> None:
    load(style_file(style.name), ())
    path = asset(f"styles/{style.name}.jpg")
    assert path.stat().st_size < 40_000
    with Image.open(path) as image:
        assert image.size == (320, 200)
    assert style.name == "default" or f"--style {style.name} " in style.call
    assert shlex.split(style.call)


def test_every_config_that_changes_the_look_is_one() -> None:
    others = {
        "reference",
        "wording",
        "fanout",
        "camera",
        "wall_with_music",
    }  # configs that are not styles
    assert {path.stem for path in shipped_configs().glob("*.yaml")} - others == {style.name for style in STYLES}


def test_without_a_terminal_they_are_lines_with_paths() -> None:
    answer = CliRunner().invoke(app, ["render", "--list-styles"])
    assert answer.exit_code == 0
    for style in STYLES:
        assert f"{style.name}: {style.about}\n    zoomdream render {style.call}\n    " in answer.stdout
    pictures = [Path(line.strip()) for line in answer.stdout.splitlines()[2::3]]
    assert len(pictures) == len(STYLES)
    assert all(path.is_file() for path in pictures)


def test_in_a_terminal_there_is_a_picture_of_each() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=120)
    styles.command(console, lambda line: pytest.fail("no lines"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown.count("▄") == len(STYLES) * styles.COLUMNS * styles.ROWS


def test_a_picture_in_characters_has_its_colours() -> None:
    picture = np.zeros((styles.ROWS * 2, styles.COLUMNS, 3), np.uint8)
    picture[::2] = (255, 0, 0)
    picture[1::2] = (0, 0, 255)
    text = styles.drawn(picture)
    (look,) = {str(span.style) for span in text.spans}
    assert look == "#0000ff on #ff0000"


def test_an_unknown_one_names_those_there_are(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["render", "--style", "cubism", "--class", "goldfish"])
    assert answer.exit_code == 2
    assert "there is no style 'cubism': default, deepdream, guided, original_2015, ink" in answer.stderr
    answer = CliRunner().invoke(app, ["render", "a.yaml", "--style", "ink", "--class", "goldfish"])
    assert answer.exit_code == 2
    assert "either --style, or the config 'a.yaml'" in answer.stderr
