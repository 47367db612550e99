"""A stream with a camera as its source, from the cable to the reports for operators."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from streamer import pipeline
from streamer.config import Config, QueueConfig, SourceConfig, VideoConfig, WebConfig
from streamer.dream.sources import capture
from streamer.dream.sources.picture import SourceError
from streamer.dream.sources.source import MovingSource
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.messages.motion import Pose
from tests.cameras import FakeCamera
from tests.patience import faults
from tests.test_pipeline import GOLDFISH, PIZZA, UMBRELLA, WAIT_S, HandRenderer, Live

SIZE = (36, 64)


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> FakeCamera:
    camera = FakeCamera()
    monkeypatch.setattr(pipeline, "Renderer", HandRenderer)
    monkeypatch.setattr(pipeline, "MovingSource", partial(MovingSource, open_source=camera.open))
    monkeypatch.setattr(capture, "BACKOFF_S", 0.01)
    monkeypatch.setattr(capture, "BACKOFF_MOST_S", 0.02)
    return camera


@pytest.fixture
def live(camera: FakeCamera, tmp_path: Path) -> Iterator[Live]:
    config = Config(
        seed=7,
        video=VideoConfig(width=64, height=36, fps=25, captions=False),
        queue=QueueConfig(path=tmp_path / "queue.sqlite3"),
        web=WebConfig(port=0),
        source=SourceConfig(kind="camera", device=3),
    )
    live = Live(config)
    yield live
    camera.pull_out()
    assert live.pipeline.stop(WAIT_S)


def await_source(live: Live, condition: Callable[[dict[str, object]], bool]) -> None:
    for _ in range(int(WAIT_S / 0.05)):
        if condition(live.call("api/status")["source"]):
            return
        threading.Event().wait(0.05)
    pytest.fail(f"never so: {live.call('api/status')['source']}")


def dreamt(live: Live, on: SourcePicture, add: int) -> Keyframe:
    """Return a keyframe that brightens the right half of a picture."""
    image = on.image.copy()
    image[:, 32:] = np.clip(image[:, 32:].astype(int) + add, 0, 255)
    return Keyframe(image, Pose(), live.pipeline._clock(), live.renderer.scenes[-1], 1, 1, source_picture=on)


def seen(image: np.ndarray, left: int, right: int) -> bool:
    return abs(float(image[:, :24].mean()) - left) < 8 and abs(float(image[:, 40:].mean()) - right) < 8


@pytest.mark.logs("retrying. The dream continues", "reading the source failed")
def test_a_lost_camera_is_reported_and_its_last_picture_stays_in_use(live: Live, camera: FakeCamera) -> None:
    live.pipeline.start()
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    live.renderer.await_scene(lambda scene: True)
    camera.show(50, SIZE)
    await_source(live, lambda source: source["state"] == "live")
    told = live.call("api/status")["source"]
    assert (told["kind"], told["name"], told["reason"], told["losses"]) == ("camera", "3", "", 0)
    assert told["size"] == {"width": 64, "height": 36}
    assert faults(live.call("api/status")) == []
    live.await_frame(lambda image: seen(image, 50, 50))

    camera.pull_out()
    await_source(live, lambda source: source["state"] == "lost" and "there is no camera 3" in str(source["reason"]))
    problem = "the camera is lost: there is no camera 3, or another program has it"
    assert problem in live.call("api/status")["health"]["problems"]
    source = live.pipeline._source
    assert source is not None
    last = source.newest()
    assert last is not None
    live.pipeline._take_keyframe(dreamt(live, last, 60))
    live.await_frame(lambda image: seen(image, 50, 110))
    assert source.feed.newest() is not None, "the worker has it, too"

    camera.plugged = True
    camera.show(90, SIZE)
    await_source(live, lambda source: source["state"] == "live")
    assert live.call("api/status")["source"]["losses"] == 1
    assert problem not in live.call("api/status")["health"]["problems"]
    live.await_frame(lambda image: abs(float(image[:, :24].mean()) - 90) < 8)


def test_a_camera_that_has_gone_silent_holds_up_no_end(live: Live, camera: FakeCamera) -> None:
    live.pipeline.start()
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    camera.show(50, SIZE)
    await_source(live, lambda source: source["state"] == "live")
    assert live.pipeline.stop(WAIT_S)
    assert camera.closed == 0, "it was still waited for"


def test_a_film_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    config = Config(
        queue=QueueConfig(path=tmp_path / "queue.sqlite3"),
        web=WebConfig(port=0),
        source=SourceConfig(kind="video", path=str(tmp_path / "a.mp4")),
    )
    with pytest.raises(SourceError, match="is empty"):
        pipeline.Pipeline(config)
