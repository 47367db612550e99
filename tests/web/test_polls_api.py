"""Polls in the API and on the pages in headless Chromium, with a real director."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streamer.web.security import Scope, scope_of
from tests.web.real import RealStage

POLL = {"text": "castle / pizza / volcano", "seconds": 30}
TOKEN = "open sesame"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def real(reals: Callable[..., RealStage]) -> RealStage:
    return reals()


def votes(real: RealStage) -> list[int]:
    return [choice["votes"] for choice in real.call("GET", "/api/poll").json["poll"]["choices"]]


def test_a_poll_from_its_beginning_to_its_end(real: RealStage) -> None:
    assert real.call("GET", "/api/poll").json == {"poll": None}
    assert real.call("GET", "/api/status").json["poll"] is None
    answer = real.call("POST", "/api/poll", POLL)
    assert answer.status == 201
    poll = answer.json["poll"]
    assert {key: poll[key] for key in ("state", "left_s", "length_s", "user", "votes", "winner", "tied", "outside")} == {
        "state": "open", "left_s": 30.0, "length_s": 30.0, "user": "the operator", "votes": 0, "winner": None, "tied": False,
        "outside": "",
    }  # fmt: skip
    first = poll["choices"][0]
    assert (first["number"], first["title"], first["names"], first["votes"], first["picture"]) == (
        1,
        "castle",
        ["castle"],
        0,
        f"/thumbnails/{first['targets'][0]['wnid']}.webp",
    )
    assert first["targets"][0]["label"] == "castle"
    told = real.call("POST", "/api/poll/vote", {"user": "Mara", "choice": 2, "poll": poll["id"]})
    assert (told.status, told.json["counted"], told.json["poll"]["votes"]) == (200, True, 1)
    assert real.call("POST", "/api/poll/vote", {"user": "mara", "choice": 3}).json["poll"]["votes"] == 1
    batch = {"votes": [["ann", 3], ["bob", 1], ["ann", 2]], "source": "twitch", "poll": poll["id"]}
    assert real.call("POST", "/api/poll/votes", batch).json["counted"] == 3
    assert votes(real) == [1, 1, 1]
    assert real.call("GET", "/api/status").json["poll"]["votes"] == 3
    counts = {"counts": [0, 9, 0], "source": "twitch", "poll": poll["id"]}
    assert real.call("POST", "/api/poll/counts", counts).json["poll"]["outside"] == "twitch"
    assert votes(real) == [0, 9, 1]
    ended = real.call("POST", "/api/poll/end", {}).json["poll"]
    assert (ended["state"], ended["winner"], ended["left_s"]) == ("decided", 2, 0)
    assert real.titles() == ["pizza"]
    assert real.call("POST", "/api/poll/end", {}).status == 404
    assert real.call("POST", "/api/poll/vote", {"user": "Mara", "choice": 2}).error["code"] == "not_found"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("", {"text": "castle"}, 400, "bad_input"),
        ("", {"text": "castle / qqqqq"}, 422, "unknown_word"),
        ("", {"text": "castle / pizza", "seconds": 2}, 400, "bad_input"),
        ("", {"text": "castle / pizza", "seconds": "30"}, 400, "bad_input"),
        ("", {"text": "castle / lion"}, 409, "duplicate"),
        ("/vote", {"user": "Mara", "choice": 0}, 400, "bad_input"),
        ("/vote", {"user": "Mara", "choice": 6}, 400, "bad_input"),
        ("/vote", {"user": "Mara", "choice": 1, "poll": "another"}, 404, "not_found"),
        ("/votes", {"votes": [["ann", 1]], "source": "irc", "poll": "another"}, 404, "not_found"),
        ("/votes", {"votes": [["ann"]], "source": "irc", "poll": "x"}, 400, "bad_input"),
        ("/votes", {"votes": [["ann", 1]] * 1001, "source": "irc", "poll": "x"}, 400, "bad_input"),
        ("/counts", {"counts": [1, 2, 3], "source": "twitch", "poll": "another"}, 404, "not_found"),
        ("/counts", {"counts": [-1], "source": "twitch", "poll": "x"}, 400, "bad_input"),
    ],
)
def test_what_cannot_be_is_refused(real: RealStage, path: str, body: object, status: int, code: str) -> None:
    if path or code == "duplicate":
        real.call("POST", "/api/poll", POLL)
    answer = real.call("POST", f"/api/poll{path}", body)
    assert (answer.status, answer.error["code"]) == (status, code)


def test_viewers_vote_and_moderators_do_the_rest(reals: Callable[..., RealStage]) -> None:
    real = reals(token=TOKEN)
    assert real.call("POST", "/api/poll", POLL).status == 401
    poll = real.call("POST", "/api/poll", POLL, BEARER).json["poll"]["id"]
    assert real.call("POST", "/api/poll/vote", {"user": "Mara", "choice": 1}).status == 200
    for path, body in (
        ("/votes", {"votes": [["ann", 1]], "source": "web", "poll": poll}),
        ("/counts", {"counts": [1, 1, 1], "source": "web", "poll": poll}),
        ("/end", {}),
    ):
        assert real.call("POST", f"/api/poll{path}", body).status == 401
    assert votes(real) == [1, 0, 0]
    assert scope_of("POST", "/api/poll/vote") is Scope.ASK
    assert scope_of("GET", "/api/poll") is Scope.VIEW
    assert scope_of("POST", "/api/poll/votes") is Scope.CONTROL


def test_an_address_votes_under_some_names_only(reals: Callable[..., RealStage]) -> None:
    real = reals(token=TOKEN, web={"trusted_proxies": ("127.0.0.1",), "limits": {"address_voters": 2}})

    def vote(user: str, address: str = "203.0.113.7") -> int:
        answer = real.call("POST", "/api/poll/vote", {"user": user, "choice": 1}, {"X-Forwarded-For": address})
        return answer.status

    real.call("POST", "/api/poll", POLL, BEARER)
    assert [vote("a"), vote("b"), vote("A"), vote("c"), vote("c", "203.0.113.8")] == [200, 200, 200, 429, 200]
    assert votes(real) == [3, 0, 0]
    real.call("POST", "/api/poll/end", {"cancel": True}, BEARER)
    real.call("POST", "/api/poll", POLL, BEARER)
    assert vote("c") == 200, "the next poll begins with no names"


# The pages


@pytest.fixture
def shown(page: Any) -> Any:
    """The page, with Playwright's ``expect``."""
    expect = pytest.importorskip("playwright.sync_api").expect
    page.expect = expect
    return page


@pytest.mark.browser
def test_viewers_vote_with_the_mouse_and_with_the_keyboard(real: RealStage, shown: Any) -> None:
    page, expect = shown, shown.expect
    page.goto(real.server.url)
    expect(page.locator("#queue-empty")).to_be_visible()
    expect(page.locator("#poll")).to_be_hidden()
    real.call("POST", "/api/poll", POLL)
    buttons = page.locator("#poll button.pick")
    expect(buttons).to_have_count(3)
    expect(page.locator("#poll-state")).to_have_text("30 s left, 0 votes")
    page.get_by_label("Your name").fill("Mara")
    buttons.nth(1).click()
    expect(buttons.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#poll-said")).to_contain_text("You voted for pizza.")
    assert votes(real) == [0, 1, 0]
    buttons.nth(1).focus()
    page.keyboard.press("Tab")
    expect(buttons.nth(2)).to_be_focused()
    page.keyboard.press("Enter")
    expect(buttons.nth(2)).to_have_attribute("aria-pressed", "true")
    expect(buttons.nth(1)).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#poll li.leads .name")).to_have_text(["volcano"])
    assert votes(real) == [0, 0, 1]
    real.call("POST", "/api/poll/votes", {"votes": [["a", 1], ["b", 1]], "source": "irc", "poll": poll_id(real)})
    expect(page.locator("#poll .votes")).to_have_text(["2", "0", "1"])
    expect(buttons.nth(2)).to_be_focused()
    page.reload()
    expect(buttons.nth(2)).to_have_attribute("aria-pressed", "true")
    real.call("POST", "/api/poll/end", {})
    expect(page.locator("#poll-said")).to_have_text("castle wins with 2 of 3 votes.")
    expect(buttons.first).to_be_disabled()
    expect(page.locator("#queue .what")).to_have_text(["castle"])
    real.clock_s += 60
    expect(page.locator("#poll")).to_be_hidden()


def poll_id(real: RealStage) -> str:
    return str(real.call("GET", "/api/poll").json["poll"]["id"])


@pytest.mark.browser
def test_moderators_begin_and_end_polls_with_the_keyboard_alone(real: RealStage, shown: Any) -> None:
    page, expect = shown, shown.expect
    page.goto(real.server.url + "control")
    box = page.get_by_label("Choices, with / between them")
    box.fill("castle / qqqqq")
    box.press("Enter")
    expect(page.locator("#outcome")).to_contain_text("qqqqq")
    box.fill("castle / pizza")
    page.keyboard.press("Tab")
    page.keyboard.type("45")
    page.keyboard.press("Enter")
    expect(page.locator("#poll .name")).to_have_text(["castle", "pizza"])
    expect(page.locator("#poll-state")).to_have_text("45 s left, 0 votes. Started by the operator.")
    expect(page.locator("#poll-form")).to_be_hidden()
    end = page.get_by_role("button", name="End it now")
    expect(end).to_be_focused()
    real.call("POST", "/api/poll/vote", {"user": "a", "choice": 2})
    expect(page.locator("#poll .votes")).to_have_text(["0", "1"])
    expect(end).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#outcome")).to_have_text("pizza wins with 1 of 1 vote.")
    expect(box).to_be_focused()
    assert real.titles() == ["pizza"]


@pytest.mark.browser
def test_moderators_cancel_with_the_mouse_and_let_polls_begin_by_themselves(real: RealStage, shown: Any) -> None:
    page, expect = shown, shown.expect
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(real.server.url + "control")
    page.get_by_label("Choices, with / between them").fill("castle / pizza")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Cancel it").click()
    expect(page.locator("#outcome")).to_have_text("The poll is cancelled.")
    assert real.titles() == []
    page.get_by_text("Further rules").click()
    page.get_by_label("Who chooses when nobody asks").select_option("poll")
    expect(page.locator("#outcome")).to_have_text("Who chooses when nobody asks: viewers, by poll.")
    real.clock_s += 60
    real.director.tick()
    expect(page.locator("#poll-state")).to_contain_text("It started by itself")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390


@pytest.mark.browser
@pytest.mark.parametrize("query", ["", "?poll=0"])
def test_the_overlay_shows_it_unless_it_is_not_to(real: RealStage, shown: Any, query: str) -> None:
    page, expect = shown, shown.expect
    real.call("POST", "/api/poll", POLL)
    real.call("POST", "/api/poll/vote", {"user": "a", "choice": 3})
    page.goto(real.server.url + f"overlay{query}")
    expect(page.locator("#card")).to_have_attribute("data-shown", "true")
    if query:
        expect(page.locator("#poll")).to_be_hidden()
        return
    expect(page.locator("#poll .pick")).to_have_text(["1castle0", "2pizza0", "3volcano1"])
    expect(page.locator("#poll-heading")).to_have_text("Vote by number: 30 s left, 1 vote")
    real.call("POST", "/api/poll/end", {})
    expect(page.locator("#poll-heading")).to_have_text("volcano wins with 1 of 1 vote.")


@pytest.mark.browser
def test_a_picture_is_shown_where_the_server_has_one(real: RealStage, shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.web.serializers.picture", lambda choice: "/static/icon.svg" if choice.number == 1 else "")
    real.call("POST", "/api/poll", POLL)
    shown.goto(real.server.url)
    shown.expect(shown.locator("#poll img.thumb")).to_have_count(1)
    shown.expect(shown.locator("#poll img.thumb")).to_have_attribute("src", "/static/icon.svg")
