"""What all commands share: options, settings, logging, and how the program ends."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import typer.core

from streamer.commands import INTERRUPTED, WRONG_CALL, CommandError
from streamer.config import Config, LogConfig
from streamer.logs import LEVELS, LogSetup, configure_logs

ConfigArgument = Annotated[
    Path | None, typer.Argument(metavar="[CONFIG]", help="A YAML file of settings; default: configs/default.yaml.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, for example video.fps=30; repeatable."),
]
LogOption = Annotated[str, typer.Option("--log-level", metavar="LEVEL", help=f"{', '.join(LEVELS)}.")]
FormatOption = Annotated[
    str | None,
    typer.Option("--log-format", metavar="FORMAT", help="text, or json: one object per line; default: the config's."),
]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--log-file",
        metavar="FILE",
        help="Also write the log to this file; a new one starts every 10 MB (log.file_mb, log.files).",
    ),
]


class RayMayStandAlone(typer.core.TyperCommand):
    """A command whose option --ray works with and without an address; for typer, an option either has a value or has none."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert an empty address after a ``--ray`` without one."""
        completed: list[str] = []
        for number, argument in enumerate(args):
            completed.append(argument)
            following = args[number + 1] if number + 1 < len(args) else "-"
            if argument == "--ray" and (following.startswith("-") or following.endswith((".yaml", ".yml"))):
                completed.append("")
        return super().parse_args(ctx, completed)


FORMATS = ("text", "json")
CONTROLS = re.compile(r"[\0-\x1f\x7f]")
"""Control characters, which a terminal would act on, including line ends."""


def settings_of(path: Path | None, overrides: list[str] | None) -> Config:
    """Load the config of a call; end the program if it is wrong."""
    from streamer.settings_file import ConfigError, load

    try:
        return load(path, overrides or ())
    except ConfigError as error:
        fail(WRONG_CALL, *error.problems)


def set_up_logs(
    level: str, config: LogConfig | None = None, form: str | None = None, file: Path | None = None, *, bot: bool = False
) -> None:
    """Send log records of a level and above to the configured places; end the program if the level or format is unknown.

    Args:
        config: The settings; ``form`` and ``file`` from the call override them.
        bot: Whether this is the chat bot, which has its own file.
    """
    if level.lower() not in LEVELS:
        fail(WRONG_CALL, f"--log-level is '{level}'; must be {', '.join(LEVELS[:-1])} or {LEVELS[-1]}")
    if form is not None and form not in FORMATS:
        fail(WRONG_CALL, f"--log-format is '{form}'; must be {' or '.join(FORMATS)}")
    setup = LogSetup(level)
    if config is not None:
        setup = LogSetup(level, config.format, config.file, config.file_mb, config.files)
        setup = setup.of_the_bot() if bot else setup
    if form is not None:
        setup = replace(setup, format="json" if form == "json" else "text")
    configure_logs(setup if file is None else replace(setup, file=file.expanduser()))


def pixels_of(size: str | None) -> tuple[int, int] | None:
    """Parse WIDTHxHEIGHT into (height, width); end the program if it is malformed."""
    if size is None:
        return None
    if (found := re.fullmatch(r"(\d{1,5})[xX×](\d{1,5})", size.strip())) is None:
        fail(WRONG_CALL, f"--size is '{size}'; must be WIDTHxHEIGHT in pixels, for example 640x360")
    return int(found[2]), int(found[1])


@contextlib.contextmanager
def exit_on_error() -> Iterator[None]:
    """End the program with a CommandError's message and exit code, or those of a signal."""
    try:
        yield
    except CommandError as error:
        fail(error.code, str(error))
    except KeyboardInterrupt as stopped:
        fail(getattr(stopped, "code", INTERRUPTED), "stopped before the end")


def fail(code: int, *lines: str) -> NoReturn:
    """Print lines on standard error and end the program; control characters, as in file names, are escaped."""
    for line in lines:
        shown = CONTROLS.sub(lambda found: repr(found[0])[1:-1], line)
        typer.echo(f"zoomdream: {shown}", err=True)
    raise typer.Exit(code)
