"""The command !clip, with a real streamer that has an album."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.all_replies import ALL_REPLIES
from bot.client import Client
from tests.bot.stage import play, staged
from tests.video.studio import HandBlocks, Studio, scene

PUBLIC = "https://dream.example"


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


def test_a_clip_is_answered_with_its_public_address(studio: Studio) -> None:
    async def scenery() -> None:
        async with staged(album=studio.album, web={"public_url": PUBLIC}) as stage:
            studio.air(scene(1, "volcano", "pizza"), 12.0)
            reply = await stage.say("ann", "!clip") or ""
            (kept,) = studio.album.dreams(1)
            assert reply.startswith("clipped| ")
            assert "8 s" in reply
            assert "volcano on top, pizza below" in reply
            assert reply.endswith(f"{PUBLIC}/d/{kept.id}")
            assert kept.clipped_by == "ann"
            page = stage.real.call("GET", f"/d/{kept.id}.mp4")
            assert (page.status, page.body[4:8]) == (200, b"ftyp")

    play(scenery)


def test_every_wording_holds_the_address(studio: Studio) -> None:
    async def scenery() -> None:
        async with staged(album=studio.album) as stage:
            for watched, key in ((True, "clipped"), (False, "clipped_picture")):
                studio.watched = watched
                studio.number += 1000
                for number in range(len(ALL_REPLIES[key].templates)):
                    studio.air(scene(100 * watched + number), 12.0)
                    reply = await stage.tell("!clipit")
                    assert reply.startswith(f"{key}| ")
                    assert re.search(r"/d/[a-z2-7]{12} on the stream's page", reply), reply

    play(scenery)


def test_clips_have_to_wait_for_viewers_each_and_all(studio: Studio) -> None:
    async def scenery() -> None:
        async with staged(album=studio.album) as stage:
            studio.air(scene(1), 12.0)
            assert (await stage.say("ann", "!clip") or "").startswith("clipped| ")
            assert (await stage.say("bob", "!clip") or "").startswith("cooling| ")
            assert await stage.say("bob", "!clip") is None, "told once"
            stage.clock.advance(11)
            assert (await stage.say("bob", "!clip") or "").startswith("clipped| ")
            stage.clock.advance(11)
            assert (await stage.say("ann", "!clip") or "").startswith("cooling| ")
            assert (await stage.tell("!clip")).startswith("clipped| ")
            stage.clock.advance(60)
            assert (await stage.say("ann", "!clip") or "").startswith("clipped| ")

    play(scenery)


def test_a_clip_that_cannot_be_made_is_refused(studio: Studio) -> None:
    async def scenery() -> None:
        async with staged(album=studio.album) as stage:
            reply = await stage.tell("!clip")
            assert reply.startswith("refused| ")
            assert "nothing is on air yet" in reply
            studio.air(scene(1), 12.0)
            studio.blocks = HandBlocks("volcano")
            assert (await stage.tell("!clip")).startswith("blocked| ")
        async with staged() as stage:
            assert "this stream keeps no dreams" in await stage.tell("!clip")

    play(scenery)


def test_names_are_said_as_they_are_kept(studio: Studio) -> None:
    async def scenery() -> None:
        async with staged(album=studio.album, token="open sesame") as stage:
            studio.air(scene(1), 12.0)
            await stage.say("\u202eJo\u0000 <b>", "!clip")
            assert studio.album.dreams(1)[0].clipped_by == "Jo <b>"
            async with Client(stage.real.server.url, "open sesame") as client:
                clip = await client.clip("Ann", "irc")
                assert (clip.labels, clip.seconds, clip.url) == (("volcano",), 8.0, None)

    play(scenery)
