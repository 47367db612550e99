"""What axe-core finds on the pages, in both colour schemes, on a desktop and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from streamer.messages.chat_status import ChatReport, ChatState
from streamer.messages.network_contents import LayerEntry
from streamer.messages.status import PictureState
from streamer.messages.step_view import Inspection, StepView
from tests.video.studio import Studio
from tests.web.browser import SIZES
from tests.web.conftest import Stage
from tests.web.pictures import step_pictures
from tests.web.real import RealStage
from tests.web.test_controls_api import Look

pytestmark = pytest.mark.browser

GRAVE = ("serious", "critical")


def findings(page: Page) -> list[str]:
    """Return the serious and critical violations: the rule, its text and the elements.

    Axe cannot judge contrast over the canvas behind the viewers' page, so the canvas is removed.
    """
    page.evaluate("document.querySelector('#ambient')?.remove()")
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {each['help']}: {[node['target'] for node in each['nodes']][:4]}"
        for each in found
        if each["impact"] in GRAVE
    ]


def looked_at(page: Page, settle: Callable[[], None] = lambda: None) -> list[str]:
    """Return the findings in every colour scheme and size."""
    grave = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            settle()
            grave += [f"{scheme} {width}x{height}: {found}" for found in findings(page)]
    return grave


def test_axe_finds_what_is_wrong(stage: Stage, page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(stage.server.url)
    page.evaluate(
        """() => {
            const text = document.createElement('p');
            text.textContent = 'too faint to read';
            text.style.color = '#444';
            document.querySelector('main').append(text, document.createElement('button'));
        }"""
    )
    found = " ".join(findings(page))
    assert "color-contrast" in found
    assert "button-name" in found


@pytest.fixture
def busy(bundled: RealStage) -> RealStage:
    """A stream with much going on."""
    for user, text in (("Mara", "pizza"), ("Jo", "jellyfish"), ("Kim", "tabby cat + umbrella"), ("Ann", "lion")):
        bundled.ask(user, text)
    bundled.learn("large", {entry.wnid for entry in bundled.director.vocabulary.search("", 1000)})
    bundled.ask("Bo", "volcano")
    bundled.learn(
        "bundled", {entry.wnid for entry in bundled.director.vocabulary.search("", 1000) if entry.available} - {"n09472597"}
    )
    bundled.learn_layers([LayerEntry("conv1", 32, 1), LayerEntry("conv2", 64, 2)])
    bundled.director.skip()
    bundled.director.begin_poll("Op", "castle / goldfish")
    bundled.dream.hear_chat(ChatReport(ChatState.NEEDS_LOGIN, "open the page", "dreambot", "mara", "twitch"))
    return bundled


def test_the_viewers_page(busy: RealStage, page: Page) -> None:
    page.goto(busy.server.url)
    expect(page.locator("#queue li")).to_have_count(4)
    expect(page.locator("#queue .instead")).to_have_text("instead of volcano")
    box = page.get_by_role("combobox")
    told = page.locator("#log .told")
    expect(told).to_have_count(0)
    for count, text in enumerate(("pizza + goldfish", "volkano", "castle"), 1):
        box.fill(text)
        box.press("Enter")
        expect(told).to_have_count(count)
    expect(page.locator("#log .chip").first).to_be_visible()
    page.get_by_label("Find a subject").fill("can")
    expect(page.locator("#classes-note")).to_contain_text("larger network")
    box.press_sequentially(" + go")
    expect(page.get_by_role("option").first).to_be_visible()

    def offer() -> None:
        expect(page.get_by_role("option").first).to_be_visible()

    assert looked_at(page, offer) == []
    busy.call("PATCH", "/api/rules", {"open": False})
    expect(page.locator("#closed")).to_be_visible()
    assert looked_at(page) == []


def test_the_viewers_page_when_something_is_wrong(stage: Stage, page: Page) -> None:
    page.goto(stage.server.url)
    for picture in (PictureState.STARTING, PictureState.SLOW, PictureState.INTERRUPTED):
        stage.status.snapshot = replace(stage.status.snapshot, picture=picture, problems=("something",))
        stage.request_service.show(None, "volcano" if picture is PictureState.SLOW else "pizza")
        expect(page.locator("#now-title")).to_have_text(
            stage.request_service.scene.title if stage.request_service.scene else ""
        )
        assert looked_at(page) == []


def test_how_it_works(stage: Stage, page: Page) -> None:
    stage.request_service.inspection = Inspection(1, StepView("volcano", "squeezenet1_1", step_pictures()))
    page.goto(f"{stage.server.url}how")
    expect(page.locator("#layer-list img")).to_have_count(3)
    assert looked_at(page) == []


def test_the_desk(busy: RealStage, page: Page) -> None:
    busy.tell(problems=("frames come slower than the configured 25 per second",), given_up=("residual flow",))
    busy.call("POST", "/api/blocks", {"kind": "user", "value": "troll"})
    busy.call("POST", "/api/blocks", {"kind": "class", "value": "beer"})
    page.goto(f"{busy.server.url}control")
    expect(page.locator("#problems li")).to_have_count(1)
    expect(page.locator("#layers")).to_be_visible()
    for summary in page.locator("summary").all():
        if summary.is_visible():
            summary.click()
    page.locator("#queue .more").first.click()
    page.get_by_role("button", name="Bump").click()
    assert looked_at(page) == []


def test_the_desks_look(stages: Callable[..., Stage], tmp_path: Path, page: Page) -> None:
    look = Look(stages, tmp_path / "presets")
    page.goto(f"{look.stage.server.url}control")
    expect(page.locator("#sliders input").first).to_be_visible()
    page.locator("#look summary").click()
    assert looked_at(page) == []


def test_the_pages_of_past_dreams(stages: Callable[..., Stage], tmp_path: Path, page: Page) -> None:
    studio = Studio(tmp_path)
    stage = stages(album=studio.album)
    dream_id = studio.dream(1, "volcano", "bubble")
    stage.status.snapshot = replace(stage.status.snapshot, album_revision=studio.album.changes)
    page.goto(stage.server.url)
    expect(page.get_by_role("heading", name="Past dreams")).to_be_visible()
    assert looked_at(page) == []
    page.goto(f"{stage.server.url}d/{dream_id}")
    expect(page.get_by_role("heading", name="volcano")).to_be_visible()
    assert looked_at(page) == []


def test_the_way_in_to_the_desk(guarded: Stage, page: Page) -> None:
    page.goto(f"{guarded.server.url}control")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#login-error")).to_be_visible()
    assert looked_at(page) == []


def test_the_overlay(stage: Stage, page: Page) -> None:
    stage.request_service.show(None, "volcano")
    stage.request_service.add("Mara", "pizza")
    page.goto(f"{stage.server.url}overlay?plate=1")
    expect(page.locator("#card")).to_have_attribute("data-shown", "true")
    assert looked_at(page) == []


def test_an_address_that_leads_nowhere(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.server.url}nothing/such")
    expect(page.get_by_role("heading")).to_have_text("Page not found")
    assert looked_at(page) == []
