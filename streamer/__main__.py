"""The command line. Nothing heavy is imported before a command needs it, so that ``--help`` answers at once.

Exit codes: 0 done, 1 it failed, 2 the call or the config was wrong; one line on standard error says why.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from streamer.commands import WRONG_CALL, CommandError
from streamer.commands.subject import subject_of
from streamer.config import Config
from streamer.logs import LEVELS, configure_logs, console

app = typer.Typer(
    name="zoomdream",
    help="A live picture that dreams what its viewers ask for.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigArgument = Annotated[
    Path | None, typer.Argument(metavar="[CONFIG]", help="A YAML file of settings; configs/default.yaml if none is named.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, for example video.fps=30; repeatable."),
]
LogOption = Annotated[str, typer.Option("--log-level", metavar="LEVEL", help=f"{', '.join(LEVELS)}.")]


@app.command()
def run(config: ConfigArgument = None, overrides: SetOption = None, log_level: LogOption = "info") -> None:
    """Stream live: the page with the video, the queue and the API."""
    settings = _settings(config, overrides)
    _logs(log_level)
    from streamer.commands.run import command

    with _told():
        command(settings, typer.echo)


@app.command()
def bot(
    config: ConfigArgument = None,
    console: Annotated[bool, typer.Option("--console", help="Chat with it in this terminal, without Twitch.")] = False,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The streamer's address; the config's if not given.")] = None,
    overrides: SetOption = None,
    log_level: LogOption = "info",
) -> None:
    """Answer a chat for a running streamer; run does so itself when twitch.channel is set."""
    settings = _settings(config, overrides)
    _logs(log_level)
    from streamer.commands.bot import command

    with _told():
        command(settings, console=console, url=url)


@app.command()
def render(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[CONFIG] [PICTURES]…", help="A YAML file of settings; further --image files."),
    ] = None,
    script: Annotated[str, typer.Option(help='What to dream from which second on: "0 volcano + bubble; 12 pizza".')] = "",
    subject: Annotated[
        str, typer.Option("--class", metavar="WORDS", help="What to dream on pictures or a film: 'tree frog + volcano'.")
    ] = "",
    layer: Annotated[str, typer.Option(metavar="NAME", help="Dream what excites a layer, or some channels: fire5:3,17.")] = "",
    guide: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Dream the likeness of this picture, as --layer sees it if given.")
    ] = None,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Where to: .mp4, .gif, .png or .jpg (the last frame), or a folder."),
    ] = Path("dream.mp4"),
    seconds: Annotated[float, typer.Option(min=0.01, max=86_400, help="Length of the video.")] = 30.0,
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same pixels.")] = None,
    fps: Annotated[int | None, typer.Option(help="Frames per second; video.fps if not given.")] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Size in pixels, for example 640x360; a picture's or film's own if not given."),
    ] = None,
    image: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A picture to dream on, or a folder of them; repeatable.")
    ] = None,
    iterations: Annotated[int | None, typer.Option(min=1, max=100_000, help="Steps for a picture, in each octave.")] = None,
    octaves: Annotated[
        int | None, typer.Option(min=1, max=16, help="Sizes at which a picture is dreamt, coarse to fine.")
    ] = None,
    progress: Annotated[bool, typer.Option("--progress", help="Lay the input and later iterations side by side.")] = False,
    captions: Annotated[bool, typer.Option("--captions", help="Write what is dreamt into the picture.")] = False,
    journal: Annotated[Path | None, typer.Option(metavar="FILE", help="Dream a live run again, from its journal.")] = None,
    begin: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Of a journal: from 20:15, 20:15:30, or +1:30 into the run.")
    ] = "",
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="Of a journal: to that time, written likewise.")] = "",
    exact: Annotated[
        bool, typer.Option("--exact", help="Of a journal: dream all before --from too, for the same pixels.")
    ] = False,
    overrides: SetOption = None,
    log_level: LogOption = "warning",
) -> None:
    """Dream offline: a script to a video, a picture to a picture, a film to a film. docs/render.md."""
    named = list(overrides or ())
    configs = [file for file in files or () if file.suffix.lower() in (".yaml", ".yml")]
    images = [*(image or ()), *(file for file in files or () if file not in configs)]
    if len(configs) > 1 or (configs and (files or [])[0] != configs[0]):
        _fail(WRONG_CALL, f"one config, and that first: '{configs[-1]}' comes after '{(files or [])[0]}'")
    config = configs[0] if configs else None
    if fps is not None:
        named.append(f"video.fps={fps}")
    if journal is None and (begin or end or exact):
        _fail(WRONG_CALL, "--from, --to and --exact go with --journal FILE")
    if journal is not None:
        if config or script or images:
            _fail(WRONG_CALL, "a journal brings its own settings and scenes; change settings with --set")
        _logs(log_level)
        from streamer.commands import replay

        with _told():
            order = replay.Order(journal, output, _pixels(size), begin, end, exact, seed, tuple(named))
            replay.command(order, console, typer.echo)
        return
    wanted = subject_of(subject, layer, guide)
    if wanted and script:
        _fail(WRONG_CALL, "say what to dream either with --script, or with --class, --layer and --guide")
    pixels = _pixels(size)
    if pixels is not None and script:
        named += [f"video.width={pixels[1]}", f"video.height={pixels[0]}"]
    settings = _settings(config, named)
    if seed is None:
        seed = random.SystemRandom().randrange(2**32) if settings.seed is None else settings.seed
    _logs(log_level)
    if not script and (wanted or images or iterations or octaves or progress):
        from streamer.commands import still

        with _told():
            call = still.StillOrder(wanted, tuple(images), output, seed, pixels, iterations, octaves, fps, progress)
            still.command(settings, call, console, typer.echo)
        return
    if iterations or octaves or progress or len(images) > 1:
        _fail(WRONG_CALL, "a script takes one --image to start from, and no --iterations, --octaves or --progress")
    from streamer.commands.render import Order, command

    with _told():
        command(settings, Order(script, seconds, output, seed, captions, next(iter(images), None)), console, typer.echo)


@app.command()
def journal(
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A journal, or a folder; the usual one if left out.")
    ] = None,
) -> None:
    """List the journals of past runs; of one, what was dreamt when."""
    from streamer.commands.journal import command

    with _told():
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
        from streamer.commands import layers as listing

        settings = _settings(None, overrides)
        with _told():
            listing.command(settings, word, network, Console(), typer.echo)
        return
    if network is not None or overrides:
        _fail(WRONG_CALL, "--network and --set go with --layers")
    from streamer.commands.classes import command

    with _told():
        command(word, Console(), typer.echo)


@app.command()
def check(config: ConfigArgument = None, overrides: SetOption = None) -> None:
    """Look at everything that could go wrong: config, weights, device, encoder, port, queue, disk."""
    from streamer.commands.check import command

    configure_logs("error")  # what is to be said is found by looking
    with _told():
        command(config, overrides or (), Console())


@app.command("say")
def say_line(
    line: Annotated[str, typer.Argument(metavar="LINE", help='What a viewer would type: "!dream volcano", or just "volcano".')],
    user: Annotated[str | None, typer.Option(help="Who says it; your login name if not given.")] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The page's address; the config's if not given.")] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="CONFIG", help="The running streamer's settings.")] = None,
    overrides: SetOption = None,
) -> None:
    """Say a chat line to a running streamer."""
    from streamer.commands.say import address, say, wish

    settings = _settings(config, overrides)
    with _told():
        try:
            text, base = wish(line), address(url or f"{settings.web.host}:{settings.web.port}")
        except ValueError as error:
            raise CommandError(str(error), WRONG_CALL) from error
        typer.echo(say(base, user or _login(), text, settings.web.token))


@app.command("fit-prior")
def fit_prior(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES…", help="Photographs, or folders of them.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The .safetensors file to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of patches.")] = 1,
) -> None:
    """Fit the patch prior, the feeling for what is natural, to photographs."""
    from streamer.commands.fit_prior import command

    with _told():
        command(images, output, seed, console, typer.echo)


def main() -> None:
    """Run the command line; the ``zoomdream`` script starts here."""
    # Torch's threads are to sleep while they wait for each other: spinning, they take the core from the one they wait for once
    # anything else runs, and a step takes five times as long. OpenMP reads this once, when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app()


def _settings(path: Path | None, overrides: list[str] | None) -> Config:
    """The config that a command was called with; ends the program when it is wrong."""
    from streamer.settings_file import ConfigError, load

    try:
        return load(path, overrides or ())
    except ConfigError as error:
        _fail(WRONG_CALL, *error.problems)


def _logs(level: str) -> None:
    if level.lower() not in LEVELS:
        _fail(WRONG_CALL, f"--log-level is '{level}'; must be {', '.join(LEVELS[:-1])} or {LEVELS[-1]}")
    configure_logs(level)


def _pixels(size: str | None) -> tuple[int, int] | None:
    """A size as it was given, as (height, width); ends the program when it is none."""
    if size is None:
        return None
    if (found := re.fullmatch(r"(\d{1,5})[xX×](\d{1,5})", size.strip())) is None:
        _fail(WRONG_CALL, f"--size is '{size}'; must be WIDTHxHEIGHT in pixels, for example 640x360")
    return int(found[2]), int(found[1])


def _login() -> str:
    with contextlib.suppress(OSError, KeyError):  # no login name, as in a bare container
        return getpass.getuser()
    return "somebody"


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """End the program as a CommandError says."""
    try:
        yield
    except CommandError as error:
        _fail(error.code, str(error))


def _fail(code: int, *lines: str) -> NoReturn:
    for line in lines:
        typer.echo(f"zoomdream: {line}", err=True)
    raise typer.Exit(code)


if __name__ == "__main__":
    main()
