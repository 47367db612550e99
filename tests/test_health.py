import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from streamer.config import Config, FileOutput
from streamer.health import DISK_LEAST, Health
from streamer.messages import FrameCounters, Keyframe, OutputStatus, Pose, RendererStatus, Scene, SourceStatus
from tests.fakes import HandClock

KEYFRAME = Keyframe(image=None, pose=Pose(), time_s=0.0, scene=Scene(0, ()), number=0, steps=1)  # type: ignore[arg-type]
WELL = RendererStatus(keyframe_s=0.3)
Usage = namedtuple("Usage", "total used free")


def output(name: str, state: str = "live", reason: str = "", *, enabled: bool = True) -> OutputStatus:
    return OutputStatus(name, "file", state, reason, 0, 0, 0, 0.0, None, "somewhere", enabled)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 2 * DISK_LEAST))
    return HandClock()


def test_a_stream_that_starts_or_runs_is_well(tmp_path: Path, clock: HandClock) -> None:
    health = Health(Config(), tmp_path, clock)
    assert health.problems(RendererStatus(), "", []) == ()
    clock.advance(30)
    assert health.problems(RendererStatus(), "", []) == ()
    health.keyframe(KEYFRAME)
    clock.advance(9)
    assert health.problems(WELL, "", [output("a"), output("b", "stopped", "no key", enabled=False)]) == ()


def test_a_dream_that_does_not_begin(tmp_path: Path, clock: HandClock) -> None:
    health = Health(Config(), tmp_path, clock)
    clock.advance(130)
    assert health.problems(RendererStatus(error="no weights"), "", []) == ("no picture 130 s after the start: no weights",)


def test_a_dream_that_stands_still(tmp_path: Path, clock: HandClock) -> None:
    health = Health(Config(), tmp_path, clock)
    health.keyframe(KEYFRAME)
    clock.advance(12)
    assert health.problems(WELL, "", []) == ("no new picture for 12 s",)
    assert health.problems(RendererStatus(keyframe_s=7.0), "", []) == ()  # a slow machine's own pace
    health.keyframe(KEYFRAME)
    assert health.problems(WELL, "", []) == ()


def test_the_rate_is_measured_over_the_last_seconds(tmp_path: Path, clock: HandClock) -> None:
    health = Health(Config(), tmp_path, clock)
    assert health.fps == 0.0
    for number in range(100):
        health.sample(FrameCounters(shown=number * 2))
        clock.advance(0.1)
    health.keyframe(KEYFRAME)
    assert health.fps == pytest.approx(20)
    assert health.problems(WELL, "", []) == ("only 20.0 of 25 frames a second",)


def test_encoder_outputs_and_disks(tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(outputs=(FileOutput(kind="file", path=tmp_path / "away" / "far" / "a.mp4"),))
    health = Health(config, tmp_path, clock)

    def usage(path: Path) -> Usage:
        if path != tmp_path:
            raise PermissionError(13, "Permission denied")
        return Usage(0, 0, 50 * 2**20)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    (tmp_path / "away").mkdir()
    assert health.problems(WELL, "no such codec", [output("rec", "retrying", "disk full"), output("b")], "no file") == (
        "encoding fails: no such codec",
        "output rec is retrying: disk full",
        "no sound: no file",
        f"only 50 MB are free in '{tmp_path}'",
        f"the folder '{tmp_path / 'away' / 'far'}' cannot be looked at: Permission denied",
    )


def test_a_camera_that_is_gone(tmp_path: Path, clock: HandClock) -> None:
    health = Health(Config(), tmp_path, clock)
    lost = SourceStatus("camera", "0", "lost", "there is no camera 0")
    assert health.problems(WELL, "", [], source=lost) == ("the camera is lost: there is no camera 0",)
    assert health.problems(WELL, "", [], source=SourceStatus("video", "a.mp4", "ended")) == ()
