"""The call of ``zoomdream render``: a script, pictures, a film or a journal, whichever its options name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console

from streamer.commands import WRONG_CALL
from streamer.commands.bar import teller
from streamer.commands.call import LogOption, SetOption, fail, pixels_of, set_up_logs, settings_of, told
from streamer.commands.render_facts import Call, called, facts
from streamer.commands.render_rules import all_of_use, fit_together
from streamer.commands.stops import Stops
from streamer.commands.style_files import style_file
from streamer.commands.subject import subject_of
from streamer.config_source import Fit
from streamer.logs import console

SECONDS = 30.0
"""Length of a video where the call names none."""

FITS = get_args(Fit)

WHAT, WHERE, HOW, AGAIN = "What to dream", "On what", "How, and where to", "A live run again"
LONG = "What takes long"
"""Headings of the help."""


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
            help="Where to: .mp4, .gif, .png, .jpg, .webp or .avif (the last frame), or a folder; "
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
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with what was stopped: the same call, or --resume -o FILE alone.", rich_help_panel=LONG
        ),
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, not where it was stopped.", rich_help_panel=LONG)] = False,
    list_styles: Annotated[
        bool, typer.Option("--list-styles", help="Show the styles that come along, each with a picture.", rich_help_panel=WHAT)
    ] = False,
    style: Annotated[
        str, typer.Option(metavar="NAME", help="One of them, in place of a config; see --list-styles.", rich_help_panel=WHAT)
    ] = "",
    steps: Annotated[int | None, typer.Option("--steps", hidden=True)] = None,
    overrides: SetOption = None,
    log_level: LogOption = "warning",
) -> None:
    """Dream offline: a script to a video, a picture to a picture, a film to a film. docs/render.md."""
    if list_styles:
        from streamer.commands import styles

        styles.command(Console(), typer.echo)
        return
    if steps is not None:
        fail(WRONG_CALL, f"--steps is called --iterations: --iterations {steps}")
    call = Call(
        files=tuple(files or ()),
        script=script,
        subject=subject,
        layer=layer,
        guide=guide,
        image=tuple(image or ()),
        video=video,
        size=size,
        fit=fit,
        track=track,
        iterations=iterations,
        octaves=octaves,
        progress=progress,
        seconds=seconds,
        fps=fps,
        captions=captions,
        seed=seed,
        journal=journal,
        begin=begin,
        end=end,
        exact=exact,
        style=style,
        overrides=tuple(overrides or ()),
    )
    if resume and fresh:
        fail(WRONG_CALL, "either --resume or --fresh")
    with told(), Stops() as stops:
        if resume and call == Call():
            from streamer.commands.unfinished import saved_facts

            if output is None:
                fail(WRONG_CALL, "say what to go on with: --resume -o FILE, or the same call as before with --resume")
            call = called(saved_facts(output))
        _perform(call, output, resume, fresh, stops, log_level)


def _perform(call: Call, output: Path | None, resume: bool, fresh: bool, stops: Stops, log_level: str) -> None:
    """Do what a call asks for."""
    configs = [file for file in call.files if file.suffix.lower() in (".yaml", ".yml")]
    images = (*call.image, *(file for file in call.files if file not in configs))
    if len(configs) > 1 or (configs and call.files[0] != configs[0]):
        fail(WRONG_CALL, f"one config, and that first: '{configs[-1]}' comes after '{call.files[0]}'")
    if call.style:
        if configs:
            fail(WRONG_CALL, f"either --style, or the config '{configs[0]}'")
        configs = [style_file(call.style)]
    named = list(call.overrides)
    if call.fit and call.fit not in FITS:
        fail(WRONG_CALL, f"--fit is '{call.fit}'; must be {', '.join(FITS[:-1])} or {FITS[-1]}")
    for setting, value in (("video.fps", call.fps), ("source.fit", call.fit or None), ("source.track", call.track)):
        if value is not None:
            named.append(f"{setting}={value}")
    wanted, pixels = subject_of(call.subject, call.layer, call.guide), pixels_of(call.size)
    fit_together(
        script=call.script,
        subject=wanted,
        pictures=len(images),
        film=call.video is not None,
        journal=call.journal is not None,
        times=bool(call.begin or call.end or call.exact),
        config=bool(configs),
    )
    pictured = call.script == "" and bool(wanted or images or call.iterations or call.octaves or call.progress)
    kind = _kind(call, pictured)
    given = {
        "--seconds": call.seconds is not None,
        "--fps": call.fps is not None,
        "--captions": call.captions,
        "--iterations": call.iterations is not None,
        "--octaves": call.octaves is not None,
        "--progress": call.progress,
        "--fit": bool(call.fit),
        "--track": call.track is not None,
        "--resume": resume,
    }
    all_of_use(kind, [option for option, is_given in given.items() if is_given])
    if call.fit and kind == "picture" and pixels is None:
        fail(WRONG_CALL, "--fit goes with --size: without one, a picture keeps its own shape")
    if output is None:
        output = Path("dream.png" if kind == "picture" else "dream.mp4")
    if call.journal is not None:
        set_up_logs(log_level)
        from streamer.commands import replay
        from streamer.commands.unfinished import Again

        again = replay.Order(call.journal, output, pixels, call.begin, call.end, call.exact, call.seed, tuple(named))
        replay.command(again, Again(stops), console, typer.echo)
        return
    if pixels is not None and call.script and call.video is None:
        named += [f"video.width={pixels[1]}", f"video.height={pixels[0]}"]
    settings = settings_of(configs[0] if configs else None, named)
    if call.fit and kind != "film" and not images and settings.source.kind == "noise":
        fail(WRONG_CALL, "--fit goes with a picture or a film; this begins with noise, of any shape")
    set_up_logs(log_level)
    from streamer.commands.unfinished import Again, Begin

    begin = Begin(facts(call, kind, settings), Again(stops, resume, fresh), teller(console))
    if kind == "film" and call.video is not None:
        from streamer.commands import films

        work = begin(output)
        film = films.FilmOrder(wanted, call.video, output, work.seed, pixels, call.iterations, call.seconds)
        films.command(settings, film, work, console, typer.echo)
    elif kind == "script":
        from streamer.commands import render as scripts

        work = begin(output)
        order = scripts.Order(call.script, call.seconds or SECONDS, output, work.seed, call.captions, next(iter(images), None))
        scripts.command(settings, order, work, console, typer.echo)
    else:
        from streamer.commands import still

        picture = still.StillOrder(wanted, images, output, pixels, call.iterations, call.octaves, call.fps, call.progress)
        still.command(settings, picture, begin, console, typer.echo)


def _kind(call: Call, pictured: bool) -> str:
    """What is rendered."""
    if call.journal is not None:
        return "journal"
    return "film" if call.video is not None else "picture" if pictured else "script"
