"""The strip of past dreams and a dream's page, in headless Chromium."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Page, expect

from tests.video.studio import HandBlocks, Studio, scene
from tests.web.browser import until
from tests.web.conftest import Stage
from tests.web.test_pages import NASTY

pytestmark = pytest.mark.browser


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


@pytest.fixture
def kept(stages: Callable[..., Stage], studio: Studio) -> Stage:
    """A server with an album, whose changes its status reports."""
    stage = stages(album=studio.album)
    tell(stage, studio)
    return stage


def tell(stage: Stage, studio: Studio) -> None:
    stage.status.snapshot = replace(stage.status.snapshot, album_revision=studio.album.changes)


def test_the_strip_shows_past_dreams_as_they_are_added(kept: Stage, studio: Studio, page: Page) -> None:
    page.goto(kept.server.url)
    expect(page.locator("#queue-empty")).to_be_visible()
    expect(page.locator("#dreamt")).to_be_hidden()
    studio.dream(1, "volcano", "bubble")
    tell(kept, studio)
    expect(page.get_by_role("heading", name="Past dreams")).to_be_visible()
    studio.dream(2, "pizza", user="")
    studio.air(scene(3, "jellyfish"), 5.0)
    studio.album.clip("Jo")
    tell(kept, studio)
    expect(page.locator(".dreamt-what")).to_have_text(["jellyfish", "pizza", "volcano + bubble"])
    expect(page.locator(".dreamt-who")).to_contain_text(["clipped by Jo", "nobody asked", "for Mara"])
    until(page, "() => [...document.querySelectorAll('.dreamt-picture img')].every((image) => image.naturalWidth === 128)")
    studio.blocks = HandBlocks("pizza")
    tell(kept, studio)
    expect(page.locator(".dreamt-what")).to_have_text(["jellyfish", "volcano + bubble"])


def test_a_dream_opens_by_mouse_and_its_clip_plays(kept: Stage, studio: Studio, page: Page) -> None:
    dream_id = studio.dream(1, "volcano", "bubble")
    tell(kept, studio)
    page.goto(kept.server.url)
    page.locator(".dreamt-list a").click()
    expect(page).to_have_url(f"{kept.server.url}d/{dream_id}")
    expect(page.get_by_role("heading", name="volcano + bubble")).to_be_visible()
    expect(page.locator(".kept-for")).to_contain_text("for Mara")
    until(page, "() => document.querySelector('video').currentTime > 0.3")
    video = page.locator("video")
    assert video.evaluate("v => [v.videoWidth, v.videoHeight, v.error, Math.round(v.duration * 10)]") == [128, 72, None, 80]
    video.evaluate("v => { v.pause(); v.currentTime = 7.5; }")
    until(page, "() => { const v = document.querySelector('video'); return !v.seeking && v.currentTime === 7.5; }")
    page.get_by_role("link", name="Watch it live").click()
    expect(page).to_have_url(kept.server.url)


def test_it_is_asked_for_again_by_keyboard(kept: Stage, studio: Studio, page: Page) -> None:
    studio.dream(1, "volcano", "bubble")
    tell(kept, studio)
    page.goto(kept.server.url)
    card = page.locator(".dreamt-list a")
    expect(card).to_be_visible()
    card.focus()
    page.keyboard.press("Enter")
    again = page.get_by_role("button", name="Ask for it again")
    expect(again).to_be_enabled()
    again.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_have_text("volcano + bubble: next, in about 18 s.")
    assert kept.request_service.requests[0].title == "volcano + bubble"
    page.goto(kept.server.url)
    expect(page.locator("#queue li.mine")).to_have_count(1)


def test_a_picture_without_a_clip(kept: Stage, studio: Studio, page: Page) -> None:
    studio.watched = False
    dream_id = studio.dream(1)
    page.goto(f"{kept.server.url}d/{dream_id}")
    picture = page.get_by_role("img", name="A dream of volcano")
    expect(picture).to_be_visible()
    assert picture.evaluate("i => [i.naturalWidth, i.naturalHeight]") == [128, 72]
    expect(page.locator("video")).to_have_count(0)
    expect(page.get_by_role("link", name="GIF")).to_have_count(0)


def test_a_clip_does_not_autoplay_where_reduced_motion_is_preferred(kept: Stage, studio: Studio, page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{kept.server.url}d/{studio.dream(1)}")
    expect(page.locator("#remove")).to_be_visible()  # the script has finished
    assert page.locator("video").evaluate("v => v.paused")


def test_moderators_remove_by_two_presses(kept: Stage, studio: Studio, page: Page) -> None:
    first, second = studio.dream(1), studio.dream(2, "pizza")
    tell(kept, studio)
    page.goto(kept.server.url)
    page.get_by_role("button", name="Remove pizza").click()
    expect(page.get_by_role("button", name="Remove pizza")).to_have_text("sure?")
    assert len(studio.album.dreams(10)) == 2
    page.get_by_role("button", name="Remove pizza").click()
    expect(page.locator(".dreamt-what")).to_have_text(["volcano"])
    assert [dream.id for dream in studio.album.dreams(10)] == [first]
    page.goto(f"{kept.server.url}d/{first}")
    page.get_by_role("button", name="Remove it").click()
    page.get_by_role("button", name="Really remove it?").click()
    expect(page).to_have_url(kept.server.url)
    assert studio.album.dreams(10) == ()
    assert second


def test_who_does_not_moderate_has_no_button_for_that(stages: Callable[..., Stage], studio: Studio, page: Page) -> None:
    stage = stages(album=studio.album, token="open sesame")
    dream_id = studio.dream(1)
    tell(stage, studio)
    page.goto(stage.server.url)
    expect(page.locator(".dreamt-list a")).to_be_visible()
    expect(page.locator(".dreamt-remove")).to_have_count(0)
    page.goto(f"{stage.server.url}d/{dream_id}")
    until(page, "() => performance.now() > 1000")
    expect(page.locator("#remove")).to_be_hidden()


def test_markup_from_strangers_is_text(kept: Stage, studio: Studio, page: Page) -> None:
    studio.air(scene(1, NASTY, user=NASTY), 5.0)
    studio.album.clip(NASTY)
    tell(kept, studio)
    page.goto(kept.server.url)
    expect(page.locator(".dreamt-what")).to_have_text(NASTY)
    page.locator(".dreamt-list a").click()
    expect(page.get_by_role("heading", name=NASTY)).to_be_visible()
    expect(page.locator(".kept-for")).to_contain_text(f"for {NASTY}, clipped by")
    until(page, "() => performance.now() > 1000")
    assert page.evaluate("window.pwned") is None


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_nothing_sticks_out(kept: Stage, studio: Studio, page: Page, size: tuple[int, int]) -> None:
    long = "a subject with a name that is as long as names of subjects can possibly be"
    ids = [studio.dream(number, long, user="a viewer with a very long name", seconds=4.0) for number in range(8)]
    tell(kept, studio)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for path in ("", f"d/{ids[0]}"):
        page.goto(f"{kept.server.url}{path}")
        expect(page.locator(".dreamt-list li" if not path else ".kept-title").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
