"""The queue's current rules, and the blocked words, users and classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from streamer.messages.scenes import Target


class BlockKind(StrEnum):
    """What moderators can block from the queue."""

    WORD = "word"
    """A word or phrase, anywhere in a request or in the sender's name."""
    USER = "user"
    CLASS = "class"


Setting = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Blocked:
    """Blocked words, users and classes. Words and users are in their normalised form, in alphabetical order."""

    words: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    classes: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """The queue's current rules."""

    settings: Mapping[str, Setting]
    """Values by field name of ``QueueConfig``."""
    changed: tuple[str, ...]
    """Settings that were changed at run time and therefore differ from the config."""
    blocked: Blocked
