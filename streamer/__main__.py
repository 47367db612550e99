"""The command line. Nothing heavy is imported before a command needs it, so that ``--help`` answers at once.

Exit codes: 0 done, 1 it failed, 2 the call or the config was wrong, 130 and 143 it was stopped by Ctrl+C and by SIGTERM; one
line on standard error says why.
"""

from __future__ import annotations

import contextlib
import getpass
import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
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
    fail,
    set_up_logs,
    settings_of,
    told,
)
from streamer.commands.render_call import render
from streamer.logs import LogSetup, configure_logs, console


def _version(wanted: bool) -> None:
    """Print the version and exit."""
    if wanted:
        typer.echo(f"zoomdream {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="zoomdream",
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
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, not where the last run got to.")] = False,
    log_format: FormatOption = None,
    log_file: FileOption = None,
) -> None:
    """Stream live: the page with the video, the queue and the API."""
    settings = settings_of(config, overrides)
    set_up_logs(log_level, settings.log, log_format, log_file)
    from streamer.commands.run import command
    from streamer.reload import Reload

    with told():
        command(settings, typer.echo, Reload(settings, config, overrides or ()), fresh=fresh)


@app.command()
def bot(
    config: ConfigArgument = None,
    console: Annotated[bool, typer.Option("--console", help="Chat with it in this terminal, without Twitch.")] = False,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The streamer's address; the config's if not given.")] = None,
    overrides: SetOption = None,
    log_level: LogOption = "info",
    log_format: FormatOption = None,
    log_file: FileOption = None,
) -> None:
    """Answer a chat for a running streamer; run does so itself when twitch.channel is set."""
    settings = settings_of(config, overrides)
    set_up_logs(log_level, settings.log, log_format, log_file, bot=True)
    from streamer.commands.bot import command

    with told():
        command(settings, console=console, url=url)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell which version this is, and end.")
    ] = False,
) -> None:
    """A live picture that dreams what its viewers ask for."""


app.command()(render)
app.command()(atlas)


@app.command()
def journal(
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A journal, or a folder; the usual one if left out.")
    ] = None,
) -> None:
    """List the journals of past runs; of one, what was dreamt when."""
    from streamer.commands.journal import command

    with told():
        command(path, typer.echo)


@app.command()
def classes(
    word: Annotated[str, typer.Argument(metavar="[WORD]", help="What it would match; all classes if left out.")] = "",
    layers: Annotated[bool, typer.Option("--layers", help="List a network's layers; with a word, those named so.")] = False,
    network: Annotated[str | None, typer.Option(metavar="NAME", help="Whose layers; network.name if not given.")] = None,
    overrides: SetOption = None,
) -> None:
    """List what can be asked for; with a word, what it would match."""
    if layers:
        from streamer.commands import layer_list as listing

        settings = settings_of(None, overrides)
        with told():
            listing.command(settings, word, network, Console(), typer.echo)
        return
    if network is not None or overrides:
        fail(WRONG_CALL, "--network and --set go with --layers")
    from streamer.commands.classes import command

    with told():
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
            help="Look at a Ray cluster instead: its nodes, and whether the way there carries the stream. Its address as in "
            "renderer.address, which counts if none is given. docs/ray.md.",
        ),
    ] = None,
) -> None:
    """Look at everything that could go wrong: config, weights, device, encoder, port, queue, disk."""
    from streamer.commands.check import command

    configure_logs(LogSetup("error"))  # what is to be said is found by looking
    with told():
        command(config, overrides or (), Console(), ray)


@app.command()
def fetch(
    networks: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NETWORK]…", help="As in network.name; those that a run would begin with if left out."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="URL|FOLDER", help="A mirror, a folder or a file that has them; PyTorch's server if not given."
        ),
    ] = None,
    overrides: SetOption = None,
) -> None:
    """Fetch a network's weights now, for a machine that will be offline. docs/networks.md."""
    settings = settings_of(None, overrides)
    configure_logs(LogSetup("warning"))
    from streamer.commands.fetch import command

    with told():
        command(settings, networks or (), source, typer.echo)


@app.command("say")
def say_line(
    line: Annotated[
        str,
        typer.Argument(
            metavar="LINE", help='What would be typed in chat: "!dream jellyfish", just "jellyfish", or "!layer fire5".'
        ),
    ],
    user: Annotated[str | None, typer.Option(help="Who says it; your login name if not given.")] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The page's address; the config's if not given.")] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="CONFIG", help="The running streamer's settings.")] = None,
    overrides: SetOption = None,
) -> None:
    """Say a chat line to a running streamer."""
    from streamer.commands.say import address, say, wish

    settings = settings_of(config, overrides)
    with told():
        try:
            wanted, base = wish(line), address(url or f"{settings.web.host}:{settings.web.port}")
        except ValueError as error:
            raise CommandError(str(error), WRONG_CALL) from error
        typer.echo(say(base, user or _login(), wanted.text, settings.web.token, wanted.role))


@app.command("fit-prior")
def fit_prior(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES…", help="Photographs, or folders of them.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The .safetensors file to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of patches.")] = 1,
) -> None:
    """Fit the patch prior, the feeling for what is natural, to photographs."""
    from streamer.commands.fit_prior import command

    with told():
        command(images, output, seed, console, typer.echo)


def main() -> None:
    """Run the command line; the ``zoomdream`` script starts here."""
    # Torch's threads are to sleep while they wait for each other: spinning, they take the core from the one they wait for once
    # anything else runs, and a step takes five times as long. OpenMP reads this once, when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error has it: files may have names that are no text
    app()


def _login() -> str:
    with contextlib.suppress(OSError, KeyError):  # no login name, as in a bare container
        return getpass.getuser()
    return "somebody"


if __name__ == "__main__":
    main()
