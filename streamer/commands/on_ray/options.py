"""What a call says of the cluster that is to do its work."""

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
        help="Dream on the nodes of a cluster: auto, HOST:PORT or ray://HOST:10001. docs/ray.md.",
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
        help="GPUs of each task, also a part of one; 0.25 for pictures and classes, else 1, or 0 where there are none.",
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
        help="CPUs and threads of each task; as many as would be used here, for the same pixels.",
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
        help="Dream a film in pieces of that length at once, cross-faded; alike, not the same.",
        rich_help_panel=ON_RAY,
    ),
]
TilesOption = Annotated[
    bool,
    typer.Option(
        "--ray-tiles",
        help="Dream one large picture on several nodes, tile by tile of each step; on a fast network.",
        rich_help_panel=ON_RAY,
    ),
]


@dataclass(frozen=True, slots=True)
class RayCall:
    """The options of ``--ray``."""

    address: str
    gpus: float | None = None
    """Of each task; None for what suits."""
    cpus: int | None = None
    """Likewise, and threads."""
    segment_s: float | None = None
    """Length of a film's pieces; None for a film in one."""
    tiles: bool = False


def ray_call(
    address: str, gpus: float | None, cpus: int | None, segment_s: float | None = None, tiles: bool = False
) -> RayCall | None:
    """The options together; None where no cluster is named.

    Raises:
        ValueError: one of them goes with ``--ray``, which is not given; its message says so.
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
