"""Chat text to a command and its words, pure: the same line and settings always give the same result.

Takes any text: a megabyte, half an emoji, marks that reverse the line. It looks at a bounded part of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bot.adapter import ChatLine
from bot.commands.command import ChatCommand
from bot.commands.dream import DREAM
from bot.config import ChatConfig
from shared.cheermotes import strip_cheermotes
from shared.clean import LINE_GRAPHEMES, clean, clean_text
from shared.role import Role

_MENTION = re.compile(r"@\w{1,25}")
"""Twitch puts the name of who is replied to in front, and so do people: ``@bot !dream x``, ``@bot: !dream x``."""
_BEHIND_MENTION = " ,:;.-–—"
_TRAILING = ".,:;!?"
"""Ignored after a command's name."""
_BARE = re.compile(r"[\w'\- ]+(?:\+[\w'\- ]+){0,3}")
"""What can be a subject's name, or up to four; sentences have other characters or more words."""
_BARE_WORDS = 5
"""The longest name of a class has five words."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command that a line uses."""

    command: ChatCommand[Any]
    words: str = ""
    """What follows the command, cleaned: at most 100 graphemes, 500 for a command that takes subjects."""
    bare: bool = False
    """No command was typed; ``words`` may be the name of something, or just talk."""


class Parser:
    """Reads lines by a config: its prefix, aliases and roles."""

    def __init__(self, config: ChatConfig) -> None:
        self._prefix = config.prefix.casefold()
        self._commands: dict[str, ChatCommand[Any]] = {}
        """By name and alias."""
        self._roles: dict[str, Role] = {}
        """The weakest role that may use a command, by its name."""
        for command, settings in config.commands.items():
            if settings.enabled:
                self._roles[command.name] = Role(settings.role)
                self._commands |= {word.casefold(): command for word in (command.name, *settings.aliases)}
        self._bare = config.bare_words and DREAM.name in self._roles

    def __call__(self, line: ChatLine) -> Invocation | None:
        """The command that a line uses; None for talk, for other bots' commands, and for one that the viewer may not use."""
        found = self._read(line)
        return found if found is not None and self.allows(found.command.name, line.role) else None

    def allows(self, name: str, role: Role) -> bool:
        """Whether that role may use that command."""
        weakest = self._roles.get(name)
        return weakest is not None and role.rank >= weakest.rank

    def usable(self, role: Role) -> tuple[str, ...]:
        """The names of the commands that a role may use, viewers' first."""
        return tuple(name for name in self._roles if self.allows(name, role))

    def _read(self, line: ChatLine) -> Invocation | None:
        text = self._message(clean(line.text, LINE_GRAPHEMES), cheered=line.bits > 0)
        if text.casefold().startswith(self._prefix):
            word, _, words = text[len(self._prefix) :].lstrip().partition(" ")
            command = self._commands.get(word.casefold()) or self._commands.get(word.casefold().rstrip(_TRAILING))
            if command is not None:
                return Invocation(command, words.strip() if command.takes_subjects else clean_text(words))
            if not line.reward_id:
                return None
        if line.reward_id:
            return Invocation(DREAM, text)
        if self._bare and _BARE.fullmatch(text) and all(len(part.split()) <= _BARE_WORDS for part in text.split("+")):
            return Invocation(DREAM, text, bare=True)
        return None

    def _message(self, text: str, *, cheered: bool) -> str:
        """A line without the bits in front of it, and without the names of those whom it speaks to."""
        before = ""
        while text != before:
            before = text
            text = strip_cheermotes(text) if cheered else text
            if mentioned := _MENTION.match(text):
                text = text[mentioned.end() :]
                while text[:1] in _BEHIND_MENTION and text and not text.casefold().startswith(self._prefix):
                    text = text[1:]
        return text
