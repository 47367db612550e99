"""The settings of the snapshot.

Part of ``config``, which gives these names on; see there for how settings are written.
"""

from __future__ import annotations

from pydantic import Field

from streamer.config_block import LocalPath, Section


class SnapshotConfig(Section):
    """The dream as it was last, from which the next start goes on. docs/reliability.md."""

    enabled: bool = Field(
        default=True,
        description="Whether to go on from there at a start, and to write it each minute and at the end: some megabytes, which "
        "replace each other. false begins every run anew; run --fresh does so once.",
    )
    path: LocalPath | None = Field(
        default=None, description="The file; null: beside the queue's, under its name with the ending .snapshot."
    )
