"""The call of ``zoomdream atlas``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamer.commands import WRONG_CALL
from streamer.commands.call import LogOption, SetOption, exit_on_error, fail, pixels_of, set_up_logs, settings_of
from streamer.commands.on_ray.options import AddressOption, CpusOption, GpusOption, ray_call
from streamer.logs import console

SIZE = "256x256"
SEED = 1
"""Default if neither the call nor the config names one, so that the same call continues the same atlas."""


def atlas(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where to write; an atlas there is continued.")
    ],
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAMES]…", help="Some classes, or words for several such as snake; default: all."),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="CONFIG", help="A YAML file of settings.")] = None,
    network: Annotated[str | None, typer.Option(metavar="NAME", help="The network; default: network.name.")] = None,
    size: Annotated[str, typer.Option(metavar="WxH", help="Size of each picture in pixels.")] = SIZE,
    iterations: Annotated[int | None, typer.Option(min=1, max=100_000, help="Steps for a picture, in each octave.")] = None,
    octaves: Annotated[int | None, typer.Option(min=1, max=16, help="Sizes a picture is rendered at, coarse to fine.")] = None,
    form: Annotated[str, typer.Option("--format", metavar="png|jpg|webp", help="Format of the pictures.")] = "png",
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same pictures.")] = None,
    ray: AddressOption = "",
    ray_gpus: GpusOption = None,
    ray_cpus: CpusOption = None,
    overrides: SetOption = None,
    log_level: LogOption = "warning",
) -> None:
    """Render a picture of every class that the network knows, and a contact sheet. docs/atlas.md."""
    try:
        cluster = ray_call(ray, ray_gpus, ray_cpus)
    except ValueError as error:
        fail(WRONG_CALL, str(error))
    pixels = pixels_of(size)
    assert pixels is not None, "there is always a size"
    settings = settings_of(config, [*(overrides or ()), *([f"network.name={network}"] if network is not None else [])])
    set_up_logs(log_level)
    from streamer.commands import atlas as making
    from streamer.commands.atlas_folder import FORMATS

    if form not in FORMATS:
        fail(WRONG_CALL, f"--format is '{form}'; must be {', '.join(FORMATS)}")
    if settings.source.moves:
        fail(
            WRONG_CALL, f"the settings have a {settings.source.kind} as source; an atlas starts from noise or from one picture"
        )
    seed = seed if seed is not None else SEED if settings.seed is None else settings.seed
    with exit_on_error():
        order = making.AtlasOrder(tuple(names or ()), output, pixels, seed, form, iterations, octaves)
        making.command(settings, order, console, typer.echo, cluster)
