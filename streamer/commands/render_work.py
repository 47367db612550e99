"""What a call of ``zoomdream render`` asks for, done: its options are read as a whole, and the command is called."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import typer

from streamer.commands import WRONG_CALL
from streamer.commands.call import fail, pixels_of, set_up_logs, settings_of
from streamer.commands.on_ray.options import RayCall
from streamer.commands.progress_display import teller
from streamer.commands.render_facts import RenderCall, facts
from streamer.commands.stop_signals import StopSignals
from streamer.commands.style_files import style_file
from streamer.config_source import Fit
from streamer.logs import console

ONLY = {
    "--seconds": ("script", "film"),
    "--fps": ("script", "picture", "journal"),
    "--captions": ("script",),
    "--iterations": ("picture", "film"),
    "--octaves": ("picture",),
    "--progress": ("picture",),
    "--fit": ("picture", "film", "script"),
    "--track": ("film",),
    "--resume": ("script", "picture", "film"),
    "--ray-segment": ("film",),
    "--ray-tiles": ("picture",),
}
"""Options that would change nothing elsewhere, and what they go with."""


OTHERWISE = {
    ("--seconds", "picture"): "a picture's iterations are counted with --iterations",
    ("--fps", "film"): "a film keeps its own rate",
    ("--captions", "journal"): "say --set video.captions=true",
    ("--fit", "journal"): "say --set source.fit=pad",
    ("--resume", "journal"): "say --from, for what is missing",
}
"""What to do instead, where there is something."""


def fit_together(*, script: str, subject: str, pictures: int, film: bool, journal: bool, times: bool, config: bool) -> None:
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


def all_of_use(kind: str, options: list[str]) -> None:
    """End the program where an option would change nothing: who gave it meant something by it."""
    for option in options:
        if kind not in ONLY[option]:
            instead = OTHERWISE.get((option, kind), "")
            takers = " or ".join(f"a {taker}" for taker in ONLY[option])
            fail(WRONG_CALL, f"{option} goes with {takers}, not with a {kind}{instead and '; '}{instead}")


def subject_of(subject: str, layer: str, guide: Path | None) -> str:
    """A subject as ``requests.subjects`` reads it; empty when nothing was asked for.

    Args:
        subject: class words.
        layer: a layer's name, with channels behind a colon; with a guide, what the guide is seen through.
        guide: a picture file.
    """
    parts = [subject.strip()]
    layer = layer.strip().removeprefix("layer ")
    if guide is not None:
        quote = "'" if '"' in str(guide) else '"'
        parts.append(f"guide {quote}{guide}{quote}" + (f" at {layer}" if layer else ""))
    elif layer:
        parts.append(f"layer {layer}")
    return " + ".join(part for part in parts if part)


SECONDS = 30.0
"""Length of a video where the call names none."""

FITS = get_args(Fit)


def perform(
    call: RenderCall,
    output: Path | None,
    resume: bool,
    fresh: bool,
    stops: StopSignals,
    log_level: str,
    ray: RayCall | None,
) -> None:
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
        "--ray-segment": ray is not None and ray.segment_s is not None,
        "--ray-tiles": ray is not None and ray.tiles,
    }
    all_of_use(kind, [option for option, is_given in given.items() if is_given])
    if call.fit and kind == "picture" and pixels is None:
        fail(WRONG_CALL, "--fit goes with --size: without one, a picture keeps its own shape")
    if output is None:
        output = Path("dream.png" if kind == "picture" else "dream.mp4")
    if call.journal is not None:
        set_up_logs(log_level)
        from streamer.commands import render_journal
        from streamer.commands.resumable_work import ResumeOptions

        again = render_journal.JournalOrder(
            call.journal, output, pixels, call.begin, call.end, call.exact, call.seed, tuple(named)
        )
        render_journal.command(again, ResumeOptions(stops), console, typer.echo, ray)
        return
    if pixels is not None and call.script and call.video is None:
        named += [f"video.width={pixels[1]}", f"video.height={pixels[0]}"]
    settings = settings_of(configs[0] if configs else None, named)
    if call.fit and kind != "film" and not images and settings.source.kind == "noise":
        fail(WRONG_CALL, "--fit goes with a picture or a film; this begins with noise, of any shape")
    set_up_logs(log_level)
    from streamer.commands.resumable_work import ResumeOptions
    from streamer.commands.work_starter import WorkStarter

    begin = WorkStarter(facts(call, kind, settings, ray), ResumeOptions(stops, resume, fresh), teller(console))
    if kind == "film" and call.video is not None:
        from streamer.commands import render_film

        work = begin(output)
        film = render_film.FilmOrder(wanted, call.video, output, work.seed, pixels, call.iterations, call.seconds)
        render_film.command(settings, film, work, console, typer.echo, ray)
    elif kind == "script":
        from streamer.commands import render_script as scripts

        work = begin(output)
        order = scripts.ScriptOrder(
            call.script, call.seconds or SECONDS, output, work.seed, call.captions, next(iter(images), None)
        )
        scripts.command(settings, order, work, console, typer.echo, ray)
    else:
        from streamer.commands import render_pictures
        from streamer.commands.still_picture import StillOrder

        picture = StillOrder(wanted, images, output, pixels, call.iterations, call.octaves, call.fps, call.progress)
        render_pictures.command(settings, picture, begin, console, typer.echo, ray)


def _kind(call: RenderCall, pictured: bool) -> str:
    """What is rendered."""
    if call.journal is not None:
        return "journal"
    return "film" if call.video is not None else "picture" if pictured else "script"
