"""What was dreamt: the list, each dream's page with its picture, clip and GIF, and keeping a clip of what is on air.

What viewers wrote stands in the page as text only. A file is looked up by its dream's id; no path is made of what callers send.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from functools import partial
from html import escape
from pathlib import Path
from string import Template

from aiohttp import web

from streamer.messages.album_entry import AlbumEntry
from streamer.web import response_schemas_moderation, serializers
from streamer.web.body_schemas import ClipBody, read_body
from streamer.web.errors import ApiError
from streamer.web.file_responses import send_file
from streamer.web.protocols import Album, DreamFile
from streamer.web.thread_bridge import ThreadBridge

PAGE = Path(__file__).parent / "pages" / "dream.html"
MOST = 100
"""Dreams that one call tells of."""
USUAL = 24
GIF_S, GIF_LOOK_S = 45.0, 0.2
"""Seconds for which who asks for a GIF waits until it is made, and from one look to the next."""
_HOST = re.compile(r"[A-Za-z0-9.\-]+(?::\d+)?|\[[0-9A-Fa-f:.]+\](?::\d+)?")


class DreamsApi:
    """Handlers of ``/api/dreams``, ``/api/clips`` and ``/d/…``."""

    def __init__(self, album: Album | None, in_thread: ThreadBridge, links: serializers.Links, public_url: str | None) -> None:
        self._album = album
        self._in_thread = in_thread
        self._links = links
        self._public_url = public_url
        self._page = Template(PAGE.read_text(encoding="utf-8"))

    async def last(self, request: web.Request) -> web.Response:
        """Tell of the last dreams, newest first: ``limit`` (24) of them, with ``before`` only those older than that one."""
        limit = request.query.get("limit", str(USUAL))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST):
            raise ApiError(400, "bad_input", f"limit: a number from 1 to {MOST}")
        if self._album is None:
            return web.json_response(response_schemas_moderation.Dreams(dreams=[]))
        found = await self._in_thread(partial(self._album.dreams, int(limit), request.query.get("before", "")[:20]))
        return web.json_response(
            response_schemas_moderation.Dreams(dreams=[self._told(dream) for dream in found]), dumps=serializers.dumps
        )

    async def tell(self, request: web.Request) -> web.Response:
        """Describe one dream."""
        return web.json_response(self._told(await self._dream(request)), dumps=serializers.dumps)

    async def remove(self, request: web.Request) -> web.Response:
        """Remove a dream for good."""
        dream_id = request.match_info["id"]
        await self._in_thread(partial(self._there.remove, dream_id))
        return web.json_response(response_schemas_moderation.RemovedNamed(removed=dream_id))

    async def clip(self, request: web.Request) -> web.Response:
        """Keep the last seconds of what is on air; for programs that know who speaks."""
        body = await read_body(request, ClipBody)
        dream = await self._in_thread(partial(self._there.clip, body.user))
        return web.json_response(self._told(dream), status=201, dumps=serializers.dumps)

    async def gif(self, request: web.Request) -> web.StreamResponse:
        """The clip as a GIF, which is made when it is asked for first."""
        loop, look = asyncio.get_running_loop(), partial(self._there.gif, request.match_info["id"])
        end_s = loop.time() + GIF_S
        while (path := await self._in_thread(look)) is None:
            if loop.time() > end_s:
                raise ApiError(503, "busy", "this GIF is still being made", retry_s=5.0)
            await asyncio.sleep(GIF_LOOK_S)
        return await send_file(path)

    async def page(self, request: web.Request) -> web.Response:
        """The page of a dream, with what previews of links show."""
        text = self._filled(await self._dream(request), self._address_of(request))
        return web.Response(text=text, content_type="text/html", charset="utf-8")

    async def file(self, request: web.Request, kind: DreamFile) -> web.StreamResponse:
        """Send a file of a dream."""
        return await send_file(await self._in_thread(partial(self._there.file, request.match_info["id"], kind)))

    async def _dream(self, request: web.Request) -> AlbumEntry:
        return await self._in_thread(partial(self._there.dream, request.match_info["id"]))

    @property
    def _there(self) -> Album:
        if self._album is None:
            raise ApiError(404, "not_found", "dreams are not kept here; the setting is album.enabled")
        return self._album

    def _told(self, dream: AlbumEntry) -> response_schemas_moderation.Dream:
        url = None if self._public_url is None else f"{self._public_url}/d/{dream.id}"
        return serializers.dreamt(dream, self._links, url=url, gifs=self._there.gifs)

    def _address_of(self, request: web.Request) -> str:
        """Where viewers reach the server, as far as it is known: as configured, else as the caller does."""
        if self._public_url is not None:
            return self._public_url
        scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
        host = request.host if _HOST.fullmatch(request.host) else "localhost"
        return f"{scheme if scheme in ('http', 'https') else 'http'}://{host}"

    def _filled(self, dream: AlbumEntry, base: str) -> str:
        """The page's text."""
        title, height, width = escape(dream.title), *dream.size
        asked = f"Dreamt for {dream.user}" if dream.user else "Dreamt because nobody asked for anything"
        video = f"{base}/d/{dream.id}.mp4"
        tags = {"og:video": video, "og:video:type": "video/mp4", "og:video:width": width, "og:video:height": height}
        if base.startswith("https:"):
            tags["og:video:secure_url"] = video
        return self._page.substitute(
            id=dream.id,
            title=title,
            description=escape(f"{asked}, by a neural network that is run backwards."),
            type="video.other" if dream.clip_s else "website",
            url=escape(f"{base}/d/{dream.id}"),
            width=width,
            height=height,
            alt=escape(f"A dream of {dream.title}"),
            video_tags="".join(
                f'  <meta property="{name}" content="{escape(str(value))}">\n' for name, value in tags.items() if dream.clip_s
            ),
            picture=_picture(dream),
            subjects=_subjects(dream, self._links),
            told=_told(dream),
            offers="\n      ".join(self._offers(dream)),
        )

    def _offers(self, dream: AlbumEntry) -> list[str]:
        """What can be had of it, as far as it is offered."""
        offers = []
        if self._there.asks_again:
            asks = f'type="button" class="chip main" id="again" data-text="{escape(dream.title)}" disabled'
            offers.append(f"<button {asks}>Ask for it again</button>")
        files = [("mp4", f"Clip, {dream.clip_s:.0f} s")] if dream.clip_s else []
        files += [("gif", "GIF")] if dream.clip_s and self._there.gifs else []
        return offers + [
            f'<a class="chip" href="/d/{dream.id}.{ending}" download="zoomdream-{dream.id}.{ending}">{name}</a>'
            for ending, name in [*files, ("jpg", "Picture")]
        ]


def _picture(dream: AlbumEntry) -> str:
    """The clip, or the picture where there is none."""
    height, width = dream.size
    alt, size = escape(f"A dream of {dream.title}"), f'width="{width}" height="{height}"'
    if not dream.clip_s:
        return f'<img class="kept-picture" src="/d/{dream.id}.jpg" {size} alt="{alt}">'
    return (
        f'<video class="kept-picture" id="clip" src="/d/{dream.id}.mp4" poster="/d/{dream.id}.jpg" {size} '
        f'controls loop muted playsinline preload="metadata" aria-label="{alt}"></video>'
    )


def _subjects(dream: AlbumEntry, links: serializers.Links) -> str:
    """Its subjects, each with the page about it."""
    told = []
    for target in dream.targets:
        link, label = links.get(target.wnid, ""), escape(target.label)
        known = link.startswith(("https://", "http://"))
        told.append(f'<a href="{escape(link)}" target="_blank" rel="noopener noreferrer">{label}</a>' if known else label)
    return ' <span class="plus">+</span> '.join(told) or escape(dream.title)


def _told(dream: AlbumEntry) -> str:
    """For whom it was, and when."""
    at = datetime.fromtimestamp(dream.at_s, UTC)
    asked = f'for <b dir="auto">{escape(dream.user)}</b>' if dream.user else "Nobody asked for this one"
    clipped = f', clipped by <b dir="auto">{escape(dream.clipped_by)}</b>' if dream.clipped_by else ""
    when = f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at.day} {at:%B %Y, %H:%M} UTC</time>'
    return f"{asked}{clipped} · {when}"
