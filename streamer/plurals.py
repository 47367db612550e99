"""Plural forms for messages."""

from __future__ import annotations


def counted(number: int, name: str) -> str:
    """Return a number with a noun that takes an s: ``1 picture``, ``3 pictures``."""
    return f"{number} {name}{'' if number == 1 else 's'}"
