"""The calls of ``zoomdream render``: a sub-command for each kind of input. See ``render_old_form`` for calls without one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from streamer.commands import WRONG_CALL
from streamer.commands.call import LogOption, SetOption, fail
from streamer.commands.on_ray.options import AddressOption, CpusOption, GpusOption, SegmentOption, TilesOption
from streamer.commands.render_facts import RenderCall, is_config
from streamer.commands.render_old_form import OLD_FORM, OldForm, old_form
from streamer.commands.render_options import (
    CaptionsOption,
    ClassOption,
    ConfigOption,
    ExactOption,
    FitOption,
    FpsOption,
    FreshFlag,
    FromOption,
    GuideOption,
    IterationRateOption,
    IterationsOption,
    LayerOption,
    ListStylesOption,
    OctavesOption,
    PictureOutputOption,
    ProgressOption,
    ResumeFlag,
    SecondsOption,
    SeedOption,
    SizeOption,
    StyleOption,
    ToOption,
    TrackOption,
    VideoOutputOption,
)
from streamer.commands.render_work import RenderRun, cluster_of, list_styles, perform, resume_saved

OWN_CALLS = (["--help"], ["--list-styles"])
"""Calls without a sub-command that are not of the old form."""


class RenderGroup(typer.core.TyperGroup):
    """The sub-commands; a call whose first word is none of them has the old form."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Pass a call without a sub-command to the old form."""
        if args and args[0] not in self.commands and args not in OWN_CALLS:
            args = [OLD_FORM, *args]
        return super().parse_args(ctx, args)


render = typer.Typer(
    name="render", cls=RenderGroup, no_args_is_help=True, invoke_without_command=True, pretty_exceptions_enable=False
)


@render.callback()
def options(list_all: ListStylesOption = False) -> None:
    """Dream offline: on pictures, on films, from noise, or from a script. docs/render.md."""
    if list_all:
        list_styles()


@render.command("script")
def script(
    text: Annotated[
        str,
        typer.Argument(metavar="SCRIPT", help='What to dream from which second on: "0 jellyfish + ladybug; 12 pizza".'),
    ],
    image: Annotated[Path | None, typer.Option(metavar="FILE", help="The picture to start from; default: noise.")] = None,
    config: ConfigOption = None,
    style: StyleOption = "",
    output: VideoOutputOption = None,
    size: SizeOption = None,
    fit: FitOption = "",
    seconds: SecondsOption = None,
    fps: FpsOption = None,
    captions: CaptionsOption = False,
    seed: SeedOption = None,
    resume: ResumeFlag = False,
    fresh: FreshFlag = False,
    ray: AddressOption = "",
    ray_gpus: GpusOption = None,
    ray_cpus: CpusOption = None,
    overrides: SetOption = None,
    log_level: LogOption = "warning",
) -> None:
    """Render a script as a video: the endless zoom, with a time for each subject."""
    call = RenderCall(
        files=_config(config),
        script=text,
        image=() if image is None else (image,),
        size=size,
        fit=fit,
        seconds=seconds,
        fps=fps,
        captions=captions,
        seed=seed,
        style=style,
        overrides=tuple(overrides or ()),
    )
    perform("script", call, RenderRun(output, resume, fresh, log_level, cluster_of(ray, ray_gpus, ray_cpus)))


@render.command("pictures")
def pictures(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILES", help="Pictures to dream on, or folders of them; default: coloured noise."),
    ] = None,
    config: ConfigOption = None,
    style: StyleOption = "",
    subject: ClassOption = "",
    layer: LayerOption = "",
    guide: GuideOption = None,
    output: PictureOutputOption = None,
    size: SizeOption = None,
    fit: FitOption = "",
    iterations: IterationsOption = None,
    octaves: OctavesOption = None,
    progress: ProgressOption = False,
    fps: IterationRateOption = None,
    seed: SeedOption = None,
    resume: ResumeFlag = False,
    fresh: FreshFlag = False,
    ray: AddressOption = "",
    ray_gpus: GpusOption = None,
    ray_cpus: CpusOption = None,
    ray_tiles: TilesOption = False,
    overrides: SetOption = None,
    log_level: LogOption = "warning",
) -> None:
    """Dream on pictures, or grow one from noise."""
    for file in files or ():
        if is_config(file):
            fail(WRONG_CALL, f"'{file}' is a config, not a picture: say --config {file}")
    if not files and Path("pictures").exists():  # an old call may mean it
        typer.echo("no picture is named, so this starts from noise; for the 'pictures' here, say ./pictures", err=True)
    call = RenderCall(
        files=(*_config(config), *(files or ())),
        subject=subject,
        layer=layer,
        guide=guide,
        size=size,
        fit=fit,
        iterations=iterations,
        octaves=octaves,
        progress=progress,
        fps=fps,
        seed=seed,
        style=style,
        overrides=tuple(overrides or ()),
    )
    cluster = cluster_of(ray, ray_gpus, ray_cpus, tiles=ray_tiles)
    perform("picture", call, RenderRun(output, resume, fresh, log_level, cluster))


@render.command("film")
def film(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The film to dream on, frame by frame.")],
    config: ConfigOption = None,
    style: StyleOption = "",
    subject: ClassOption = "",
    layer: LayerOption = "",
    guide: GuideOption = None,
    output: VideoOutputOption = None,
    size: SizeOption = None,
    fit: FitOption = "",
    track: TrackOption = None,
    iterations: IterationsOption = None,
    seconds: SecondsOption = None,
    seed: SeedOption = None,
    resume: ResumeFlag = False,
    fresh: FreshFlag = False,
    ray: AddressOption = "",
    ray_gpus: GpusOption = None,
    ray_cpus: CpusOption = None,
    ray_segment: SegmentOption = None,
    overrides: SetOption = None,
    log_level: LogOption = "warning",
) -> None:
    """Dream on a film, and keep its sound, size and frame rate."""
    call = RenderCall(
        files=_config(config),
        subject=subject,
        layer=layer,
        guide=guide,
        video=file,
        size=size,
        fit=fit,
        track=track,
        iterations=iterations,
        seconds=seconds,
        seed=seed,
        style=style,
        overrides=tuple(overrides or ()),
    )
    cluster = cluster_of(ray, ray_gpus, ray_cpus, segment_s=ray_segment)
    perform("film", call, RenderRun(output, resume, fresh, log_level, cluster))


@render.command("journal")
def journal(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The journal of a run; see zoomdream journal.")],
    begin: FromOption = "",
    end: ToOption = "",
    exact: ExactOption = False,
    output: VideoOutputOption = None,
    size: SizeOption = None,
    fps: FpsOption = None,
    seed: SeedOption = None,
    ray: AddressOption = "",
    ray_gpus: GpusOption = None,
    ray_cpus: CpusOption = None,
    overrides: SetOption = None,
    log_level: LogOption = "warning",
) -> None:
    """Render a live run again from its journal, at any size. docs/journal.md."""
    call = RenderCall(
        size=size,
        fps=fps,
        seed=seed,
        journal=file,
        begin=begin,
        end=end,
        exact=exact,
        overrides=tuple(overrides or ()),
    )
    perform("journal", call, RenderRun(output, log_level=log_level, ray=cluster_of(ray, ray_gpus, ray_cpus)))


@render.command("resume")
def resume(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The unfinished output: what -o named.")],
    ray: AddressOption = "",
    ray_gpus: GpusOption = None,
    ray_cpus: CpusOption = None,
    ray_tiles: TilesOption = False,
    log_level: LogOption = "warning",
) -> None:
    """Continue a render that was stopped, with the options it was started with."""
    cluster = cluster_of(ray, ray_gpus, ray_cpus, tiles=ray_tiles)
    resume_saved(file, RenderRun(file, resume=True, log_level=log_level, ray=cluster))


render.command(OLD_FORM, cls=OldForm, hidden=True)(old_form)


def _config(path: Path | None) -> tuple[Path, ...]:
    """Return the value of ``--config`` as the first of a call's files; end the program if it is not a config."""
    if path is None:
        return ()
    if not is_config(path):
        fail(WRONG_CALL, f"--config is '{path}'; must be a .yaml or .yml file")
    return (path,)
