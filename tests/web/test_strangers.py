"""Markup in names and requests, through the real API and director, on all pages in headless Chromium: nothing runs.

Every payload calls ``pwn()`` if a browser treats it as more than text. Each page is tested twice: as served, where the content
security policy must not even report an attempt to run something, and without that policy, where only the page itself protects
the browser.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, expect

from tests.web.browser import WAIT_MS, until
from tests.web.real import RealStage

pytestmark = pytest.mark.browser

TRAP = """
window.ran = [];
window.pwn = (...said) => window.ran.push(said.join(' ') || 'pwn');
window.alert = window.pwn;
addEventListener('securitypolicyviolation', (event) => window.ran.push(`blocked ${event.violatedDirective}`));
"""
"""Runs before the page's own scripts."""

NAMES = {
    "<script>pwn()</script>": "pizza",
    "<img src onerror=pwn()>": "volcano",
    "<svg/onload=pwn()>": "bubble",
    '"><script>pwn()</script>': "jellyfish",
    "<b/onmouseover=pwn()>": "teapot",
    "</p><svg/onload=pwn()>": "lion",
    "<body onload=pwn()>": "goldfish",
    "javascript:pwn()": "umbrella",
    "<a href=javascript:pwn()>": "school bus",
    "'-pwn()-'": "banana",
    "${pwn()}{{pwn()}}": "mushroom",
    "&lt;script&gt;pwn()": "tabby cat",
    "＜script＞pwn()＜/script＞": "orange",  # full width: becomes the real thing when normalised
    "<scr\u200bipt>pwn()</script>": "ladybug",  # the same, when stripped
    "\u202e>tpircs<pwn()": "pretzel",
    "مرحبا<svg/onload=pwn()>": "black widow",
}
"""Each viewer's name and request."""

TEXTS = {
    "gondola <img src onerror=pwn()>": "gondola",
    "<svg onload=pwn()> analog clock": "analog clock",
    '"><broccoli onclick=pwn()>': "broccoli",
    'kit fox" onmouseover="pwn()': "kit fox",
    "</script><cheeseburger>": "cheeseburger",
}
"""Requests that are understood despite the markup around them."""

REFUSED = ("<script>pwn()</script>", "volcano + <iframe srcdoc='<script>parent.pwn()</script>'>", "<img src=x onerror=pwn()>")
"""Requests that are refused and come back in the answer."""

BLOCKED = {"word": "<svg/onload=pwn()>", "user": "<img src onerror=pwn()>"}


@pytest.fixture(params=[False, True], ids=["as served", "without the policy"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page with the trap set."""
    context = browser.new_context(viewport={"width": 1400, "height": 900}, bypass_csp=request.param)
    context.set_default_timeout(WAIT_MS)
    context.add_init_script(TRAP)
    yield context.new_page()
    context.close()


@pytest.fixture
def real() -> Iterator[RealStage]:
    """A stream whose viewers all send markup: one is on air, the others wait."""
    stage = RealStage(capacity=100)
    try:
        for name, text in NAMES.items():
            stage.ask(name, text)
        for number, text in enumerate(TEXTS):
            stage.ask(f"viewer {number}", text)
        stage.director.skip()
        yield stage
    finally:
        stage.close()


def assert_nothing_ran(page: Page) -> None:
    """Give markup a moment to run; then check the trap, and the page for anything that could still run."""
    page.wait_for_timeout(500)
    assert page.evaluate("window.ran") == []
    scripts = page.evaluate("[...document.scripts].map(script => [script.getAttribute('src'), script.text])")
    ours = {f"/static/js/{name}.js" for name in ("main", "control", "overlay", "dream")}
    assert scripts[0] == ["/static/js/again.js", ""]
    assert len(scripts) == 2, scripts
    assert scripts[1][0] in ours
    assert scripts[1][1] == ""
    assert page.locator("iframe, object, embed, base, math, style, [srcdoc], [href^='javascript:' i]").count() == 0
    handlers = "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter(a => a.name.startsWith('on')).length"
    assert page.evaluate(handlers) == 0


def shown(stage: RealStage) -> list[str]:
    """Return the waiting names as the director cleans them: still full of markup."""
    names = [entry.request.user for entry in stage.director.programme().waiting]
    assert sum("<" in name for name in names) >= 10
    assert "<script>pwn()</script>" in (*names, stage.director.programme().scene.user)
    return names


def test_the_trap_would_notice(real: RealStage, page: Page) -> None:
    page.goto(real.server.url + "overlay")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src onerror=pwn()>')")
    until(page, "() => window.ran.length === 1")
    with pytest.raises(AssertionError):
        assert_nothing_ran(page)


def test_nothing_runs_on_the_viewers_page(real: RealStage, page: Page) -> None:
    page.goto(real.server.url)
    expect(page.locator("#queue .who bdi")).to_have_text(shown(real))
    expect(page.locator("#now-for b")).to_have_text(real.director.programme().scene.user)
    name = page.get_by_label("Your name")
    name.fill("<svg/onload=pwn()>")
    name.press("Tab")
    box = page.get_by_role("combobox", name="What should it dream?")
    for number, text in enumerate(REFUSED, 1):
        box.fill(text)
        box.press("Enter")
        expect(page.locator("#log .told")).to_have_count(number)
        expect(page.locator("#log .said").last).to_have_text(text)
    page.reload()
    expect(name).to_have_value("<svg/onload=pwn()>")
    assert_nothing_ran(page)


def test_nothing_runs_on_the_overlay(real: RealStage, page: Page) -> None:
    page.goto(real.server.url + "overlay?next=10&align=<script>pwn()</script>&scale=<svg/onload=pwn()>")
    expect(page.locator("#next bdi")).to_have_text(shown(real)[:10])
    for _ in range(len(NAMES) + len(TEXTS) - 1):
        expect(page.locator("#for b")).to_have_text(real.director.programme().scene.user)
        real.director.skip()
    assert_nothing_ran(page)


def test_nothing_runs_on_the_desk(real: RealStage, page: Page) -> None:
    chat = {"state": "needs login", "detail": "<img src onerror=pwn()>", "account": "<script>pwn()</script>"}
    assert real.call("POST", "/api/chat", {**chat, "channel": "<svg/onload=pwn()>"}).status == 200
    page.goto(real.server.url + "control")
    expect(page.locator("#queue .who bdi")).to_have_text(shown(real))
    expect(page.locator("#chat-lines")).to_contain_text("<img src onerror=pwn()>")
    for opener in page.locator(".more").all():
        opener.click()
    assert set(TEXTS) <= set(page.locator(".asked bdi").all_text_contents())
    assert_nothing_ran(page)
    for kind, value in BLOCKED.items():
        page.get_by_label("What to block").select_option(kind)
        page.get_by_label("Block this").fill(value)
        page.get_by_role("button", name="Block", exact=True).click()
        expect(page.locator("#outcome")).to_contain_text(value)
        expect(page.locator(f"#blocked-{kind}s")).to_contain_text(value)
    page.get_by_label("What to block").select_option("class")
    page.get_by_label("Block this").fill("<script>pwn()</script>")
    page.get_by_role("button", name="Block", exact=True).click()
    expect(page.locator("#outcome.bad")).to_contain_text("script>")
    assert_nothing_ran(page)
