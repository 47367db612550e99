"""The settings of the thumbnails that the stream takes of its dreams.

Part of ``config``, which re-exports these names; see there for how to write settings.
"""

from __future__ import annotations

from pydantic import Field

from shared.section import LocalPath, Section


class ThumbnailsConfig(Section):
    """Small pictures of past dreams, for the page's catalogue. docs/atlas.md."""

    enabled: bool = Field(
        default=True,
        description="Whether to keep a picture of each subject that was on air alone, unless the program includes one. Dreams "
        "that ride on a camera or a film are never kept.",
    )
    after_s: float = Field(
        default=10.0,
        ge=1,
        le=3600,
        description="Seconds on air before a subject's picture is taken; one that leaves sooner gets none.",
    )
    folder: LocalPath | None = Field(
        default=None,
        description="Where they are stored. You can add thumbnails of an atlas. null: the folder thumbnails next to the "
        "queue's file.",
    )
    keep: int = Field(default=1000, ge=1, le=10_000, description="Maximum number of pictures: the oldest are removed first.")
    max_mb: int = Field(default=16, ge=1, le=10_000, description="Megabytes for all of them together, likewise.")
