"""The settings of the log.

Part of ``config``, which gives these names on; see there for how settings are written.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamer.config_block import LocalPath, Section


class LogConfig(Section):
    """What the operator reads. docs/operating.md."""

    format: Literal["text", "json"] = Field(
        default="text",
        description="text: lines for people. json: an object a line, for programs that collect logs. --log-format goes "
        "before it.",
    )
    file: LocalPath | None = Field(
        default=None,
        description="A file that is written besides standard error; its folder is made. A chat bot writes one of its own "
        "beside it, with .bot in its name. null: none. --log-file goes before it.",
    )
    file_mb: int = Field(
        default=10, ge=1, le=10_000, description="Megabytes after which that file becomes FILE.1, and a new one is begun."
    )
    files: int = Field(
        default=5,
        ge=2,
        le=1000,
        description="How many files there are at most, the oldest being removed; with file_mb, all room.",
    )
