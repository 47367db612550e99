"""The error that all blocks of settings use for keys that contradict each other."""

from __future__ import annotations

from pydantic_core import PydanticCustomError


def broken(key: str, rule: str) -> PydanticCustomError:
    """Return the error of a block whose keys contradict each other: the value of ``key`` breaks ``rule``."""
    return PydanticCustomError("rule", "{key}: {rule}", {"key": key, "rule": rule})
