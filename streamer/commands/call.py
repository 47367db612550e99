"""What the commands' calls have in common: their options, their settings, and how they end."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from streamer.commands import WRONG_CALL, CommandError
from streamer.config import Config
from streamer.logs import LEVELS, configure_logs

ConfigArgument = Annotated[
    Path | None, typer.Argument(metavar="[CONFIG]", help="A YAML file of settings; configs/default.yaml if none is named.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, for example video.fps=30; repeatable."),
]
LogOption = Annotated[str, typer.Option("--log-level", metavar="LEVEL", help=f"{', '.join(LEVELS)}.")]


def settings_of(path: Path | None, overrides: list[str] | None) -> Config:
    """The config that a command was called with; ends the program when it is wrong."""
    from streamer.settings_file import ConfigError, load

    try:
        return load(path, overrides or ())
    except ConfigError as error:
        fail(WRONG_CALL, *error.problems)


def set_up_logs(level: str) -> None:
    """Send the log of a level and above to standard error; ends the program when there is no such level."""
    if level.lower() not in LEVELS:
        fail(WRONG_CALL, f"--log-level is '{level}'; must be {', '.join(LEVELS[:-1])} or {LEVELS[-1]}")
    configure_logs(level)


def pixels_of(size: str | None) -> tuple[int, int] | None:
    """A size as it was given, as (height, width); ends the program when it is none."""
    if size is None:
        return None
    if (found := re.fullmatch(r"(\d{1,5})[xX×](\d{1,5})", size.strip())) is None:
        fail(WRONG_CALL, f"--size is '{size}'; must be WIDTHxHEIGHT in pixels, for example 640x360")
    return int(found[2]), int(found[1])


@contextlib.contextmanager
def told() -> Iterator[None]:
    """End the program as a CommandError says."""
    try:
        yield
    except CommandError as error:
        fail(error.code, str(error))


def fail(code: int, *lines: str) -> NoReturn:
    """End the program with some lines on standard error."""
    for line in lines:
        typer.echo(f"zoomdream: {line}", err=True)
    raise typer.Exit(code)
