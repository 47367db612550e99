"""The settings of what is kept of past dreams.

Part of ``config``, which gives these names on; see there for how settings are written.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamer.config_block import LocalPath, Section


class AlbumConfig(Section):
    """What was dreamt: a picture and a clip of each dream that leaves the air, and of what !clip keeps. docs/pages.md."""

    enabled: bool = Field(default=True, description="Whether to keep any. false: the page has no strip, and !clip is refused.")
    folder: LocalPath | None = Field(
        default=None, description="Where to; null: the folder dreams beside the queue's file. Nothing else belongs there."
    )
    wandering: bool = Field(default=True, description="Whether to keep what nobody asked for, too.")
    keep: int = Field(
        default=100, ge=1, le=10_000, description="Dreams and clips that are kept at most; the oldest are removed first."
    )
    max_mb: int = Field(
        default=500,
        ge=1,
        le=1_000_000,
        description="Megabytes for all of them together; likewise. A clip of 8 seconds has about 3 at 3000 kilobits a second, "
        "and as a GIF 3 to 5.",
    )
    clips: Literal["watched", "always", "never"] = Field(
        default="watched",
        description="When there are clips, which are cut from video that is encoded anyway. watched: while anybody watches or "
        "an output runs that encodes; else a picture is kept, and !clip says so. always: video is encoded though nobody "
        "watches, which takes CPU from the dream. never: pictures only.",
    )
    clip_s: float = Field(
        default=8.0,
        ge=2,
        le=60,
        description="Seconds of a clip; as it begins with a keyframe, up to video.gop_s more. So much encoded video is held in "
        "memory, 64 MB at most.",
    )
    gif: bool = Field(
        default=True,
        description="Whether clips are offered as animated GIFs, too. One is made when it is first asked for, one at a time.",
    )
    ask_again: bool = Field(default=True, description="Whether a dream's own page has a button that asks for the same again.")
