"""The call of ``zoomdream render``: a script, pictures, a film or a journal, whichever its options name."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Annotated

import typer

from streamer.commands import WRONG_CALL
from streamer.commands.call import LogOption, SetOption, fail, pixels_of, set_up_logs, settings_of, told
from streamer.commands.subject import subject_of
from streamer.logs import console

SECONDS = 30.0
"""Length of a video where the call names none."""


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
    seconds: Annotated[
        float | None, typer.Option(min=0.01, max=86_400, help="Length of the video: 30, or all of a film, if not given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same pixels.")] = None,
    fps: Annotated[int | None, typer.Option(help="Frames per second; video.fps if not given.")] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Size in pixels, for example 640x360; a picture's or film's own if not given."),
    ] = None,
    image: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A picture to dream on, or a folder of them; repeatable.")
    ] = None,
    video: Annotated[Path | None, typer.Option(metavar="FILE", help="A film to dream on, picture by picture.")] = None,
    iterations: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Steps for a picture, in each octave, or for each of a film.")
    ] = None,
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
    configs = [file for file in files or () if file.suffix.lower() in (".yaml", ".yml")]
    images = (*(image or ()), *(file for file in files or () if file not in configs))
    if len(configs) > 1 or (configs and (files or [])[0] != configs[0]):
        fail(WRONG_CALL, f"one config, and that first: '{configs[-1]}' comes after '{(files or [])[0]}'")
    named = list(overrides or ())
    if fps is not None:
        named.append(f"video.fps={fps}")
    wanted, pixels = subject_of(subject, layer, guide), pixels_of(size)
    _fit_together(
        script=script,
        subject=wanted,
        pictures=len(images),
        film=video is not None,
        journal=journal is not None,
        still=bool(octaves or progress),
        iterations=iterations is not None,
        times=bool(begin or end or exact),
        config=bool(configs),
    )
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
    if seed is None:
        seed = random.SystemRandom().randrange(2**32) if settings.seed is None else settings.seed
    set_up_logs(log_level)
    with told():
        if video is not None:
            from streamer.commands import films

            film = films.FilmOrder(wanted, video, output, seed, pixels, iterations, seconds)
            films.command(settings, film, console, typer.echo)
        elif script or not (wanted or images or iterations or octaves or progress):
            from streamer.commands import render as scripts

            order = scripts.Order(script, seconds or SECONDS, output, seed, captions, next(iter(images), None))
            scripts.command(settings, order, console, typer.echo)
        else:
            from streamer.commands import still

            picture = still.StillOrder(wanted, images, output, seed, pixels, iterations, octaves, fps, progress)
            still.command(settings, picture, console, typer.echo)


def _fit_together(
    *,
    script: str,
    subject: str,
    pictures: int,
    film: bool,
    journal: bool,
    still: bool,
    iterations: bool,
    times: bool,
    config: bool,
) -> None:
    """End the program where a call asks for things that exclude each other."""
    if times and not journal:
        fail(WRONG_CALL, "--from, --to and --exact go with --journal FILE")
    if journal and (config or script or subject or pictures or film):
        fail(WRONG_CALL, "a journal brings its own settings and scenes; change settings with --set")
    if script and subject:
        fail(WRONG_CALL, "say what to dream either with --script, or with --class, --layer and --guide")
    if film and (script or pictures or still):
        fail(WRONG_CALL, "a film takes --class, --layer or --guide, and no --script, --image, --octaves or --progress")
    if script and (iterations or still or pictures > 1):
        fail(WRONG_CALL, "a script takes one --image to start from, and no --iterations, --octaves or --progress")
