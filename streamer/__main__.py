"""The command line. Heavy modules are only imported when a command needs them, so that ``--help`` is fast.

Exit codes: 0 done, 1 failed, 2 wrong call or config, 130 stopped by Ctrl+C, 143 by SIGTERM. A line on standard error says why.
"""

from __future__ import annotations

import contextlib
import getpass
import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core
from rich.console import Console

from streamer import __version__
from streamer.commands import WRONG_CALL, CommandError
from streamer.commands.atlas_call import atlas
from streamer.commands.call import (
    ConfigArgument,
    FileOption,
    FormatOption,
    LogOption,
    RayMayStandAlone,
    SetOption,
    exit_on_error,
    fail,
    set_up_logs,
    settings_of,
)
from streamer.commands.render_call import render
from streamer.logs import LogSetup, configure_logs, console


def _version(wanted: bool) -> None:
    """Print the version and exit."""
    if wanted:
        typer.echo(f"zoomdream {__version__}")
        raise typer.Exit


class Commands(typer.core.TyperGroup):
    """The commands, in the order of the help: the most used ones first."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List them in that order; typer puts groups last."""
        return sorted(super().list_commands(ctx), key=lambda name: name not in ("run", "bot", "render"))


app = typer.Typer(
    name="zoomdream",
    cls=Commands,
    help="A live picture that dreams what its viewers ask for.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def run(
    config: ConfigArgument = None,
    overrides: SetOption = None,
    log_level: LogOption = "info",
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over instead of continuing the last run.")] = False,
    log_format: FormatOption = None,
    log_file: FileOption = None,
) -> None:
    """Stream live: the page with the video, the queue and the API."""
    settings = settings_of(config, overrides)
    set_up_logs(log_level, settings.log, log_format, log_file)
    from streamer.commands.run import command
    from streamer.reload import Reload

    with exit_on_error():
        command(settings, typer.echo, Reload(settings, config, overrides or ()), fresh=fresh)


@app.command()
def bot(
    config: ConfigArgument = None,
    console: Annotated[bool, typer.Option("--console", help="Chat with the bot in this terminal, without Twitch.")] = False,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The streamer's address; default: the config's.")] = None,
    overrides: SetOption = None,
    log_level: LogOption = "info",
    log_format: FormatOption = None,
    log_file: FileOption = None,
) -> None:
    """Run the chat bot for a running streamer; run starts it by itself if twitch.channel is set."""
    settings = settings_of(config, overrides)
    set_up_logs(log_level, settings.log, log_format, log_file, bot=True)
    from streamer.commands.bot import command

    with exit_on_error():
        command(settings, console=console, url=url)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A live picture that dreams what its viewers ask for."""


app.add_typer(render)
app.command()(atlas)


@app.command()
def journal(
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A journal, or a folder of them; default: the usual folder.")
    ] = None,
) -> None:
    """List the journals of past runs, or what one of them showed and when."""
    from streamer.commands.journal import command

    with exit_on_error():
        command(path, typer.echo)


@app.command()
def classes(
    word: Annotated[str, typer.Argument(metavar="[WORD]", help="Show what this matches; default: all classes.")] = "",
    layers: Annotated[
        bool, typer.Option("--layers", help="List a network's layers; with a word, those with it in their name.")
    ] = False,
    network: Annotated[str | None, typer.Option(metavar="NAME", help="The network; default: network.name.")] = None,
    overrides: SetOption = None,
) -> None:
    """List the classes that can be requested, or what a word matches."""
    if layers:
        from streamer.commands import layer_list as listing

        settings = settings_of(None, overrides)
        with exit_on_error():
            listing.command(settings, word, network, Console(), typer.echo)
        return
    if network is not None or overrides:
        fail(WRONG_CALL, "--network and --set go with --layers")
    from streamer.commands.classes import command

    with exit_on_error():
        command(word, Console(), typer.echo)


@app.command(cls=RayMayStandAlone)
def check(
    config: ConfigArgument = None,
    overrides: SetOption = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="[ADDRESS]",
            help="Check a Ray cluster instead: its nodes, and whether the network carries the stream. ADDRESS is as in "
            "renderer.address, which is the default. docs/ray.md.",
        ),
    ] = None,
) -> None:
    """Check everything that could go wrong: config, weights, device, encoder, port, queue, disk."""
    from streamer.commands.check import command

    configure_logs(LogSetup("error"))  # the findings say it all
    with exit_on_error():
        command(config, overrides or (), Console(), ray)


@app.command()
def fetch(
    networks: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NETWORK]…", help="As in network.name; default: those that a run starts with."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="URL|FOLDER", help="A mirror, a folder or a file that has them; default: PyTorch's server."
        ),
    ] = None,
    overrides: SetOption = None,
) -> None:
    """Download a network's weights now, for a machine that will be offline. docs/networks.md."""
    settings = settings_of(None, overrides)
    configure_logs(LogSetup("warning"))
    from streamer.commands.fetch import command

    with exit_on_error():
        command(settings, networks or (), source, typer.echo)


@app.command("say")
def say_line(
    line: Annotated[
        str,
        typer.Argument(metavar="LINE", help='A line as in chat: "!dream jellyfish", just "jellyfish", or "!layer fire5".'),
    ],
    user: Annotated[str | None, typer.Option(help="The viewer's name; default: your login name.")] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The page's address; default: the config's.")] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="CONFIG", help="The running streamer's settings.")] = None,
    overrides: SetOption = None,
) -> None:
    """Send a chat line to a running streamer."""
    from streamer.commands.say import address, say, wish

    settings = settings_of(config, overrides)
    with exit_on_error():
        try:
            wanted, base = wish(line), address(url or f"{settings.web.host}:{settings.web.port}")
        except ValueError as error:
            raise CommandError(str(error), WRONG_CALL) from error
        typer.echo(say(base, user or _login(), wanted.text, settings.web.token, wanted.role))


@app.command("fit-prior")
def fit_prior(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES…", help="Photographs, or folders of them.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The .safetensors file to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed for choosing patches.")] = 1,
) -> None:
    """Fit the patch prior, which keeps pictures natural, to photographs."""
    from streamer.commands.fit_prior import command

    with exit_on_error():
        command(images, output, seed, console, typer.echo)


def main() -> None:
    """Run the command line; entry point of the ``zoomdream`` script."""
    # Torch's threads must sleep while they wait for each other. If they spin while anything else runs, they take the core from
    # the thread they wait for, and a step takes five times as long. OpenMP reads this once, when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # like standard error: file names may not be text
    app()


def _login() -> str:
    with contextlib.suppress(OSError, KeyError):  # no login name, for example in a bare container
        return getpass.getuser()
    return "somebody"


if __name__ == "__main__":
    main()
