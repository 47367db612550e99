"""The settings of the pictures that the stream takes of what it dreams.

Part of ``config``, which gives these names on; see there for how settings are written.
"""

from __future__ import annotations

from pydantic import Field

from streamer.config_block import LocalPath, Section


class ThumbnailsConfig(Section):
    """Small pictures of what was dreamt, for the page's catalogue. docs/atlas.md."""

    enabled: bool = Field(
        default=True,
        description="Whether to keep a picture of each subject that was on air alone, unless one is shipped. Nothing is kept "
        "of a dream that rides on a camera or a film.",
    )
    after_s: float = Field(
        default=10.0,
        ge=1,
        le=3600,
        description="Seconds that a subject is dreamt before its picture is taken; one that leaves sooner gets none.",
    )
    folder: LocalPath | None = Field(
        default=None,
        description="Where they are kept. Thumbnails of an atlas may be put there. null: the folder thumbnails beside the "
        "queue's file.",
    )
    keep: int = Field(default=1000, ge=1, le=10_000, description="Pictures at most: the oldest are removed first.")
    max_mb: int = Field(default=16, ge=1, le=10_000, description="Megabytes for all of them together, likewise.")
