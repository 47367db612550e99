"""What every block of settings shares; ``config`` and ``config_outputs`` are made of it."""

from __future__ import annotations

from pydantic_core import PydanticCustomError


def broken(key: str, rule: str) -> PydanticCustomError:
    """The error of a block whose keys contradict each other: ``rule`` is what the value of ``key`` breaks."""
    return PydanticCustomError("rule", "{key}: {rule}", {"key": key, "rule": rule})
