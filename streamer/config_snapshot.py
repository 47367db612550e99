"""The settings of the snapshot.

Part of ``config``, which re-exports these names; see there for how to write settings.
"""

from __future__ import annotations

from pydantic import Field

from shared.section import LocalPath, Section


class SnapshotConfig(Section):
    """The last state of the dream, which the next start continues. docs/reliability.md."""

    enabled: bool = Field(
        default=True,
        description="Whether to restore it at the start, and to save it every minute and at the end: some megabytes, "
        "overwritten each time. false starts every run from scratch; run --fresh does so once.",
    )
    path: LocalPath | None = Field(
        default=None, description="The file; null: next to the queue's file, with the same name and the extension .snapshot."
    )
