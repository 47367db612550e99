from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from streamer.commands.classes import bundled_wnids
from streamer.config import WebConfig
from streamer.web.server import Server
from tests.patience import PATIENCE_S
from tests.web.browser import ARGS, WAIT_MS, chromium, moving_video
from tests.web.fakes import Client, FakeClasses, FakeOutputs, FakeRequestService, FakeSettings, FakeStatus, FakeVideo
from tests.web.real import RealStage


class Stage:
    """A running server with fakes of everything that it uses."""

    def __init__(self, video: Any = None, album: Any = None, controls: Any = None, **config: Any) -> None:
        self.request_service = FakeRequestService()
        self.video = FakeVideo() if video is None else video
        self.outputs = FakeOutputs()
        self.settings = FakeSettings()
        self.classes = FakeClasses()
        self.status = FakeStatus(self.request_service, self.outputs, self.settings)
        settings = WebConfig.model_validate({"port": 0, **config})
        self.server = Server(
            settings,
            self.request_service,
            self.video,
            self.status,
            self.classes,
            self.request_service,
            self.outputs,
            self.settings,
            album,
            controls,
        )
        self.server.start()
        self.call = Client(self.server.port)


@pytest.fixture
def stages() -> Iterator[Callable[..., Stage]]:
    """Yield a function that starts servers; check that each stops in time and leaves no thread."""
    before = set(threading.enumerate())
    started: list[Stage] = []

    def start(**config: Any) -> Stage:
        started.append(Stage(**config))
        return started[-1]

    yield start
    for stage in started:
        stage.request_service.release.set()
        assert stage.server.stop(PATIENCE_S)
    assert not [t.name for t in set(threading.enumerate()) - before if t.name.startswith("web")]


@pytest.fixture
def stage(stages: Callable[..., Stage]) -> Stage:
    return stages()


@pytest.fixture
def guarded(stages: Callable[..., Stage]) -> Stage:
    """A server with a token."""
    return stages(token="open sesame")


@pytest.fixture
def bundled() -> Iterator[RealStage]:
    """A stream with the bundled network."""
    stage = RealStage(known=bundled_wnids())
    stage.learn("bundled", bundled_wnids())
    yield stage
    stage.close()


@pytest.fixture
def moving(stages: Callable[..., Stage]) -> Iterator[Stage]:
    """A server with a playing video."""
    with moving_video() as encoder:
        stage = stages(video=encoder)
        yield stage
        stage.server.stop(PATIENCE_S)


@pytest.fixture
def reals() -> Iterator[Callable[..., RealStage]]:
    """Yield a function that starts servers with real directors."""
    started: list[RealStage] = []

    def start(**settings: Any) -> RealStage:
        started.append(RealStage(**settings))
        return started[-1]

    yield start
    for stage in started:
        stage.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; skip the test if it or Playwright is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium()
    playwright.expect.set_options(timeout=WAIT_MS)
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=path, args=ARGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page on which uncaught errors and violations of the content security policy fail the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 800}, reduced_motion="no-preference")
    context.set_default_timeout(WAIT_MS)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    yield opened
    context.close()
    assert errors == []
