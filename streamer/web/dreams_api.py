"""Past dreams: the list, each dream's page with its picture, clip and GIF, and saving a clip of what is on air.

Text from viewers is escaped in the page. Files are looked up by the dream's id; no path is built from what callers send.
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
"""Dreams that one call lists at most."""
USUAL = 24
GIF_S, GIF_LOOK_S = 45.0, 0.2
"""Seconds that a caller waits for a GIF to be made, and between two checks."""
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
        """List the latest dreams, newest first; ``before`` pages on to older ones."""
        limit = request.query.get("limit", str(USUAL))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST):
            raise ApiError(400, "bad_input", f"limit: a number from 1 to {MOST}")
        if self._album is None:
            return web.json_response(response_schemas_moderation.Dreams(dreams=[]))
        found = await self._in_thread(partial(self._album.dreams, int(limit), request.query.get("before", "")[:20]))
        return web.json_response(
            response_schemas_moderation.Dreams(dreams=[self._as_json(dream) for dream in found]), dumps=serializers.dumps
        )

    async def tell(self, request: web.Request) -> web.Response:
        """Return one dream."""
        return web.json_response(self._as_json(await self._dream(request)), dumps=serializers.dumps)

    async def remove(self, request: web.Request) -> web.Response:
        """Delete a dream."""
        dream_id = request.match_info["id"]
        await self._in_thread(partial(self._kept.remove, dream_id))
        return web.json_response(response_schemas_moderation.RemovedNamed(removed=dream_id))

    async def clip(self, request: web.Request) -> web.Response:
        """Save the last seconds of the video as a clip; for programs that know the viewer, such as a chat bot."""
        body = await read_body(request, ClipBody)
        dream = await self._in_thread(partial(self._kept.clip, body.user))
        return web.json_response(self._as_json(dream), status=201, dumps=serializers.dumps)

    async def gif(self, request: web.Request) -> web.StreamResponse:
        """The clip as a GIF, made when it is first requested."""
        loop, look = asyncio.get_running_loop(), partial(self._kept.gif, request.match_info["id"])
        end_s = loop.time() + GIF_S
        while (path := await self._in_thread(look)) is None:
            if loop.time() > end_s:
                raise ApiError(503, "busy", "this GIF is still being made", retry_s=5.0)
            await asyncio.sleep(GIF_LOOK_S)
        return await send_file(path)

    async def page(self, request: web.Request) -> web.Response:
        """The page of a dream, with metadata for link previews."""
        text = self._filled(await self._dream(request), self._address_of(request))
        return web.Response(text=text, content_type="text/html", charset="utf-8")

    async def file(self, request: web.Request, kind: DreamFile) -> web.StreamResponse:
        """Send a file of a dream."""
        return await send_file(await self._in_thread(partial(self._kept.file, request.match_info["id"], kind)))

    async def _dream(self, request: web.Request) -> AlbumEntry:
        return await self._in_thread(partial(self._kept.dream, request.match_info["id"]))

    @property
    def _kept(self) -> Album:
        if self._album is None:
            raise ApiError(404, "not_found", "this stream keeps no dreams; album.enabled turns that on")
        return self._album

    def _as_json(self, dream: AlbumEntry) -> response_schemas_moderation.Dream:
        url = None if self._public_url is None else f"{self._public_url}/d/{dream.id}"
        return serializers.past_dream(dream, self._links, url=url, gifs=self._kept.gifs)

    def _address_of(self, request: web.Request) -> str:
        """The server's address for viewers: the configured one, else the one that the caller used."""
        if self._public_url is not None:
            return self._public_url
        scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
        host = request.host if _HOST.fullmatch(request.host) else "localhost"
        return f"{scheme if scheme in ('http', 'https') else 'http'}://{host}"

    def _filled(self, dream: AlbumEntry, base: str) -> str:
        """The page's HTML."""
        title, height, width = escape(dream.title), *dream.size
        asked = f"Dreamed for {dream.user}" if dream.user else "Dreamed between requests"
        video = f"{base}/d/{dream.id}.mp4"
        tags = {"og:video": video, "og:video:type": "video/mp4", "og:video:width": width, "og:video:height": height}
        if base.startswith("https:"):
            tags["og:video:secure_url"] = video
        return self._page.substitute(
            id=dream.id,
            title=title,
            description=escape(f"{asked}, by a neural network that runs backwards."),
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
            told=_details(dream),
            offers="\n      ".join(self._offers(dream)),
        )

    def _offers(self, dream: AlbumEntry) -> list[str]:
        """The buttons and links below the picture."""
        offers = []
        if self._kept.asks_again:
            asks = f'type="button" class="chip main" id="again" data-text="{escape(dream.title)}" disabled'
            offers.append(f"<button {asks}>Ask for it again</button>")
        files = [("mp4", f"Clip, {dream.clip_s:.0f} s")] if dream.clip_s else []
        files += [("gif", "GIF")] if dream.clip_s and self._kept.gifs else []
        return offers + [
            f'<a class="chip" href="/d/{dream.id}.{ending}" download="zoomdream-{dream.id}.{ending}">{name}</a>'
            for ending, name in [*files, ("jpg", "Picture")]
        ]


def _picture(dream: AlbumEntry) -> str:
    """The clip, or the picture if there is none."""
    height, width = dream.size
    alt, size = escape(f"A dream of {dream.title}"), f'width="{width}" height="{height}"'
    if not dream.clip_s:
        return f'<img class="kept-picture" src="/d/{dream.id}.jpg" {size} alt="{alt}">'
    return (
        f'<video class="kept-picture" id="clip" src="/d/{dream.id}.mp4" poster="/d/{dream.id}.jpg" {size} '
        f'controls loop muted playsinline preload="metadata" aria-label="{alt}"></video>'
    )


def _subjects(dream: AlbumEntry, links: serializers.Links) -> str:
    """The subjects, each linked to a page about it."""
    links_or_labels = []
    for target in dream.targets:
        link, label = links.get(target.wnid, ""), escape(target.label)
        known = link.startswith(("https://", "http://"))
        anchor = f'<a href="{escape(link)}" target="_blank" rel="noopener noreferrer">{label}</a>'
        links_or_labels.append(anchor if known else label)
    return ' <span class="plus">+</span> '.join(links_or_labels) or escape(dream.title)


def _details(dream: AlbumEntry) -> str:
    """Who asked for the dream, and when it was made."""
    at = datetime.fromtimestamp(dream.at_s, UTC)
    asked = f'for <b dir="auto">{escape(dream.user)}</b>' if dream.user else "Nobody asked for this one"
    clipped = f', clipped by <b dir="auto">{escape(dream.clipped_by)}</b>' if dream.clipped_by else ""
    when = f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at.day} {at:%B %Y, %H:%M} UTC</time>'
    return f"{asked}{clipped} · {when}"
