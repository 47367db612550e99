import io
import itertools
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np
import pytest

from streamer import pipeline
from streamer.acts import Act, Begun
from streamer.config import Config, FileOutput, JournalConfig, QueueConfig, VideoConfig, WebConfig
from streamer.messages import Keyframe, LayerEntry, Motion, Pose, RendererStatus, Scene
from streamer.past import read
from streamer.pipeline import Pipeline, PipelineError
from streamer.requests.queue import QueueError, RequestQueue
from streamer.video.frames import counter
from streamer.web.errors import PortTaken

WAIT_S = 20.0
GOLDFISH, UMBRELLA, PIZZA = "n01443537", "n04507155", "n07873807"
WHITE = np.full((36, 64, 3), 255, np.uint8)


class HandRenderer:
    """A renderer that dreams only when the test says so."""

    def __init__(
        self,
        config: Config,
        seed: int,
        on_keyframe: Callable[[Keyframe], None],
        *,
        feed: object = None,
        on_acts: Callable[[Keyframe, tuple[Act, ...]], None],
        clock: Callable[[], float],
    ) -> None:
        self._on_keyframe, self._on_acts, self._clock = on_keyframe, on_acts, clock
        self._status = RendererStatus()
        self._number = 0
        self.failure = ""
        self.running = False
        self.bumps = self.twists = 0
        self.motions: list[Motion] = []
        self.scenes: list[Scene] = []
        self.heard = threading.Condition()

    def start(self) -> None:
        self.running = True

    def stop(self, deadline_s: float = 4.0) -> None:
        self.running = False

    def status(self) -> RendererStatus:
        return self._status

    def bump(self) -> None:
        self.bumps += 1

    def twist(self) -> None:
        self.twists += 1

    def motion(self, motion: Motion) -> None:
        self.motions.append(motion)

    def scene(self, scene: Scene) -> None:
        with self.heard:
            self.scenes.append(scene)
            self.heard.notify_all()

    def load(self, *wnids: str, layers: tuple[LayerEntry, ...] = ()) -> None:
        self._status = RendererStatus(network="by hand", wnids=wnids, layers=layers)

    def keyframe(self, image: np.ndarray) -> None:
        keyframe = Keyframe(image, Pose(), self._clock(), self.scenes[-1], self._number, 1)
        begun = (Begun("by hand", "cpu", 1, (36, 64)), self.scenes[-1])
        self._on_acts(keyframe, (40,) if self._number else begun)
        self._on_keyframe(keyframe)
        self._number += 1

    def await_scene(self, condition: Callable[[Scene], bool]) -> Scene:
        with self.heard:
            assert self.heard.wait_for(lambda: any(map(condition, self.scenes)), WAIT_S)
            return next(scene for scene in self.scenes if condition(scene))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        seed=7,
        video=VideoConfig(width=64, height=36, fps=25, captions=False),
        queue=QueueConfig(path=tmp_path / "queue.sqlite3"),
        web=WebConfig(port=0),
    )


class Live:
    """A pipeline with a renderer by hand, and what a test asks of them."""

    def __init__(self, config: Config) -> None:
        self.pipeline = Pipeline(config)
        self.renderer = cast(HandRenderer, self.pipeline._renderer)
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        call = urllib.request.Request(self.pipeline.url + path, data, {"Content-Type": "application/json"}, method=method)
        with self.opener.open(call, timeout=WAIT_S) as answer:
            return json.load(answer)

    def await_output(self, name: str, condition: Callable[[Any], bool]) -> Any:
        """Wait until an output of the status meets a condition; returns the output."""
        end_s = time.monotonic() + WAIT_S
        while time.monotonic() < end_s:
            told = next((output for output in self.call("api/status")["outputs"] if output["name"] == name), None)
            if told is not None and condition(told):
                return told
            threading.Event().wait(0.05)
        pytest.fail(f"output {name} never was so: {told}")

    def await_frame(self, condition: Callable[[np.ndarray], bool]) -> None:
        share = self.pipeline._encoders.main.subscribe("jpeg")
        try:
            for _ in range(250):
                piece = share.read(WAIT_S)
                assert piece is not None, "the video stopped"
                image = cv2.imdecode(np.frombuffer(piece, np.uint8), cv2.IMREAD_COLOR)
                assert image is not None
                if condition(image):
                    return
            pytest.fail("no such frame")
        finally:
            share.close()


@pytest.fixture
def live(config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setattr(pipeline, "Renderer", HandRenderer)
    live = Live(config)
    yield live
    assert live.pipeline.stop(WAIT_S)


def test_the_page_and_the_video_are_there_before_the_network(live: Live) -> None:
    live.pipeline.start()
    told = live.call("api/status")
    assert told["on_air"] is None
    assert told["health"] == {"ok": True, "problems": []}
    live.await_frame(lambda image: image.shape == (36, 64, 3))


def test_a_request_made_before_the_network_is_there_waits_and_is_dreamt(live: Live) -> None:
    live.pipeline.start()
    assert live.call("api/requests", {"user": "ann", "text": "goldfish"})["position"] == 1
    assert live.renderer.scenes == []
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    scene = live.renderer.await_scene(lambda scene: scene.user == "ann")
    assert scene is live.renderer.scenes[0]
    assert [region.target.wnid for region in scene.regions] == [GOLDFISH]


def test_what_can_be_asked_for_is_what_the_network_knows(live: Live) -> None:
    live.pipeline.start()
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    live.renderer.await_scene(lambda scene: True)
    told = live.call("api/classes?q=pizza")["classes"]
    assert told[0]["available"]
    told = live.call("api/classes?q=volcano")["classes"]
    assert not told[0]["available"]


def test_which_network_dreams_is_told_with_what_it_knows(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "streamer.pipeline")
    live.pipeline.start()
    before = live.call("api/network")
    assert (before["name"], before["classes"], before["total"], before["remedy"]) == ("", 0, 1000, "")
    assert len(before["examples"]) > 2
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    live.renderer.await_scene(lambda scene: True)
    told = live.call("api/status")["network"]
    assert (told["name"], told["classes"]) == ("by hand", 3)
    assert sorted(told["examples"]) == ["goldfish", "pizza", "umbrella"]
    assert caplog.text.count(f"this network knows 3 of 1000 things; {told['remedy']}") == 1


def test_keyframes_come_to_be_video(live: Live) -> None:
    live.pipeline.start()
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    live.renderer.await_scene(lambda scene: True)
    live.renderer.keyframe(WHITE)
    live.await_frame(lambda image: image.min() > 240)


def test_a_frame_that_cannot_be_drawn_repeats_the_one_before(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    live.pipeline.start()
    live.await_frame(lambda image: True)
    broken = threading.Event()

    def frame(now_s: float) -> None:
        broken.set()
        raise RuntimeError("a bad keyframe")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.log, "exception", lambda *args: None)
        patch.setattr(live.pipeline._screen, "frame", frame)
        live.await_frame(lambda image: broken.is_set())
    assert live.call("api/status")["video"]["frames"]["repeated"] >= 1


def test_what_flashes_is_held_back_and_counted(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = itertools.count()
    monkeypatch.setattr(live.pipeline._screen, "frame", lambda now_s: (WHITE * (next(turns) % 2), None))
    live.pipeline.start()
    live.await_frame(lambda image: 40 < image.mean() < 215)
    assert live.call("api/status")["video"]["frames"]["limited"] > 0


def test_what_flashes_is_shown_where_the_limiter_is_off(live: Live, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    live.pipeline.stop(WAIT_S)
    bare = Live(config.model_copy(update={"video": config.video.model_copy(update={"flash_limiter": False})}))
    turns = itertools.count()
    monkeypatch.setattr(bare.pipeline._screen, "frame", lambda now_s: (WHITE * (next(turns) % 2), None))
    bare.pipeline.start()
    seen = itertools.count()
    bare.await_frame(lambda image: next(seen) > 15 and image.min() > 240)
    assert bare.call("api/status")["video"]["frames"]["limited"] == 0
    assert bare.pipeline.stop(WAIT_S)


def test_the_number_on_air_can_be_read_from_the_picture(live: Live, config: Config) -> None:
    live.pipeline.stop(WAIT_S)
    video = config.video.model_copy(update={"width": 320, "height": 180, "frame_counter": True})
    numbered = Live(config.model_copy(update={"video": video}))
    numbered.pipeline.start()
    numbers: list[int | None] = []
    numbered.await_frame(lambda image: numbers.append(counter.read(image)) or len(numbers) == 5)
    assert None not in numbers
    assert sorted(set(numbers)) == numbers
    assert numbered.call("api/status")["video"]["frames"]["number"] >= numbers[-1]
    assert numbered.pipeline.stop(WAIT_S)


def test_an_output_records_from_the_start(live: Live, config: Config, tmp_path: Path) -> None:
    live.pipeline.stop(WAIT_S)
    output = FileOutput(kind="file", path=tmp_path / "new" / "a.mp4")
    recording = Live(config.model_copy(update={"outputs": (output,)}))
    recording.pipeline.start()
    recording.await_output("file", lambda told: told["state"] == "live" and told["delivered_bytes"] > 1000)
    assert recording.pipeline.stop(WAIT_S)
    with av.open(str(output.path), "r") as container:
        assert sum(1 for _ in container.decode(video=0)) >= 1


def test_outputs_come_and_go_while_it_runs(live: Live, tmp_path: Path) -> None:
    live.pipeline.start()
    assert live.call("api/status")["outputs"] == []
    assert live.call("api/outputs", {"kind": "file", "path": "new/b.mkv", "min_free_mb": 0}) == {"name": "file"}
    live.await_output("file", lambda told: told["state"] == "live" and told["delivered_bytes"] > 1000)
    live.call("api/outputs/file", {"enabled": False}, "PATCH")
    told = live.await_output("file", lambda told: told["state"] == "disabled")
    assert told["delivered_bytes"] > 1000
    assert live.call("api/outputs/file", method="DELETE") == {"removed": "file"}
    assert live.call("api/status")["outputs"] == []
    with av.open(str(tmp_path / "recordings" / "new" / "b.mkv"), "r") as container:
        assert sum(1 for _ in container.decode(video=0)) >= 1
        assert container.streams.audio


def test_an_output_that_fails_is_told_and_the_stream_goes_on(live: Live, config: Config, tmp_path: Path) -> None:
    live.pipeline.stop(WAIT_S)
    (tmp_path / "file").write_bytes(b"")
    output = FileOutput(kind="file", name="nowhere", path=tmp_path / "file" / "a.mp4", min_free_mb=0)
    failing = Live(config.model_copy(update={"outputs": (output,)}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamer.video.sinks.sink.log.log", lambda *args: None)
        failing.pipeline.start()
        told = failing.await_output("nowhere", lambda told: told["state"] == "retrying")
        problems = failing.call("api/status")["health"]["problems"]
        assert f"output nowhere is retrying: {told['reason']}" in problems
        failing.await_frame(lambda image: True)
        assert failing.pipeline.stop(WAIT_S)


def test_outputs_have_addresses_of_their_own(live: Live) -> None:
    live.pipeline.start()
    live.call("api/outputs", {"kind": "mpegts_http", "path": "/obs.ts", "audio": True})
    live.call("api/outputs", {"kind": "mjpeg", "path": "/wall.mjpg", "width": 56, "height": 32, "fps": 5})
    with live.opener.open(live.pipeline.url + "wall.mjpg", timeout=WAIT_S) as answer:
        while not (line := answer.readline()).startswith(b"Content-Length"):
            pass
        answer.readline()
        picture = cv2.imdecode(np.frombuffer(answer.read(int(line.split()[1])), np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape == (32, 56, 3)
    with live.opener.open(live.pipeline.url + "obs.ts", timeout=WAIT_S) as answer:
        data = answer.read(188 * 400)
    with av.open(io.BytesIO(data), "r", format="mpegts") as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
    told = live.await_output("mpegts_http", lambda told: told["state"] == "waiting")  # nobody watches any more
    assert told["delivered_bytes"] >= len(data)


def test_a_status_tells_the_frame_on_air(live: Live) -> None:
    live.pipeline.start()
    seen: list[int] = []
    live.await_frame(lambda image: seen.append(live.call("api/status")["video"]["frames"]["number"]) or len(seen) > 2)
    assert 0 <= seen[0] < seen[-1]
    assert live.call("api/status")["video"]["longest_gap_s"] > 0


def test_a_moderator_can_bump(live: Live) -> None:
    live.pipeline.start()
    live.call("api/bump", {})
    assert live.call("api/twist", {}) == {"twisted": True}
    assert (live.renderer.bumps, live.renderer.twists) == (1, 1)


def test_running_ends_when_it_is_told_to(live: Live) -> None:
    live.pipeline.start()
    stopping = threading.Event()
    stopping.set()
    live.pipeline.run(stopping)


def test_a_renderer_that_gave_up_ends_the_run(live: Live) -> None:
    live.pipeline.start()
    live.renderer.failure = "the network cannot be had"
    with pytest.raises(PipelineError, match="the network cannot be had"):
        live.pipeline.run(threading.Event())


def test_a_thread_that_gave_up_ends_the_run(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    live.pipeline.start()
    monkeypatch.setattr(live.pipeline._frames, "_failure", RuntimeError("no more frames"))
    with pytest.raises(PipelineError, match="the frames thread fails again and again: no more frames"):
        live.pipeline.run(threading.Event())


def test_stopping_leaves_nothing(live: Live, config: Config) -> None:
    live.pipeline.start()
    share = live.pipeline._encoders.main.subscribe("ts")
    assert live.pipeline.stop(WAIT_S)
    assert live.pipeline.stop(WAIT_S)  # again
    assert not live.renderer.running
    assert not any(thread.name in {"frames", "control", "web", "encoder"} for thread in threading.enumerate())
    share.close()
    assert config.queue.path is not None
    RequestQueue(config.queue.path).close()  # nobody holds it


def test_a_taken_port_is_told_before_anything_is_dreamt(live: Live, config: Config) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        live.pipeline.stop(WAIT_S)
        other = Pipeline(config.model_copy(update={"web": WebConfig(port=port)}))
        with pytest.raises(PortTaken, match=f"port {port} on 127.0.0.1 is taken"):
            other.start()
        assert other.stop(WAIT_S)


def test_a_queue_in_use_is_told(live: Live, config: Config) -> None:
    with pytest.raises(QueueError, match="is in use by another process"):
        Pipeline(config)


def test_one_who_was_never_started_can_be_stopped(live: Live) -> None:
    assert live.pipeline.stop(WAIT_S)


def test_rules_votes_and_chat_go_through(live: Live) -> None:
    live.pipeline.start()
    number = live.call("api/requests", {"user": "ann", "text": "goldfish"})["id"]
    live.call("api/requests", {"user": "bob", "text": "umbrella", "priority": "points", "amount": 500, "source": "twitch"})
    assert [entry["user"] for entry in live.call("api/status")["queue"]] == ["bob", "ann"]
    assert live.call(f"api/requests/{number}/promote", {}) == {"position": 1}
    assert live.call(f"api/requests/{number}")["position"] == 1
    live.call("api/blocks", {"kind": "class", "value": "umbrella"})
    assert [entry["user"] for entry in live.call("api/status")["queue"]] == ["ann"]
    live.call("api/chat", {"state": "connected", "account": "bot", "channel": "ann", "source": "twitch"})
    told = live.call("api/status")
    assert (told["open"], told["chat"]["state"], told["chat"]["channel"]) == (True, "connected", "ann")


def test_the_layers_of_the_network_at_work_can_be_asked_for(live: Live) -> None:
    live.pipeline.start()
    live.renderer.load("n01443537", layers=(LayerEntry("fire5", 256, 8),))
    live.renderer.await_scene(lambda scene: True)
    assert live.call("api/layers")["layers"] == [{"name": "fire5", "channels": 256, "stride": 8}]
    live.call("api/requests", {"user": "mo", "text": "goldfish + layer fire5:3", "role": "moderator"})
    scene = live.renderer.await_scene(lambda scene: scene.user == "mo")
    assert (scene.title, scene.regions[1].target.channels) == ("goldfish + layer fire5:3", (3,))


def test_the_camera_is_moved(live: Live) -> None:
    live.pipeline.start()
    assert live.call("api/motion", {"speed": 1.2}) == {"speed": 1.2, "rotation": 0.25}
    assert live.call("api/motion", {"rotation": -1.5}) == {"speed": 1.2, "rotation": -1.5}
    assert live.renderer.motions == [Motion(1.2, 0.25), Motion(1.2, -1.5)]
    assert live.call("api/status")["motion"] == {"speed": 1.2, "rotation": -1.5}


def test_a_blocked_class_that_there_is_not_is_told(live: Live, config: Config, tmp_path: Path) -> None:
    queue = QueueConfig(path=tmp_path / "other.sqlite3", blocked_classes=("volcanno",))
    with pytest.raises(QueueError, match=r"'queue\.blocked_classes' holds 'volcanno'"):
        Pipeline(config.model_copy(update={"queue": queue}))
    RequestQueue(queue.path).close()


def test_what_is_dreamt_is_written_down(live: Live, tmp_path: Path) -> None:
    live.pipeline.start()
    live.call("api/requests", {"user": "ann", "text": "goldfish"})
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    live.renderer.await_scene(lambda scene: scene.user == "ann")
    live.renderer.keyframe(WHITE)
    live.renderer.keyframe(WHITE)
    live.call("api/pause", {"paused": True})
    (path,) = (tmp_path / "journals").iterdir()
    end_s = time.monotonic() + WAIT_S
    while '"held":true' not in path.read_text():
        assert time.monotonic() < end_s
        threading.Event().wait(0.02)
    assert live.pipeline.stop(WAIT_S)
    past = read(path)
    assert (past.seed, len(past.keyframes), past.complete) == (7, 2, True)
    ((at_ms, scene),) = past.scenes()
    assert (scene.user, scene.title) == ("ann", "goldfish")
    assert at_ms < WAIT_S * 1000
    assert past.settings["video"]["width"] == 64
    assert '"note":{"end":true}' in path.read_text().splitlines()[-1]


def test_without_a_journal_nothing_is_written(live: Live, config: Config, tmp_path: Path) -> None:
    live.pipeline.stop(WAIT_S)
    silent = Live(config.model_copy(update={"journal": JournalConfig(enabled=False)}))
    silent.pipeline.start()
    assert silent.pipeline.stop(WAIT_S)
    assert not (tmp_path / "journals").exists()


@pytest.mark.logs("no journal can be kept in")
def test_a_stream_goes_on_where_no_journal_can_be_kept(live: Live, config: Config, tmp_path: Path) -> None:
    live.pipeline.stop(WAIT_S)
    (tmp_path / "file").write_text("")
    other = Live(config.model_copy(update={"journal": JournalConfig(folder=tmp_path / "file")}))
    other.pipeline.start()
    other.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    other.renderer.await_scene(lambda scene: True)
    other.renderer.keyframe(WHITE)
    assert other.pipeline.stop(WAIT_S)
