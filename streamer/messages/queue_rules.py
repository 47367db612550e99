"""The queue's rules as they are now, and the words, users and classes that are blocked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from streamer.messages.scenes import Target


class BlockKind(StrEnum):
    """What can be kept out of the line."""

    WORD = "word"
    """A word or a phrase, wherever it stands in a request or in the name of who asks."""
    USER = "user"
    CLASS = "class"


Setting = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Blocked:
    """What is kept out of the line; words and users as they are compared, in alphabetical order."""

    words: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    classes: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """The queue's rules as they are now."""

    settings: Mapping[str, Setting]
    """By the names of ``QueueConfig``."""
    changed: tuple[str, ...]
    """Settings that were changed while it ran, and differ from the config for that."""
    blocked: Blocked
