"""The base of every block of settings, and the type of paths in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def _local(path: Path) -> Path:
    """Expand ``~``; refuse what no file can be called."""
    if not path.name or "\0" in str(path):
        raise ValueError("must be the path of a file")
    return path.expanduser()


LocalPath = Annotated[Path, AfterValidator(_local)]
"""A file; a relative path counts from the folder the program is started in."""


class Section(BaseModel):
    """Base of every block: strict, frozen, unknown keys refused, no NaN."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)
