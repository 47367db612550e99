"""``!clip`` keeps the last seconds of the dream, and answers with their address."""

from __future__ import annotations

from bot.commands.arguments import no_arguments
from bot.commands.command import ChatCommand, CommandContext
from bot.errors import ApiRefused
from bot.reply_templates import reply
from shared.clean import quote


async def clip(context: CommandContext, _: None) -> str:
    """Keep the last seconds, or a picture if no video is encoded."""
    try:
        kept = await context.client.clip(context.user, context.line.source)
    except ApiRefused as refused:
        if refused.code in ("not_found", "closed"):
            return context.say("refused", message=quote(refused.message))
        raise
    what, link = context.replies.subjects(kept.labels), kept.url or context.replies.page(kept.path)
    if not kept.seconds:
        return context.say("clipped_picture", what=what, link=link)
    return context.say("clipped", what=what, link=link, seconds=f"{kept.seconds:.0f} s")


CLIP = ChatCommand(
    name="clip",
    about="keeps the last seconds of the dream, and answers with their address",
    aliases=("clipit",),
    cooldown_s=10.0,
    user_cooldown_s=60.0,
    announces_cooldown=True,
    parse=no_arguments,
    run=clip,
    replies={
        "clipped": reply(
            "the last seconds of the dream were kept",
            "what link seconds",
            "the last {seconds} of {what}: {link}",
            "clipped! {what}, {seconds}: {link}",
            "here is {what} to keep, {seconds}: {link}",
        ),
        "clipped_picture": reply(
            "a clip was asked for while no video was encoded, so a picture was kept",
            "what link",
            "there is no video to clip right now, so here is a picture of {what}: {link}",
            "just a picture this time, as nobody is watching the video: {what}, {link}",
        ),
        "page_path": reply(
            "an address of which only the last part is known, as web.public_url is not set",
            "path",
            "{path} on the stream's page",
        ),
    },
)
