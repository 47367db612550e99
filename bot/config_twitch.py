"""Settings of the Twitch chat: the channel, the accounts, rewards, bits and polls."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from shared.section import LocalPath, Section, problem, raise_all


class TwitchConfig(Section):
    """The Twitch chat that steers the dream. With a channel only, the bot listens without an account and cannot answer."""

    channel: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_]{1,25}$",
        json_schema_extra={"allowed": "a channel's name, 1 to 25 letters, digits and underscores, or null"},
        description="The Twitch channel whose chat steers the dream; run starts the bot for it.",
    )
    client_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9]{1,64}$",
        json_schema_extra={"allowed": "the id of an application, letters and digits, or null"},
        description="Client id of an application registered at dev.twitch.tv/console. null: listen only, without an account.",
    )
    client_secret: str | None = Field(
        default=None,
        min_length=1,
        repr=False,
        description="That application's secret; a device login of a public application needs none. Better given as "
        "ZOOMDREAM_TWITCH_CLIENT_SECRET.",
    )
    account: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_]{1,25}$",
        json_schema_extra={"allowed": "an account's name, 1 to 25 letters, digits and underscores, or null"},
        description="The Twitch account that the bot speaks as. null: the channel's own.",
    )
    login: Literal["device", "page"] = Field(
        default="device",
        description="How the accounts log in the first time. device: with a code from the terminal, entered at "
        "twitch.tv/activate. page: on a page of the bot on this machine; needs the client secret.",
    )
    login_port: int = Field(
        default=4343,
        ge=1,
        le=65_535,
        description="Port of that page on localhost; the application's redirect URL is then http://localhost:4343/oauth/callback.",
    )
    token_file: LocalPath | None = Field(
        default=None,
        description="The file of the logins, which only you can read; null: twitch_tokens.json in the user's state folder.",
    )
    rewards: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=45)], ...], Field(max_length=50)] = Field(
        default=(),
        json_schema_extra={"allowed": "a list of titles, each 1 to 45 characters, at most 50"},
        description="Titles of channel-point rewards that ask for a dream, with a text to fill in; they go before other "
        "requests. Redemptions are refunded when the request is refused, and fulfilled when it is on air. The bot creates "
        "missing rewards; of rewards created by hand it cannot refund anything.",
    )
    reward_cost: int = Field(
        default=500,
        ge=1,
        le=1_000_000,
        description="Price in channel points of a reward that the bot creates; change it later on Twitch.",
    )
    bits: bool = Field(
        default=True, description="Whether a request cheered with bits goes before others: Cheer100 !dream jellyfish."
    )

    polls: bool = Field(
        default=False,
        description="Whether moderators' polls are also Twitch's own, when the channel may have them (affiliates and partners) "
        "and its login allows it; viewers then vote there instead of typing. Otherwise votes are counted in chat.",
    )

    @field_validator("channel", "account", mode="before")
    @classmethod
    def _bare_name(cls, name: object) -> object:
        """A name as it is written in chats, ``#name`` or ``@name``, is that name."""
        return name[1:] if isinstance(name, str) and name[:1] in ("#", "@") else name

    @model_validator(mode="after")
    def _logins_possible(self) -> Self:
        problems = []
        if self.login == "page" and self.client_secret is None:
            rule = "is page; must be device while there is no client secret (set ZOOMDREAM_TWITCH_CLIENT_SECRET)"
            problems.append(problem(("login",), rule, self.login))
        if self.rewards and self.client_id is None:
            problems.append(problem(("rewards",), "are given; they need twitch.client_id and a login", self.rewards))
        if self.polls and self.client_id is None:
            problems.append(problem(("polls",), "is true; Twitch's own polls need twitch.client_id and a login", self.polls))
        raise_all(problems)
        return self
