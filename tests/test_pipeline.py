import io
import itertools
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from streamer import pipeline, snapshot
from streamer.config import (
    Config,
    FileOutput,
    JournalConfig,
    QueueConfig,
    SnapshotConfig,
    VideoConfig,
    WebConfig,
    ZoomConfig,
)
from streamer.dream.worker.protocol import NO_LIMIT, ResourceLimit
from streamer.dream_state import DreamState
from streamer.events import DreamEvent, DreamStarted, Tuned
from streamer.journal_reader import read_journal
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion, Pose
from streamer.messages.network_contents import LayerEntry
from streamer.messages.renderer_status import RendererStatus
from streamer.messages.scenes import Scene
from streamer.messages.status import FrameCounters
from streamer.messages.step_view import Inspection
from streamer.overload import LoadChange, LoadShedder, SheddableFeature
from streamer.pipeline import Pipeline, PipelineError
from streamer.reload import Reload
from streamer.requests.queue import RequestQueue
from streamer.requests.schema import QueueError
from streamer.settings_file import load
from streamer.video.frames import counter
from streamer.web.errors import PortTaken
from tests.patience import PATIENCE_S as WAIT_S
from tests.patience import faults

GOLDFISH, UMBRELLA, PIZZA = "n01443537", "n04507155", "n07873807"
FOX = "n02119022"
"""A class that ships without a picture."""
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
        first: object = None,
        latest: Keyframe | None = None,
        kept: DreamState | None = None,
        on_events: Callable[[Keyframe, tuple[DreamEvent, ...]], None],
        on_switched: Callable[[Config], None],
        clock: Callable[[], float],
    ) -> None:
        self._on_keyframe, self._on_events, self._clock = on_keyframe, on_events, clock
        self.on_switched = on_switched
        self.switches: list[tuple[Config, Tuned]] = []
        self.latest = latest
        self._kept = None if latest is None or kept is None else (latest, kept)
        self._status = RendererStatus()
        self._number = 0
        self.failure = ""
        self.running = False
        self.bumps = self.twists = self.inspections = 0
        self.motions: list[Motion] = []
        self.tuned: list[Tuned] = []
        self.thrifts: list[ResourceLimit] = []
        self.scenes: list[Scene] = []
        self.heard = threading.Condition()

    def start(self) -> None:
        self.running = True

    def stop(self, deadline_s: float = 4.0) -> None:
        self.running = False

    def status(self) -> RendererStatus:
        return self._status

    def kept(self) -> tuple[Keyframe, DreamState] | None:
        return self._kept

    def inspect(self) -> None:
        self.inspections += 1

    def inspection(self) -> Inspection | None:
        return None

    def bump(self) -> None:
        self.bumps += 1

    def twist(self) -> None:
        self.twists += 1

    def tune(self, tuned: Tuned) -> None:
        self.tuned.append(tuned)

    def switch(self, config: Config, tuned: Tuned) -> None:
        self.switches.append((config, tuned))
        self._status = replace(self._status, switching=config.dream.algorithm)

    def finish_switch(self, why_not: str = "") -> None:
        """Report that the new worker is ready, or why it cannot be."""
        failures = self._status.switch_failures + bool(why_not)
        self._status = replace(self._status, switching="", switch_error=why_not, switch_failures=failures)
        if not why_not:
            self.on_switched(self.switches[-1][0])

    def limit_resources(self, resource_limit: ResourceLimit) -> None:
        self.thrifts.append(resource_limit)

    def motion(self, motion: Motion) -> None:
        self.motions.append(motion)

    def scene(self, scene: Scene) -> None:
        with self.heard:
            self.scenes.append(scene)
            self.heard.notify_all()

    def load(self, *wnids: str, layers: tuple[LayerEntry, ...] = ()) -> None:
        self._status = RendererStatus(network="by hand", device="cpu", wnids=wnids, layers=layers)

    def die(self) -> None:
        self._status = replace(self._status, restarts=self._status.restarts + 1)

    def keyframe(self, image: np.ndarray, pose: Pose | None = None) -> None:
        keyframe = Keyframe(image, pose or Pose(), self._clock(), self.scenes[-1], self._number, 1)
        momentum = {"momentum": np.full((3, 36, 64), 0.5, np.float16)}
        self._kept = keyframe, DreamState("by hand", "default", keyframe.pose, momentum, {"steps": self._number})
        begun = (DreamStarted("by hand", "cpu", 1, (36, 64)), self.scenes[-1])
        self._on_events(keyframe, (40,) if self._number else begun)
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
    """A pipeline with a hand-driven renderer, and helpers for tests."""

    def __init__(self, config: Config, reload: Reload | None = None, *, fresh: bool = False) -> None:
        self.pipeline = Pipeline(config, reload=reload, fresh=fresh)
        self.renderer = cast(HandRenderer, self.pipeline._renderer)
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        call = urllib.request.Request(self.pipeline.url + path, data, {"Content-Type": "application/json"}, method=method)
        with self.opener.open(call, timeout=WAIT_S) as answer:
            return json.load(answer)

    def await_output(self, name: str, condition: Callable[[Any], bool]) -> Any:
        """Wait until an output of the status meets a condition; return the output."""
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
            end_s = time.monotonic() + WAIT_S
            while time.monotonic() < end_s:
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
    assert faults(told) == []
    live.await_frame(lambda image: image.shape == (36, 64, 3))


def test_a_request_made_before_the_network_loads_waits_and_is_dreamed(live: Live) -> None:
    live.pipeline.start()
    assert live.call("api/requests", {"user": "ann", "text": "goldfish"})["position"] == 1
    assert live.renderer.scenes == []
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    scene = live.renderer.await_scene(lambda scene: scene.user == "ann")
    assert scene is live.renderer.scenes[0]
    assert [region.target.wnid for region in scene.regions] == [GOLDFISH]


def refused(live: Live, text: str) -> tuple[int, str]:
    """Return status and code of the answer to a request that is refused."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        live.call("api/requests", {"user": "ann", "text": text})
    with caught.value as answer:
        return answer.code, json.load(answer)["error"]["code"]


def test_what_only_some_networks_know_is_promised_by_the_one_that_dreams(live: Live) -> None:
    live.pipeline.start()
    assert refused(live, "volcano") == (503, "loading")
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    live.renderer.await_scene(lambda scene: True)
    assert refused(live, "volcano") == (422, "unlearnt")


def test_however_many_look_at_a_step_it_is_shown_at_a_bounded_rate(live: Live) -> None:
    live.pipeline.start()
    assert live.renderer.inspections == 0
    for _ in range(20):
        assert live.call("api/step")["number"] == 0
    assert live.renderer.inspections == 1


def test_what_can_be_asked_for_is_what_the_network_knows(live: Live) -> None:
    live.pipeline.start()
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    live.renderer.await_scene(lambda scene: True)
    told = live.call("api/classes?q=pizza")["classes"]
    assert told[0]["available"]
    told = live.call("api/classes?q=volcano")["classes"]
    assert not told[0]["available"]


def test_the_status_shows_the_network_and_which_classes_it_knows(live: Live, caplog: pytest.LogCaptureFixture) -> None:
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
    assert caplog.text.count(f"this network knows 3 of 1000 classes; {told['remedy']}") == 1


def test_keyframes_come_to_be_video(live: Live) -> None:
    live.pipeline.start()
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    live.renderer.await_scene(lambda scene: True)
    live.renderer.keyframe(WHITE)
    live.await_frame(lambda image: image.min() > 240)


def test_a_dream_that_is_gone_for_long_gives_way_to_a_slate_on_all_outputs(live: Live, config: Config, tmp_path: Path) -> None:
    live.pipeline.stop(WAIT_S)
    video = config.video.model_copy(update={"slate_s": 0.5, "slate_text": ""})
    output = FileOutput(kind="file", path=tmp_path / "a.mp4", min_free_mb=0)
    gone = Live(config.model_copy(update={"video": video, "outputs": (output,)}))
    gone.pipeline.start()
    gone.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    gone.renderer.await_scene(lambda scene: True)
    gone.await_frame(lambda image: gone.renderer.keyframe(WHITE) or image.min() > 240)
    gone.await_frame(lambda image: 80 < image.mean() < 100)  # the white picture, dimmed
    told = gone.call("api/status")
    assert told["video"]["slate"]
    assert "viewers see a slate in place of the dream" in told["health"]["problems"]
    end_s = time.monotonic() + WAIT_S
    while gone.call("api/status")["video"]["slate"]:
        gone.renderer.keyframe(WHITE)
        assert time.monotonic() < end_s, "it stayed"
        threading.Event().wait(0.1)
    gone.await_frame(lambda image: gone.renderer.keyframe(WHITE) or image.min() > 240)
    assert gone.pipeline.stop(WAIT_S)
    with av.open(str(output.path), "r") as container:
        frames = list(container.decode(video=0))
    seen = [float(frame.to_ndarray(format="gray").mean()) for frame in frames]
    number = [round(25 * frame.time) for frame in frames if frame.time is not None]
    first = next(number for number, light in enumerate(seen) if light > 230)
    slate = next(number for number, light in enumerate(seen) if number > first and light < 110)
    assert max(seen[slate:]) > 230
    steps = np.abs(np.diff(seen[first:])) / np.diff(number[first:])  # a busy machine drops frames
    assert steps.max() < 60  # the slate fades in and out


def test_time_on_air_counts_from_the_first_keyframe(live: Live) -> None:
    live.pipeline.start()
    live.call("api/requests", {"user": "ann", "text": "goldfish"})
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    live.renderer.await_scene(lambda scene: scene.user == "ann")
    threading.Event().wait(0.3)
    assert live.call("api/status")["on_air"]["since_s"] == 0
    live.renderer.keyframe(WHITE)
    end_s = time.monotonic() + WAIT_S
    while live.call("api/status")["on_air"]["since_s"] == 0:
        assert time.monotonic() < end_s, "the desk never heard of it"
        threading.Event().wait(0.05)


@pytest.mark.logs("workers keep dying over goldfish; something else is tried first")
def test_what_ends_every_worker_makes_room(live: Live) -> None:
    live.pipeline.start()
    live.call("api/requests", {"user": "ann", "text": "goldfish"})
    live.call("api/requests", {"user": "bob", "text": "pizza"})
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    live.renderer.await_scene(lambda scene: scene.user == "ann")
    for _ in range(3):
        live.renderer.die()
    live.renderer.await_scene(lambda scene: scene.user == "bob")
    assert [entry["user"] for entry in live.call("api/status")["queue"]] == ["ann"]


def test_a_frame_that_cannot_be_drawn_repeats_the_one_before(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    live.pipeline.start()
    live.await_frame(lambda image: True)
    broken = threading.Event()

    def frame(now_s: float) -> None:
        broken.set()
        raise RuntimeError("a bad keyframe")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.log, "exception", lambda *args: None)
        patch.setattr(live.pipeline._interpolator, "frame", frame)
        live.await_frame(lambda image: broken.is_set())
    assert live.call("api/status")["video"]["frames"]["repeated"] >= 1


def test_what_flashes_is_held_back_and_counted(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = itertools.count()
    monkeypatch.setattr(live.pipeline._interpolator, "frame", lambda now_s: (WHITE * (next(turns) % 2), None))
    live.pipeline.start()
    live.await_frame(lambda image: 40 < image.mean() < 215)
    assert live.call("api/status")["video"]["frames"]["limited"] > 0


def test_what_flashes_is_shown_where_the_limiter_is_off(live: Live, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    live.pipeline.stop(WAIT_S)
    bare = Live(config.model_copy(update={"video": config.video.model_copy(update={"flash_limiter": False})}))
    turns = itertools.count()
    monkeypatch.setattr(bare.pipeline._interpolator, "frame", lambda now_s: (WHITE * (next(turns) % 2), None))
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


def test_a_failing_output_is_reported_and_the_stream_continues(live: Live, config: Config, tmp_path: Path) -> None:
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
    told = live.await_output("mpegts_http", lambda told: told["state"] == "waiting")  # no viewer is left
    assert told["delivered_bytes"] >= len(data)


def test_the_status_shows_the_frame_on_air(live: Live) -> None:
    live.pipeline.start()
    seen: list[int] = []
    live.await_frame(lambda image: seen.append(live.call("api/status")["video"]["frames"]["number"]) or len(seen) > 2)
    assert 0 <= seen[0] < seen[-1]
    assert live.call("api/status")["video"]["longest_gap_s"] > 0


def test_what_stays_on_air_alone_leaves_a_picture_for_the_catalogue(live: Live, tmp_path: Path) -> None:
    live.pipeline.start()
    live.renderer.load(FOX, PIZZA)
    live.renderer.await_scene(lambda scene: True)
    live.call("api/requests", {"user": "ann", "text": "red fox"})
    scene = live.renderer.await_scene(lambda scene: scene.title == "red fox")
    for time_s in (100.0, 109.0, 110.0):
        image = np.full((36, 64, 3), (200, 90, 30), np.uint8)
        live.pipeline._take_keyframe(Keyframe(image, Pose(), time_s, scene, 0, 1))
    assert live.pipeline.stop(WAIT_S)
    with Image.open(tmp_path / "thumbnails" / f"{FOX}.webp") as picture:
        assert picture.format == "WEBP"


def test_a_moderator_can_bump(live: Live) -> None:
    live.pipeline.start()
    live.call("api/bump", {})
    assert live.call("api/twist", {}) == {"twisted": True}
    assert (live.renderer.bumps, live.renderer.twists) == (1, 1)


def test_a_run_ends_when_it_is_asked_to(live: Live) -> None:
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
    with pytest.raises(PipelineError, match="the frames thread fails repeatedly: no more frames"):
        live.pipeline.run(threading.Event())


def test_stopping_leaves_nothing(live: Live, config: Config) -> None:
    live.pipeline.start()
    share = live.pipeline._encoders.main.subscribe("ts")
    assert live.pipeline.stop(WAIT_S)
    assert live.pipeline.stop(WAIT_S)  # a second stop does no harm
    assert not live.renderer.running
    assert not any(thread.name in {"frames", "control", "web", "encoder"} for thread in threading.enumerate())
    share.close()
    assert config.queue.path is not None
    RequestQueue(config.queue.path).close()  # the file is not locked


def test_a_taken_port_is_reported_before_anything_is_dreamed(live: Live, config: Config) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        live.pipeline.stop(WAIT_S)
        other = Pipeline(config.model_copy(update={"web": WebConfig(port=port)}))
        with pytest.raises(PortTaken, match=f"port {port} on 127.0.0.1 is taken"):
            other.start()
        assert other.stop(WAIT_S)


def test_a_queue_in_use_is_refused(live: Live, config: Config) -> None:
    with pytest.raises(QueueError, match="is in use by another process"):
        Pipeline(config)


@pytest.mark.logs("no journal can be created in", "requests are kept in memory only", "what could not be written is lost now")
def test_a_stream_without_a_place_for_its_queue_runs_on_memory_and_says_so(live: Live, config: Config, tmp_path: Path) -> None:
    live.pipeline.stop(WAIT_S)
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "queue.sqlite3"
    other = Live(config.model_copy(update={"queue": QueueConfig(path=path)}))
    other.pipeline.start()
    other.call("api/requests", {"user": "ann", "text": "goldfish"})
    other.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    other.renderer.await_scene(lambda scene: scene.user == "ann")
    told = other.call("api/status")
    assert (
        told["unwritten"]
        == f"requests are kept in memory only, queue '{path}' cannot be written: its folder cannot be made: File exists"
    )
    assert told["unwritten"] in told["health"]["problems"]
    assert other.pipeline.stop(WAIT_S)


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


def test_a_poll_is_shown_in_the_picture_and_its_winner_is_dreamed(live: Live, config: Config) -> None:
    live.pipeline.stop(WAIT_S)
    video = config.video.model_copy(update={"width": 320, "height": 180, "captions": True})
    voting = Live(config.model_copy(update={"video": video}))
    voting.pipeline.start()
    voting.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    voting.renderer.await_scene(lambda scene: True)
    voting.renderer.keyframe(WHITE)
    corner = (slice(10, 40), slice(18, 60))
    voting.await_frame(lambda image: image[corner].min() > 240)
    voting.call("api/poll", {"text": "goldfish / pizza"})
    voting.await_frame(lambda image: image[corner].mean() < 150 and image[100:, 200:].min() > 240)
    voting.call("api/poll/vote", {"user": "ann", "choice": 2})
    voting.call("api/poll/end", {})
    scene = voting.renderer.await_scene(lambda scene: scene.user == "the poll")
    assert scene.title == "pizza"
    assert voting.pipeline.stop(WAIT_S)


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


def test_an_unknown_blocked_class_is_refused(live: Live, config: Config, tmp_path: Path) -> None:
    queue = QueueConfig(path=tmp_path / "other.sqlite3", blocked_classes=("volcanno",))
    with pytest.raises(QueueError, match=r"'queue\.blocked_classes' holds 'volcanno'"):
        Pipeline(config.model_copy(update={"queue": queue}))
    RequestQueue(queue.path).close()


def test_the_dream_is_written_to_the_journal(live: Live, tmp_path: Path) -> None:
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
    past_run = read_journal(path)
    assert (past_run.seed, len(past_run.keyframes), past_run.complete) == (7, 2, True)
    ((at_ms, scene),) = past_run.scenes()
    assert (scene.user, scene.title) == ("ann", "goldfish")
    assert at_ms < WAIT_S * 1000
    assert past_run.settings["video"]["width"] == 64
    assert '"note":{"end":true}' in path.read_text().splitlines()[-1]


def test_a_start_resumes_the_dream_its_motion_and_what_was_on_air(
    live: Live, config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    live.pipeline.start()
    live.call("api/requests", {"user": "ann", "text": "goldfish"})
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    scene = live.renderer.await_scene(lambda scene: scene.user == "ann")
    live.call("api/motion", {"speed": 1.3})
    live.renderer.keyframe(WHITE, Pose(7.0, 0.5))
    end_s = time.monotonic() + WAIT_S
    while live.call("api/status")["on_air"]["since_s"] < 0.2:
        assert time.monotonic() < end_s
        threading.Event().wait(0.05)
    assert live.pipeline.stop(WAIT_S)

    again = Live(config)
    assert again.renderer.latest is not None
    assert (again.renderer.latest.pose, again.renderer.latest.scene) == (Pose(7.0, 0.5), scene)
    assert again.renderer.latest.image.min() == 255
    assert again.renderer.kept() is not None
    again.pipeline.start()
    again.await_frame(lambda image: image.min() > 240)
    assert again.renderer.motions == [Motion(1.3, 0.25)]
    again.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    assert again.renderer.await_scene(lambda scene: True) == scene, "the same to its number: nothing fades"
    told = again.call("api/status")
    assert told["on_air"]["left_s"] < 30
    assert told["motion"]["speed"] == 1.3
    assert "the dream resumes from " in caplog.text
    before = (tmp_path / "queue.snapshot").read_bytes()
    assert again.pipeline.stop(WAIT_S)
    assert (tmp_path / "queue.snapshot").read_bytes() == before, "nothing new was dreamed"

    fresh = Live(config, fresh=True)
    assert fresh.renderer.latest is None
    assert fresh.pipeline.stop(WAIT_S)
    off = Live(config.model_copy(update={"snapshot": SnapshotConfig(enabled=False)}))
    assert off.renderer.latest is None
    assert off.pipeline.stop(WAIT_S)
    slower = Live(config.model_copy(update={"zoom": ZoomConfig(speed=1.01)}))
    assert slower.pipeline._actions.motion == Motion(1.01, 0.25), "what the settings say since goes before"
    assert slower.pipeline.stop(WAIT_S)


@pytest.mark.logs("is damaged: its checksum does not match its contents; the dream starts over, and the file is replaced")
def test_a_damaged_snapshot_is_ignored_and_replaced(live: Live, config: Config, tmp_path: Path) -> None:
    live.pipeline.start()
    live.renderer.load(GOLDFISH)
    live.renderer.await_scene(lambda scene: True)
    live.renderer.keyframe(WHITE)
    assert live.pipeline.stop(WAIT_S)
    path = tmp_path / "queue.snapshot"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    again = Live(config)
    assert again.renderer.latest is None
    again.pipeline.start()
    again.renderer.load(GOLDFISH)
    again.renderer.await_scene(lambda scene: True)
    again.renderer.keyframe(WHITE)
    assert again.pipeline.stop(WAIT_S)
    assert snapshot.read(path) is not None


@pytest.mark.logs("a restart would not resume this dream: '")
def test_the_stream_continues_and_reports_that_no_snapshot_can_be_written(live: Live, config: Config, tmp_path: Path) -> None:
    live.pipeline.stop(WAIT_S)
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "dream.snapshot"
    other = Live(config.model_copy(update={"snapshot": SnapshotConfig(path=path)}))
    other.pipeline.start()
    other.renderer.load(GOLDFISH)
    other.renderer.await_scene(lambda scene: True)
    other.renderer.keyframe(WHITE)
    assert other.pipeline._snapshots is not None
    other.pipeline._snapshots._write_last()
    problems = other.call("api/status")["health"]["problems"]
    assert f"a restart would not resume this dream: '{path}' cannot be written: File exists" in problems
    assert other.pipeline.stop(WAIT_S)


def test_without_a_journal_nothing_is_written(live: Live, config: Config, tmp_path: Path) -> None:
    live.pipeline.stop(WAIT_S)
    silent = Live(config.model_copy(update={"journal": JournalConfig(enabled=False)}))
    silent.pipeline.start()
    assert silent.pipeline.stop(WAIT_S)
    assert not (tmp_path / "journals").exists()


@pytest.mark.logs("no journal can be created in")
def test_the_stream_continues_if_no_journal_can_be_written(live: Live, config: Config, tmp_path: Path) -> None:
    live.pipeline.stop(WAIT_S)
    (tmp_path / "file").write_text("")
    other = Live(config.model_copy(update={"journal": JournalConfig(folder=tmp_path / "file")}))
    other.pipeline.start()
    other.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    other.renderer.await_scene(lambda scene: True)
    other.renderer.keyframe(WHITE)
    assert other.pipeline.stop(WAIT_S)


class Reloading(Live):
    """A pipeline whose config file a test writes."""

    def __init__(self, folder: Path, text: str = "") -> None:
        self.file = folder / "live.yaml"
        self.overrides = ["seed=7", "web.port=0", f"queue.path={folder / 'queue.sqlite3'}", "video.width=64", "video.height=36"]
        self.file.write_text(text or "video: {captions: false}\n")
        config = load(self.file, self.overrides, {})
        super().__init__(config, Reload(config, self.file, self.overrides))

    def write(self, text: str) -> Any:
        """Write the file and reload it; return the API's answer, or the error's body if it refuses the file."""
        self.file.write_text(text)
        call = urllib.request.Request(self.pipeline.url + "api/reload", b"{}", {"Content-Type": "application/json"})
        try:
            with self.opener.open(call, timeout=WAIT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)["error"]


@pytest.fixture
def reloading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reloading]:
    monkeypatch.setattr(pipeline, "Renderer", HandRenderer)
    live = Reloading(tmp_path)
    live.pipeline.start()
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    live.renderer.await_scene(lambda scene: True)
    yield live
    assert live.pipeline.stop(WAIT_S)


def test_a_changed_config_reaches_camera_dream_and_rules(reloading: Reloading) -> None:
    text = "video: {captions: false}\nzoom: {speed: 1.2}\ndream: {momentum: 0.5, views: [1.0, 2.0]}\nqueue: {hold_s: 9}\n"
    told = reloading.write(text)
    assert told == {"changed": ["zoom.speed", "dream.views", "dream.momentum", "queue.hold_s"], "at_next_start": []}
    assert reloading.renderer.motions == [Motion(1.2, 0.25)]
    assert reloading.renderer.tuned == [Tuned((("dream.momentum", 0.5), ("dream.views", [1.0, 2.0])))]
    assert reloading.call("api/rules")["hold_s"] == 9
    reloading.call("api/motion", {"rotation": 4.0})
    told = reloading.write("video: {captions: false}\nzoom: {speed: 1.3}\ndream: {momentum: 0.5}\nsource: {decay_s: 2}\n")
    assert told["changed"] == ["zoom.speed", "source.decay_s", "dream.views", "queue.hold_s"]
    assert reloading.renderer.motions[-1] == Motion(1.3, 4.0), "only what changed in the file is changed"
    assert reloading.renderer.tuned[-1] == Tuned((("dream.momentum", 0.5), ("source.decay_s", 2.0))), "counted from the start"
    assert reloading.call("api/status")["settings"]["reloads"] == 2


def test_a_changed_config_reaches_picture_and_sound_without_a_break(reloading: Reloading) -> None:
    reloading.renderer.keyframe(WHITE // 2)
    reloading.await_frame(lambda image: abs(int(image.mean()) - 127) < 3)
    before = reloading.call("api/status")["video"]["frames"]
    told = reloading.write("video: {captions: true, flash_limiter: false}\naudio: {volume_db: -6}\n")
    assert told["changed"] == ["video.captions", "video.flash_limiter", "audio.volume_db"]
    reloading.await_frame(lambda image: image.max() > 200)
    told = reloading.write("video: {captions: false}\n")
    reloading.await_frame(lambda image: image.max() < 140)
    after = reloading.call("api/status")["video"]["frames"]
    assert after["repeated"] == before["repeated"]


@pytest.mark.logs("the config has mistakes", "change at the next start")
def test_a_config_that_somebody_cannot_go_by_changes_nothing(reloading: Reloading) -> None:
    told = reloading.write("zoom: {speed: 1.2}\nqueue: {hold_s: 9, blocked_classes: [floob]}\nvideo: {captions: true}\n")
    mistake = f"{reloading.file}: 'queue.blocked_classes' holds 'floob', which is no class"
    assert told["code"] == "bad_settings"
    assert told["mistakes"][0].startswith(mistake)
    assert reloading.renderer.motions == []
    assert reloading.call("api/rules")["hold_s"] == 30
    assert reloading.call("api/status")["settings"]["mistakes"] == 1
    told = reloading.write("video: {captions: false, fps: 30}\noutputs: [{kind: 'null'}]\n")
    assert told == {"changed": [], "at_next_start": ["video.fps", "outputs"]}
    assert reloading.call("api/status")["settings"]["mistakes"] == 0


def test_what_the_desk_changes_goes_the_same_way(reloading: Reloading) -> None:
    reloading.call("api/controls", {"settings": {"controls.crossfade_s": 1}}, "PATCH")
    told = reloading.call("api/controls", {"settings": {"zoom.speed": 1.3, "dream.contrast": 60}}, "PATCH")
    assert told == {"changed": ["zoom.speed", "dream.contrast"]}
    assert reloading.renderer.motions == [Motion(1.3, 0.25)]
    assert reloading.renderer.tuned == [Tuned((("dream.contrast", 60.0),))]
    assert reloading.call("api/status")["motion"]["speed"] == 1.3
    assert reloading.call("api/motion", {"rotation": 2.0}) == {"speed": 1.3, "rotation": 2.0}
    assert reloading.call("api/controls")["changed"] == [
        "zoom.speed",
        "zoom.rotation",
        "dream.contrast",
        "controls.crossfade_s",
    ]
    reloading.write("video: {captions: false}\nzoom: {speed: 1.2}\n")
    assert reloading.renderer.motions[-1] == Motion(1.2, 2.0), "the last word counts"
    assert reloading.call("api/controls")["changed"] == ["zoom.rotation", "dream.contrast", "controls.crossfade_s"]
    reloading.call("api/controls/reset", {})
    wait_until(lambda: reloading.renderer.motions[-1] == Motion(1.2, 0.25))  # the settings fade back
    wait_until(lambda: reloading.renderer.tuned[-1] == Tuned())
    assert len(reloading.renderer.motions) > 4, "step by step"


def test_another_algorithm_takes_a_worker_and_its_screen_comes_with_its_first_picture(reloading: Reloading) -> None:
    reloading.renderer.keyframe(WHITE // 2)
    reloading.await_frame(lambda image: abs(int(image.mean()) - 127) < 3)
    told = reloading.call("api/controls/preset", {"name": "ink", "fade_s": 0})
    assert told["at_next_start"] == ["canvas.width"]
    ((config, tuned),) = reloading.renderer.switches
    assert (config.dream.algorithm, tuned) == ("ink", Tuned())
    assert config.seed == 7
    told = reloading.call("api/controls")
    assert (told["switching"], told["preset"]) == ("ink", "ink")
    reloading.renderer.finish_switch()
    reloading.await_frame(lambda image: abs(int(image.mean()) - 127) < 3)  # the new algorithm has no picture yet
    reloading.renderer.keyframe(np.zeros_like(WHITE))
    reloading.await_frame(lambda image: image.max() < 10)
    reloading.call("api/controls", {"settings": {"ink.colour": "#ff0000"}}, "PATCH")
    reloading.await_frame(lambda image: image[..., 2].min() > 200 and image[..., 0].max() < 60)
    journal = next((reloading.file.parent / "journals").glob("*.jsonl")).read_text()
    assert '"note":{"switched":{"dream.algorithm":"ink"}}' in journal
    assert reloading.call("api/status")["video"]["frames"]["repeated"] == 0


def test_a_switch_that_fails_is_taken_back_at_the_desk(reloading: Reloading) -> None:
    reloading.call("api/controls", {"settings": {"dream.contrast": 60}}, "PATCH")
    reloading.call("api/controls/preset", {"name": "deepdream"})
    reloading.renderer.finish_switch("no weights")
    end_s = time.monotonic() + WAIT_S
    while reloading.call("api/controls")["changed"] != ["dream.contrast"]:
        assert time.monotonic() < end_s, "it stayed"
        threading.Event().wait(0.05)
    told = reloading.call("api/controls")
    assert (told["switch_error"], told["preset"], told["settings"]["dream.algorithm"]) == ("no weights", "", "default")
    assert reloading.renderer.switches[-1][0].dream.algorithm == "default"


class HandLadder(LoadShedder):
    """A load shedder that gives up and restores what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.coming: list[LoadChange] = []
        self.possible: set[SheddableFeature] = set()

    def observe(self, now_s: float, frames: FrameCounters, possible: Collection[SheddableFeature]) -> LoadChange | None:
        self.possible = set(possible)
        if not self.coming:
            return None
        change = self.coming.pop(0)
        kept = [feature for feature in self.given_up if feature is not change.feature]
        self.given_up = tuple(kept) if change.back else (*kept, change.feature)
        return change


@pytest.mark.logs("given up, because other programs use the machine")
def test_features_given_up_are_left_out_reported_and_restored(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pipeline, "Renderer", HandRenderer)
    monkeypatch.setattr(pipeline, "LoadShedder", HandLadder)
    monkeypatch.setattr(pipeline, "usable_cpus", lambda: 4)
    caplog.set_level("INFO", "streamer.pipeline")
    live = Live(config.model_copy(update={"video": VideoConfig(width=400, height=200, captions=False, preset="veryfast")}))
    eased: list[tuple[bool, float]] = []
    monkeypatch.setattr(live.pipeline._interpolator, "reduce_load", lambda *, follow, part: eased.append((follow, part)))
    ladder = cast(HandLadder, live.pipeline._ladder)
    live.pipeline.start()
    live.renderer.load(GOLDFISH)
    live.renderer.await_scene(lambda scene: True)
    wait_until(lambda: ladder.possible == set(SheddableFeature))
    ladder.coming = [LoadChange(feature, back=False) for feature in SheddableFeature]
    wait_until(lambda: live.call("api/status")["video"]["given_up"] == [feature.value for feature in SheddableFeature])
    assert live.renderer.thrifts == [ResourceLimit(1, 1.0)] * 3 + [ResourceLimit(1, 0.5)] * 3
    assert eased == [(True, 1.0), (False, 1.0), (False, 1.0), (False, 1.0), (False, 2 / 3), (False, 1 / 2)]
    assert live.pipeline._encoders.main._low_effort
    assert live.call("healthz")["given_up"] == [feature.value for feature in SheddableFeature]
    ladder.coming = [LoadChange(feature, back=True) for feature in reversed(SheddableFeature)]
    wait_until(lambda: not live.call("api/status")["video"]["given_up"])
    assert live.renderer.thrifts[-1] == NO_LIMIT
    assert eased[-1] == (True, 1.0)
    assert not live.pipeline._encoders.main._low_effort
    told = [message for message in caplog.messages if "given up, because" in message or ": restored, now" in message]
    assert told[0] == "one thread of the dream: given up, because other programs use the machine and frames come late"
    assert told[-1] == "one thread of the dream: restored, now that the machine has room for it"
    assert len(told) == len(set(told)) == 2 * len(SheddableFeature), "each is told once"
    assert live.pipeline.stop(WAIT_S)


def wait_until(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s, "it did not happen"
        threading.Event().wait(0.05)


def test_only_what_makes_a_difference_is_given_up(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    live.pipeline.start()
    live.renderer.load(GOLDFISH)
    monkeypatch.setattr(pipeline, "usable_cpus", lambda: 2)
    assert SheddableFeature.THREAD not in live.pipeline._luxuries()
    assert SheddableFeature.FLOW in live.pipeline._luxuries()
    live.pipeline._interpolator.tune(Config(video=VideoConfig(residual_flow=False)))
    assert SheddableFeature.FLOW not in live.pipeline._luxuries()
