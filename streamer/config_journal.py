"""The settings of the journal.

Part of ``config``, which re-exports these names; see there for how to write settings.
"""

from __future__ import annotations

from pydantic import Field

from shared.section import LocalPath, Section


class JournalConfig(Section):
    """The record of a live run, for rendering it again. docs/journal.md."""

    enabled: bool = Field(
        default=True,
        description="Whether to record what was dreamed, when and for whom: about 6 MB a day, without pictures.",
    )
    folder: LocalPath | None = Field(
        default=None,
        description="Where to write it; one file for each run. null: the folder journals next to the queue's file.",
    )
    keep_days: int = Field(default=30, ge=1, le=36_500, description="Days after which a journal is removed.")
    max_mb: int = Field(
        default=300,
        ge=1,
        le=100_000,
        description="Megabytes for all journals together: the oldest are removed first. If the current one alone reaches the "
        "limit, it continues without the dream's steps, and a replay is similar instead of identical.",
    )
