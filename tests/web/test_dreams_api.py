"""Past dreams over HTTP: the list, a dream's page and files, clips, and who may remove what."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.messages.scenes import Scene, Target, arrange
from tests.patience import PATIENCE_S
from tests.video.studio import HEIGHT, WIDTH, HandBlocks, Studio, scene
from tests.web.conftest import Stage

BEARER = {"Authorization": "Bearer open sesame"}
NASTY = "<img src=x onerror=alert(1)>\"'&</title>"


class Page(HTMLParser):
    """Collects a page's tags and text, and the meta tags that link previews read."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append((tag, found))
        if tag == "meta":
            self.meta[found.get("property", found.get("name", ""))] = found.get("content", "")

    def handle_data(self, data: str) -> None:
        self.text += data

    def hrefs(self) -> list[str]:
        return [found["href"] for tag, found in self.tags if tag == "a"]


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "dreams")


@pytest.fixture
def kept(stages: Callable[..., Stage], studio: Studio) -> Stage:
    """A server with an album."""
    return stages(album=studio.album, token="open sesame")


def test_the_last_dreams_are_listed(kept: Stage, studio: Studio) -> None:
    assert kept.call("GET", "/api/dreams").json == {"dreams": []}
    first, second = studio.dream(1, "volcano", "bubble"), studio.dream(2, "pizza", user="")
    told = kept.call("GET", "/api/dreams").json["dreams"]
    assert [dream["id"] for dream in told] == [second, first]
    at_s = studio.album.dream(first).at_s
    assert told[1] == {
        "id": first,
        "title": "volcano + bubble",
        "targets": [
            {"kind": "class", "wnid": "n00000001", "label": "volcano", "link": ""},
            {"kind": "class", "wnid": "n00000002", "label": "bubble", "link": ""},
        ],
        "user": "Mara",
        "clipped_by": "",
        "at_s": round(at_s, 1),
        "path": f"/d/{first}",
        "url": None,
        "picture": f"/d/{first}.jpg",
        "small": f"/d/{first}.small.jpg",
        "width": WIDTH,
        "height": HEIGHT,
        "clip": f"/d/{first}.mp4",
        "clip_s": 8.0,
        "gif": f"/d/{first}.gif",
    }
    assert kept.call("GET", f"/api/dreams/{first}").json == told[1]
    assert [dream["id"] for dream in kept.call("GET", "/api/dreams?limit=1").json["dreams"]] == [second]
    assert [dream["id"] for dream in kept.call("GET", f"/api/dreams?before={second}").json["dreams"]] == [first]
    for wrong in ("0", "101", "x", "-1"):
        assert kept.call("GET", f"/api/dreams?limit={wrong}").error["code"] == "bad_input"


def test_the_files_of_a_dream(kept: Stage, studio: Studio) -> None:
    dream_id = studio.dream(1)
    for ending, kind, magic in ((".jpg", "image/jpeg", b"\xff\xd8"), (".small.jpg", "image/jpeg", b"\xff\xd8")):
        answer = kept.call("GET", f"/d/{dream_id}{ending}")
        assert (answer.status, answer.headers["Content-Type"], answer.body[:2]) == (200, kind, magic)
    clip = kept.call("GET", f"/d/{dream_id}.mp4")
    assert (clip.status, clip.headers["Content-Type"]) == (200, "video/mp4")
    with av.open(io.BytesIO(clip.body)) as container:
        assert len(list(container.decode(video=0))) == 80
    part = kept.call("GET", f"/d/{dream_id}.mp4", headers={"Range": "bytes=4-7"})
    assert (part.status, part.body) == (206, b"ftyp")
    assert kept.call("GET", f"/d/{dream_id}.jpg").headers["Cache-Control"] == "no-cache", "what is removed is not shown again"


def test_a_gif_is_waited_for(kept: Stage, studio: Studio) -> None:
    dream_id = studio.dream(1, seconds=4.0)
    studio.album.start()
    try:
        answer = kept.call("GET", f"/d/{dream_id}.gif")
        assert (answer.status, answer.headers["Content-Type"], answer.body[:6]) == (200, "image/gif", b"GIF89a")
    finally:
        assert studio.album.close(PATIENCE_S)


@pytest.mark.parametrize(
    "path",
    [
        "/d/aaaaaaaaaaaa",
        "/d/aaaaaaaaaaaa.jpg",
        "/d/aaaaaaaaaaaa.mp4",
        "/d/aaaaaaaaaaaa.gif",
        "/d/aaaaaaaaaaaa.json",
        "/d/",
        "/d/../live.ts",
        "/d/..%2f..%2f..%2fetc%2fpasswd",
        "/d/%2e%2e/%2e%2e/etc/passwd.jpg",
        "/d/aaaaaaaaaaa%00.jpg",
        "/d/AAAAAAAAAAAA.jpg",
        "/d/aaaaaaaaaaaa.jpg/../../x",
        "/api/dreams/aaaaaaaaaaaa",
        "/api/dreams/..%2fqueue.sqlite3",
    ],
)
def test_what_is_not_there_is_not_found_whatever_path_is_tried(kept: Stage, studio: Studio, path: str) -> None:
    secret = studio.folder.parent / "queue.sqlite3"
    secret.write_text("secret")
    answer = kept.call("GET", path)
    assert answer.status == 404
    assert b"secret" not in answer.body
    if path.startswith("/api/"):
        assert kept.call("DELETE", path, headers=BEARER).status == 404
    assert secret.exists()


def test_the_entry_itself_is_not_served(kept: Stage, studio: Studio) -> None:
    dream_id = studio.dream(1)
    assert (studio.folder / f"{dream_id}.json").exists()
    assert kept.call("GET", f"/d/{dream_id}.json").status == 404


def test_a_preview_shows_the_picture_by_whole_addresses(kept: Stage, studio: Studio) -> None:
    dream_id = studio.dream(1, "volcano", "bubble")
    answer = kept.call("GET", f"/d/{dream_id}")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    page, url = Page(answer.body.decode()), f"{kept.server.url}d/{dream_id}"
    wanted = {
        "og:title": "volcano + bubble",
        "og:type": "video.other",
        "og:url": url,
        "og:image": f"{url}.jpg",
        "og:image:width": str(WIDTH),
        "og:image:height": str(HEIGHT),
        "og:video": f"{url}.mp4",
        "og:video:type": "video/mp4",
        "twitter:card": "summary_large_image",
        "twitter:image": f"{url}.jpg",
        "twitter:title": "volcano + bubble",
    }
    assert {name: page.meta.get(name) for name in wanted} == wanted
    assert "Mara" in page.meta["og:description"]
    assert "og:video:secure_url" not in page.meta
    assert kept.call("GET", page.meta["og:image"].removeprefix(kept.server.url.rstrip("/"))).status == 200


def test_addresses_are_the_public_ones_where_there_are_any(stages: Callable[..., Stage], studio: Studio) -> None:
    stage = stages(album=studio.album, public_url="https://dream.example:8443/")
    dream_id = studio.dream(1)
    headers = {"Host": "dream.example:8443"}
    page = Page(stage.call("GET", f"/d/{dream_id}", headers=headers).body.decode())
    assert page.meta["og:image"] == f"https://dream.example:8443/d/{dream_id}.jpg"
    assert page.meta["og:video:secure_url"] == f"https://dream.example:8443/d/{dream_id}.mp4"
    assert stage.call("GET", f"/api/dreams/{dream_id}").json["url"] == f"https://dream.example:8443/d/{dream_id}"
    assert stage.call("GET", "/api/status", headers={"Host": "other.example"}).status == 403


def test_behind_a_proxy_addresses_are_as_visitors_see_them(stages: Callable[..., Stage], studio: Studio) -> None:
    stage = stages(album=studio.album, hosts=("dream.example",))
    dream_id = studio.dream(1)
    for proto, scheme in (("https", "https"), ("http", "http"), ("javascript", "http")):
        sent = {"Host": "dream.example", "X-Forwarded-Proto": proto}
        page = Page(stage.call("GET", f"/d/{dream_id}", headers=sent).body.decode())
        assert page.meta["og:url"] == f"{scheme}://dream.example/d/{dream_id}"
    page = Page(stage.call("GET", f"/d/{dream_id}", headers={"Host": '127.0.0.1/"><script>'}).body.decode())
    assert page.meta["og:url"] == f"http://localhost/d/{dream_id}"
    assert ("script", {}) not in page.tags


def test_what_strangers_wrote_is_text(kept: Stage, studio: Studio) -> None:
    shown = scene(1, NASTY, user=NASTY)
    studio.air(shown, 5.0)
    studio.air(scene(2), 0.1)
    studio.keep()
    (dream,) = studio.album.dreams(1)
    page = Page(kept.call("GET", f"/d/{dream.id}").body.decode())
    assert page.meta["og:title"] == NASTY
    assert page.text.count(NASTY) == 3, "in the title, the heading and after 'for'"
    assert [found["data-text"] for tag, found in page.tags if found.get("id") == "again"] == [NASTY]
    assert all(not any(name.startswith("on") for name in found) for _, found in page.tags)
    assert [found["src"] for tag, found in page.tags if tag in ("img", "script")] == [
        "/static/js/again.js",
        "/static/js/dream.js",
    ]


def test_subjects_lead_to_pages_about_them(stages: Callable[..., Stage], studio: Studio) -> None:
    stage = stages(album=studio.album)
    volcano, odd = Target("n09472597", "volcano"), Target("", "layer fire5", layer="fire5")
    studio.air(Scene(1, arrange([volcano, odd])), 5.0)
    studio.air(scene(2), 0.1)
    studio.keep()
    (dream,) = studio.album.dreams(1)
    html = stage.call("GET", f"/d/{dream.id}").body.decode()
    assert "https://en.wikipedia.org/wiki/volcano" in Page(html).hrefs()
    assert "layer fire5" in Page(html).text
    assert "Nobody asked for this one" in Page(html).text


@pytest.mark.parametrize(
    ("settings", "watched", "offered"),
    [
        ({}, True, ["Clip, 8 s", "GIF", "Picture", "again"]),
        ({"gif": False}, True, ["Clip, 8 s", "Picture", "again"]),
        ({"ask_again": False}, True, ["Clip, 8 s", "GIF", "Picture"]),
        ({}, False, ["Picture", "again"]),
    ],
)
def test_a_page_offers_what_there_is_and_the_operator_allows(
    stages: Callable[..., Stage], tmp_path: Path, settings: dict[str, Any], watched: bool, offered: list[str]
) -> None:
    studio = Studio(tmp_path, watched=watched, **settings)
    stage = stages(album=studio.album)
    dream_id = studio.dream(1)
    html = stage.call("GET", f"/d/{dream_id}").body.decode()
    found = re.findall(r'download="[^"]+">([^<]+)</a>', html) + ["again"] * ('id="again"' in html)
    assert found == offered
    assert ("<video" in html) == watched
    assert stage.call("GET", f"/d/{dream_id}.mp4").status == (200 if watched else 404)
    if not settings.get("gif", True):
        assert stage.call("GET", f"/d/{dream_id}.gif").status == 404


def test_moderators_remove_and_others_do_not(kept: Stage, studio: Studio) -> None:
    dream_id = studio.dream(1)
    assert kept.call("DELETE", f"/api/dreams/{dream_id}").status == 401
    assert kept.call("GET", f"/d/{dream_id}").status == 200
    assert kept.call("DELETE", f"/api/dreams/{dream_id}", headers=BEARER).json == {"removed": dream_id}
    for ending in ("", ".jpg", ".small.jpg", ".mp4", ".gif"):
        assert kept.call("GET", f"/d/{dream_id}{ending}").status == 404
    assert kept.call("DELETE", f"/api/dreams/{dream_id}", headers=BEARER).status == 404
    assert not list(studio.folder.iterdir())


def test_what_is_blocked_vanishes(kept: Stage, studio: Studio) -> None:
    dream_id = studio.dream(1)
    studio.blocks = HandBlocks("volcano")
    assert kept.call("GET", "/api/dreams").json == {"dreams": []}
    for ending in ("", ".jpg", ".small.jpg", ".mp4", ".gif"):
        assert kept.call("GET", f"/d/{dream_id}{ending}").status == 404


def test_a_clip_is_kept_for_who_may_speak_for_viewers(kept: Stage, studio: Studio) -> None:
    body = {"user": "Jo", "source": "twitch"}
    assert kept.call("POST", "/api/clips", body, BEARER).error["code"] == "not_found"
    studio.air(scene(1), 12.0)
    assert kept.call("POST", "/api/clips", body).status == 401
    answer = kept.call("POST", "/api/clips", body, BEARER)
    assert (answer.status, answer.json["clipped_by"], answer.json["clip_s"]) == (201, "Jo", 8.0)
    assert kept.call("GET", answer.json["clip"]).status == 200
    page = kept.call("GET", answer.json["path"]).body.decode()
    assert 'clipped by <b dir="auto">Jo</b>' in page
    assert kept.call("POST", "/api/clips", {}, BEARER).error["code"] == "bad_input"


def test_without_an_album_there_is_nothing(stage: Stage) -> None:
    assert stage.call("GET", "/api/dreams").json == {"dreams": []}
    answer = stage.call("POST", "/api/clips", {"user": "Jo"})
    assert (answer.status, answer.error["code"]) == (404, "not_found")
    for path in ("/d/aaaaaaaaaaaa", "/d/aaaaaaaaaaaa.jpg", "/d/aaaaaaaaaaaa.gif", "/api/dreams/aaaaaaaaaaaa"):
        assert stage.call("GET", path).status == 404


def test_where_viewing_takes_a_token_so_do_dreams(stages: Callable[..., Stage], studio: Studio) -> None:
    stage = stages(album=studio.album, token="open sesame", view_token="look sesame")
    dream_id = studio.dream(1)
    for path in (f"/d/{dream_id}", f"/d/{dream_id}.jpg", f"/d/{dream_id}.mp4", "/api/dreams"):
        assert stage.call("GET", path).status == 401
    answer = stage.call("GET", f"/d/{dream_id}?token=look+sesame")
    assert (answer.status, answer.headers["Location"]) == (303, f"/d/{dream_id}")
    cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    assert stage.call("GET", f"/d/{dream_id}.mp4", headers=cookie).status == 200
