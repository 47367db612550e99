"""Chat text to command, pure: the same line and settings give the same command, whatever else goes on.

Takes any text: a megabyte, half an emoji, marks that turn the line around. It looks at a bounded part of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.config import ChatConfig, CommandConfig
from bot.messages import Line
from viewer_text.cheers import uncheered
from viewer_text.clean import LINE_GRAPHEMES, clean, clean_text
from viewer_text.role import Role

_MENTION = re.compile(r"@\w{1,25}")
"""Twitch puts the name of who is replied to in front, and so do people: ``@bot !dream x``, ``@bot: !dream x``."""
_BEHIND_MENTION = " ,:;.-–—"
_SUBJECTS = frozenset({"dream", "layer", "what", "poll"})
"""Commands whose words are subjects: all of them go to the streamer, which says what it leaves out."""
_TRAILING = ".,:;!?"
"""Forgiven after a command's word."""
_BARE = re.compile(r"[\w'\- ]+(?:\+[\w'\- ]+){0,3}")
"""What can be a subject's name, or up to four; sentences have other characters or more words."""
_BARE_WORDS = 5
"""The longest name of a class has five words."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a line asks the bot to do."""

    name: str
    """As in ``CommandsConfig``, whatever alias was typed."""
    words: str = ""
    """What follows it, cleaned, at most 100 graphemes; 500 where it asks for something to be dreamt."""
    bare: bool = False
    """No command was typed; ``words`` may be the name of something, or just talk."""


class Parser:
    """Knows the commands of a config."""

    def __init__(self, config: ChatConfig) -> None:
        self._prefix = config.prefix.casefold()
        self._bare = config.bare_words and config.commands.dream.enabled
        self._commands: dict[str, CommandConfig] = {}
        self._names: dict[str, str] = {}
        for name, command in config.commands.items():
            if command.enabled:
                self._commands[name] = command
                self._names |= {word.casefold(): name for word in (name, *command.aliases)}

    def __call__(self, line: Line) -> Command | None:
        """What a line asks for; None for talk, for other bots' commands, and for what its speaker may not do."""
        command = self._read(line)
        return command if command is not None and self.allows(command.name, line.role) else None

    def allows(self, name: str, role: Role) -> bool:
        """Whether that role may use that command."""
        command = self._commands.get(name)
        return command is not None and role.rank >= Role(command.role).rank

    def offered(self, role: Role) -> tuple[str, ...]:
        """The commands that a role may use, viewers' first."""
        return tuple(name for name in self._commands if self.allows(name, role))

    def _read(self, line: Line) -> Command | None:
        text = self._message(clean(line.text, LINE_GRAPHEMES), cheered=line.bits > 0)
        if text.casefold().startswith(self._prefix):
            word, _, words = text[len(self._prefix) :].lstrip().partition(" ")
            name = self._names.get(word.casefold()) or self._names.get(word.casefold().rstrip(_TRAILING))
            if name is not None:
                return Command(name, words.strip() if name in _SUBJECTS else clean_text(words))
            if not line.reward_id:
                return None
        if line.reward_id:
            return Command("dream", text)
        if self._bare and _BARE.fullmatch(text) and all(len(part.split()) <= _BARE_WORDS for part in text.split("+")):
            return Command("dream", text, bare=True)
        return None

    def _message(self, text: str, *, cheered: bool) -> str:
        """A line without the bits in front of it, and without the names of those whom it speaks to."""
        before = ""
        while text != before:
            before = text
            text = uncheered(text) if cheered else text
            if mentioned := _MENTION.match(text):
                text = text[mentioned.end() :]
                while text[:1] in _BEHIND_MENTION and text and not text.casefold().startswith(self._prefix):
                    text = text[1:]
        return text
