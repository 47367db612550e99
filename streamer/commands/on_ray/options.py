"""The options that name a cluster to render on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

ON_RAY = "On a Ray cluster"
"""Heading of the help."""

AddressOption = Annotated[
    str,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Render on the nodes of a cluster: auto, HOST:PORT or ray://HOST:10001. docs/ray.md.",
        rich_help_panel=ON_RAY,
    ),
]
GpusOption = Annotated[
    float | None,
    typer.Option(
        "--ray-gpus",
        min=0,
        max=8,
        metavar="N",
        help="GPUs per task, or a fraction of one; default: 0.25 for pictures and classes, else 1, or 0 if there are none.",
        rich_help_panel=ON_RAY,
    ),
]
CpusOption = Annotated[
    int | None,
    typer.Option(
        "--ray-cpus",
        min=1,
        max=1024,
        metavar="N",
        help="CPUs and threads per task; default: as many as here, for the same pixels.",
        rich_help_panel=ON_RAY,
    ),
]
SegmentOption = Annotated[
    float | None,
    typer.Option(
        "--ray-segment",
        min=0.5,
        max=86_400,
        metavar="SECONDS",
        help="Render a film in parallel segments of this length, cross-faded; similar, not identical.",
        rich_help_panel=ON_RAY,
    ),
]
TilesOption = Annotated[
    bool,
    typer.Option(
        "--ray-tiles",
        help="Render one large picture on several nodes, by the tiles of each step; needs a fast network.",
        rich_help_panel=ON_RAY,
    ),
]


@dataclass(frozen=True, slots=True)
class RayCall:
    """The options of ``--ray``."""

    address: str
    gpus: float | None = None
    """GPUs per task; None for the default of the kind of render."""
    cpus: int | None = None
    """CPUs and threads per task; None for as many as here."""
    segment_s: float | None = None
    """Length of a film's segments; None for no segments."""
    tiles: bool = False


def ray_call(
    address: str, gpus: float | None, cpus: int | None, segment_s: float | None = None, tiles: bool = False
) -> RayCall | None:
    """Combine the options; return None if no cluster is named.

    Raises:
        ValueError: an option needs ``--ray``, which is missing; the message says which.
    """
    if not address:
        given = {
            "--ray-gpus": gpus is not None,
            "--ray-cpus": cpus is not None,
            "--ray-segment": segment_s is not None,
            "--ray-tiles": tiles,
        }
        if named := [name for name, is_given in given.items() if is_given]:
            raise ValueError(f"{named[0]} goes with --ray ADDRESS")
        return None
    return RayCall(address, gpus, cpus, segment_s, tiles)
