"""The pages in headless Chromium."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Page, Route, expect

import streamer.web
from streamer.commands.classes import bundled_wnids
from streamer.config import WebConfig
from streamer.messages.refused import Reason, Refused, Unlearnt
from streamer.messages.renderer_status import LinkStatus
from streamer.messages.scenes import Scene, Target, arrange
from streamer.messages.status import FrameCounters, PictureState, SourceStatus
from streamer.requests.vocabulary import Vocabulary
from streamer.web.server import Server
from tests.patience import PATIENCE_S
from tests.web.browser import COLOUR, SIZES, WAIT_MS, until
from tests.web.conftest import Stage
from tests.web.fakes import REMEDY, FakeClasses

pytestmark = pytest.mark.browser

NASTY = "<img src=x onerror=\"window.pwned='img'\"><script>window.pwned='script'</script>"
PIXEL = """element => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 1;
    const brush = canvas.getContext('2d');
    brush.drawImage(element, 0, 0, 1, 1);
    return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
}"""


def is_colour(pixel: list[int]) -> bool:
    return all(abs(seen - sent) < 24 for seen, sent in zip(pixel, COLOUR, strict=True))


def test_the_page_plays_live_video(moving: Stage, page: Page) -> None:
    page.goto(moving.server.url)
    expect(page.locator("#state-text")).to_have_text("live")
    until(page, "() => document.querySelector('video').currentTime > 0.5")
    video = page.locator("video")
    assert video.evaluate("v => [v.videoWidth, v.videoHeight]") == [128, 72]
    assert is_colour(video.evaluate(PIXEL))
    lag_s = "(v => v.buffered.end(v.buffered.length - 1) - v.currentTime)(document.querySelector('video'))"
    until(page, f"() => {lag_s} < 3")
    expect(page.locator("#picture")).to_be_hidden()


def test_without_media_source_pictures_take_over(moving: Stage, page: Page) -> None:
    page.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource; delete window.WebKitMediaSource;")
    page.goto(moving.server.url)
    expect(page.locator("#state-text")).to_have_text("live")
    picture = page.locator("#picture")
    expect(picture).to_be_visible()
    expect(page.locator("video")).to_be_hidden()
    until(page, "() => document.querySelector('#picture').naturalWidth === 128")
    assert is_colour(picture.evaluate(PIXEL))
    first = picture.evaluate("i => i.src")
    until(page, "first => document.querySelector('#picture').src !== first", first)


@pytest.mark.parametrize("path", ["", "control", "overlay", "how"])
def test_a_page_whose_scripts_do_not_all_arrive_is_loaded_again(moving: Stage, page: Page, path: str) -> None:
    """One script is refused twice, as when the server is overloaded."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) < 3:
            route.fulfill(status=503)
        else:
            route.continue_()

    page.route("**/js/dom.js", answer)
    page.goto(moving.server.url + path)
    for _ in range(WAIT_MS // 50):
        if len(asked) == 3:
            break
        page.wait_for_timeout(50)
    until(page, "() => sessionStorage.length === 0")
    assert len(asked) == 3


def test_pausing_lets_go_of_the_stream(moving: Stage, page: Page) -> None:
    page.goto(moving.server.url)
    expect(page.locator("#state-text")).to_have_text("live")
    page.hover("#stage")
    page.get_by_role("button", name="Pause the picture").click()
    expect(page.locator("#state-text")).to_have_text("paused")
    page.get_by_role("button", name="Play the picture").click()
    expect(page.locator("#state-text")).to_have_text("live")


def test_less_motion_is_respected(moving: Stage, page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(moving.server.url)
    expect(page.locator("#state-text")).to_have_text("paused")
    expect(page.locator("#picture")).to_have_attribute("src", "/frame.jpg")
    assert page.locator("video").evaluate("v => v.src") == ""


def test_the_page_comes_back_with_the_server(moving: Stage, page: Page) -> None:
    page.goto(moving.server.url)
    expect(page.locator("#state-text")).to_have_text("live")
    port = moving.server.port
    assert moving.server.stop(PATIENCE_S)
    expect(page.locator("#state-text")).to_have_text("reconnecting…")
    rooms = (
        moving.request_service,
        moving.video,
        moving.status,
        FakeClasses(),
        moving.request_service,
        moving.outputs,
        moving.settings,
    )
    again = Server(WebConfig(port=port), *rooms)
    again.start()
    try:
        expect(page.locator("#state-text")).to_have_text("live")
    finally:
        assert again.stop(PATIENCE_S)


def test_a_dream_that_is_starting_says_so(stage: Stage, page: Page) -> None:
    stage.status.snapshot = replace(stage.status.snapshot, frames=FrameCounters(), picture=PictureState.STARTING)
    stage.video.silent = True
    page.goto(stage.server.url)
    expect(page.locator("#state-text")).to_have_text("the dream is starting…")
    expect(page.locator("#veil")).to_have_text("the dream is starting…")
    expect(page.locator("#now-for")).to_have_text("The first dream is on its way.")


def test_what_is_on_air_and_what_waits(stage: Stage, page: Page) -> None:
    page.goto(stage.server.url)
    expect(page.locator("#queue-empty")).to_be_visible()
    stage.request_service.show(None, "volcano", "bubble")
    expect(page.locator("#now-kind")).to_have_text("Wandering")
    expect(page.locator("#now-title")).to_have_text("volcano + bubble")
    expect(page.get_by_role("link", name="volcano").first).to_have_attribute("href", "https://en.wikipedia.org/wiki/volcano")
    expect(page.locator("#time-left")).to_have_text("18 s left")
    stage.request_service.add("Mara", "pizza")
    stage.request_service.add("Jo", "jellyfish")
    expect(page.locator("#queue li .what")).to_have_text(["pizza", "jellyfish"])
    expect(page.locator("#queue li .who")).to_have_text(["Mara", "Jo"])
    expect(page.locator("#queue li .eta")).to_have_text(["in 18 s", "in 48 s"])
    stage.request_service.skip()
    expect(page.locator("#queue li .what")).to_have_text(["jellyfish"])
    expect(page.locator("#now-kind")).to_have_text("On air")
    expect(page.locator("#now-for")).to_have_text("for Mara")


def test_asking(stage: Stage, page: Page) -> None:
    page.goto(stage.server.url)
    name = page.get_by_label("Your name")
    assert name.input_value().startswith("guest-")
    name.fill("Ada")
    box = page.get_by_role("combobox", name="What should it dream?")
    box.fill("!dream volcano + pizza")
    box.press("Enter")
    expect(page.locator("#log .told")).to_have_text("volcano + pizza: next, about 18 s from now.")
    expect(page.locator("#queue li.mine .who")).to_have_text("Ada (you)")
    assert stage.request_service.calls[-1][1:3] == ("Ada", "volcano + pizza")
    assert box.input_value() == ""
    page.reload()
    expect(name).to_have_value("Ada")
    expect(page.locator("#queue li.mine")).to_have_count(1)


def test_an_unknown_word_is_answered_with_near_ones(stage: Stage, page: Page) -> None:
    page.goto(stage.server.url)
    box = page.get_by_role("combobox")
    box.fill("volkano + pizza")
    box.press("Enter")
    expect(page.locator("#log .told p")).to_have_text("I don't know 'volkano'")
    page.locator("#log").get_by_role("button", name="volcano").click()
    expect(page.locator("#log .told").last).to_contain_text("volcano + pizza: next")
    assert stage.request_service.requests[0].title == "volcano + pizza"


def test_suggestions_while_typing(stage: Stage, page: Page) -> None:
    page.goto(stage.server.url)
    box = page.get_by_role("combobox")
    box.press_sequentially("bubble + fo")
    option = page.get_by_role("option")
    expect(option).to_have_text(["Arctic foxwhite fox"])
    expect(box).to_have_attribute("aria-expanded", "true")
    box.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    box.press("Enter")
    expect(box).to_have_value("bubble + Arctic fox")
    expect(page.locator("#offers")).to_be_hidden()
    box.press("Enter")
    expect(page.locator("#queue .what")).to_have_text("bubble + Arctic fox")


def test_the_list_of_subjects(stage: Stage, page: Page) -> None:
    page.goto(stage.server.url)
    expect(page.locator("#classes li")).to_have_count(6)
    expect(page.get_by_role("link", name="About pizza")).to_have_attribute("href", "https://en.wikipedia.org/wiki/pizza")
    page.get_by_label("Find a subject").fill("tabby")
    expect(page.locator("#classes li")).to_have_count(1)
    page.get_by_role("button", name="Ask for tabby cat").click()
    expect(page.get_by_role("combobox")).to_have_value("tabby cat")
    page.get_by_label("Find a subject").fill("nothing such")
    expect(page.locator("#classes-note")).to_contain_text("No subject has that name")
    page.get_by_label("Find a subject").fill("")
    expect(page.locator("#classes li")).to_have_count(6)


def test_what_only_larger_networks_know_is_found_dimmed_and_answered_with_what_is_near(stage: Stage, page: Page) -> None:
    page.goto(stage.server.url)
    page.get_by_label("Find a subject").fill("o")
    expect(page.locator("#classes li")).to_have_text(["Arctic fox↗", "volcano↗", "canoe↗"])
    expect(page.locator("#classes .unlearnt")).to_have_text(["canoe↗"])
    expect(page.locator("#classes-note")).to_contain_text("Dimmed subjects need a larger network")
    page.get_by_role("button", name="Ask for something like canoe").click()
    box = page.get_by_role("combobox")
    expect(box).to_have_value("canoe")
    box.fill("pizza + the canoe + volcano")
    stage.request_service.refusal = Refused(
        Reason.UNLEARNT, "not known here; try bubble", suggestions=("bubble",), unlearnt=Unlearnt("canoe", "canoe", 6, REMEDY)
    )
    box.press("Enter")
    expect(page.locator("#log .told p")).to_have_text("not known here; try bubble")
    stage.request_service.refusal = None
    page.locator("#log").get_by_role("button", name="bubble").click()
    expect(page.locator("#log .told").last).to_contain_text("pizza + bubble + volcano: next")


@pytest.mark.parametrize("path", ["index.html", "control.html"])
def test_what_stands_there_before_the_network_is_known_every_network_knows(path: str) -> None:
    html = (Path(streamer.web.__file__).parent / "static" / path).read_text(encoding="utf-8")
    (example,) = re.findall(r'id="(?:ask|wish)-text"[^>]* placeholder="([^"]+)"', html)
    assert Vocabulary.load(bundled_wnids()).match(example).title == example


@pytest.mark.parametrize("path", ["", "control", "overlay?next=9"])
def test_markup_from_strangers_is_text(stage: Stage, page: Page, path: str) -> None:
    nasty = Target("n00000001", NASTY)
    stage.request_service.scene = Scene(1, arrange([nasty]), NASTY, 1)
    stage.request_service.add(NASTY, "volcano")
    page.goto(stage.server.url + path)
    expect(page.locator("#now-title, #title")).to_have_text(NASTY)
    expect(page.locator("#now-for, #for")).to_have_text(f"for {NASTY}")
    expect(page.locator("#queue .who, #next")).to_contain_text([NASTY])
    until(page, "() => performance.now() > 1000")
    assert page.evaluate("window.pwned") is None


@pytest.mark.parametrize("size", SIZES, ids=["wide", "phone"])
def test_the_buttons_of_a_dream_keep_their_place_while_it_is_held(stage: Stage, page: Page, size: tuple[int, int]) -> None:
    """Each is pressed right after another: one that moves in between is missed."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    stage.request_service.add("Mara", "volcano")
    page.goto(stage.server.url + "control")

    def places() -> list[object]:
        return [page.locator(f"#{name}").bounding_box() for name in ("skip", "pause", "bump", "twist")]

    page.get_by_role("button", name="Skip").click()
    expect(page.locator("#time-left")).to_be_visible()
    before = places()
    page.get_by_role("button", name="Hold this dream").click()
    expect(page.locator("#now-kind")).to_have_text("On air, held")
    expect(page.locator("#time-left")).to_be_hidden()
    assert places() == before
    page.get_by_role("button", name="Release this dream").click()
    expect(page.locator("#now-kind")).to_have_text("On air")
    assert places() == before


def test_moderating(stage: Stage, page: Page) -> None:
    for label in ("volcano", "bubble", "pizza", "jellyfish"):
        stage.request_service.add("Mara", label)
    page.goto(stage.server.url + "control")
    what = page.locator("#queue .what")
    page.get_by_role("button", name="Remove bubble, asked for by Mara").click()
    expect(what).to_have_text(["volcano", "pizza", "jellyfish"])
    expect(page.locator("#outcome")).to_have_text("Removed bubble.")
    page.get_by_role("button", name="Skip").click()
    expect(page.locator("#now-title")).to_have_text("volcano")
    page.get_by_role("button", name="Hold this dream").click()
    expect(page.locator("#now-kind")).to_have_text("On air, held")
    page.get_by_role("button", name="Release this dream").click()
    page.get_by_role("button", name="Bump").click()
    expect(page.locator("#outcome")).to_have_text("Bumped.")
    page.get_by_role("button", name="Clear the queue").click()
    expect(what).to_have_count(2)
    page.get_by_role("button", name="Really remove all 2?").click()
    expect(what).to_have_count(0)
    expect(page.locator("#numbers")).to_contain_text("squeezenet1_1")
    stage.status.snapshot = replace(stage.status.snapshot, problems=("no keyframe for 30 s",))
    expect(page.locator("#problems")).to_have_text("no keyframe for 30 s")


def test_the_desk_shows_the_state_of_the_camera(stage: Stage, page: Page) -> None:
    camera = SourceStatus("camera", "/dev/video2", "live", size=(480, 640), fps=29.97)
    stage.status.snapshot = replace(stage.status.snapshot, source=camera)
    page.goto(stage.server.url + "control")
    row = page.locator("#numbers div", has_text="Camera")
    expect(row.locator("dd")).to_have_text("/dev/video2: live, 640 × 480, 30.0 a second")
    expect(row.locator("dd")).not_to_have_class("bad")
    lost = replace(camera, state="lost", reason="unplugged", fps=0.0, losses=1)
    stage.status.snapshot = replace(stage.status.snapshot, source=lost, problems=("the camera is lost: unplugged",))
    expect(row.locator("dd")).to_have_text("/dev/video2: lost")
    expect(row.locator("dd")).to_have_class("bad")
    expect(page.locator("#problems")).to_have_text("the camera is lost: unplugged")
    told = stage.call("GET", "/api/status").json["source"]
    size = {"width": 640, "height": 480}
    assert told == {
        "kind": "camera", "name": "/dev/video2", "state": "lost", "reason": "unplugged", "size": size, "fps": 0.0, "losses": 1
    }  # fmt: skip


def test_the_desk_shows_where_the_dream_is_computed(stage: Stage, page: Page) -> None:
    away = LinkStatus("10.0.0.2", "", "jpeg 90", 11.75e6, 0.0021, 74_000, 0.058, "cluster")

    def tell(link: LinkStatus) -> None:
        stage.status.snapshot = replace(stage.status.snapshot, renderer=replace(stage.status.snapshot.renderer, link=link))

    tell(away)
    page.goto(stage.server.url + "control")
    numbers = page.locator("#numbers")
    rows = {"Node": "10.0.0.2", "Keyframe coding": "jpeg 90", "Link": "94 Mbit/s, 2.1 ms round trip", "age": "0.06 s"}
    for name, text in rows.items():
        expect(numbers.locator("div", has=page.locator("dt", has_text=name)).locator("dd")).to_have_text(text)
    assert stage.call("GET", "/api/status").json["renderer"]["link"] == {
        "node": "10.0.0.2", "why": "", "coding": "jpeg 90", "mbit_per_s": 94.0, "round_trip_ms": 2.1,
        "keyframe_bytes": 74_000, "lag_s": 0.058, "spare": "cluster",
    }  # fmt: skip
    tell(LinkStatus("", "node 10.0.0.2 has been silent for 3 s"))
    cluster = numbers.locator("div", has=page.locator("dt", has_text="Cluster")).locator("dd")
    expect(cluster).to_have_text("node 10.0.0.2 has been silent for 3 s")
    expect(cluster).to_have_class("bad")


def test_logging_in_to_moderate(guarded: Stage, page: Page) -> None:
    guarded.request_service.add("Mara", "volcano")
    page.goto(guarded.server.url + "control")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#login-error")).to_have_text("that is not the token.")
    expect(page.locator("#desk")).to_be_hidden()
    page.get_by_label("Token").fill("open sesame")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Skip").click()
    expect(page.locator("#now-title")).to_have_text("volcano")
    page.get_by_role("button", name="Log out").click()
    expect(page.locator("#login")).to_be_visible()


def test_the_overlay_hides_when_the_stream_is_away(stage: Stage, page: Page) -> None:
    stage.request_service.show(None, "volcano")
    stage.request_service.add("Mara", "pizza")
    page.goto(stage.server.url + "overlay")
    card = page.locator("#card")
    expect(card).to_have_attribute("data-shown", "true")
    expect(page.locator("#next li")).to_have_text(["NextpizzaMara"])
    transparent: Any = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert transparent == "rgba(0, 0, 0, 0)"
    assert stage.server.stop(PATIENCE_S)
    expect(card).to_have_attribute("data-shown", "false")
