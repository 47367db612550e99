"""Parsers for the words behind a command, for those that several commands share."""

from __future__ import annotations

import math

from bot.commands.command import WrongArguments


def no_arguments(words: str) -> None:
    """For commands that take none: whatever follows is ignored."""


def text(words: str) -> str:
    """The words as they are."""
    return words


def number(words: str, unit: str, otherwise: str) -> float:
    """A number as people write it, with a point or a comma, and perhaps a unit.

    Args:
        otherwise: the reply when it is none.

    Raises:
        WrongArguments: it is no finite number.
    """
    plain = words.removesuffix(unit).strip().replace(",", ".")
    if not plain.isascii() or len(plain) > 12 or "_" in plain:
        raise WrongArguments(otherwise)
    try:
        value = float(plain)
    except ValueError:
        raise WrongArguments(otherwise) from None
    if not math.isfinite(value):
        raise WrongArguments(otherwise)
    return value


def request_id(words: str) -> int | None:
    """The number in ``#12`` or ``12``; None when it is none."""
    digits = words.removeprefix("#")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None
