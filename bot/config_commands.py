"""Settings of the chat commands, made from the commands' objects: a block for each, at its defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, create_model, model_validator

from bot.commands.command import ChatCommand
from bot.commands.registry import ALL
from shared.section import Section, problem, raise_all

RoleName = Literal["everyone", "subscriber", "vip", "moderator", "broadcaster"]
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
    command: ClassVar[str] = ""
    """The command that it is for."""

    aliases: Aliases = ()
    role: RoleLimit = "everyone"
    cooldown_s: Cooldown = 0.0
    user_cooldown_s: UserCooldown = 0.0
    enabled: Annotated[bool, Field(description="false: as if there were no such command.")] = True

    def __reduce__(self) -> tuple[Callable[..., CommandConfig], tuple[str, dict[str, Any]]]:
        """How it is pickled for the bot's process: its class is made at run time, so pickle cannot find it by name."""
        return _unpickled, (self.command, dict(self))


def _unpickled(command: str, values: dict[str, Any]) -> CommandConfig:
    return _SETTINGS[command](**values)


def _settings_of(command: ChatCommand[Any]) -> type[CommandConfig]:
    """The class of a command's settings."""
    made = create_model(
        f"{command.name.capitalize()}Command",
        __base__=CommandConfig,
        __doc__=command.description,
        __module__=__name__,
        aliases=(Aliases, command.aliases),
        role=(RoleLimit, command.role.value),
        cooldown_s=(Cooldown, command.cooldown_s),
        user_cooldown_s=(UserCooldown, command.user_cooldown_s),
    )
    made.command = command.name
    return made


_SETTINGS = {command.name: _settings_of(command) for command in ALL}


class CommandBlocks(Section):
    """The commands, each with its aliases, who may use it, its cooldowns, and whether it is there at all.

    aliases: further words for it; they share its cooldowns. role: who may use it, that role and those above: everyone,
    subscriber, vip, moderator or broadcaster. cooldown_s: seconds before anyone may use it again. user_cooldown_s: seconds
    before the same viewer may. enabled: false is as if there were no such command. Cooldowns do not apply to moderators; who
    may ask for how much is a matter of the queue's rules.
    """

    def items(self) -> Iterator[tuple[ChatCommand[Any], CommandConfig]]:
        """Each command and its settings."""
        for command in ALL:
            yield command, self.of(command.name)

    def of(self, command: str) -> CommandConfig:
        """The settings of a command, by its name."""
        settings: CommandConfig = getattr(self, command)
        return settings

    @model_validator(mode="after")
    def _each_word_once(self) -> Self:
        owners = {command.name: command.name for command, settings in self.items() if settings.enabled}
        problems = []
        for command, settings in self.items():
            for number, alias in enumerate(settings.aliases if settings.enabled else ()):
                owner = owners.setdefault(alias.casefold(), command.name)
                if owner != command.name or alias.casefold() == command.name:
                    whose = "its own word" if alias.casefold() == command.name else f"a word of '{owner}' already"
                    problems.append(problem((command.name, "aliases", number), f"is '{alias}', which is {whose}", alias))
        raise_all(problems)
        return self


if TYPE_CHECKING:
    CommandsConfig = CommandBlocks
else:
    CommandsConfig = create_model(
        "CommandsConfig",
        __base__=CommandBlocks,
        __doc__=CommandBlocks.__doc__,
        __module__=__name__,
        **{name: (settings, settings()) for name, settings in _SETTINGS.items()},
    )
