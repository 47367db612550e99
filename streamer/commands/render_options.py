"""The options of ``zoomdream render``, each defined once for all sub-commands that have it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from streamer.config_source import Fit

FITS = get_args(Fit)
WHAT, HOW, RANGE, LONG = "What to dream", "Result", "Which part", "Long renders"
"""Headings of the help."""

ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="CONFIG", help="A YAML file of settings.")]
StyleOption = Annotated[
    str, typer.Option(metavar="NAME", help="An included style instead of a config; see zoomdream render --list-styles.")
]
ListStylesOption = Annotated[
    bool, typer.Option("--list-styles", help="Show the included styles, each with a picture, and exit.")
]
ClassOption = Annotated[
    str, typer.Option("--class", metavar="WORDS", help="A subject, or up to four: 'goldfish + orange'.", rich_help_panel=WHAT)
]
LayerOption = Annotated[
    str,
    typer.Option(metavar="NAME", help="Whatever excites a layer, or some of its channels: fire5:3,17.", rich_help_panel=WHAT),
]
GuideOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The features of this picture, as --layer sees it if given.", rich_help_panel=WHAT),
]
VideoOutputOption = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE|FOLDER",
        help="Where to write: .mp4, .gif, a picture (the last frame: .png, .jpg, .webp, .avif), or a folder of all frames; "
        "default dream.mp4.",
        rich_help_panel=HOW,
    ),
]
PictureOutputOption = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE|FOLDER",
        help="Where to write: .png, .jpg, .webp, .avif, or all iterations as .gif or .mp4; a folder for several pictures; "
        "default dream.png.",
        rich_help_panel=HOW,
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="WxH",
        help="Size in pixels, for example 640x360; default: the input's own, or that of the settings.",
        rich_help_panel=HOW,
    ),
]
FitOption = Annotated[
    str,
    typer.Option(
        metavar="|".join(FITS),
        help="What to do if the input's shape differs: cut off, add black bars, or stretch; default: source.fit.",
        rich_help_panel=HOW,
    ),
]
TrackOption = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="The film's video track, counted from 1; default: the best.", rich_help_panel=HOW),
]
IterationsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100_000,
        metavar="N",
        help="Steps for a picture, in each octave, or for each frame of a film.",
        rich_help_panel=HOW,
    ),
]
OctavesOption = Annotated[
    int | None,
    typer.Option(
        min=1, max=16, metavar="N", help="Number of sizes a picture is rendered at, coarse to fine.", rich_help_panel=HOW
    ),
]
ProgressOption = Annotated[
    bool, typer.Option("--progress", help="Show the input and later iterations side by side.", rich_help_panel=HOW)
]
SecondsOption = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=86_400,
        metavar="S",
        help="Length of the result; default: 30 for a script, all of a film.",
        rich_help_panel=HOW,
    ),
]
FpsOption = Annotated[int | None, typer.Option(metavar="N", help="Frames per second; default: video.fps.", rich_help_panel=HOW)]
IterationRateOption = Annotated[
    int | None,
    typer.Option("--fps", metavar="N", help="Iterations per second of a .gif or .mp4; default: 10.", rich_help_panel=HOW),
]
CaptionsOption = Annotated[bool, typer.Option("--captions", help="Write the subject into the picture.", rich_help_panel=HOW)]
SeedOption = Annotated[
    int | None,
    typer.Option(min=0, max=2**63 - 1, metavar="N", help="The same seed gives the same pixels.", rich_help_panel=HOW),
]
FromOption = Annotated[
    str, typer.Option("--from", metavar="TIME", help="Start at 20:15, 20:15:30, or +1:30 into the run.", rich_help_panel=RANGE)
]
ToOption = Annotated[str, typer.Option("--to", metavar="TIME", help="End at that time, same notation.", rich_help_panel=RANGE)]
ExactOption = Annotated[
    bool,
    typer.Option("--exact", help="Compute everything before --from too, for the same pixels.", rich_help_panel=RANGE),
]
ResumeFlag = Annotated[
    bool,
    typer.Option("--resume", help="Continue what was stopped; repeat the other options as they were.", rich_help_panel=LONG),
]
FreshFlag = Annotated[bool, typer.Option("--fresh", help="Start over, and discard what was stopped.", rich_help_panel=LONG)]
