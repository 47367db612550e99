"""The base of the bot's errors, and what a call of the streamer's API raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class BotError(Exception):
    """Base of every error that the bot raises."""


class ApiRefused(BotError):
    """The streamer said no."""

    def __init__(self, status: int, code: str, message: str, body: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        """As in HTTP."""
        self.code = code
        """For programs, for example ``unknown_word``."""
        self.message = message
        self.body = body
        """The rest of the answer."""

    @property
    def suggestions(self) -> tuple[str, ...]:
        """Words that the streamer would have understood, nearest first."""
        found = self.body.get("suggestions")
        return tuple(str(each) for each in found) if isinstance(found, list) else ()

    def number(self, key: str) -> float | None:
        """A number of the answer, for example ``retry_s``; None when there is none."""
        found = self.body.get(key)
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


class ApiDown(BotError):
    """The streamer cannot be reached, or something else answers at its address."""
