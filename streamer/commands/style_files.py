"""The included styles: configs that change how a dream looks, each with a sample picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamer.commands import WRONG_CALL, CommandError


@dataclass(frozen=True, slots=True)
class Style:
    """A style."""

    name: str
    """The config is ``configs/NAME.yaml``, the picture ``assets/styles/NAME.jpg``."""
    about: str
    call: str
    """An example of what follows ``zoomdream render``."""


STYLES = (
    Style("default", "things grow out of the picture, one size within the other", 'pictures photo.jpg --class "king penguin"'),
    Style(
        "deepdream",
        "what excites a layer, octave by octave, as in 2015",
        "pictures photo.jpg --style deepdream --layer inception4c",
    ),
    Style("guided", "the features of another picture", "pictures photo.jpg --style guided --guide flowers.jpg"),
    Style("original_2015", "grey and drawn all over, as the stream of 2015", "pictures --style original_2015 --class umbrella"),
    Style("ink", "black on white, a drawing that grows out of a dot", "pictures --style ink --class violin --size 640x400"),
)


def style_file(name: str) -> Path:
    """Return the config of a style.

    Raises:
        CommandError: there is no style of that name.
    """
    if name not in {style.name for style in STYLES}:
        raise CommandError(f"there is no style '{name}': {', '.join(style.name for style in STYLES)}", WRONG_CALL)
    from streamer.settings_file import shipped_configs

    return shipped_configs() / f"{name}.yaml"
