"""The operator's desk, and what viewers see of it, in headless Chromium with a real director."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Locator, Page, expect

from shared.role import Role
from streamer.messages.network_contents import LayerEntry
from streamer.messages.refused import Reason, Refused
from tests.patience import PATIENCE_S
from tests.web.browser import until
from tests.web.real import RealStage

pytestmark = pytest.mark.browser

WISHES = (("Mara", "pizza"), ("Jo", "jellyfish"), ("Kim", "tabby cat"), ("Noor", "volcano + bubble"))


@pytest.fixture
def real(reals: Callable[..., RealStage]) -> RealStage:
    """A stream with four waiting requests."""
    stage = reals()
    for user, text in WISHES:
        stage.ask(user, text)
    return stage


def lines(page: Page) -> Locator:
    return page.locator("#queue .what")


def drag(page: Page, grip: Locator, by_rows: float) -> None:
    """Drag with the mouse, in steps, as a hand does."""
    box, row = grip.bounding_box(), page.locator("#queue li").first.bounding_box()
    assert box is not None
    assert row is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + by_rows * row["height"], steps=6)


def test_the_line_is_moved_with_buttons_that_keep_the_focus(real: RealStage, page: Page) -> None:
    page.goto(real.server.url + "control")
    expect(lines(page)).to_have_text(["pizza", "jellyfish", "tabby cat", "volcano + bubble"])
    up = page.get_by_role("button", name="Move tabby cat up")
    up.focus()
    page.keyboard.press("Enter")
    expect(lines(page)).to_have_text(["pizza", "tabby cat", "jellyfish", "volcano + bubble"])
    expect(up).to_be_focused()
    expect(page.locator("#outcome")).to_have_text("Moved tabby cat to place 2.")
    page.keyboard.press("Enter")
    expect(lines(page)).to_have_text(["tabby cat", "pizza", "jellyfish", "volcano + bubble"])
    page.get_by_role("button", name="Move tabby cat down").click()
    expect(lines(page)).to_have_text(["pizza", "tabby cat", "jellyfish", "volcano + bubble"])
    page.get_by_role("button", name="Put volcano + bubble next").click()
    expect(lines(page)).to_have_text(["volcano + bubble", "pizza", "tabby cat", "jellyfish"])
    remove = page.get_by_role("button", name="Remove pizza, asked for by Mara")
    remove.focus()
    page.keyboard.press("Enter")
    expect(lines(page)).to_have_text(["volcano + bubble", "tabby cat", "jellyfish"])
    expect(page.get_by_role("button", name="Remove tabby cat, asked for by Kim")).to_be_focused()
    settles(page, real, ["volcano + bubble", "tabby cat", "jellyfish"])


def settles(page: Page, real: RealStage, titles: list[str]) -> None:
    """Wait for the streamer's queue: the page shows a move earlier."""
    end_s = time.monotonic() + PATIENCE_S
    while real.titles() != titles:
        assert time.monotonic() < end_s, real.titles()
        page.wait_for_timeout(50)


def test_the_line_is_moved_by_dragging(real: RealStage, page: Page) -> None:
    page.goto(real.server.url + "control")
    expect(lines(page)).to_have_count(4)
    drag(page, page.locator("#queue .grip").first, 2.2)
    real.ask("Late", "teapot")  # nothing moves during a drag
    page.wait_for_timeout(700)
    expect(lines(page)).to_have_text(["pizza", "jellyfish", "tabby cat", "volcano + bubble"])
    page.mouse.up()
    expect(lines(page)).to_have_text(["jellyfish", "tabby cat", "pizza", "volcano + bubble", "teapot"])
    settles(page, real, ["jellyfish", "tabby cat", "pizza", "volcano + bubble", "teapot"])
    drag(page, page.locator("#queue .grip").last, -3)
    page.keyboard.press("Escape")
    page.mouse.up()
    drag(page, page.locator("#queue .grip").nth(2), -2.2)
    page.mouse.up()
    expect(lines(page)).to_have_text(["pizza", "jellyfish", "tabby cat", "volcano + bubble", "teapot"])


def test_the_line_is_moved_with_a_finger(real: RealStage, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(real.server.url + "control")
    expect(lines(page)).to_have_count(4)
    page.locator("#queue").scroll_into_view_if_needed()
    box = page.locator("#queue .grip").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    screen = page.context.new_cdp_session(page)
    screen.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for part in (0.3, 0.7, 1.2):
        point = {"x": x, "y": y + part * box["height"]}
        screen.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    screen.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(lines(page)).to_have_text(["jellyfish", "pizza", "tabby cat", "volcano + bubble"])
    settles(page, real, ["jellyfish", "pizza", "tabby cat", "volcano + bubble"])


def test_blocking_and_letting_in_again(real: RealStage, page: Page) -> None:
    page.goto(real.server.url + "control")
    page.get_by_role("button", name="More about pizza and Mara").click()
    page.get_by_role("button", name="Block Mara", exact=True).click()
    expect(lines(page)).to_have_text(["jellyfish", "tabby cat", "volcano + bubble"])
    expect(page.locator("#outcome")).to_have_text("Blocked Mara. Removed 1 request.")
    page.get_by_role("button", name="More about tabby cat and Kim").click()
    page.get_by_role("button", name="Block tabby cat", exact=True).click()
    expect(page.locator("#blocked-classes li")).to_have_text(["tabby cat"])
    assert real.call("POST", "/api/requests", {"user": "mara", "text": "lion"}).status == 403
    page.get_by_role("button", name="Unblock Mara").click()  # names match in any case
    expect(page.locator("#blocked-users-group")).to_be_hidden()
    real.ask("Mara", "lion")
    page.get_by_label("What to block").select_option("class")
    page.get_by_label("Block this").fill("volkano")
    page.get_by_label("Block this").press("Enter")
    page.locator("#outcome").get_by_role("button", name="volcano").click()
    expect(page.locator("#blocked-classes")).to_contain_text("volcano")
    expect(page.get_by_label("Block this")).to_have_value("")
    expect(lines(page)).to_have_text(["jellyfish", "lion"])


def test_removing_all_of_a_viewer(real: RealStage, page: Page) -> None:
    real.ask("Jo", "lion")
    page.goto(real.server.url + "control")
    page.get_by_role("button", name="More about jellyfish and Jo").click()
    page.get_by_role("button", name="Remove all of Jo").click()
    expect(lines(page)).to_have_text(["pizza", "tabby cat", "volcano + bubble"])
    expect(page.locator("#outcome")).to_have_text("Removed 2 requests of Jo.")


def test_the_rules_change_at_once_and_go_back(real: RealStage, page: Page) -> None:
    page.goto(real.server.url + "control")
    stays = page.get_by_label("Time per dream")
    expect(stays).to_have_value("60")
    stays.fill("20")
    stays.press("Enter")
    expect(page.locator("#outcome")).to_have_text("Time per dream: 20 s.")
    assert real.director.rules().settings["hold_s"] == 20
    page.get_by_label("Order").select_option("Most votes first")
    expect(page.locator("#outcome")).to_have_text("Order: most votes first.")
    family = page.get_by_role("switch", name="Family-safe subjects only")
    family.click()
    expect(family).to_have_attribute("aria-checked", "true")
    room = page.get_by_label("Requests in the queue")
    room.fill("0")
    room.press("Enter")
    expect(page.locator("#outcome.bad")).to_contain_text("capacity")
    expect(room).to_have_value("50")
    real.call("PATCH", "/api/rules", {"hold_s": 45})  # chat changes rules too
    stays.blur()
    expect(stays).to_have_value("45")
    expect(page.locator(".rule.changed")).to_have_count(3)
    page.get_by_role("button", name="Reset to the configuration").click()
    page.get_by_role("button", name="Discard every change made here?").click()
    expect(stays).to_have_value("60")
    expect(family).to_have_attribute("aria-checked", "false")
    assert real.director.rules().changed == ()


def test_closing_shows_on_the_viewers_page(real: RealStage, page: Page) -> None:
    viewer = page.context.new_page()
    viewer.goto(real.server.url)
    expect(viewer.locator("#queue-state")).to_have_text("open")
    page.goto(real.server.url + "control")
    switch = page.get_by_role("switch", name="Viewers may ask")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(viewer.locator("#closed")).to_be_visible()
    expect(viewer.get_by_role("button", name="Ask for it", exact=True)).to_be_disabled()
    expect(viewer.locator("#queue-state")).to_have_text("closed")
    switch.click()
    expect(viewer.locator("#closed")).to_be_hidden()


def test_viewers_vote(real: RealStage, page: Page) -> None:
    page.goto(real.server.url)
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Vote for tabby cat, 0 votes").click()
    expect(page.get_by_role("button", name="Vote for tabby cat, 1 vote")).to_be_visible()
    expect(page.locator("#log .told.no")).to_have_count(0)
    expect(page.locator("#log .told")).to_contain_text("tabby cat")
    expect(lines(page)).to_have_text(["pizza", "tabby cat", "jellyfish", "volcano + bubble"])


def test_the_camera(real: RealStage, page: Page) -> None:
    page.goto(real.server.url + "control")
    speed = page.get_by_label("Zoom", exact=True)
    expect(speed).to_have_value("1.05")
    speed.fill("1.2")
    speed.press("Enter")
    expect(page.locator("#outcome")).to_have_text("Zooms in by 1.2 a second.")
    assert real.dream.motion.speed == 1.2
    page.get_by_label("Turn slider").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#outcome")).to_have_text("Turns 0.3° a second, counter-clockwise.")
    speed.fill("99")
    speed.press("Enter")
    expect(page.locator("#outcome.bad")).to_contain_text("speed")
    expect(speed).to_have_value("1.2")


@pytest.mark.parametrize(
    ("told", "words", "hint"),
    [
        (None, "No bot", "No chat is connected."),
        ({"state": "connected", "account": "dreambot", "channel": "somechannel"}, "Connected", ""),
        ({"state": "needs login", "detail": "the token was revoked"}, "Needs login", "Run zoomdream bot in a terminal"),
        ({"state": "read-only", "channel": "somechannel", "source": "irc"}, "Listening, cannot answer", "cannot answer"),
    ],
)
def test_the_state_of_the_chat_bot(real: RealStage, page: Page, told: Any, words: str, hint: str) -> None:
    if told is not None:
        assert real.call("POST", "/api/chat", told).status == 200
    page.goto(real.server.url + "control")
    expect(page.locator("#chat-words")).to_have_text(words)
    expect(page.locator("#chat-hint")).to_contain_text(hint)
    expect(page.locator("#chat-lamp")).to_contain_text(words.lower())
    for value in (told or {}).values():
        if value != (told or {})["state"]:
            expect(page.locator("#chat-lines")).to_contain_text(value)


def test_when_the_last_message_came_and_what_is_done_without(real: RealStage, page: Page) -> None:
    told = {"state": "connected", "account": "dreambot", "channel": "somechannel", "heard_s": 600.0}
    assert real.call("POST", "/api/chat", told).status == 200
    real.tell(given_up=("residual flow", "dream steps"), chat_restarts=2)
    page.goto(real.server.url + "control")
    expect(page.locator("#chat-lines")).to_contain_text("Last message10 min ago")
    expect(page.locator("#chat-lines")).to_contain_text("Restarts2")
    expect(page.locator("#numbers")).to_contain_text("Turned off to keep paceresidual flow, dream steps")


def test_a_logged_out_moderator_is_asked_for_the_token_and_continues(reals: Callable[..., RealStage], page: Page) -> None:
    real = reals(token="open sesame")
    real.ask("Mara", "pizza")
    page.goto(real.server.url + "control")
    token, desk = page.get_by_label("Token"), page.locator("#desk")

    def log_in() -> None:
        token.fill("open sesame")
        page.get_by_role("button", name="Log in").click()
        expect(desk).to_be_visible()
        expect(lines(page)).to_have_text(["pizza"])

    log_in()
    page.context.clear_cookies()  # the page notices when it next reads the rules
    expect(token).to_be_focused()
    expect(desk).to_be_hidden()
    log_in()
    page.route("**/api/rules", lambda route: route.abort())
    page.context.clear_cookies()  # the page notices at the next action
    page.get_by_role("button", name="Remove pizza").click()
    expect(token).to_be_focused()
    expect(desk).to_be_hidden()
    settles(page, real, ["pizza"])


def test_the_desk_comes_back_with_the_server(real: RealStage, reals: Callable[..., RealStage], page: Page) -> None:
    page.goto(real.server.url + "control")
    expect(lines(page)).to_have_count(4)
    assert real.server.stop(PATIENCE_S)
    expect(page.locator("#state-text")).to_have_text("reconnecting…")
    page.get_by_role("button", name="Bump").click()
    expect(page.locator("#outcome.bad")).to_have_text("The stream cannot be reached at the moment.")
    again = reals(port=real.server.port)
    again.ask("Zoe", "lion")
    expect(lines(page)).to_have_text(["lion"])
    page.get_by_role("button", name="Bump").click()
    expect(page.locator("#outcome")).to_have_text("Bumped.")
    assert again.dream.bumped == 1


@pytest.mark.parametrize("path", ["", "control", "overlay?next=10"])
@pytest.mark.parametrize("width", [360, 1680])
def test_long_and_foreign_names_stay_in_their_place(reals: Callable[..., RealStage], page: Page, path: str, width: int) -> None:
    real = reals(per_user=50)
    names = ("W" * 25, "مرحبا بالعالم كيف حالكم", "שלום", "a" + "\u0301" * 90, "👩‍👩‍👧‍👦" * 30, "ｗｉｄｅ　ｎａｍｅ", "x")
    texts = ("pizza", "volcano + bubble", "lion", "teapot", "school bus", "tabby cat", "orange")
    for name, text in zip(names, texts, strict=True):
        real.ask(name, text)
    real.director.skip()
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(real.server.url + path)
    expect(page.locator("#queue li, #next li")).to_have_count(6)
    room, needed = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
    assert needed <= room
    for who in page.locator(".who bdi, .by").all():
        box = who.bounding_box()
        assert box is not None
        assert box["x"] >= -12  # the overlay's padding for the rim sticks out a little
        assert box["x"] + box["width"] <= room + 12


@pytest.mark.parametrize("ground", ["#fff", "#000", "repeating-conic-gradient(#f80 0 25%, #6cf 0 50%) 0 0/24px 24px"])
def test_the_overlay_reads_on_any_picture(real: RealStage, page: Page, ground: str) -> None:
    real.director.skip()
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(real.server.url + "overlay?at=top&align=center&scale=2")
    expect(page.locator("#title")).to_have_text("pizza")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
    page.evaluate("ground => { document.documentElement.style.background = ground; }", ground)
    until(page, "() => getComputedStyle(document.getElementById('card')).opacity === '1'")  # it fades in
    page.wait_for_timeout(100)
    picture = np.asarray(Image.open(io.BytesIO(page.locator("#title").screenshot())).convert("L"), np.float64)
    white, black = picture > 235, picture < 40
    assert white.mean() > 0.02
    near = np.zeros_like(black)
    for dy, dx in ((0, 6), (0, -6), (6, 0), (-6, 0)):  # the rim is within six pixels of a letter
        near |= np.roll(white, (dy, dx), (0, 1))
    assert (black & near).mean() > 0.02


# Outputs


def test_outputs_are_shown_and_switched(real: RealStage, page: Page) -> None:
    page.goto(real.server.url + "control")
    rows = page.locator("#outputs-list .output")
    expect(rows).to_have_count(2)
    expect(rows.nth(0).locator(".name")).to_have_text("twitch")
    expect(rows.nth(0).locator(".lamp")).to_have_attribute("data-look", "well")
    expect(rows.nth(0).locator(".condition")).to_have_text("live for 2 min  ·  5.0 MB  ·  2 frames dropped  ·  failed once")
    expect(rows.nth(1).locator(".lamp")).to_have_attribute("data-look", "bad")
    expect(rows.nth(1).locator(".condition")).to_have_text("trying again in 2 s  ·  failed 3 times")
    expect(rows.nth(1).locator(".reason")).to_have_text("connection refused")
    switch = page.get_by_role("switch", name="relay runs")
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.focus()
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(rows.nth(1).locator(".condition")).to_have_text("off  ·  failed 3 times")
    expect(page.locator("#outcome")).to_have_text("relay is off.")
    expect(switch).to_be_focused()
    page.get_by_role("button", name="Remove twitch").click()
    page.get_by_role("button", name="Remove twitch").click()  # the first press asks for confirmation
    expect(rows).to_have_count(1)
    assert list(real.outputs.items) == ["relay"]


def test_an_output_is_added_and_its_key_is_seen_nowhere(real: RealStage, page: Page) -> None:
    key = "live_canary_4711"
    page.goto(real.server.url + "control")
    page.get_by_text("Add an output").click()
    form = page.locator("#output")
    expect(form.get_by_label("Address")).to_be_hidden()
    form.get_by_label("Stream key").fill(key)
    assert form.get_by_label("Stream key").get_attribute("type") == "password"
    real.outputs.refusal = Refused(Reason.BAD_OUTPUT, "'name' is (hidden); must be <b>small</b>")
    form.get_by_role("button", name="Add").click()
    expect(page.locator("#outcome")).to_have_text("'name' is (hidden); must be <b>small</b>")
    expect(form.get_by_label("Stream key")).to_have_value("")
    real.outputs.refusal = None
    form.get_by_label("Stream key").fill(key)
    form.get_by_label("only test the connection").check()
    form.get_by_role("button", name="Add").click()
    expect(page.locator("#outputs-list .output")).to_have_count(3)
    expect(page.locator("#output-add")).not_to_have_attribute("open", "")
    page.get_by_text("Add an output").click()
    form.get_by_role("combobox").select_option("file")
    form.get_by_role("textbox", name="File").fill("dream-%H.mp4")
    form.get_by_label("A new file every").fill("30")
    form.get_by_label("Name").fill("rec")
    form.get_by_role("button", name="Add").click()
    expect(page.locator("#outputs-list .output")).to_have_count(4)
    assert real.outputs.blocks == [
        {"kind": "twitch_ingest", "key": key, "bandwidth_test": True},
        {"kind": "file", "path": "dream-%H.mp4", "split_s": 1800, "name": "rec"},
    ]
    assert key not in page.content()
    assert key not in str(page.evaluate("[...document.querySelectorAll('input')].map((input) => input.value)"))


def test_what_outputs_say_is_text(real: RealStage, page: Page) -> None:
    nasty = "<img src=x onerror=\"window.pwned='img'\">"
    real.outputs.items["relay"] = replace(real.outputs.items["relay"], reason=nasty, target=nasty, kind=f"kind {nasty}")
    page.goto(real.server.url + "control")
    row = page.locator("#outputs-list .output").nth(1)
    expect(row.locator(".reason")).to_have_text(nasty)
    expect(row.locator(".target")).to_have_text(nasty)
    expect(page.locator("#outputs img")).to_have_count(0)
    assert page.evaluate("window.pwned") is None


def test_viewers_learn_where_else_it_is_live(real: RealStage, page: Page) -> None:
    page.goto(real.server.url)
    expect(page.locator("#aired")).to_have_text("live to Twitch")
    real.outputs.items["relay"] = replace(real.outputs.items["relay"], state="live", public=True)
    expect(page.locator("#aired")).to_have_text("live to Twitch and elsewhere too")
    real.outputs.items.clear()
    expect(page.locator("#aired")).to_have_text("")


def test_layers_are_picked_and_asked_for(real: RealStage, page: Page) -> None:
    real.learn_layers([LayerEntry("conv1", 64, 2), LayerEntry("fire5", 256, 8), LayerEntry("fire6", 384, 16)])
    page.goto(real.server.url + "control")
    card = page.locator("#wish")
    text = card.get_by_label("Ask for a dream")
    expect(card.get_by_label("Layer", exact=True)).to_have_value("fire5")
    expect(card.get_by_label("Channels")).to_have_attribute("placeholder", "all 256")
    card.get_by_label("Layer", exact=True).select_option("conv1")
    card.get_by_label("Channels").fill("3,17-18")
    card.get_by_role("button", name="Add").click()
    expect(text).to_have_value("layer conv1:3,17-18")
    card.get_by_label("Layer", exact=True).select_option("fire6")
    card.get_by_role("button", name="Add").click()
    expect(text).to_have_value("layer conv1:3,17-18 + layer fire6")
    card.get_by_role("button", name="Ask").click()
    expect(page.locator("#outcome")).to_contain_text("layer conv1:3,17-18 + layer fire6: number 5 in line.")
    expect(text).to_have_value("")
    expect(lines(page).nth(4)).to_have_text("layer conv1:3,17-18 + layer fire6")
    text.fill("layer fire66")
    text.press("Enter")
    expect(page.locator("#outcome")).to_contain_text("this network has no layer 'fire66'")
    page.locator("#outcome").get_by_role("button", name="layer fire6", exact=True).click()
    expect(lines(page).nth(5)).to_have_text("layer fire6")


def test_viewers_vote_for_a_layer_that_waits(real: RealStage, page: Page) -> None:
    real.learn_layers([LayerEntry("fire5", 256, 8)])
    real.director.submit("mo", "layer fire5", role=Role.MODERATOR)
    page.goto(real.server.url)
    page.get_by_role("button", name="Vote for layer fire5").click()
    expect(page.locator("#log")).to_contain_text("your vote counts for it")
    page.locator("#ask-text").fill("layer fire5:3")
    page.locator("#ask-text").press("Enter")
    expect(page.locator("#log")).to_contain_text("layers are for moderators to choose")
