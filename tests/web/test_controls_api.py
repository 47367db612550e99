"""The API of the live controls with real settings, and the controls in headless Chromium, by mouse and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamer.config import Config, ControlsConfig
from streamer.control_status import OscStatus, Switching
from streamer.controls import Controls
from streamer.presets import Presets
from streamer.reload import Reload
from tests.fakes import HandClock
from tests.web.conftest import Stage

TOKEN = {"Authorization": "Bearer open sesame"}


class Look:
    """A server with live controls of settings that nothing uses."""

    def __init__(self, stages: Callable[..., Stage], folder: Path, **config: Any) -> None:
        self.clock = HandClock()
        self.reload = Reload(Config(controls=ControlsConfig(crossfade_s=2.0)), clock=self.clock)
        self.switching, self.osc = Switching(), None
        self.controls = Controls(self.reload, Presets(folder), lambda: self.switching, lambda: self.osc)
        self.stage = stages(controls=self.controls, **config)
        self.call = self.stage.call

    def tell(self) -> None:
        """Notify the pages of a change."""
        self.stage.settings.stand()

    def switch(self, busy: str, error: str = "", failures: int = 0) -> None:
        self.switching = Switching(busy, error, failures)
        self.tell()


@pytest.fixture
def look(stages: Callable[..., Stage], tmp_path: Path) -> Look:
    return Look(stages, tmp_path / "presets")


def test_the_controls_are_listed_with_presets_networks_and_algorithms(look: Look) -> None:
    told = look.call("GET", "/api/controls").json
    assert told["settings"]["zoom.speed"] == 1.05
    assert told["settings"]["dream.views"] == "auto"
    assert told["networks"][:2] == ["auto", "vgg16"]
    assert told["algorithms"] == ["default", "deepdream", "original_2015", "ink"]
    ink = next(preset for preset in told["presets"] if preset["name"] == "ink")
    assert (ink["own"], ink["switches"], ink["at_next_start"], ink["mistakes"]) == (False, True, ["canvas.width"], [])
    assert (told["changed"], told["side"], told["preset"], told["switching"], told["osc"]) == ([], "a", "", "", None)


def test_settings_are_changed_all_or_none(look: Look) -> None:
    answer = look.call("PATCH", "/api/controls", {"settings": {"zoom.speed": 1.2, "dream.views": [1.7, 0.85]}})
    assert (answer.status, answer.json) == (200, {"changed": ["zoom.speed", "dream.views"]})
    told = look.call("GET", "/api/controls").json
    assert (told["settings"]["zoom.speed"], told["file"]["zoom.speed"], told["changed"]) == (
        1.2,
        1.05,
        ["zoom.speed", "dream.views"],
    )
    answer = look.call("PATCH", "/api/controls", {"settings": {"zoom.speed": 9, "dream.contrast": 50}})
    assert (answer.status, answer.error["code"]) == (422, "bad_settings")
    assert answer.error["message"] == "'zoom.speed' is 9; must be above 0.2 and up to 5"
    assert look.reload.target.dream.contrast == 38.0


@pytest.mark.parametrize(
    "body", [{}, {"settings": {}}, {"settings": {"zoom.speed": 1.2}, "fade_s": -1}, {"settings": 3}, {"zoom.speed": 1.2}]
)
def test_bodies_of_another_shape_are_refused(look: Look, body: dict[str, Any]) -> None:
    assert look.call("PATCH", "/api/controls", body).status == 400
    assert look.reload.desk == {}


def test_numbers_glide_where_asked_to(look: Look) -> None:
    look.call("PATCH", "/api/controls", {"settings": {"zoom.speed": 1.2}, "fade_s": 4})
    assert look.call("GET", "/api/controls").json["fading_s"] == 4.0


def test_some_or_all_of_it_is_taken_back(look: Look) -> None:
    look.call("PATCH", "/api/controls", {"settings": {"zoom.speed": 1.2, "dream.contrast": 50}})
    assert look.call("POST", "/api/controls/reset", {"settings": ["zoom.speed"]}).json == {"changed": ["zoom.speed"]}
    assert look.call("POST", "/api/controls/reset", {}).json == {"changed": ["dream.contrast"]}
    assert look.reload.desk == {}


def test_presets_are_gone_over_to_and_saved(look: Look, tmp_path: Path) -> None:
    assert look.call("POST", "/api/controls/preset", {"name": "ink", "fade_s": 0}).json == {
        "changed": ["video.captions", "zoom.speed", "zoom.rotation", "dream.algorithm"],
        "at_next_start": ["canvas.width"],
    }
    file = tmp_path / "presets" / "evening.yaml"
    answer = look.call("POST", "/api/controls/presets", {"name": "evening"})
    assert (answer.status, answer.json) == (201, {"name": "evening", "file": str(file)})
    assert "algorithm: ink" in file.read_text()
    again = look.call("POST", "/api/controls/presets", {"name": "evening"})
    assert (again.status, again.error["code"]) == (409, "duplicate")
    assert look.call("POST", "/api/controls/presets", {"name": "evening", "replace": True}).status == 201
    for name in ("../evening", "ink", "Evening"):
        answer = look.call("POST", "/api/controls/presets", {"name": name, "replace": True})
        assert (answer.status, answer.error["code"]) == (422, "bad_preset")
    answer = look.call("POST", "/api/controls/preset", {"name": "floob"})
    assert (answer.status, answer.error["message"]) == (404, "there is no preset 'floob'")
    assert [path.name for path in tmp_path.rglob("*.yaml")] == ["evening.yaml"]


def test_sides_are_compared(look: Look) -> None:
    look.call("PATCH", "/api/controls", {"settings": {"zoom.speed": 1.2}})
    assert look.call("POST", "/api/controls/compare", {}).json == {"side": "b"}
    look.call("POST", "/api/controls/reset", {})
    assert look.call("POST", "/api/controls/compare", {"side": "a"}).json == {"side": "a"}
    assert look.reload.target.zoom.speed == 1.2
    assert look.call("POST", "/api/controls/compare", {"side": "c"}).status == 400


CALLS = (
    ("GET", "/api/controls", None),
    ("PATCH", "/api/controls", {"settings": {"zoom.speed": 1.2}}),
    ("POST", "/api/controls/reset", {}),
    ("POST", "/api/controls/preset", {"name": "default"}),
    ("POST", "/api/controls/presets", {"name": "evening"}),
    ("POST", "/api/controls/compare", {}),
)


def test_they_take_a_moderator_and_our_own_pages(stages: Callable[..., Stage], tmp_path: Path) -> None:
    look = Look(stages, tmp_path / "presets", token="open sesame")
    for method, path, body in CALLS:
        assert look.call(method, path, body).status == 401, path
        foreign = {"Origin": "http://elsewhere.example", **TOKEN}
        if method != "GET":
            assert look.call(method, path, body, foreign).status == 403, path
    assert (look.reload.desk, look.controls.status().side, list(tmp_path.iterdir())) == ({}, "a", [])
    for method, path, body in CALLS:
        assert look.call(method, path, body, TOKEN).status in (200, 201), path


def test_a_stream_without_them_has_no_such_address(stage: Stage) -> None:
    assert stage.call("GET", "/api/controls").status == 404


# The page

SIZES = [(1280, 800), (390, 844)]
sizes = pytest.mark.parametrize("size", SIZES, ids=["wide", "phone"])


@pytest.fixture
def desk(look: Look, page: Any) -> Callable[[tuple[int, int]], Any]:
    """Return a function that opens the desk in a window of a size and checks that it fits."""

    def opened(size: tuple[int, int]) -> Any:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.goto(look.stage.server.url + "control")
        api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
        api.expect(page.locator("#look-more")).to_be_visible()
        room, needed = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
        assert needed <= room
        return page

    return opened


def expect(what: Any) -> Any:
    return pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect(what)


@pytest.mark.browser
@sizes
def test_a_slider_is_moved_by_mouse_and_by_keyboard_and_taken_back(look: Look, desk: Any, size: tuple[int, int]) -> None:
    page = desk(size)
    row = page.locator("#look [data-key='dream.contrast']")
    slider, number = page.get_by_label("Contrast slider"), page.get_by_label("Contrast", exact=True)
    expect(number).to_have_value("38")
    expect(page.locator("#look-reset")).to_be_hidden()
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.35, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    expect(page.locator("#outcome")).to_have_text(re.compile(r"Contrast: [67]\d\."))
    assert 60 <= look.reload.target.dream.contrast <= 80
    expect(row).to_have_class("rule slide changed")
    slider.focus()
    before = look.reload.target.dream.contrast
    page.keyboard.press("ArrowRight")
    expect(number).to_have_value(f"{before + 1:g}")
    expect(page.locator("#outcome")).to_contain_text(f"Contrast: {before + 1:g}.")
    number.fill("500")
    number.press("Enter")
    expect(page.locator("#outcome.bad")).to_contain_text("'dream.contrast' is 500; must be 1 to 127")
    expect(number).to_have_value(f"{before + 1:g}")
    page.get_by_role("button", name="Reset Contrast").click()
    expect(number).to_have_value("38")
    expect(page.get_by_role("button", name="Reset Contrast")).to_be_hidden()
    assert look.reload.desk == {}


@pytest.mark.browser
@sizes
def test_automatic_values_words_and_lists(look: Look, desk: Any, size: tuple[int, int]) -> None:
    page = desk(size)
    auto = page.get_by_role("button", name="Step: automatic")
    expect(auto).to_have_attribute("aria-pressed", "true")
    auto.focus()
    page.keyboard.press("Enter")
    expect(auto).to_have_attribute("aria-pressed", "false")
    assert look.reload.target.dream.step == 3
    auto.click()
    expect(auto).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Layout", exact=True).select_option("quarters")
    expect(page.locator("#outcome")).to_have_text("Layout: quarters.")
    assert look.reload.target.dream.layout == "quarters"
    views = page.get_by_label("Views", exact=True)
    views.fill("2, 1.5")
    views.press("Enter")
    expect(page.locator("#outcome")).to_have_text("Views: 2, 1.5.")
    assert look.reload.target.dream.views == (2.0, 1.5)
    views.fill("large")
    views.press("Enter")
    expect(page.locator("#outcome.bad")).to_contain_text("dream.views")
    page.get_by_text("Further controls").click()
    page.get_by_label("Momentum", exact=True).fill("0.5")
    page.get_by_label("Momentum", exact=True).press("Tab")
    expect(page.locator("#outcome")).to_have_text("Momentum: 0.5.")
    page.get_by_role("button", name="Reset all").click()
    expect(page.locator("#outcome")).to_have_text("All settings are back to the config’s.")
    expect(page.get_by_role("button", name="Reset all")).to_be_hidden()
    assert look.reload.desk == {}


@pytest.mark.browser
@sizes
def test_presets_and_sides_by_mouse_and_by_keyboard(look: Look, desk: Any, size: tuple[int, int], tmp_path: Path) -> None:
    page = desk(size)
    presets = page.get_by_role("group", name="Presets")
    presets.get_by_role("button", name="ink").click()
    expect(page.locator("#outcome")).to_have_text("Changing to ink. To change canvas.width, restart with its file.")
    expect(presets.get_by_role("button", name="ink")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Ink flips", exact=True)).to_be_hidden()
    page.get_by_text("Further controls").click()
    expect(page.get_by_label("Ink flips", exact=True)).to_be_visible()
    page.get_by_label("Prior", exact=True).fill("1")
    page.get_by_label("Prior", exact=True).press("Enter")
    expect(presets.get_by_role("button", name="ink, changed")).to_be_visible()
    page.get_by_role("button", name="B", exact=True).focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="B", exact=True)).to_have_attribute("aria-pressed", "true")
    presets.get_by_role("button", name="default").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#outcome")).to_have_text("Changing to default.")
    expect(presets.get_by_role("button", name="default")).to_be_focused()
    page.get_by_role("button", name="A", exact=True).click()
    expect(page.locator("#outcome")).to_have_text("A is on air.")
    expect(presets.get_by_role("button", name="ink, changed")).to_have_attribute("aria-pressed", "true")
    name, save = page.get_by_label("Name of the preset"), page.locator("#preset-save")
    name.fill("evening")
    name.press("Enter")
    expect(page.locator("#outcome")).to_have_text("Saved as evening.")
    expect(presets.get_by_role("button", name="evening")).to_have_attribute("aria-pressed", "true")
    name.fill("evening")
    save.click()
    expect(page.locator("#outcome.bad")).to_have_text("there is already a preset 'evening'")
    expect(save).to_have_text("Overwrite")
    save.click()
    expect(page.locator("#outcome")).to_have_text("Saved as evening.")
    expect(save).to_have_text("Save as preset")
    assert "prior_weight: 1" in (tmp_path / "presets" / "evening.yaml").read_text()


@pytest.mark.browser
@sizes
def test_the_desk_switches_network_and_algorithm_and_shows_the_outcome(look: Look, desk: Any, size: tuple[int, int]) -> None:
    page = desk(size)
    state = page.locator("#look-state")
    page.get_by_label("Algorithm", exact=True).select_option("deepdream")
    expect(page.locator("#outcome")).to_have_text("Algorithm: deepdream.")
    look.switch("the best network, deepdream")
    page.get_by_label("Network", exact=True).select_option("googlenet")
    expect(page.locator("#outcome")).to_have_text("Network: googlenet.")
    assert look.reload.target.network.name == "googlenet"
    look.switch("googlenet, deepdream")
    expect(state).to_have_text("Preparing googlenet, deepdream; the dream continues meanwhile…")
    look.switch("", "<b>no weights</b>", 1)
    expect(state).to_have_text("The switch failed: <b>no weights</b>")
    look.controls.undo_failed_switch()
    look.tell()
    expect(page.get_by_label("Algorithm", exact=True)).to_have_value("default")


@pytest.mark.browser
def test_the_desk_shows_changes_by_others_and_the_osc_status(look: Look, desk: Any) -> None:
    page = desk(SIZES[0])
    expect(page.locator("#look-osc")).to_be_hidden()
    look.osc = OscStatus("127.0.0.1:9000", 7, 2, "'/x' is not a known address")
    look.controls.change({"dream.surge": 6.0, "dream.step": 5.0})
    look.tell()
    expect(page.get_by_label("Surge", exact=True)).to_have_value("6")
    expect(page.get_by_label("Step", exact=True)).to_have_value("5")
    expect(page.locator("#look-osc")).to_have_text("OSC on 127.0.0.1:9000: 7 applied, 2 ignored ('/x' is not a known address).")


@pytest.mark.browser
@sizes
def test_what_is_wrong_stands_above_all(look: Look, desk: Any, size: tuple[int, int]) -> None:
    look.stage.status.snapshot = replace(look.stage.status.snapshot, problems=("no keyframe for 30 s",))
    look.stage.settings.stand(mistakes=("live.yaml:3: 'zoom.speed' is fast; must be a number",))
    page = desk(size)
    for text in ("no keyframe for 30 s", "'zoom.speed' is fast"):
        box = page.get_by_text(text).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < size[1] / 2, "above the fold"
    assert page.locator(".alerts").bounding_box()["y"] < page.locator("#stage").bounding_box()["y"]


@pytest.mark.browser
@pytest.mark.parametrize(("width", "columns"), [(1920, 3), (1280, 2), (390, 1)])
def test_a_wide_window_is_filled(look: Look, desk: Any, width: int, columns: int) -> None:
    page = desk((width, 800))
    boxes = [page.locator(f"#desk > .{name}").bounding_box() for name in ("left", "line", "side")]
    lefts = {round(box["x"]) for box in boxes}
    assert len(lefts) == columns
    room = max(box["x"] + box["width"] for box in boxes) - min(lefts)
    assert room > 0.9 * width
    tops = sorted(round(box["y"]) for box in boxes)
    assert tops[columns - 1] == tops[0], "all columns begin at the top"
