"""The call of ``zoomdream render``: a script, pictures, a film or a journal, whichever its options name."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Annotated, get_args

import typer

from streamer.commands import WRONG_CALL
from streamer.commands.call import LogOption, SetOption, fail, pixels_of, set_up_logs, settings_of, told
from streamer.commands.subject import subject_of
from streamer.config_source import Fit
from streamer.logs import console

SECONDS = 30.0
"""Length of a video where the call names none."""

FITS = get_args(Fit)

WHAT, WHERE, HOW, AGAIN = "What to dream", "On what", "How, and where to", "A live run again"
"""Headings of the help."""

ONLY = {
    "--seconds": ("script", "film"),
    "--fps": ("script", "picture", "journal"),
    "--captions": ("script",),
    "--iterations": ("picture", "film"),
    "--octaves": ("picture",),
    "--progress": ("picture",),
    "--fit": ("picture", "film", "script"),
    "--track": ("film",),
}
"""Options that would change nothing elsewhere, and what they go with."""
OTHERWISE = {
    ("--seconds", "picture"): "a picture's iterations are counted with --iterations",
    ("--fps", "film"): "a film keeps its own rate",
    ("--captions", "journal"): "say --set video.captions=true",
    ("--fit", "journal"): "say --set source.fit=pad",
}
"""What to do instead, where there is something."""


def render(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[CONFIG] [PICTURES]…", help="A YAML file of settings; further --image files."),
    ] = None,
    script: Annotated[
        str,
        typer.Option(help='What to dream from which second on: "0 jellyfish + ladybug; 12 pizza".', rich_help_panel=WHAT),
    ] = "",
    subject: Annotated[
        str,
        typer.Option(
            "--class",
            metavar="WORDS",
            help="What to dream on pictures or a film: 'goldfish + orange'.",
            rich_help_panel=WHAT,
        ),
    ] = "",
    layer: Annotated[
        str,
        typer.Option(metavar="NAME", help="Dream what excites a layer, or some channels: fire5:3,17.", rich_help_panel=WHAT),
    ] = "",
    guide: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Dream the likeness of this picture, as --layer sees it if given.", rich_help_panel=WHAT
        ),
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A picture to dream on, or a folder of them; repeatable.", rich_help_panel=WHERE),
    ] = None,
    video: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A film to dream on, picture by picture.", rich_help_panel=WHERE)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Where to: .mp4, .gif, .png or .jpg (the last frame), or a folder; "
            "dream.png of pictures, else dream.mp4, if not given.",
            rich_help_panel=HOW,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help="Size in pixels, for example 640x360; a picture's or film's own if not given.",
            rich_help_panel=HOW,
        ),
    ] = None,
    fit: Annotated[
        str,
        typer.Option(
            metavar="|".join(FITS),
            help="What becomes of a picture of another shape: cut, with black bars, or stretched; source.fit if not given.",
            rich_help_panel=HOW,
        ),
    ] = "",
    track: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Which of a film's video tracks, counted from 1; the best if not given.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(
            min=1, max=100_000, help="Steps for a picture, in each octave, or for each of a film.", rich_help_panel=HOW
        ),
    ] = None,
    octaves: Annotated[
        int | None,
        typer.Option(min=1, max=16, help="Sizes at which a picture is dreamt, coarse to fine.", rich_help_panel=HOW),
    ] = None,
    progress: Annotated[
        bool, typer.Option("--progress", help="Lay the input and later iterations side by side.", rich_help_panel=HOW)
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.01, max=86_400, help="Length of the video: 30, or all of a film, if not given.", rich_help_panel=HOW
        ),
    ] = None,
    fps: Annotated[
        int | None,
        typer.Option(help="Frames per second: video.fps, or 10 iterations of a picture, if not given.", rich_help_panel=HOW),
    ] = None,
    captions: Annotated[
        bool, typer.Option("--captions", help="Write what is dreamt into the picture.", rich_help_panel=HOW)
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same pixels.", rich_help_panel=HOW),
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The journal it wrote; docs/journal.md.", rich_help_panel=AGAIN)
    ] = None,
    begin: Annotated[
        str,
        typer.Option("--from", metavar="TIME", help="From 20:15, 20:15:30, or +1:30 into the run.", rich_help_panel=AGAIN),
    ] = "",
    end: Annotated[
        str, typer.Option("--to", metavar="TIME", help="To that time, written likewise.", rich_help_panel=AGAIN)
    ] = "",
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Dream all before --from too, for the same pixels.", rich_help_panel=AGAIN),
    ] = False,
    overrides: SetOption = None,
    log_level: LogOption = "warning",
) -> None:
    """Dream offline: a script to a video, a picture to a picture, a film to a film. docs/render.md."""
    configs = [file for file in files or () if file.suffix.lower() in (".yaml", ".yml")]
    images = (*(image or ()), *(file for file in files or () if file not in configs))
    if len(configs) > 1 or (configs and (files or [])[0] != configs[0]):
        fail(WRONG_CALL, f"one config, and that first: '{configs[-1]}' comes after '{(files or [])[0]}'")
    named = list(overrides or ())
    if fit and fit not in FITS:
        fail(WRONG_CALL, f"--fit is '{fit}'; must be {', '.join(FITS[:-1])} or {FITS[-1]}")
    for setting, value in (("video.fps", fps), ("source.fit", fit or None), ("source.track", track)):
        if value is not None:
            named.append(f"{setting}={value}")
    wanted, pixels = subject_of(subject, layer, guide), pixels_of(size)
    _fit_together(
        script=script,
        subject=wanted,
        pictures=len(images),
        film=video is not None,
        journal=journal is not None,
        times=bool(begin or end or exact),
        config=bool(configs),
    )
    pictured = script == "" and bool(wanted or images or iterations or octaves or progress)
    kind = "journal" if journal is not None else "film" if video is not None else "picture" if pictured else "script"
    given = {
        "--seconds": seconds is not None,
        "--fps": fps is not None,
        "--captions": captions,
        "--iterations": iterations is not None,
        "--octaves": octaves is not None,
        "--progress": progress,
        "--fit": bool(fit),
        "--track": track is not None,
    }
    _all_of_use(kind, [option for option, is_given in given.items() if is_given])
    if fit and kind == "picture" and pixels is None:
        fail(WRONG_CALL, "--fit goes with --size: without one, a picture keeps its own shape")
    if output is None:
        output = Path("dream.png" if kind == "picture" else "dream.mp4")
    if journal is not None:
        set_up_logs(log_level)
        from streamer.commands import replay

        with told():
            again = replay.Order(journal, output, pixels, begin, end, exact, seed, tuple(named))
            replay.command(again, console, typer.echo)
        return
    if pixels is not None and script and video is None:
        named += [f"video.width={pixels[1]}", f"video.height={pixels[0]}"]
    settings = settings_of(configs[0] if configs else None, named)
    if fit and kind != "film" and not images and settings.source.kind == "noise":
        fail(WRONG_CALL, "--fit goes with a picture or a film; this begins with noise, of any shape")
    if seed is None:
        seed = random.SystemRandom().randrange(2**32) if settings.seed is None else settings.seed
    set_up_logs(log_level)
    with told():
        if video is not None:
            from streamer.commands import films

            film = films.FilmOrder(wanted, video, output, seed, pixels, iterations, seconds)
            films.command(settings, film, console, typer.echo)
        elif kind == "script":
            from streamer.commands import render as scripts

            order = scripts.Order(script, seconds or SECONDS, output, seed, captions, next(iter(images), None))
            scripts.command(settings, order, console, typer.echo)
        else:
            from streamer.commands import still

            picture = still.StillOrder(wanted, images, output, seed, pixels, iterations, octaves, fps, progress)
            still.command(settings, picture, console, typer.echo)


def _fit_together(*, script: str, subject: str, pictures: int, film: bool, journal: bool, times: bool, config: bool) -> None:
    """End the program where a call asks for things that exclude each other."""
    if times and not journal:
        fail(WRONG_CALL, "--from, --to and --exact go with --journal FILE")
    if journal and (config or script or subject or pictures or film):
        fail(WRONG_CALL, "a journal brings its own settings and scenes; change settings with --set")
    if script and subject:
        fail(WRONG_CALL, "say what to dream either with --script, or with --class, --layer and --guide")
    if film and (script or pictures):
        fail(WRONG_CALL, "a film takes --class, --layer or --guide, and no --script or --image")
    if script and pictures > 1:
        fail(WRONG_CALL, "a script takes one --image to start from")


def _all_of_use(kind: str, options: list[str]) -> None:
    """End the program where an option would change nothing: who gave it meant something by it."""
    for option in options:
        if kind not in ONLY[option]:
            instead = OTHERWISE.get((option, kind), "")
            takers = " or ".join(f"a {taker}" for taker in ONLY[option])
            fail(WRONG_CALL, f"{option} goes with {takers}, not with a {kind}{instead and '; '}{instead}")
