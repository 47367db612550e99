"""The call of ``zoomdream render``: a script, pictures, a film or a journal, whichever its options name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from streamer.commands import WRONG_CALL
from streamer.commands.call import LogOption, SetOption, fail, told
from streamer.commands.on_ray.options import AddressOption, CpusOption, GpusOption, SegmentOption, TilesOption, ray_call
from streamer.commands.render_facts import ON_RAY_FACT, RenderCall, call_from_facts
from streamer.commands.render_work import FITS, perform
from streamer.commands.stop_signals import StopSignals

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
    ray: AddressOption = "",
    ray_gpus: GpusOption = None,
    ray_cpus: CpusOption = None,
    ray_segment: SegmentOption = None,
    ray_tiles: TilesOption = False,
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
    call = RenderCall(
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
    try:
        cluster = ray_call(ray, ray_gpus, ray_cpus, ray_segment, ray_tiles)
    except ValueError as error:
        fail(WRONG_CALL, str(error))
    with told(), StopSignals() as stops:
        if resume and call == RenderCall():
            from streamer.commands.resumable_work import saved_facts

            if output is None:
                fail(WRONG_CALL, "say what to go on with: --resume -o FILE, or the same call as before with --resume")
            saved = saved_facts(output)
            if (ON_RAY_FACT in saved) != (cluster is not None):
                fail(
                    WRONG_CALL, f"'{output}' was begun {'with' if ON_RAY_FACT in saved else 'without'} --ray: call it so again"
                )
            call = call_from_facts(saved)
        perform(call, output, resume, fresh, stops, log_level, cluster)
