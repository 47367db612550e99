"""The album of past dreams, in a whole stream with a hand-driven renderer."""

from __future__ import annotations

import io
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from streamer import pipeline
from streamer.config import AlbumConfig, Config
from streamer.video.album import album
from tests.test_pipeline import GOLDFISH, PIZZA, UMBRELLA, WAIT_S, WHITE, HandRenderer, Live, config

__all__ = ["config"]


@pytest.fixture
def begin(config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Live]]:
    """Return a function that starts streams; they keep dreams sooner than usual."""
    monkeypatch.setattr(pipeline, "Renderer", HandRenderer)
    monkeypatch.setattr(album, "SHORTEST_S", 0.5)
    monkeypatch.setattr(album, "ENCODED_S", 0.3)
    begun: list[Live] = []

    def start(**kept: Any) -> Live:
        live = Live(config.model_copy(update={"album": AlbumConfig.model_validate(kept)}))
        begun.append(live)
        live.pipeline.start()
        live.call("api/requests", {"user": "ann", "text": "goldfish"})
        live.call("api/requests", {"user": "bob", "text": "pizza"})
        live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
        live.renderer.await_scene(lambda scene: scene.user == "ann")
        live.renderer.keyframe(WHITE)
        return live

    yield start
    for live in begun:
        assert live.pipeline.stop(WAIT_S)


def go_on(live: Live) -> None:
    """End the dream on air and start the next."""
    live.call("api/skip", {})
    live.renderer.await_scene(lambda scene: scene.user == "bob")
    live.renderer.keyframe(WHITE * 0)


def dreams(live: Live, count: int) -> list[Any]:
    """Wait until so many dreams are kept; return them."""
    end_s = time.monotonic() + WAIT_S
    while len(found := live.call("api/dreams")["dreams"]) != count:
        assert time.monotonic() < end_s, f"it never was: {found}"
        threading.Event().wait(0.05)
    return list(found)


def read(live: Live, path: str) -> bytes:
    with live.opener.open(f"{live.pipeline.url}{path.lstrip('/')}", timeout=WAIT_S) as answer:
        return bytes(answer.read())


def watch(live: Live, seconds: float) -> None:
    """Watch the page's video for so many seconds."""
    share = live.pipeline._encoders.main.subscribe("mp4")
    for _ in range(round(seconds * 25)):
        assert share.read(WAIT_S) is not None
    share.close()


def test_a_dream_that_was_watched_is_kept_with_a_clip_and_goes_when_its_viewer_is_blocked(
    begin: Callable[..., Live], tmp_path: Path
) -> None:
    live = begin()
    watch(live, 2.5)
    before = live.call("api/status")["dreamt"]
    go_on(live)
    (dream,) = dreams(live, 1)
    assert (dream["title"], dream["user"]) == ("goldfish", "ann")
    assert live.call("api/status")["dreamt"] > before
    picture = cv2.imdecode(np.frombuffer(read(live, dream["picture"]), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.min() > 240, "nothing of the next dream is in it"
    with av.open(io.BytesIO(read(live, dream["clip"]))) as container:
        frames = list(container.decode(video=0))
    assert frames[0].key_frame
    assert frames[0].pts == 0
    assert len(frames) >= 25
    assert (tmp_path / "dreams" / f"{dream['id']}.json").exists()
    live.call("api/blocks", {"kind": "user", "value": "ann"})
    assert live.call("api/dreams")["dreams"] == []
    with pytest.raises(urllib.error.HTTPError):
        read(live, dream["picture"])


def test_what_nobody_watches_is_a_picture_or_encoded_all_the_same(begin: Callable[..., Live]) -> None:
    live = begin(clips="never")
    watch(live, 1.2)
    go_on(live)
    (dream,) = dreams(live, 1)
    assert dream["clip"] is None
    assert read(live, dream["picture"])[:2] == b"\xff\xd8"


def test_video_may_be_encoded_for_clips_alone(begin: Callable[..., Live]) -> None:
    live = begin(clips="always")
    end_s, enough = time.monotonic() + WAIT_S, live.pipeline._encoders.main.status().encoded + 75
    while live.pipeline._encoders.main.status().encoded < enough:
        assert time.monotonic() < end_s, "nothing is encoded"
        threading.Event().wait(0.05)
    clip = live.call("api/clips", {"user": "cid"})
    assert clip["clip_s"] >= 1.0
    assert clip["clipped_by"] == "cid"
    assert read(live, clip["clip"])[4:8] == b"ftyp"
    assert live.call(f"api/dreams/{clip['id']}", method="DELETE") == {"removed": clip["id"]}
    dreams(live, 0)


def test_nothing_is_kept_where_that_is_not_wanted(begin: Callable[..., Live], tmp_path: Path) -> None:
    live = begin(enabled=False)
    watch(live, 0.8)
    go_on(live)
    live.await_frame(lambda image: image.max() < 15)
    assert live.call("api/dreams")["dreams"] == []
    assert live.call("api/status")["dreamt"] == 0
    assert not (tmp_path / "dreams").exists()
