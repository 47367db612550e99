"""``!layer NAME`` dreams what excites a layer of the network, ``!layer NAME:3,17-20`` some of its channels."""

from __future__ import annotations

import re

from bot.commands.command import ChatCommand, CommandContext
from bot.commands.dream import ask
from bot.reply_templates import reply
from shared.clean import quote
from shared.role import Role

LISTED = 8
"""Layers that a list of them names, spread over the network."""
_LAYER_WORD = re.compile(r"layers?(?:\s+|$)", re.IGNORECASE)
"""The word that viewers may repeat: ``!layer layer fire5``."""


def parse(words: str) -> str:
    """A layer's name, perhaps with channels and further subjects; empty: list the layers."""
    return _LAYER_WORD.sub("", words, count=1)


async def layer(context: CommandContext, name: str) -> str | None:
    """Ask for the layer, or list some."""
    if name:
        return await ask(context, f"layer {name}")
    names = await context.client.layers()
    if not names:
        return context.say("layers_none")
    whole = [name for name in names if "." not in name]
    some = whole[:: max(1, -(-len(whole) // LISTED))]
    return context.say("layers", list=", ".join(map(quote, some)), count=len(names))


LAYER = ChatCommand(
    name="layer",
    usage="NAME",
    about="dreams what excites a layer, !layer NAME:3,17-20 some channels; alone, it lists layers. Moderators only",
    aliases=("layers",),
    role=Role.MODERATOR,
    takes_subjects=True,
    parse=parse,
    run=layer,
    replies={
        "layers": reply(
            "a moderator asks which layers there are",
            "list count",
            "{count} layers, among them {list}. {prefix}layer NAME dreams one",
            "I have {count} layers, such as {list}. Say {prefix}layer NAME, or {prefix}layer NAME:17 for a channel of it",
        ),
        "layers_none": reply(
            "no network is loaded yet",
            "",
            "I have nothing to think with yet, ask again in a moment",
            "no layers yet, I'm just waking up",
        ),
    },
)
