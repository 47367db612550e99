"""The accounts that the bot acts for, and whether they are logged in. Light to import: ``zoomdream check`` uses it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.tokens import TokenFileError, TokenStore, default_path

if TYPE_CHECKING:
    from bot.config_twitch import TwitchConfig

CHAT_SCOPES = frozenset({"user:read:chat", "user:write:chat"})
REWARD_SCOPES = frozenset({"channel:manage:redemptions"})
POLL_SCOPES = frozenset({"channel:manage:polls"})


@dataclass(frozen=True, slots=True)
class Account:
    """An account that the bot acts for."""

    login: str
    """Its name, lower case."""
    scopes: frozenset[str]
    """What it has to allow."""
    optional_scopes: frozenset[str] = frozenset()
    """What it is asked for at a login, too, but need not allow."""


def accounts_of(config: TwitchConfig) -> tuple[Account, ...]:
    """The account that speaks, then the channel's when it is another one and there are rewards or polls; none without an
    application."""
    if config.channel is None or config.client_id is None:
        return ()
    channel, speaker = config.channel.lower(), (config.account or config.channel).lower()
    rewards = REWARD_SCOPES if config.rewards else frozenset[str]()
    polls = POLL_SCOPES if config.polls else frozenset[str]()
    if speaker == channel:
        return (Account(speaker, CHAT_SCOPES | rewards, polls),)
    other = [Account(channel, rewards or polls, polls)] if rewards or polls else []
    return (Account(speaker, CHAT_SCOPES), *other)


def findings(config: TwitchConfig) -> Iterator[tuple[bool, str]]:
    """What is fine with the chat (True), and what is missing (False)."""
    if config.channel is None:
        yield True, "none; set twitch.channel to let a Twitch chat ask"
        return
    if config.client_id is None:
        yield True, f"listens to {config.channel} without an account, so it cannot answer"
        return
    if importlib.util.find_spec("twitchio") is None:
        yield False, "twitchio is not installed, so the bot can only listen: pip install 'zoomdream[twitch]'"
        return
    store = TokenStore(config.token_file or default_path(), config.client_id)
    for account in accounts_of(config):
        try:
            token = store.get(account.login)
        except TokenFileError as error:
            yield False, str(error)
            return
        if token is None:
            yield False, f"{account.login} is not logged in yet; the bot's log will say how"
        elif not account.scopes <= token.scopes:
            yield False, f"{account.login} has to log in again, to allow more; the bot's log will say how"
        elif not account.optional_scopes <= token.scopes:
            yield True, f"{account.login} is logged in, but its login does not allow Twitch's own polls: chat votes instead"
        else:
            yield True, f"{account.login} is logged in"
