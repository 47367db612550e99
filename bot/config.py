"""Settings of the chat bot: which chat, which commands, which words. Light to import: the streamer's config embeds it.

The blocks ``twitch:`` and ``chat:`` of the one YAML file; the streamer's loader reads and checks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self

from pydantic import Field, model_validator
from pydantic_core import InitErrorDetails

from bot.all_replies import ALL_REPLIES
from bot.config_commands import CommandsConfig
from bot.config_twitch import TwitchConfig as TwitchConfig
from bot.reply_templates import wrong_template
from shared.section import Section, problem, raise_all

MAX_TEMPLATES = 50


class ChatConfig(Section):
    """What the bot understands, and what it says."""

    prefix: str = Field(
        default="!",
        pattern=r"^\S{1,5}$",
        json_schema_extra={"allowed": "1 to 5 characters without spaces"},
        description="What commands start with.",
    )
    bare_words: bool = Field(
        default=False,
        description="Whether a message that is exactly the name of something asks for it, without !dream, as in 2015. "
        "Livelier, but people say 'pizza' without meaning it.",
    )
    commands: CommandsConfig = CommandsConfig()
    replies: Mapping[str, tuple[str, ...]] = Field(
        default={},
        json_schema_extra={"allowed": "a block of reply keys, each with a list of 1 to 50 texts"},
        description="Your own wording: for a reply's key, a list of texts that replace the bot's, used in turn. "
        "configs/wording.yaml lists all keys with their texts and placeholders.",
    )

    @model_validator(mode="after")
    def _replies_can_be_said(self) -> Self:
        problems: list[InitErrorDetails] = []
        for key, texts in self.replies.items():
            if key not in ALL_REPLIES:
                near = get_close_matches(key, ALL_REPLIES, 2)
                hint = f"did you mean {' or '.join(near)}?" if near else "configs/wording.yaml lists them"
                problems.append(problem(("replies", key), f"is no reply of the bot; {hint}", texts))
            elif not 1 <= len(texts) <= MAX_TEMPLATES:
                problems.append(problem(("replies", key), f"has {len(texts)} texts; must be 1 to {MAX_TEMPLATES}", texts))
            else:
                found = ((number, wrong_template(ALL_REPLIES[key], text), text) for number, text in enumerate(texts))
                problems += [problem(("replies", key, number), wrong, text) for number, wrong, text in found if wrong]
        raise_all(problems)
        return self


@dataclass(frozen=True, slots=True)
class BotSettings:
    """Everything that the bot runs by."""

    twitch: TwitchConfig
    chat: ChatConfig
    api_url: str
    """Where the streamer listens, for example ``http://127.0.0.1:8080``; no slash at the end."""
    token: str | None = None
    """The streamer's moderator token; None where none is configured."""
    layout: str = "auto"
    """How the streamer arranges several subjects, as in its ``dream.layout``."""
    irc_url: str | None = None
    """Where to listen without an account; None is Twitch."""

    def __repr__(self) -> str:  # secrets stay out of logs
        return f"BotSettings(channel={self.twitch.channel!r}, api_url={self.api_url!r})"
