"""Settings of the chat bot: which chat, which commands, which words. Light to import: the streamer's config embeds it.

The blocks ``twitch:`` and ``chat:`` of the one YAML file; the streamer's loader reads and checks them.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from bot.messages import MAX_REPLY
from bot.wording import COMMON, WORDING
from viewer_text.section import LocalPath, Section

RoleName = Literal["everyone", "subscriber", "vip", "moderator", "broadcaster"]
MAX_TEMPLATES = 50


_PLACEHOLDER = re.compile(r"[a-z]+")


def wrong_template(key: str, text: str) -> str:
    """What is wrong with a text for a reply, as it follows the key in a message; empty when nothing is."""
    known = (*WORDING[key].placeholders, *COMMON)
    may = f"it may have {', '.join(f'{{{name}}}' for name in known)}"
    if not text.strip() or "\n" in text or len(text) > MAX_REPLY:
        return f"must be one line of 1 to {MAX_REPLY} characters"
    try:
        fields = [(name, spec, how) for _, name, spec, how in string.Formatter().parse(text) if name is not None]
    except ValueError:
        return f"has a brace without its partner; write {{{{ for a brace itself; {may}"
    for name, spec, how in fields:
        if spec or how or not _PLACEHOLDER.fullmatch(name):
            return (
                f"has '{{{name}{'!' + how if how else ''}{':' + spec if spec else ''}}}'; a placeholder is a plain word; {may}"
            )
        if name not in known:
            near = get_close_matches(name, known, 1)
            return f"has the unknown placeholder {{{name}}}; {f'did you mean {{{near[0]}}}? ' if near else ''}{may}"
    twice = [name for name, count in Counter(name for name, _, _ in fields).items() if count > 3]
    return f"has {{{twice[0]}}} more than three times" if twice else ""


def _fault(where: tuple[int | str, ...], text: str, value: Any) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("fault", "{text}", {"text": text}), loc=where, input=value)


def _raise(faults: list[InitErrorDetails]) -> None:
    """Report all faults, each at its place."""
    if faults:
        raise ValidationError.from_exception_data("chat", faults)


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
        description="How the accounts are logged in the first time. device: a code in the terminal, to be typed in at "
        "twitch.tv/activate. page: a page of the bot on this machine; needs the client secret.",
    )
    login_port: int = Field(
        default=4343,
        ge=1,
        le=65_535,
        description="Port of that page on localhost; the application's redirect URL is then http://localhost:4343/oauth/callback.",
    )
    token_file: LocalPath | None = Field(
        default=None,
        description="Where the logins are kept, readable by you alone; null: twitch_tokens.json in the user's state folder.",
    )
    rewards: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=45)], ...], Field(max_length=50)] = Field(
        default=(),
        json_schema_extra={"allowed": "a list of titles, each 1 to 45 characters, at most 50"},
        description="Titles of channel-point rewards with a text that ask for a dream and go before other requests; refunded "
        "when the request is refused, fulfilled when it is on air. Those that are missing are made; one made by hand cannot be "
        "refunded by the bot.",
    )
    reward_cost: int = Field(
        default=500,
        ge=1,
        le=1_000_000,
        description="Channel points that a reward costs when the bot makes it; afterwards, its price is changed on Twitch.",
    )
    bits: bool = Field(
        default=True, description="Whether a request cheered with bits goes before others: Cheer100 !dream jellyfish."
    )

    polls: bool = Field(
        default=False,
        description="Whether moderators' polls are held as Twitch's own, where the channel's account may (affiliates and "
        "partners) and its login allows it; viewers vote there instead of typing. Where that cannot be, chat votes as without.",
    )

    @field_validator("channel", "account", mode="before")
    @classmethod
    def _bare_name(cls, name: object) -> object:
        """A name as it is written in chats, ``#name`` or ``@name``, is that name."""
        return name[1:] if isinstance(name, str) and name[:1] in ("#", "@") else name

    @model_validator(mode="after")
    def _logins_possible(self) -> Self:
        faults = []
        if self.login == "page" and self.client_secret is None:
            rule = "is page; must be device while there is no client secret (set ZOOMDREAM_TWITCH_CLIENT_SECRET)"
            faults.append(_fault(("login",), rule, self.login))
        if self.rewards and self.client_id is None:
            faults.append(_fault(("rewards",), "are given; they need twitch.client_id and a login", self.rewards))
        if self.polls and self.client_id is None:
            faults.append(_fault(("polls",), "is true; Twitch's own polls need twitch.client_id and a login", self.polls))
        _raise(faults)
        return self


Aliases = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[^\s!-/:-@\[-^{-~]{1,25}$")], ...],
    Field(
        max_length=20,
        json_schema_extra={"allowed": "a list of words without spaces or punctuation, at most 20"},
        description="Further words for it.",
    ),
]
RoleLimit = Annotated[RoleName, Field(description="Who may use it: that role and those above.")]
Cooldown = Annotated[float, Field(ge=0, le=3600, description="Seconds before anyone may use it again.")]
UserCooldown = Annotated[float, Field(ge=0, le=3600, description="Seconds before the same viewer may use it again.")]


class CommandConfig(Section):
    """A command."""

    one_line: ClassVar[bool] = True
    """The reference lists it on one line."""

    aliases: Aliases = ()
    role: RoleLimit = "everyone"
    cooldown_s: Cooldown = 0.0
    user_cooldown_s: UserCooldown = 0.0
    enabled: Annotated[bool, Field(description="false: as if there were no such command.")] = True


class ModeratorCommand(CommandConfig):
    """A command for moderators."""

    role: RoleLimit = "moderator"


class DreamCommand(CommandConfig):
    """!dream A + B asks for a dream."""

    aliases: Aliases = ("d", "request")


class QueueCommand(CommandConfig):
    """!queue lists what comes next."""

    aliases: Aliases = ("q",)
    cooldown_s: Cooldown = 5.0


class WhenCommand(CommandConfig):
    """!when tells when one's own request comes."""

    aliases: Aliases = ("pos", "position")
    user_cooldown_s: UserCooldown = 5.0


class OopsCommand(CommandConfig):
    """!oops takes back one's latest request."""

    aliases: Aliases = ("wrongsong", "undo")


class NowCommand(CommandConfig):
    """!now tells what is on air and for whom."""

    aliases: Aliases = ("dreaming",)
    cooldown_s: Cooldown = 5.0


class WhatCommand(CommandConfig):
    """!what WORD tells what a word would match."""

    aliases: Aliases = ("whatis", "match")
    user_cooldown_s: UserCooldown = 2.0


class ClipCommand(CommandConfig):
    """!clip keeps the last seconds of the dream, and answers with their address."""

    aliases: Aliases = ("clipit",)
    cooldown_s: Cooldown = 10.0
    user_cooldown_s: UserCooldown = 60.0


class HelpCommand(CommandConfig):
    """!help tells what can be typed."""

    aliases: Aliases = ("dreamhelp",)
    cooldown_s: Cooldown = 10.0


class RandomCommand(CommandConfig):
    """!random lets the dream choose."""

    aliases: Aliases = ("surprise",)


class VoteskipCommand(CommandConfig):
    """!voteskip votes for the next dream; enough votes bring it."""

    aliases: Aliases = ("vs",)


class PollCommand(CommandConfig):
    """!poll fox / pizza / castle lets viewers vote what comes next (moderators only); alone, it tells how it stands."""

    cooldown_s: Cooldown = 5.0


class VoteCommand(CommandConfig):
    """!vote 2 votes in a poll; so does 2 alone, or a choice's name. Who may, and whether typing counts at all."""


class EndPollCommand(ModeratorCommand):
    """!endpoll ends a poll now with whoever leads; !endpoll cancel for nothing."""

    aliases: Aliases = ("pollend",)


class SkipCommand(ModeratorCommand):
    """!skip goes on to the next dream."""


class ClearCommand(ModeratorCommand):
    """!clear empties the queue."""


class RemoveCommand(ModeratorCommand):
    """!remove USER takes out all requests of a viewer; !remove #12 that request."""

    aliases: Aliases = ("rm",)


class PromoteCommand(ModeratorCommand):
    """!promote 12 puts that request in front; !promote USER that viewer's first."""


class PauseCommand(ModeratorCommand):
    """!pause holds what is on air; said again, or as !pause off, it goes on."""

    aliases: Aliases = ("freeze",)


class OpenCommand(ModeratorCommand):
    """!open takes requests again."""


class CloseCommand(ModeratorCommand):
    """!close takes no more requests."""


class BlockCommand(ModeratorCommand):
    """!block WORD refuses requests with that word; !block @USER those of a viewer."""


class UnblockCommand(ModeratorCommand):
    """!unblock WORD or !unblock @USER takes a block back."""


class HoldCommand(ModeratorCommand):
    """!hold 30 keeps each dream on air for so many seconds."""


class ZoomCommand(ModeratorCommand):
    """!zoom 1.05 sets how fast the camera goes in."""


class BumpCommand(ModeratorCommand):
    """!bump shakes the dream; !bump twist turns its middle a little instead."""

    aliases: Aliases = ("shake",)


class LayerCommand(ModeratorCommand):
    """!layer NAME dreams what excites a layer, !layer NAME:3,17-20 some channels; alone, it lists layers. Moderators only."""

    aliases: Aliases = ("layers",)


class CommandsConfig(Section):
    """The commands, each with its aliases, who may use it, its cooldowns, and whether it is there at all.

    aliases: further words for it; they share its cooldowns. role: who may use it, that role and those above: everyone,
    subscriber, vip, moderator or broadcaster. cooldown_s: seconds before anyone may use it again. user_cooldown_s: seconds
    before the same viewer may. enabled: false is as if there were no such command. Cooldowns do not hold for moderators; who
    may ask for how much is a matter of the queue's rules.
    """

    dream: DreamCommand = DreamCommand()
    random: RandomCommand = RandomCommand()
    queue: QueueCommand = QueueCommand()
    when: WhenCommand = WhenCommand()
    oops: OopsCommand = OopsCommand()
    now: NowCommand = NowCommand()
    what: WhatCommand = WhatCommand()
    clip: ClipCommand = ClipCommand()
    help: HelpCommand = HelpCommand()
    voteskip: VoteskipCommand = VoteskipCommand()
    poll: PollCommand = PollCommand()
    vote: VoteCommand = VoteCommand()
    endpoll: EndPollCommand = EndPollCommand()
    skip: SkipCommand = SkipCommand()
    clear: ClearCommand = ClearCommand()
    remove: RemoveCommand = RemoveCommand()
    promote: PromoteCommand = PromoteCommand()
    pause: PauseCommand = PauseCommand()
    open: OpenCommand = OpenCommand()
    close: CloseCommand = CloseCommand()
    block: BlockCommand = BlockCommand()
    unblock: UnblockCommand = UnblockCommand()
    hold: HoldCommand = HoldCommand()
    zoom: ZoomCommand = ZoomCommand()
    bump: BumpCommand = BumpCommand()
    layer: LayerCommand = LayerCommand()

    def items(self) -> Iterator[tuple[str, CommandConfig]]:
        """Each command's own word and its settings."""
        for name in type(self).model_fields:
            yield name, getattr(self, name)

    @model_validator(mode="after")
    def _each_word_once(self) -> Self:
        owners = {name: name for name, command in self.items() if command.enabled}
        faults = []
        for name, command in self.items():
            for number, alias in enumerate(command.aliases if command.enabled else ()):
                owner = owners.setdefault(alias.casefold(), name)
                if owner != name or alias.casefold() == name:
                    whose = "its own word" if alias.casefold() == name else f"a word of '{owner}' already"
                    faults.append(_fault((name, "aliases", number), f"is '{alias}', which is {whose}", alias))
        _raise(faults)
        return self


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
        description="Whether a message that is just the exact name of something asks for it, without !dream, as in 2015. "
        "Livelier, but people say 'pizza' without meaning it.",
    )
    commands: CommandsConfig = CommandsConfig()
    replies: Mapping[str, tuple[str, ...]] = Field(
        default={},
        json_schema_extra={"allowed": "a block of reply keys, each with a list of 1 to 50 texts"},
        description="Wording of your own: for a reply's key, a list of texts that replace the bot's, said in turn. "
        "configs/wording.yaml lists all keys with their texts and placeholders.",
    )

    @model_validator(mode="after")
    def _wording_holds(self) -> Self:
        faults: list[InitErrorDetails] = []
        for key, templates in self.replies.items():
            if key not in WORDING:
                near = get_close_matches(key, WORDING, 2)
                hint = f"did you mean {' or '.join(near)}?" if near else "configs/wording.yaml lists them"
                faults.append(_fault(("replies", key), f"is no reply of the bot; {hint}", templates))
            elif not 1 <= len(templates) <= MAX_TEMPLATES:
                faults.append(_fault(("replies", key), f"has {len(templates)} texts; must be 1 to {MAX_TEMPLATES}", templates))
            else:
                found = ((number, wrong_template(key, text), text) for number, text in enumerate(templates))
                faults += [_fault(("replies", key, number), wrong, text) for number, wrong, text in found if wrong]
        _raise(faults)
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
