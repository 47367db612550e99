"""The settings of the album of past dreams.

Part of ``config``, which re-exports these names; see there for how to write settings.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.section import LocalPath, Section


class AlbumConfig(Section):
    """Past dreams: a picture and a clip of each dream that leaves the air, and clips saved by !clip. docs/pages.md."""

    enabled: bool = Field(default=True, description="Whether to keep any. false: the page has no strip, and !clip is refused.")
    folder: LocalPath | None = Field(
        default=None,
        description="Where they are stored; null: the folder dreams next to the queue's file. Don't put anything else there.",
    )
    wandering: bool = Field(default=True, description="Whether to also keep subjects that nobody asked for.")
    keep: int = Field(
        default=100, ge=1, le=10_000, description="Maximum number of dreams and clips; the oldest are removed first."
    )
    max_mb: int = Field(
        default=500,
        ge=1,
        le=1_000_000,
        description="Maximum size of all of them together in megabytes; likewise. A clip of 8 seconds has about 3 MB at 3000 "
        "kilobits a second, and as a GIF 3 to 5.",
    )
    clips: Literal["watched", "always", "never"] = Field(
        default="watched",
        description="When to save clips, which are cut from video that is already encoded. watched: while somebody watches or "
        "an encoding output runs; otherwise only a picture is kept, and !clip says so. always: encodes even if nobody "
        "watches, which takes CPU from the dream. never: pictures only.",
    )
    clip_s: float = Field(
        default=8.0,
        ge=2,
        le=60,
        description="Length of a clip in seconds, plus up to video.gop_s because it starts at a keyframe. This much encoded "
        "video stays in memory, 64 MB at most.",
    )
    gif: bool = Field(
        default=True,
        description="Whether to also offer clips as animated GIFs. A GIF is made when it is first requested, one at a time.",
    )
    ask_again: bool = Field(default=True, description="Whether a dream's own page has a button to request the same again.")
