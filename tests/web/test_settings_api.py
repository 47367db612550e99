"""The API for the config file, and what the control page shows of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streamer.messages.status import Reloaded
from streamer.settings_file import ConfigError, ConfigGone
from tests.web.conftest import Stage

TOKEN = {"Authorization": "Bearer open sesame"}
MISTAKES = ("live.yaml:3: 'zoom.speed' is fast; must be a number", "live.yaml:4: unknown key 'video.fsp'")


def test_a_reload_reports_what_changed_and_what_needs_a_restart(stage: Stage) -> None:
    stage.settings.outcome = Reloaded(("zoom.speed", "queue.hold_s"), ("video.fps",))
    answer = stage.call("POST", "/api/reload")
    assert (answer.status, answer.json) == (200, {"changed": ["zoom.speed", "queue.hold_s"], "at_next_start": ["video.fps"]})
    assert stage.settings.reads == 1
    assert stage.call("GET", "/api/reload").json == {
        "file": "live.yaml",
        "mistakes": [],
        "at_next_start": ["video.fps"],
        "reloads": 1,
        "revision": 1,
    }
    assert stage.call("GET", "/api/status").json["settings"] == {
        "mistakes": 0,
        "at_next_start": 1,
        "reloads": 1,
        "revision": 1,
    }


def test_moderators_see_all_config_mistakes_and_viewers_only_the_count(stage: Stage) -> None:
    stage.settings.outcome = ConfigError(MISTAKES)
    answer = stage.call("POST", "/api/reload")
    assert answer.status == 422
    assert answer.error == {"code": "bad_settings", "message": f"{MISTAKES[0]} (and 1 more)", "mistakes": list(MISTAKES)}
    assert stage.call("GET", "/api/reload").json["mistakes"] == list(MISTAKES)
    assert "fast" not in stage.call("GET", "/api/status").body.decode()
    assert stage.call("GET", "/api/status").json["settings"]["mistakes"] == 2
    assert stage.call("GET", "/healthz").status == 200, "a supervisor would restart an unhealthy stream with that config"


def test_a_file_that_is_gone_is_a_conflict(stage: Stage) -> None:
    stage.settings.outcome = ConfigGone(["live.yaml: the file is gone"])
    answer = stage.call("POST", "/api/reload")
    assert (answer.status, answer.error["code"], answer.error["message"]) == (409, "no_file", "live.yaml: the file is gone")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_it_takes_a_moderator(stages: Callable[..., Stage], method: str) -> None:
    stage = stages(token="open sesame")
    assert stage.call(method, "/api/reload").status == 401
    assert stage.settings.reads == 0
    assert stage.call(method, "/api/reload", None, TOKEN).status == 200
    strange = {"Origin": "http://elsewhere.example", **TOKEN}
    assert stage.call("POST", "/api/reload", None, strange).status == 403


def test_it_takes_no_body(stage: Stage) -> None:
    assert stage.call("POST", "/api/reload", {"config": "zoom: {speed: 2}"}).status == 400
    assert stage.settings.reads == 0


@pytest.mark.browser
def test_the_control_page_shows_what_is_wrong_and_what_waits(stage: Stage, page: object) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    assert isinstance(page, api.Page)
    expect = api.expect
    page.goto(stage.server.url + "control")
    expect(page.locator("#settings-hint")).to_have_text("live.yaml")
    expect(page.locator("#mistakes li")).to_have_count(0)
    stage.settings.stand(mistakes=MISTAKES)
    expect(page.locator("#mistakes li")).to_have_text(list(MISTAKES))
    expect(page.locator("#settings-text")).to_have_text("The config has mistakes")
    expect(page.locator("#settings-heading")).to_have_attribute("data-ok", "false")
    others = (MISTAKES[0], "live.yaml:9: <b>another</b>")
    stage.settings.outcome = ConfigError(others)
    page.get_by_role("button", name="Reload").click()
    expect(page.locator("#mistakes li")).to_have_text(list(others))
    expect(page.locator("#outcome")).to_have_text(f"{MISTAKES[0]} (and 1 more)")
    stage.settings.outcome = Reloaded(("zoom.speed",), ("video.fps", "web.port"))
    page.get_by_role("button", name="Reload").click()
    expect(page.locator("#outcome")).to_have_text("1 setting changed.")
    expect(page.locator("#mistakes li")).to_have_count(0)
    expect(page.locator("#settings-waiting")).to_have_text("At the next start: video.fps, web.port")
    expect(page.locator("#settings-text")).to_have_text("Config")


@pytest.mark.browser
def test_the_control_page_has_nothing_to_say_without_a_file(stage: Stage, page: object) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    assert isinstance(page, api.Page)
    stage.settings.stand(file="")
    page.goto(stage.server.url + "control")
    api.expect(page.locator("#health-text")).to_have_text("No problems")
    api.expect(page.locator("#settings")).to_be_hidden()
