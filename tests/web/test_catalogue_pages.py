"""The catalogue in headless Chromium: pictures, kinds, search and similar classes, by mouse and by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from PIL import Image
from playwright.sync_api import Page, expect

from streamer.messages.refused import Reason, Refused
from tests.web.conftest import Stage
from tests.web.fakes import FakeClasses, FakePicture

pytestmark = pytest.mark.browser
SIZES = [{"width": 1280, "height": 800}, {"width": 390, "height": 844}]
FOX, CAT, JELLYFISH = "n02120079", "n02123045", "n01910747"


def picture(folder: Path, wnid: str) -> FakePicture:
    file = folder / f"{wnid}.webp"
    Image.new("RGB", (112, 112), (200, 120, 40)).save(file)
    return FakePicture(file, 3)


@pytest.fixture
def pictured(stage: Stage, tmp_path: Path) -> Stage:
    stage.classes.pictures |= {wnid: picture(tmp_path, wnid) for wnid in (FOX, CAT)}
    return stage


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size['width']}x{size['height']}")
def test_things_are_shown_by_kind_with_pictures(pictured: Stage, page: Page, size: Any) -> None:
    page.set_viewport_size(size)
    page.goto(pictured.server.url)
    kinds = page.get_by_role("group", name="Kind of thing").get_by_role("button")
    expect(kinds).to_have_text(["A handful", "Animals", "Food and drink", "Landscapes", "All 6"])
    expect(kinds.first).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Animals").click()
    expect(page.locator("#classes li")).to_have_text(["Arctic fox↗", "jellyfish↗", "tabby cat↗"])
    expect(page.locator("#classes img.thumb")).to_have_count(2)
    expect(page.locator("#classes .blank")).to_have_attribute("data-letter", "J")
    fox = page.locator("#classes img.thumb").first
    fox.scroll_into_view_if_needed()
    expect(fox).to_have_js_property("naturalWidth", 112)
    page.get_by_role("button", name="All 6").click()
    expect(page.locator("#classes h3")).to_have_text(["Animals", "Food and drink", "Landscapes"])
    expect(page.locator("#classes li")).to_have_count(6)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size['width']}x{size['height']}")
@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_what_is_like_another_is_shown_and_left_again(pictured: Stage, page: Page, size: Any, by: str) -> None:
    page.set_viewport_size(size)
    page.goto(pictured.server.url)
    page.get_by_role("button", name="Animals").click()
    alike = page.get_by_role("button", name="More like tabby cat")
    if by == "mouse":
        page.locator("#classes li").last.hover()
        alike.click()
    else:
        page.get_by_role("button", name="Ask for tabby cat").focus()
        page.keyboard.press("Tab")
        expect(alike).to_be_focused()
        page.keyboard.press("Enter")
    expect(page.locator("#like")).to_contain_text("Most like tabby cat")
    expect(page.locator("#classes li")).to_have_text(["tabby cat↗", "Arctic fox↗", "jellyfish↗"])
    if by == "mouse":
        page.get_by_role("button", name="Ask for Arctic fox").click()
        expect(page.get_by_role("combobox")).to_have_value("Arctic fox")
        page.get_by_role("button", name="Back").click()
    else:
        expect(page.locator("#like")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    expect(page.locator("#like")).to_be_hidden()
    expect(page.locator("#classes li")).to_have_text(["Arctic fox↗", "jellyfish↗", "tabby cat↗"])


def test_the_page_says_so_where_no_similar_class_is_listed(stage: Stage, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    page.goto(stage.server.url)
    page.locator("#classes li").first.hover()
    page.get_by_role("button", name="More like bubble").click()
    expect(page.locator("#classes-note")).to_contain_text("lists nothing similar")
    expect(page.locator("#classes li")).to_have_text(["bubble↗"])

    def refuse(self: FakeClasses, wnid: str, limit: int = 20) -> None:
        raise Refused(Reason.NOT_FOUND, "there is no such class any more")

    monkeypatch.setattr(FakeClasses, "like", refuse)
    page.get_by_role("button", name="More like bubble").click()
    expect(page.locator("#classes-note")).to_have_text("there is no such class any more")


def test_a_picture_that_the_stream_takes_appears_on_the_open_page(pictured: Stage, page: Page, tmp_path: Path) -> None:
    page.goto(pictured.server.url)
    expect(page.locator("#classes .blank")).to_have_count(4)
    pictured.classes.pictures[JELLYFISH] = picture(tmp_path, JELLYFISH)
    pictured.request_service.show(None, "jellyfish")
    pictured.request_service.since_s = 20.0
    expect(page.locator("#classes li", has_text="jellyfish").locator("img.thumb")).to_have_js_property("naturalWidth", 112)
    expect(page.locator("#classes .blank")).to_have_count(3)


def test_a_picture_that_is_gone_gives_way_to_a_letter(pictured: Stage, page: Page) -> None:
    pictured.classes.pictures[FOX].file.unlink()
    page.goto(pictured.server.url)
    expect(page.locator("#classes li", has_text="Arctic fox").locator(".blank")).to_have_attribute("data-letter", "A")
