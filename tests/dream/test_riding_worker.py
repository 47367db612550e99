"""The worker and its process with a moving source."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from streamer.config import CanvasConfig, Config, DreamConfig, SourceConfig
from streamer.dream.interface import Dream
from streamer.dream.sources.picture_feed import PictureFeed
from streamer.dream.worker.dream_loop import DreamLoop, Inbox
from streamer.dream.worker.frame_slots import FrameSlots
from streamer.dream.worker.protocol import KeyframeReady, Resume
from streamer.dream.worker.renderer import Renderer
from streamer.dream.worker.step_scheduler import StepScheduler
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Region, Scene, Target
from tests.dream.fake_dream import WNIDS, FakeDreamer
from tests.fakes import HandClock
from tests.patience import PATIENCE_S

SIZE = (36, 64)
CONFIG = Config(
    canvas=CanvasConfig(width=64, height=36),
    dream=DreamConfig(steps_per_keyframe=1, keyframe_s=0.02),
    source=SourceConfig(kind="camera"),
)
SCENE = Scene(1, (Region(Target(WNIDS[0], "one"), (0.0, 0.0, 1.0, 1.0)),))
STILL = Motion(1.0, 0.0)


class FakeRider(FakeDreamer):
    """Keeps the source picture it rides on; red counts the steps."""

    def __init__(self, size: tuple[int, int] = SIZE) -> None:
        super().__init__(size)
        self.moving = STILL
        self.source_picture: SourcePicture | None = None
        self.rides: list[tuple[int, float]] = []
        self.passed: list[int] = []

    def ride(self, picture: SourcePicture, dt_s: float) -> None:
        self.source_picture = picture
        self.rides.append((picture.number, round(dt_s, 3)))

    def observe(self, picture: SourcePicture) -> None:
        self.passed.append(picture.number)


def shown(number: int) -> SourcePicture:
    return SourcePicture(np.full((*SIZE, 3), number, np.uint8), number, number / 10)


def make(config, seed, tell) -> Dream:
    dreamer = FakeRider()
    return Dream(dreamer, "fake", "cpu", WNIDS)


class Stage:
    """A worker in this process; a keyframe takes 0.1 s."""

    def __init__(self, feed: PictureFeed, frame_slots: FrameSlots, resume: Resume | None = None) -> None:
        self.clock, self.dreamer, self.shots, self.inbox = HandClock(), FakeRider(), [], Inbox()
        self.frame_slots = frame_slots
        dream = Dream(self.dreamer, "fake", "cpu", WNIDS)
        scheduler = StepScheduler(CONFIG.dream, SIZE, frame_s=0.04)
        self.worker = DreamLoop(
            dream, scheduler, self.frame_slots, self.inbox, self._take, motion=STILL, resume=resume, feed=feed, clock=self.clock
        )
        self.worker._obey(SCENE)

    def _take(self, report) -> None:
        if isinstance(report, KeyframeReady):
            height, width = report.size
            rows = height if report.source_picture is None else 2 * height
            self.shots.append((report, self.frame_slots.read(report.slot, (rows, width))))
            self.inbox.free.append(report.slot)

    def keyframe(self) -> tuple[KeyframeReady, np.ndarray]:
        self.clock.advance(0.1)
        self.worker._make_keyframe()
        return self.shots[-1]


@pytest.fixture
def feed() -> Iterator[PictureFeed]:
    with closing(PictureFeed(SIZE)) as feed:
        yield feed


@pytest.fixture
def frame_slots() -> Iterator[FrameSlots]:
    with closing(FrameSlots(2 * SIZE[0] * SIZE[1] * 3)) as frame_slots:
        yield frame_slots


def test_each_step_rides_on_the_newest_picture(feed: PictureFeed, frame_slots: FrameSlots) -> None:
    stage = Stage(feed, frame_slots)
    shot, _ = stage.keyframe()
    assert shot.source_picture is None, "no picture has come yet"
    feed.put(shown(1))
    feed.put(shown(2))
    shot, lying = stage.keyframe()
    assert shot.source_picture == (2, 0.2)
    assert lying.shape == (2 * SIZE[0], SIZE[1], 3)
    assert (lying[SIZE[0] :] == 2).all(), "what was ridden on lies below"
    assert stage.dreamer.rides == [(2, 0.1)]


def test_without_a_new_picture_the_dream_continues_on_the_last(feed: PictureFeed, frame_slots: FrameSlots) -> None:
    stage = Stage(feed, frame_slots)
    feed.put(shown(1))
    for _ in range(3):
        shot, _ = stage.keyframe()
    assert stage.dreamer.rides == [(1, 0.1)] * 3
    assert shot.steps == 1
    assert shot.time_s == pytest.approx(stage.clock(), abs=0.002), "though its camera stands, its time goes on"


def test_a_new_worker_takes_up_the_dream_with_the_picture_it_was_on(feed: PictureFeed, frame_slots: FrameSlots) -> None:
    picture = np.full((*SIZE, 3), 90, np.uint8)
    stage = Stage(feed, frame_slots, Resume(picture, Pose(), 1.0, shown(7)))
    assert stage.dreamer.rides == [(7, 0.0)]
    assert stage.dreamer.blue == 255, "restored"


class Keyframes:
    def __init__(self) -> None:
        self.all: list[Keyframe] = []
        self._changed = threading.Condition()

    def __call__(self, keyframe: Keyframe) -> None:
        with self._changed:
            self.all.append(keyframe)
            self._changed.notify_all()

    def wait_for(self, number: int) -> Keyframe:
        def found() -> list[Keyframe]:
            return [one for one in self.all if one.source_picture is not None and one.source_picture.number == number]

        with self._changed:
            assert self._changed.wait_for(found, PATIENCE_S), "it never rode there"
            return found()[0]


def test_pictures_reach_the_worker_and_come_back_with_the_dream(feed: PictureFeed) -> None:
    seen = Keyframes()
    renderer = Renderer(CONFIG, 1, seen, factory=make, feed=feed)
    renderer.start()
    try:
        renderer.scene(SCENE)
        for number in (1, 2):
            feed.put(shown(number))
            keyframe = seen.wait_for(number)
            assert keyframe.source_picture is not None
            assert keyframe.source_picture.time_s == number / 10
            assert (keyframe.source_picture.image == number).all()
            assert keyframe.image.shape == (*SIZE, 3)
            assert keyframe.image[0, 0, 1] == SCENE.id
    finally:
        renderer.stop()
