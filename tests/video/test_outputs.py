from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.config import Output, VideoConfig
from streamer.messages.keyframes import Frame
from streamer.messages.refused import Reason, Refused
from streamer.settings_file import read_output
from streamer.video import outputs as module
from streamer.video.encoding.shared_encoder import Encoder
from streamer.video.http_output import HttpOutput
from streamer.video.outputs import Outputs, Runner, target
from streamer.video.sinks import SinkError, SinkState, SinkStatus
from tests.fakes import HandClock
from tests.patience import PATIENCE_S, until

KEY = "live_canary_4711"
KINDS = "null, file, hls, mpegts_udp, mpegts_http, mjpeg, rtmp, twitch_ingest or virtual_camera"


class Recorder:
    """A sink that reports the status set by a test."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state, self.error, self.bytes = SinkState.STOPPED, "", 0
        self.file: Path | None = None
        self.hangs = threading.Event()
        self.hangs.set()

    def start(self) -> None:
        self.state = SinkState.LIVE

    def stop(self, deadline_s: float = 5.0) -> bool:
        self.state = SinkState.STOPPED
        return self.hangs.wait(deadline_s)

    def status(self) -> SinkStatus:
        return SinkStatus(self.name, self.state, 1, self.bytes, 2, 3, self.error, since_s=4.0, file=self.file)


class Made:
    """A factory that records the recorders it makes."""

    def __init__(self) -> None:
        self.all: list[Recorder] = []
        self.failure: Exception | None = None

    def __call__(self, output: Output, name: str) -> Runner:
        if self.failure is not None:
            raise self.failure
        self.all.append(Recorder(name))
        return self.all[-1]


def block(kind: str, **settings: Any) -> Output:
    return read_output({"kind": kind, **settings})


def states(outputs: Outputs) -> dict[str, str]:
    return {status.name: status.state for status in outputs.status()}


@pytest.fixture
def made() -> Made:
    return Made()


@pytest.fixture
def outputs(made: Made, tmp_path: Path) -> Outputs:
    return Outputs([block("null"), block("file", path="a.mp4", enabled=False)], made, tmp_path, clock=HandClock())


def test_nothing_runs_before_the_start_nor_after_the_end(outputs: Outputs, made: Made) -> None:
    assert states(outputs) == {"null": "stopped", "file": "disabled"}
    outputs.start()
    assert states(outputs) == {"null": "live", "file": "disabled"}
    assert outputs.stop(PATIENCE_S)
    assert [one.state for one in made.all] == [SinkState.STOPPED]
    outputs.enable("file", True)
    assert len(made.all) == 1
    assert outputs.stop(PATIENCE_S)


def test_outputs_come_and_go_while_the_others_run(outputs: Outputs, made: Made) -> None:
    outputs.start()
    assert outputs.add(block("null")) == "null-2"
    assert outputs.add(block("null", name="null-4")) == "null-4"
    assert outputs.add(block("null")) == "null-3"
    assert list(states(outputs)) == ["null", "file", "null-2", "null-4", "null-3"]
    outputs.remove("null-2")
    assert list(states(outputs)) == ["null", "file", "null-4", "null-3"]
    assert [one.state for one in made.all] == [SinkState.LIVE, SinkState.STOPPED, SinkState.LIVE, SinkState.LIVE]
    assert outputs.add(block("null")) == "null-2"


def test_switching_keeps_what_was_counted(outputs: Outputs, made: Made) -> None:
    outputs.start()
    made.all[0].bytes = 100
    outputs.enable("null", True)  # no change
    assert len(made.all) == 1
    outputs.enable("null", False)
    (status, _) = outputs.status()
    assert (status.state, status.enabled, status.delivered_bytes, status.dropped, status.failures) == (
        "disabled",
        False,
        100,
        2,
        3,
    )
    assert made.all[0].state is SinkState.STOPPED
    outputs.enable("null", True)
    made.all[1].bytes = 50
    (status, _) = outputs.status()
    assert (status.state, status.enabled, status.delivered_bytes, status.failures) == ("live", True, 150, 6)


def test_what_is_taken_or_unknown_is_refused(outputs: Outputs) -> None:
    outputs.add(block("mjpeg"))
    outputs.add(block("hls", folder="there"))
    for twice, reason in (
        (block("null", name="file"), "'name' is 'file'; there is an output of that name already"),
        (block("mjpeg", name="other"), "'path' is '/wall.mjpg'; the output mjpeg has it already"),
        (block("hls", folder="there"), "'folder' is 'there'; the output hls has it already"),
    ):
        with pytest.raises(Refused, match=reason) as refused:
            outputs.add(twice)
        assert refused.value.reason is Reason.DUPLICATE
    outputs.add(block("file", path="a.mp4"))  # recordings get free names
    for call in (lambda: outputs.remove("none"), lambda: outputs.enable("none", True)):
        with pytest.raises(Refused, match="there is no output 'none'") as refused:
            call()
        assert refused.value.reason is Reason.NOT_FOUND


def test_there_may_be_only_so_many(outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OUTPUTS", 2)
    with pytest.raises(Refused, match="there are 2 outputs already"):
        outputs.add_block({"kind": "null"})


def test_an_output_that_cannot_be_made_is_reported_and_can_be_tried_again(
    outputs: Outputs, made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    made.failure = SinkError("no key in ZOOMDREAM_STREAM_KEY")
    outputs.start()
    (status, _) = outputs.status()
    assert (status.state, status.reason) == ("failed", "no key in ZOOMDREAM_STREAM_KEY")
    made.failure = None
    outputs.enable("null", True)
    (status, _) = outputs.status()
    assert (status.state, status.reason) == ("live", "")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == [
        "output null cannot start: no key in ZOOMDREAM_STREAM_KEY"
    ]


def test_an_unexpected_error_contains_no_key(made: Made, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made.failure = RuntimeError(f"cannot open rtmp://h/app/{KEY} nor {KEY}")
    outputs = Outputs([block("rtmp", url=f"rtmp://h:1936/app/{KEY}", key=KEY)], made, tmp_path)
    outputs.start()
    (status,) = outputs.status()
    assert (status.state, status.target) == ("failed", "rtmp://h:1936")
    assert "RuntimeError" in caplog.text
    assert KEY not in caplog.text + repr(status)


def test_one_that_hangs_does_not_keep_the_others_from_ending(outputs: Outputs, made: Made) -> None:
    outputs.add(block("null"))
    outputs.start()
    made.all[0].hangs.clear()
    assert not outputs.stop(0.05)
    until(lambda: [one.state for one in made.all] == [SinkState.STOPPED, SinkState.STOPPED])
    made.all[0].hangs.set()


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (block("null"), "nowhere"),
        (block("file", path="/home/jo/dreams/a.mp4"), "dreams/a.mp4"),
        (block("hls", folder="there"), "there"),
        (block("mpegts_udp", url="udp://127.0.0.1:5004"), "udp://127.0.0.1:5004"),
        (block("mpegts_http"), "/obs.ts"),
        (block("mjpeg"), "/wall.mjpg"),
        (block("rtmp", url=f"rtmps://jo:{KEY}@live.example:443/app/{KEY}"), "rtmps://live.example:443"),
        (block("twitch_ingest", key=KEY), "Twitch"),
        (
            block("twitch_ingest", server="rtmp://near.example/app", bandwidth_test=True),
            "rtmp://near.example, for a test of the line",
        ),
        (block("virtual_camera"), "the first virtual camera"),
    ],
)
def test_targets_are_shown_without_keys(output: Output, told: str) -> None:
    assert target(output) == told


# Blocks added over the API


def test_a_block_is_added_with_its_files_among_the_recordings(outputs: Outputs, made: Made, tmp_path: Path) -> None:
    outputs.start()
    assert outputs.add_block({"kind": "file", "path": "x/a-%H.mp4", "name": "mine"}) == "mine"
    assert outputs.add_block({"kind": "rtmp", "url": "rtmp://h/app", "key": KEY}) == "rtmp"
    assert outputs.status()[-2].target == "x/a-%H.mp4"
    next(recorder for recorder in made.all if recorder.name == "mine").file = tmp_path / "x" / "a-20.mp4"
    assert outputs.status()[-2].target == "x/a-20.mp4"  # the file once it exists, not the pattern
    assert outputs.status()[-1].public
    assert KEY not in repr(outputs.status())


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"kind": "file", "path": "/etc/a.mp4"},
            "'path' must be relative and without '..': it counts from the folder of recordings",
        ),
        (
            {"kind": "file", "path": "~/a.mp4"},
            "'path' must be relative and without '..': it counts from the folder of recordings",
        ),
        (
            {"kind": "hls", "folder": "x/../../y"},
            "'folder' must be relative and without '..': it counts from the folder of recordings",
        ),
        ({"kind": "rtmp", "url": "rtmp://h/app"}, "'key' is missing; must be the stream's key, apart from the address"),
        (
            {"kind": "rtmp", "url": "rtmp://h/app", "key": KEY, "key_env": "HOME"},
            "'key_env' is for the config's file only; send the key itself as 'key'",
        ),
        (
            {"kind": "null", "name": KEY.upper(), "fps": 3},
            "'name' is (hidden); must be 1 to 32 small letters, digits, - and _, beginning with a letter or digit, or null; "
            "unknown key 'fps'; did you mean 'video.fps' or 'source.fps'?",
        ),
        (
            {"kind": KEY},
            f"'kind' is (hidden); must be {KINDS}",
        ),
        (
            {},
            f"'kind' is missing; must be {KINDS}",
        ),
    ],
)
def test_outputs_that_the_api_may_not_add_are_refused(outputs: Outputs, given: dict[str, Any], problem: str) -> None:
    with pytest.raises(Refused) as refused:
        outputs.add_block(given)
    assert (refused.value.reason, str(refused.value)) == (Reason.BAD_OUTPUT, problem)
    assert len(outputs.status()) == 2


# Channels


@pytest.fixture
def encoder() -> Any:
    encoder = Encoder(VideoConfig(width=64, height=36, fps=25, preset="ultrafast"))
    yield encoder
    encoder.close()


def feed(encoder: Encoder, numbers: range) -> None:
    for number in numbers:
        encoder.put(Frame(np.full((36, 64, 3), number, np.uint8), number, None))


def subscriber(encoder: Encoder, kind: str) -> Callable[[Callable[[], None]], Any]:
    return lambda on_ready: encoder.subscribe(kind, on_ready=on_ready)


def test_a_channel_is_live_while_somebody_watches(encoder: Encoder) -> None:
    clock = HandClock()
    http_output = HttpOutput("wall", "/wall.mjpg", "jpeg", subscriber(encoder, "jpeg"), clock=clock)
    ready = threading.Event()
    assert http_output.status().state is SinkState.STOPPED
    assert http_output.subscribe(ready.set).closed
    http_output.start()
    clock.advance(3)
    assert (http_output.status().state, http_output.status().since_s) == (SinkState.WAITING, 3)
    ready.clear()
    share = http_output.subscribe(ready.set)
    feed(encoder, range(1))
    assert ready.wait(PATIENCE_S)
    picture = share.read(PATIENCE_S)
    assert picture is not None
    assert picture[:2] == b"\xff\xd8"
    assert (http_output.status().state, http_output.status().delivered_bytes) == (SinkState.LIVE, len(picture))
    share.close()
    share.close()
    assert http_output.status().state is SinkState.WAITING
    other = http_output.subscribe(ready.set)
    assert http_output.stop(PATIENCE_S)
    assert other.closed
    assert encoder.status().viewers == 0


def test_a_channel_is_found_by_its_address_while_it_runs(encoder: Encoder, tmp_path: Path) -> None:
    def make(output: Output, name: str) -> Runner:
        return HttpOutput(name, output.path, "ts", subscriber(encoder, "ts"))  # type: ignore[union-attr]

    outputs = Outputs([block("mpegts_http")], make, tmp_path)
    assert outputs.http_output("/obs.ts") is None
    outputs.start()
    found = outputs.http_output("/obs.ts")
    assert found is not None
    assert found.kind == "ts"
    assert outputs.http_output("/other.ts") is None
    outputs.enable("mpegts_http", False)
    assert outputs.http_output("/obs.ts") is None
    assert outputs.stop(PATIENCE_S)
