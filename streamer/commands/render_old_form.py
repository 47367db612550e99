"""The old form of ``zoomdream render``: all options in one call, and what is rendered follows from them. Still accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from streamer.commands import WRONG_CALL
from streamer.commands.call import LogOption, SetOption, fail
from streamer.commands.on_ray.options import AddressOption, CpusOption, GpusOption, SegmentOption, TilesOption
from streamer.commands.render_facts import RenderCall, RenderKind
from streamer.commands.render_options import (
    CaptionsOption,
    ClassOption,
    ExactOption,
    FitOption,
    FpsOption,
    FreshFlag,
    FromOption,
    GuideOption,
    IterationsOption,
    LayerOption,
    ListStylesOption,
    OctavesOption,
    ProgressOption,
    ResumeFlag,
    SecondsOption,
    SeedOption,
    SizeOption,
    StyleOption,
    ToOption,
    TrackOption,
)
from streamer.commands.render_work import CallValues, RenderRun, cluster_of, list_styles, perform, resume_saved

OLD_FORM = "old-form"
"""The hidden sub-command's name; it appears nowhere."""

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
"""Options that some kinds of render do not have, and the kinds that have them."""

OTHERWISE = {
    ("--seconds", "picture"): "a picture's iterations are counted with --iterations",
    ("--fps", "film"): "a film keeps its own rate",
    ("--captions", "journal"): "say --set video.captions=true",
    ("--fit", "journal"): "say --set source.fit=pad",
    ("--resume", "journal"): "say --from, for what is missing",
}
"""What to do instead, for an option and a kind of render without it."""


class OldForm(typer.core.TyperCommand):
    """The command of the old form; its usage and errors name ``zoomdream render`` alone."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Put the command in the place of its group."""
        return super().make_context(parent.info_name, args, parent=parent.parent, **extra)


def old_form(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[CONFIG] [PICTURES]…", help="A YAML file of settings; further --image files."),
    ] = None,
    script: Annotated[str, typer.Option(help="See zoomdream render script.")] = "",
    subject: ClassOption = "",
    layer: LayerOption = "",
    guide: GuideOption = None,
    image: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A picture or a folder; see zoomdream render pictures.")
    ] = None,
    video: Annotated[Path | None, typer.Option(metavar="FILE", help="See zoomdream render film.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to write; default: dream.png or dream.mp4.")
    ] = None,
    size: SizeOption = None,
    fit: FitOption = "",
    track: TrackOption = None,
    iterations: IterationsOption = None,
    octaves: OctavesOption = None,
    progress: ProgressOption = False,
    seconds: SecondsOption = None,
    fps: FpsOption = None,
    captions: CaptionsOption = False,
    seed: SeedOption = None,
    journal: Annotated[Path | None, typer.Option(metavar="FILE", help="See zoomdream render journal.")] = None,
    begin: FromOption = "",
    end: ToOption = "",
    exact: ExactOption = False,
    resume: ResumeFlag = False,
    fresh: FreshFlag = False,
    list_all: ListStylesOption = False,
    style: StyleOption = "",
    ray: AddressOption = "",
    ray_gpus: GpusOption = None,
    ray_cpus: CpusOption = None,
    ray_segment: SegmentOption = None,
    ray_tiles: TilesOption = False,
    steps: Annotated[int | None, typer.Option("--steps", hidden=True)] = None,
    overrides: SetOption = None,
    log_level: LogOption = "warning",
) -> None:
    """The old form, without a sub-command. It still works; see zoomdream render --help for the new one."""
    if list_all:
        list_styles()
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
    run = RenderRun(output, resume, fresh, log_level, cluster_of(ray, ray_gpus, ray_cpus, ray_segment, ray_tiles))
    if resume and call == RenderCall():
        if output is None:
            fail(WRONG_CALL, "say what to continue: --resume -o FILE, or the same call as before with --resume")
        resume_saved(output, run)
    else:
        perform(kind_of, call, run)


def kind_of(call: RenderCall, values: CallValues, run: RenderRun) -> RenderKind:
    """Return what a call renders; end the program if its options do not go together."""
    _refuse_contradictions(call, values)
    pictured = call.script == "" and bool(values.subject or values.images or call.iterations or call.octaves or call.progress)
    kind: RenderKind = "script"
    if call.journal is not None:
        kind = "journal"
    elif call.video is not None:
        kind = "film"
    elif pictured:
        kind = "picture"
    _refuse_useless(kind, call, run)
    return kind


def _refuse_contradictions(call: RenderCall, values: CallValues) -> None:
    """End the program if a call names several things to render."""
    film, journal = call.video is not None, call.journal is not None
    if (call.begin or call.end or call.exact) and not journal:
        fail(WRONG_CALL, "--from, --to and --exact go with --journal FILE")
    if journal and (values.config is not None or call.script or values.subject or values.images or film):
        fail(WRONG_CALL, "a journal brings its own settings and scenes; change settings with --set")
    if call.script and values.subject:
        fail(WRONG_CALL, "say what to dream either with --script, or with --class, --layer and --guide")
    if film and (call.script or values.images):
        fail(WRONG_CALL, "a film takes --class, --layer or --guide, and no --script or --image")
    if call.script and len(values.images) > 1:
        fail(WRONG_CALL, "a script takes one --image to start from")


def _refuse_useless(kind: RenderKind, call: RenderCall, run: RenderRun) -> None:
    """End the program if an option has no effect on this kind of render."""
    given = {
        "--seconds": call.seconds is not None,
        "--fps": call.fps is not None,
        "--captions": call.captions,
        "--iterations": call.iterations is not None,
        "--octaves": call.octaves is not None,
        "--progress": call.progress,
        "--fit": bool(call.fit),
        "--track": call.track is not None,
        "--resume": run.resume,
        "--ray-segment": run.ray is not None and run.ray.segment_s is not None,
        "--ray-tiles": run.ray is not None and run.ray.tiles,
    }
    for option, is_given in given.items():
        if is_given and kind not in ONLY[option]:
            instead = OTHERWISE.get((option, kind), "")
            takers = " or ".join(f"a {taker}" for taker in ONLY[option])
            fail(WRONG_CALL, f"{option} goes with {takers}, not with a {kind}{instead and '; '}{instead}")
