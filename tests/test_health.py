import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from streamer.config import Config, FileOutput, TwitchConfig
from streamer.health import DISK_LEAST, SPOILT_S, Health
from streamer.messages.chat_status import ChatReport, ChatState
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Pose
from streamer.messages.renderer_status import LinkStatus, RendererStatus
from streamer.messages.scenes import Scene
from streamer.messages.status import FrameCounters, OutputStatus, PictureState, SourceStatus
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
    assert health.problems(RendererStatus(error="no weights"), "", []) == ("no picture within 120 s of the start: no weights",)


def test_a_dream_that_stands_still(tmp_path: Path, clock: HandClock) -> None:
    health = Health(Config(), tmp_path, clock)
    health.keyframe(KEYFRAME)
    clock.advance(12)
    assert health.problems(WELL, "", []) == ("no new picture for more than 10 s",)
    clock.advance(1)
    assert health.problems(WELL, "", []) == ("no new picture for more than 10 s",)
    assert health.problems(RendererStatus(keyframe_s=7.0), "", []) == ()  # the usual pace of a slow machine
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
    assert health.problems(WELL, "", []) == ("frames come slower than the configured 25 per second",)


def problems_at(health: Health, clock: HandClock, rates: list[float], seconds: float, shown: float = 0.0) -> set[str]:
    """Return all problems reported while frames come at these rates in turn, half a second each."""
    told = set()
    for number in range(round(10 * seconds)):
        shown += rates[number // 5 % len(rates)] / 10
        health.sample(FrameCounters(shown=round(shown)))
        health.keyframe(KEYFRAME)
        clock.advance(0.1)
        told.add(" and ".join(health.problems(WELL, "", [])))
    return told


def test_a_wavering_rate_keeps_its_message_until_it_recovers_for_a_while(tmp_path: Path, clock: HandClock) -> None:
    health, slow = Health(Config(), tmp_path, clock), "frames come slower than the configured 25 per second"
    assert problems_at(health, clock, [25], 10) == {""}
    assert problems_at(health, clock, [22, 25], 30, 250) == {"", slow}
    assert problems_at(health, clock, [22, 24.5, 25], 30, 955) == {slow}
    assert problems_at(health, clock, [25], 9, 1670) == {slow}
    assert problems_at(health, clock, [25], 10, 1895) == {slow, ""}
    assert health.problems(WELL, "", []) == ()


def test_a_hiccup_is_no_problem(tmp_path: Path, clock: HandClock) -> None:
    health = Health(Config(), tmp_path, clock)
    assert problems_at(health, clock, [25], 10) == {""}
    clock.advance(60)  # no sample meanwhile
    assert problems_at(health, clock, [25], 10, 250) == {""}


def chat(state: ChatState, since_s: float) -> ChatReport:
    return ChatReport(state, "no token" if state is ChatState.NEEDS_LOGIN else "", "", "mara", "twitch", since_s=since_s)


def test_a_chat_that_is_asked_for_and_not_there(tmp_path: Path, clock: HandClock) -> None:
    with_chat = Health(Config(twitch=TwitchConfig(channel="mara")), tmp_path, clock)
    without = Health(Config(), tmp_path, clock)
    gone = chat(ChatState.GONE, 61)
    assert with_chat.problems(WELL, "", []) == without.problems(WELL, "", [], chat=gone) == ()
    clock.advance(61)
    assert with_chat.problems(RendererStatus(), "", []) == ("the chat bot has not reported yet",)
    assert with_chat.problems(RendererStatus(), "", [], chat=chat(ChatState.CONNECTED, 1e6)) == ()
    assert with_chat.problems(RendererStatus(), "", [], chat=chat(ChatState.CONNECTING, 59)) == ()
    assert with_chat.problems(RendererStatus(), "", [], chat=gone) == ("the chat is not well (gone)",)
    needs = chat(ChatState.NEEDS_LOGIN, 61)
    assert with_chat.problems(RendererStatus(), "", [], chat=needs) == ("the chat is not well (needs login): no token",)


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
        f"less than 200 MB are free in '{tmp_path}'",
        f"the folder '{tmp_path / 'away' / 'far'}' cannot be checked: Permission denied",
    )


def test_a_queue_that_is_not_written(tmp_path: Path, clock: HandClock) -> None:
    health = Health(Config(), tmp_path, clock)
    told = "no requests are taken, queue 'queue.sqlite3' cannot be written: database or disk is full"
    assert health.problems(WELL, "", [], queue=told) == (told,)


def test_a_camera_that_is_gone(tmp_path: Path, clock: HandClock) -> None:
    health = Health(Config(), tmp_path, clock)
    lost = SourceStatus("camera", "0", "lost", "there is no camera 0")
    assert health.problems(WELL, "", [], source=lost) == ("the camera is lost: there is no camera 0",)
    assert health.problems(WELL, "", [], source=SourceStatus("video", "a.mp4", "ended")) == ()


def test_spoilt_pictures_are_a_problem_for_a_minute(tmp_path):
    clock = HandClock(0.0)
    health = Health(Config(), tmp_path, clock)
    clock.advance(1.0)

    def told(spoilt):
        return health.problems(RendererStatus(keyframe_s=0.3, spoilt=spoilt), "", [])

    assert told(0) == ()
    assert told(2) == ("2 pictures of the dream were unusable in the last minute",)
    clock.advance(SPOILT_S - 1)
    assert told(5) == ("5 pictures of the dream were unusable in the last minute",)
    clock.advance(1.0)
    assert told(5) == ("3 pictures of the dream were unusable in the last minute",)
    clock.advance(SPOILT_S)
    assert health._unfit(RendererStatus(spoilt=5)) == ""


def test_what_viewers_see_agrees_with_what_is_wrong(tmp_path: Path, clock: HandClock) -> None:
    health = Health(Config(), tmp_path, clock)

    def look(renderer: RendererStatus = WELL, *, slate: bool = False) -> tuple[PictureState, bool]:
        problems = health.problems(renderer, "", [], slate=slate)
        return health.picture(renderer, slate=slate), not problems

    assert look(RendererStatus(activity="loading the network")) == (PictureState.STARTING, True)
    health.keyframe(KEYFRAME)
    assert look() == (PictureState.LIVE, True)
    died = RendererStatus(error="the worker was killed", activity="starting again")
    assert look(died) == (PictureState.INTERRUPTED, False)
    assert health.problems(died, "", []) == ("the dream is interrupted: the worker was killed",)
    clock.advance(30)
    assert look(died) == (PictureState.INTERRUPTED, False)
    assert look(WELL) == (PictureState.INTERRUPTED, False), "no picture came"
    health.keyframe(KEYFRAME)
    assert look() == (PictureState.LIVE, True)
    assert look(slate=True) == (PictureState.INTERRUPTED, False)
    told = set()
    for number in range(100):  # 13 of 25 frames a second
        health.keyframe(KEYFRAME)
        health.sample(FrameCounters(shown=round(number * 1.3)))
        clock.advance(0.1)
        told.add(look())
    assert told == {(PictureState.LIVE, True), (PictureState.SLOW, False)}
    assert look() == (PictureState.SLOW, False)


def test_a_machine_that_renders_instead_of_a_cluster_is_reported(tmp_path):
    health = Health(Config(), tmp_path, HandClock(0.0))
    away, lost = LinkStatus("10.0.0.2"), LinkStatus("", "the node is gone")
    told = {
        link: health.problems(RendererStatus(network=network, activity=activity, link=link), "", [])
        for link, network, activity in ((away, "fake", ""), (lost, "fake", ""), (LinkStatus("", "not yet"), "", "starting"))
    }
    assert told == {
        away: (),
        lost: ("this machine renders instead of the cluster: the node is gone",),
        LinkStatus("", "not yet"): (),
    }
