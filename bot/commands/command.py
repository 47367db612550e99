"""What a chat command is: one object. Parser, roles, cooldowns, ``!help``, settings, replies and docs are made from it.

Light to import: the settings are made from it, and the streamer's config embeds them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from bot.errors import ApiRefused, BotError
from bot.reply_templates import ReplyTemplates
from shared.clean import clean_name
from shared.role import Role

if TYPE_CHECKING:
    from bot.adapter import ChatLine
    from bot.chat_polls import ChatPolls
    from bot.client import Client
    from bot.replies import Replies

NAMELESS = "someone"
"""A viewer of whose name nothing readable is left."""
Arguments = TypeVar("Arguments")


class WrongArguments(BotError):
    """The words behind a command make no sense; ``reply`` is the key of the reply that says what would."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class CommandContext:
    """One use of a command, and what its handler works with."""

    line: ChatLine
    client: Client
    """Raises ApiRefused and ApiDown; a handler catches only the refusals that it has an answer of its own for."""
    replies: Replies
    polls: ChatPolls
    examples: Callable[[], Awaitable[tuple[str, ...]]]
    """Gives subjects that the network at work knows."""
    usable: tuple[str, ...]
    """Names of the commands that the viewer may use, in the registry's order."""
    prefix: str
    """What commands start with."""
    request_ids: list[int] = field(default_factory=list)
    """The requests that the line became; a redemption is settled by the first."""

    @property
    def user(self) -> str:
        """The viewer's name, cleaned."""
        return clean_name(self.line.user) or NAMELESS

    def say(self, key: str, **values: object) -> str:
        """A reply to the viewer; ``values`` are its placeholders."""
        return self.replies.say(key, self.line.user, **values)

    def say_missing(self, key: str, refused: ApiRefused, **values: object) -> str:
        """A reply to the viewer when the streamer has not got what a call names; any other refusal is raised again."""
        if refused.status == 404:
            return self.say(key, **values)
        raise refused

    async def say_with_examples(self, key: str, **values: object) -> str:
        """A reply that has examples in it."""
        return self.say(key, **values, **self.replies.examples(await self.examples()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChatCommand(Generic[Arguments]):
    """A chat command. Aliases, role and cooldowns are the defaults of its settings."""

    name: str
    """What is typed behind the prefix, lower case; the key of its settings, too."""
    usage: str = field(default="", repr=False)
    """What is typed behind the name, for example ``A + B``."""
    about: str = field(repr=False)
    """What it does, as it follows name and usage: ``asks for a dream``."""
    parse: Callable[[str], Arguments] = field(repr=False)
    """Makes arguments from the words behind the name. Raises WrongArguments."""
    run: Callable[[CommandContext, Arguments], Awaitable[str | None]] = field(repr=False)
    """Runs the command; returns the reply, None for no reply."""
    aliases: tuple[str, ...] = field(default=(), repr=False)
    role: Role = field(default=Role.EVERYONE, repr=False)
    """Who may use it: that role and those above."""
    cooldown_s: float = field(default=0.0, repr=False)
    """Seconds before anyone may use it again."""
    user_cooldown_s: float = field(default=0.0, repr=False)
    """Seconds before the same viewer may use it again."""
    announces_cooldown: bool = field(default=False, repr=False)
    """Whether a viewer who has to wait is told so."""
    is_question: bool = field(default=False, repr=False)
    """Whether it only asks for information: such commands are skipped while the bot is too far behind."""
    takes_subjects: bool = field(default=False, repr=False)
    """Whether its words are subjects: then all of them go to the streamer, which says what it leaves out. The words of other
    commands are cut at 100 graphemes."""
    replies: Mapping[str, ReplyTemplates] = field(default_factory=dict, repr=False)
    """Its replies by key, except those that an earlier command in the registry already defines."""

    @property
    def description(self) -> str:
        """One sentence on it, with the default prefix."""
        return f"!{self.name} {self.usage + ' ' if self.usage else ''}{self.about}."
