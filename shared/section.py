"""The base of every block of settings, the type of paths in them, and how a block reports what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


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


def problem(where: tuple[int | str, ...], text: str, value: Any) -> InitErrorDetails:
    """Something wrong within a block: ``where`` is the path from the block to the value, ``text`` follows its key."""
    return InitErrorDetails(type=PydanticCustomError("fault", "{text}", {"text": text}), loc=where, input=value)


def raise_all(problems: list[InitErrorDetails]) -> None:
    """Raise all problems of a block together, each at its place; nothing for none."""
    if problems:
        raise ValidationError.from_exception_data("settings", problems)
