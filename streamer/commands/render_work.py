"""Carries out a call of ``zoomdream render``, in either form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.console import Console

from streamer.commands import WRONG_CALL
from streamer.commands.call import exit_on_error, fail, pixels_of, set_up_logs, settings_of
from streamer.commands.on_ray.options import RayCall, ray_call
from streamer.commands.progress_display import teller
from streamer.commands.render_facts import (
    ON_RAY_FACT,
    SEGMENT_FACT,
    RenderCall,
    RenderKind,
    call_from_facts,
    facts,
    is_config,
)
from streamer.commands.render_options import FITS
from streamer.commands.stop_signals import StopSignals
from streamer.commands.style_files import style_file
from streamer.config import Config
from streamer.logs import console

SECONDS = 30.0
"""Length of a script's video if the call names none."""


@dataclass(frozen=True, slots=True)
class RenderRun:
    """How to run a call: what does not change the pixels."""

    output: Path | None
    """None for ``dream.png`` or ``dream.mp4``."""
    resume: bool = False
    fresh: bool = False
    log_level: str = "warning"
    ray: RayCall | None = None
    """The cluster to render on; None renders here."""


@dataclass(frozen=True, slots=True)
class CallValues:
    """The values of a call, parsed."""

    config: Path | None
    images: tuple[Path, ...]
    subject: str
    """As ``requests.subjects`` parses it; may be empty."""
    size: tuple[int, int] | None
    """(height, width) in pixels."""
    overrides: tuple[str, ...]
    """``key=value`` settings, with those that have options of their own."""


FindKind = Callable[[RenderCall, CallValues, RenderRun], RenderKind]
"""Tells what a call renders, and ends the program if its options do not go together."""


def list_styles() -> None:
    """Show the included styles."""
    from streamer.commands import styles

    styles.command(Console(), typer.echo)


def cluster_of(
    address: str, gpus: float | None, cpus: int | None, segment_s: float | None = None, tiles: bool = False
) -> RayCall | None:
    """Return the cluster that a call names, or None; end the program if its options lack ``--ray``."""
    try:
        return ray_call(address, gpus, cpus, segment_s, tiles)
    except ValueError as error:
        fail(WRONG_CALL, str(error))


def resume_saved(output: Path, run: RenderRun) -> None:
    """Continue an unfinished output with the options saved beside it."""
    from streamer.commands.resumable_work import saved_facts

    with exit_on_error():
        saved = saved_facts(output)
        if (ON_RAY_FACT in saved) != (run.ray is not None):
            fail(WRONG_CALL, f"'{output}' was started {'with' if ON_RAY_FACT in saved else 'without'} --ray: do the same now")
    if run.ray is not None and run.ray.segment_s is None:
        run = replace(run, ray=replace(run.ray, segment_s=saved.get(SEGMENT_FACT)))
    perform(saved["kind"], call_from_facts(saved), run)


def perform(kind: RenderKind | FindKind, call: RenderCall, run: RenderRun) -> None:
    """Render what a call names; end the program with an exit code and a line if that fails.

    Args:
        kind: What it renders, or what finds that out.
    """
    if run.resume and run.fresh:
        fail(WRONG_CALL, "either --resume or --fresh")
    with exit_on_error(), StopSignals() as stops:
        values = _values(call)
        if not isinstance(kind, str):
            kind = kind(call, values, run)
        if call.fit and kind == "picture" and values.size is None:
            fail(WRONG_CALL, "--fit goes with --size: without one, a picture keeps its own shape")
        output = run.output or Path("dream.png" if kind == "picture" else "dream.mp4")
        if call.journal is not None:
            _render_journal(call.journal, call, values, output, run, stops)
            return
        overrides = list(values.overrides)
        if kind == "script" and values.size is not None:
            overrides += [f"video.width={values.size[1]}", f"video.height={values.size[0]}"]
        settings = settings_of(values.config, overrides)
        if call.fit and kind != "film" and not values.images and settings.source.kind == "noise":
            fail(WRONG_CALL, "--fit goes with a picture or a film; this starts from noise, of any shape")
        set_up_logs(run.log_level)
        _render(kind, call, values, settings, output, run, stops)


def _values(call: RenderCall) -> CallValues:
    """Parse a call's values; end the program at the first that is wrong."""
    configs = [file for file in call.files if is_config(file)]
    images = (*call.image, *(file for file in call.files if file not in configs))
    if len(configs) > 1 or (configs and call.files[0] != configs[0]):
        fail(WRONG_CALL, f"one config, and that first: '{configs[-1]}' comes after '{call.files[0]}'")
    config = next(iter(configs), None)
    if call.style:
        if config is not None:
            fail(WRONG_CALL, f"either --style, or the config '{config}'")
        config = style_file(call.style)
    if call.fit and call.fit not in FITS:
        fail(WRONG_CALL, f"--fit is '{call.fit}'; must be {', '.join(FITS[:-1])} or {FITS[-1]}")
    own = (("video.fps", call.fps), ("source.fit", call.fit or None), ("source.track", call.track))
    overrides = (*call.overrides, *(f"{setting}={value}" for setting, value in own if value is not None))
    return CallValues(config, images, subject_of(call.subject, call.layer, call.guide), pixels_of(call.size), overrides)


def subject_of(subject: str, layer: str, guide: Path | None) -> str:
    """Return a subject as ``requests.subjects`` parses it; empty if the call names none.

    Args:
        subject: Class words.
        layer: A layer's name, with channels after a colon; with a guide, the layer that sees it.
        guide: A picture file.
    """
    parts = [subject.strip()]
    layer = layer.strip().removeprefix("layer ")
    if guide is not None:
        quote = "'" if '"' in str(guide) else '"'
        parts.append(f"guide {quote}{guide}{quote}" + (f" at {layer}" if layer else ""))
    elif layer:
        parts.append(f"layer {layer}")
    return " + ".join(part for part in parts if part)


def _render_journal(
    journal: Path, call: RenderCall, values: CallValues, output: Path, run: RenderRun, stops: StopSignals
) -> None:
    set_up_logs(run.log_level)
    from streamer.commands import render_journal
    from streamer.commands.resumable_work import ResumeOptions

    order = render_journal.JournalOrder(
        journal, output, values.size, call.begin, call.end, call.exact, call.seed, values.overrides
    )
    render_journal.command(order, ResumeOptions(stops), console, typer.echo, run.ray)


def _render(
    kind: RenderKind,
    call: RenderCall,
    values: CallValues,
    settings: Config,
    output: Path,
    run: RenderRun,
    stops: StopSignals,
) -> None:
    """Render a script, pictures or a film."""
    from streamer.commands.resumable_work import ResumeOptions
    from streamer.commands.work_starter import WorkStarter

    begin = WorkStarter(facts(call, kind, settings, run.ray), ResumeOptions(stops, run.resume, run.fresh), teller(console))
    if call.video is not None:
        from streamer.commands import render_film

        work = begin(output)
        film = render_film.FilmOrder(values.subject, call.video, output, work.seed, values.size, call.iterations, call.seconds)
        render_film.command(settings, film, work, console, typer.echo, run.ray)
    elif kind == "script":
        from streamer.commands import render_script

        work, image = begin(output), next(iter(values.images), None)
        script = render_script.ScriptOrder(call.script, call.seconds or SECONDS, output, work.seed, call.captions, image)
        render_script.command(settings, script, work, console, typer.echo, run.ray)
    else:
        from streamer.commands import render_pictures
        from streamer.commands.still_picture import StillOrder

        picture = StillOrder(
            values.subject, values.images, output, values.size, call.iterations, call.octaves, call.fps, call.progress
        )
        render_pictures.command(settings, picture, begin, console, typer.echo, run.ray)
