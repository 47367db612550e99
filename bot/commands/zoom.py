"""``!zoom 1.05`` sets how fast the camera goes in."""

from __future__ import annotations

from functools import partial

from bot.commands.arguments import number
from bot.commands.command import ChatCommand, CommandContext
from bot.reply_templates import reply
from shared.role import Role


async def zoom(context: CommandContext, speed: float) -> str:
    """Set the zoom factor per second."""
    await context.client.motion(speed)
    return context.say("zoomed", speed=f"{speed:g}")


ZOOM = ChatCommand(
    name="zoom",
    usage="1.05",
    about="sets how fast the camera goes in",
    role=Role.MODERATOR,
    parse=partial(number, unit="x", otherwise="zoom_usage"),
    run=zoom,
    replies={
        "zoomed": reply("the zoom is changed", "speed", "zoom: {speed}× a second", "zoom set to {speed}× a second"),
        "zoom_usage": reply(
            "a zoom is no number", "", "how fast? {prefix}zoom 1.05 goes in, 1 stands still, {prefix}zoom 0.95 goes out"
        ),
    },
)
