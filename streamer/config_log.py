"""The settings of the log.

Part of ``config``, which re-exports these names; see there for how to write settings.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.section import LocalPath, Section


class LogConfig(Section):
    """The operator's log. docs/operating.md."""

    format: Literal["text", "json"] = Field(
        default="text",
        description="text: lines for people. json: one object per line, for log collectors. --log-format overrides it.",
    )
    file: LocalPath | None = Field(
        default=None,
        description="A file to write in addition to standard error; its folder is created. A chat bot writes its own file "
        "next to it, with .bot in its name. null: none. --log-file overrides it.",
    )
    file_mb: int = Field(
        default=10, ge=1, le=10_000, description="Megabytes after which that file becomes FILE.1, and a new one starts."
    )
    files: int = Field(
        default=5,
        ge=2,
        le=1000,
        description="Maximum number of files, the oldest being removed; together with file_mb this limits the disk space.",
    )
