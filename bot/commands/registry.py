"""The list of chat commands. A new one is added here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from bot.commands.block import BLOCK
from bot.commands.bump import BUMP
from bot.commands.clear import CLEAR
from bot.commands.clip import CLIP
from bot.commands.close import CLOSE
from bot.commands.command import ChatCommand
from bot.commands.dream import DREAM
from bot.commands.endpoll import ENDPOLL
from bot.commands.help import HELP
from bot.commands.hold import HOLD
from bot.commands.layer import LAYER
from bot.commands.now import NOW
from bot.commands.oops import OOPS
from bot.commands.open import OPEN
from bot.commands.pause import PAUSE
from bot.commands.poll import POLL
from bot.commands.promote import PROMOTE
from bot.commands.queue import QUEUE
from bot.commands.random import RANDOM
from bot.commands.remove import REMOVE
from bot.commands.skip import SKIP
from bot.commands.unblock import UNBLOCK
from bot.commands.vote import VOTE
from bot.commands.voteskip import VOTESKIP
from bot.commands.what import WHAT
from bot.commands.when import WHEN
from bot.commands.zoom import ZOOM

ALL: tuple[ChatCommand[Any], ...] = (
    DREAM,
    RANDOM,
    QUEUE,
    WHEN,
    OOPS,
    NOW,
    WHAT,
    CLIP,
    HELP,
    VOTESKIP,
    POLL,
    VOTE,
    ENDPOLL,
    SKIP,
    CLEAR,
    REMOVE,
    PROMOTE,
    PAUSE,
    OPEN,
    CLOSE,
    BLOCK,
    UNBLOCK,
    HOLD,
    ZOOM,
    BUMP,
    LAYER,
)
"""In the order in which ``!help`` and the settings list them: viewers' first."""
BY_NAME: Mapping[str, ChatCommand[Any]] = MappingProxyType({command.name: command for command in ALL})
