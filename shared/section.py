"""The base of all blocks of settings, the type of paths in them, and helpers to report mistakes in a block."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


def _local(path: Path) -> Path:
    """Expand ``~``; refuse impossible file names."""
    if not path.name or "\0" in str(path):
        raise ValueError("must be the path of a file")
    return path.expanduser()


LocalPath = Annotated[Path, AfterValidator(_local)]
"""Path of a file; a relative one starts in the folder in which the program is started."""


class Section(BaseModel):
    """Base of all blocks: strict, frozen, without unknown keys or NaN."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def problem(where: tuple[int | str, ...], text: str, value: Any) -> InitErrorDetails:
    """Describe a mistake in a block: ``where`` is the path from the block to the value, ``text`` follows its key."""
    return InitErrorDetails(type=PydanticCustomError("fault", "{text}", {"text": text}), loc=where, input=value)


def raise_all(problems: list[InitErrorDetails]) -> None:
    """Raise all problems of a block together, each at its place; do nothing without problems."""
    if problems:
        raise ValidationError.from_exception_data("settings", problems)
