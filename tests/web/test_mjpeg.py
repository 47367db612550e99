"""/live.mjpg in the programs that show it: each shows a picture before the next one comes, however long that takes."""

from __future__ import annotations

import io
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import av
import pytest
from PIL import Image

from streamer.web import live
from tests.patience import PATIENCE_S
from tests.web.conftest import Stage
from tests.web.fakes import FakeSubscription
from tests.web.test_pages import PIXEL, until

RED, GREEN, BLUE = (200, 40, 40), (40, 200, 40), (40, 40, 200)
PLAYER, BROWSER = "Lavf/62.3.100", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
SHOWS = f"""sent => {{
    const live = document.getElementById('live');
    return live.naturalWidth > 0 && ({PIXEL})(live).every((value, at) => Math.abs(value - sent[at]) < 12);
}}"""


def jpeg(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(file, "JPEG", quality=90)
    return file.getvalue()


@pytest.fixture
def quiet(stages: Callable[..., Stage]) -> Stage:
    """A server whose subscriptions start empty: the test adds the pictures."""
    stage = stages()
    stage.video.silent = True
    return stage


class Viewer:
    """Reads the raw bytes and splits them into parts by length, as the standard says."""

    def __init__(self, stage: Stage, agent: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", stage.server.port), PATIENCE_S)
        self._socket.sendall(f"GET /live.mjpg HTTP/1.0\r\nHost: localhost\r\nUser-Agent: {agent}\r\n\r\n".encode())
        self._file = self._socket.makefile("rb")
        while self._file.readline().strip():
            pass
        assert stage.video.opened.wait(PATIENCE_S)
        ((_, self.feed),) = stage.video.feeds

    def part(self) -> bytes:
        """Return the next picture; check the bytes around it."""
        assert self._file.readline() == b"--zoomdream-frame\r\n"
        assert self._file.readline() == b"Content-Type: image/jpeg\r\n"
        length = re.fullmatch(rb"Content-Length: (\d+)\r\n", self._file.readline())
        assert length is not None
        assert self._file.readline() == b"\r\n"
        picture = self._file.read(int(length[1]))
        assert self._file.readline() == b"\r\n"
        return picture

    def comes_within(self, seconds: float) -> bytes:
        """Return the next bytes without taking them; empty if none come."""
        self._socket.settimeout(seconds)
        try:
            return self._file.peek(1)  # type: ignore[attr-defined]
        except TimeoutError:
            return b""
        finally:
            self._socket.settimeout(PATIENCE_S)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture
def viewer(quiet: Stage) -> Iterator[Callable[[str], Viewer]]:
    opened = []

    def view(agent: str) -> Viewer:
        opened.append(Viewer(quiet, agent))
        return opened[-1]

    yield view
    for each in opened:
        each.close()


def test_the_end_of_a_picture_is_seen_before_the_next_one_comes(viewer: Callable[[str], Viewer]) -> None:
    seen = viewer(PLAYER)
    for picture in (jpeg(RED), b"short", jpeg(BLUE)):
        seen.feed.put(picture)
        assert seen.part() == picture
        assert seen.comes_within(PATIENCE_S).startswith(b"--zoomdream-frame\r\nContent-Type: image/jpeg\r\n")


def test_browsers_get_a_picture_again_once_when_no_other_comes(viewer: Callable[[str], Viewer]) -> None:
    seen = viewer(BROWSER)
    for picture in (jpeg(RED), jpeg(GREEN)):
        put_s = time.monotonic()
        seen.feed.put(picture)
        assert seen.part() == picture
        assert seen.part() == picture
        assert time.monotonic() - put_s >= live.AGAIN_S
        begun = seen.comes_within(PATIENCE_S)
        assert begun == live.PART, "the head of the next part, and no third time"


def test_players_get_every_picture_once(viewer: Callable[[str], Viewer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "AGAIN_S", 0.001)
    seen = viewer(PLAYER)
    seen.feed.put(jpeg(RED))
    assert seen.part() == jpeg(RED)
    assert seen.comes_within(PATIENCE_S) == live.PART
    time.sleep(0.05)
    seen.feed.put(jpeg(GREEN))
    assert seen.part() == jpeg(GREEN)


def test_browsers_get_pictures_that_come_fast_once(viewer: Callable[[str], Viewer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "AGAIN_S", 30.0)
    seen = viewer(BROWSER)
    for picture in (jpeg(RED), jpeg(GREEN), jpeg(BLUE)) * 3:
        seen.feed.put(picture)
        assert seen.part() == picture


def feed_of(stage: Stage) -> FakeSubscription:
    assert stage.video.opened.wait(PATIENCE_S)
    return stage.video.feeds[-1][1]  # type: ignore[no-any-return]


@pytest.mark.browser
def test_chromium_shows_each_picture_before_the_next_is_sent(quiet: Stage, browser: Any) -> None:
    context = browser.new_context(bypass_csp=True)  # Chromium's own page around a picture blocks its own style
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{quiet.server.port}/frame.jpg")
    page.evaluate(
        "() => { const image = new Image(); image.id = 'live'; image.src = '/live.mjpg'; document.body.append(image); }"
    )
    feed = feed_of(quiet)
    for colour in (RED, GREEN, BLUE):
        feed.put(jpeg(colour))
        until(page, SHOWS, list(colour))
    context.close()


def test_ffmpeg_has_each_picture_before_the_next_is_sent(quiet: Stage) -> None:
    colours = (RED, GREEN, BLUE)
    pictures = iter(colours)

    class Line:
        """The server's answer, which FFmpeg reads; the next picture is sent once FFmpeg has returned the one before."""

        def __init__(self) -> None:
            self.viewer = Viewer(quiet, PLAYER)
            self.viewer.feed.put(jpeg(next(pictures)))

        def read(self, size: int) -> bytes:
            self.viewer._socket.settimeout(PATIENCE_S)
            return self.viewer._file.read1(size)  # type: ignore[union-attr,no-any-return]

    line = Line()
    with av.open(line, "r", format="mpjpeg", options={"probesize": "32", "analyzeduration": "0"}) as container:
        for colour, packet in zip(colours, container.demux(video=0), strict=False):
            assert bytes(packet) == jpeg(colour)
            line.viewer.feed.put(jpeg(next(pictures, RED)))
    line.viewer.close()
