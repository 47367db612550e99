"""Sessions, event by event; their drivers have their own tests."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.config import Config, DreamConfig
from streamer.dream.interface import DreamError
from streamer.dream.sessions.convergence import ConvergenceDetector
from streamer.dream.sessions.session import NOTHING, Session
from streamer.events import Bump, DreamEvent, DreamStarted, Idle, Reseeded, Resized, StepFailed, Tuned
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene, Target, arrange
from streamer.zoom import advance
from tests.dream.fake_dream import WNIDS, FakeDreamer

SIZE = (36, 64)
BEGUN = DreamStarted("fake", "cpu", 1, SIZE)


def scene(number: int = 1, wnid: str = WNIDS[0]) -> Scene:
    return Scene(number, arrange([Target(wnid, f"thing {wnid[-1]}")]))


class RidingFake(FakeDreamer):
    """Follows a moving source."""

    source_picture: SourcePicture | None = None

    def ride(self, picture: SourcePicture, dt_s: float) -> None:
        self.source_picture = picture

    def observe(self, picture: SourcePicture) -> None:
        pass


def session(*events: DreamEvent, **given: object) -> Session:
    made = Session(FakeDreamer, Motion(2.0, 0.0), **given)  # type: ignore[arg-type]
    for event in (BEGUN, *events):
        made.apply(event)
    return made


def test_a_keyframe_carries_the_events_behind_it_and_the_time_of_its_pose() -> None:
    dream = session(scene(), at_s=100.0)
    first = dream.keyframe()
    assert (first.time_s, first.number, first.steps, first.scene.id) == (100.0, 0, 0, 1)
    assert dream.events == (BEGUN, scene())
    motion = Motion(1.5, 1.0)
    for event in (40, 60, motion, Idle(500), 100):
        dream.apply(event)
    second = dream.keyframe()
    assert (second.time_s, second.number, second.steps) == (pytest.approx(100.6), 1, 3)
    assert dream.events == (40, 60, motion, Idle(500), 100)
    assert dream.time_s == pytest.approx(100.7)
    assert not dream.keyframe().steps
    assert dream.events == ()


def test_the_camera_moves_once_for_each_keyframe_by_all_the_time_since_it_moved() -> None:
    dream, motion = session(scene()), Motion(2.0, 0.0)
    for steps, until_s in (((100, 40, 60), 0.1), ((50, 30), 0.25), ((70,), 0.35), ((20, 20), 0.37)):
        for ms in steps:
            dream.apply(ms)
        keyframe = dream.keyframe()
        assert keyframe.time_s == pytest.approx(until_s)
        assert keyframe.pose.log_zoom == pytest.approx(advance(Pose(), motion, until_s).log_zoom)


def test_what_the_camera_waits_for_is_over_when_it_stands() -> None:
    dream = session(scene())
    for event in (100, 40, Idle(500)):
        dream.apply(event)
    dream.keyframe()
    dream.apply(10)
    assert dream.keyframe().pose.log_zoom == pytest.approx(0.11)


def test_before_a_scene_keyframes_show_nothing() -> None:
    assert session().keyframe().scene is NOTHING


def test_an_unknown_subject_is_refused_and_the_dream_continues() -> None:
    dream = session(scene())
    with pytest.raises(DreamError, match="fake does not know 'thing 9'"):
        dream.apply(scene(2, "n00000009"))
    assert dream.scene == scene()
    dream.apply(100)
    dream.keyframe()
    assert dream.events == (BEGUN, scene(), scene(2, "n00000009"), 100), "what is done again has to fail again"


def test_a_step_that_fails_is_no_event() -> None:
    def fail(dreamer: FakeDreamer) -> None:
        raise MemoryError

    dream = Session(lambda: FakeDreamer(step=fail), Motion())
    dream.apply(BEGUN)
    with pytest.raises(MemoryError):
        dream.apply(100)
    for event in (Idle(100), StepFailed(), Resized((18, 32))):
        dream.apply(event)
    assert dream.keyframe().steps == 0
    assert dream.dreamer.size == (18, 32)
    assert dream.events == (BEGUN, Idle(100), StepFailed(), Resized((18, 32)))


def test_a_worker_that_resumes_takes_up_the_last_keyframe() -> None:
    last = Keyframe(np.full((18, 32, 3), 7, np.uint8), Pose(3.0, 1.0), 9.0, scene(), 5, 2)
    dream = Session(FakeDreamer, Motion(2.0, 0.0), latest=last)
    dream.apply(DreamStarted("fake", "cpu", 1, SIZE, resumed=True))
    found = dream.keyframe()
    assert found.pose == last.pose
    assert found.image.shape == (*SIZE, 3)
    assert found.image[0, 0, 0] == 7
    fresh = Session(FakeDreamer, Motion(2.0, 0.0), latest=last)
    fresh.apply(BEGUN)
    assert fresh.keyframe().pose == Pose()


class Drowsy(ConvergenceDetector):
    """Wakes the dream at every second keyframe."""

    def __init__(self) -> None:
        super().__init__(DreamConfig())
        self.looks = self.renewals = 0

    def check(self, time_s: float, pose: Pose, picture: np.ndarray) -> Bump | None:
        self.looks += 1
        return Bump(twist=self.looks % 4 == 0) if self.looks % 2 == 0 else None

    def reset(self) -> None:
        self.renewals += 1


def test_a_dream_that_settled_is_woken_and_that_is_an_event_of_the_next_keyframe() -> None:
    detector = Drowsy()
    dream = session(scene(), detector=detector)
    told = []
    for number in range(5):
        dream.keyframe()
        told.append(dream.events)
        if number == 3:
            dream.keyframe(watch=False)
            told.append(dream.events)
    assert told == [(BEGUN, scene()), (), (Bump(),), (), (Bump(twist=True),), ()]
    assert (detector.looks, detector.renewals) == (5, 1)
    assert (dream.dreamer.bumps, dream.dreamer.twists) == (1, 1)  # type: ignore[attr-defined]


def test_it_may_begin_in_the_middle() -> None:
    dream = Session(FakeDreamer, Motion(2.0, 0.0), at_s=10.0)
    for event in (BEGUN, scene(1), 500, Motion(1.1, 0.0), Resized((18, 32)), scene(2), Idle(500)):
        dream.skip(event)
    dream.start_midway()
    found = dream.keyframe()
    assert (found.scene.id, found.image.shape, found.time_s) == (2, (18, 32, 3), 11.0)
    assert dream.dreamer.moving == Motion(1.1, 0.0)  # type: ignore[attr-defined]


def test_it_rides_where_the_dream_does() -> None:
    picture = SourcePicture(np.zeros((*SIZE, 3), np.uint8), 1, 0.0)
    assert session().rider is None
    dream = Session(RidingFake, Motion(2.0, 0.0))
    dream.apply(BEGUN)
    dream.apply(scene())
    dream.ride(picture, 0.1)
    dream.apply(100)
    found = dream.keyframe()
    assert found.source_picture is picture
    assert found.time_s == pytest.approx(0.1)


CALM, BOLD = Tuned((("dream.momentum", 0.5),)), Tuned((("dream.step", 9.0), ("ink.flips", 7)))


def test_each_change_of_settings_applies_to_the_initial_config() -> None:
    config = Config(dream=DreamConfig(momentum=0.9))
    dream = session(scene(), CALM, BOLD, Tuned(), config=config)
    told = [(config.dream.momentum, config.dream.step, config.ink.flips) for config in dream.dreamer.tuned]  # type: ignore[attr-defined]
    assert told == [(0.5, "auto", 50), (0.9, 9.0, 7), (0.9, "auto", 50)]
    assert dream.config == config
    dream.keyframe()
    assert dream.events == (BEGUN, scene(), CALM, BOLD, Tuned())


def test_a_new_worker_begins_with_the_settings_of_the_start() -> None:
    dream = session(scene(), CALM)
    assert dream.config.dream.momentum == 0.5
    dream.apply(BEGUN)
    assert dream.config == Config()
    assert dream.dreamer.tuned == []  # type: ignore[attr-defined]


def test_settings_that_contradict_each_other_leave_it_as_it_was() -> None:
    dream = session(scene(), CALM)
    for wrong, why in (
        (Tuned((("ink.black", 50.0), ("ink.white", 2.0))), "must be below white; they are 50 and 2"),
        (Tuned((("dream.momentum", 7.0),)), "'dream.momentum' is invalid"),
        (Tuned((("dream.algorithm", "ink"),)), "'dream.algorithm' is not a live setting of the dream"),
        (Tuned((("zoom.nonsense", 1),)), "'zoom.nonsense' is not a live setting"),
    ):
        with pytest.raises(DreamError, match=why):
            dream.apply(wrong)
    assert dream.config.dream.momentum == 0.5
    assert len(dream.dreamer.tuned) == 1  # type: ignore[attr-defined]


def test_settings_that_were_passed_over_hold_where_a_dream_sets_out() -> None:
    dream = Session(FakeDreamer, Motion(2.0, 0.0))
    for event in (BEGUN, scene(), BOLD, BEGUN, CALM):
        dream.skip(event)
    dream.start_midway()
    assert dream.config.dream.momentum == 0.5
    assert dream.config.dream.step == "auto"


def test_other_settings_wake_it_otherwise() -> None:
    dream = session(scene(), detector=ConvergenceDetector(DreamConfig(wake="off")))
    dream.apply(Tuned((("dream.wake", "noise"), ("dream.wake_after_s", 0.0))))
    for _ in range(60):
        dream.apply(Idle(250))
        dream.keyframe()
    assert dream.dreamer.bumps >= 1  # type: ignore[attr-defined]


def test_what_was_kept_is_taken_up_where_the_event_says_so() -> None:
    last = Keyframe(np.full((18, 32, 3), 7, np.uint8), Pose(3.0, 1.0), 9.0, scene(), 5, 2)
    kept = FakeDreamer().keep()
    for number in (None, 3):
        dream = Session(FakeDreamer, Motion(2.0, 0.0), latest=last, kept=kept)
        dream.apply(DreamStarted("fake", "cpu", 1, SIZE, resumed=True, kept=number))
        assert dream.dreamer.taken_up is (None if number is None else kept)  # type: ignore[attr-defined]
    again = dream.keep()
    dream.keyframe()
    dream.apply(DreamStarted("fake", "cpu", 1, SIZE, resumed=True, kept=0))
    assert dream.dreamer.taken_up is again  # type: ignore[attr-defined]


class Seen(FakeDreamer):
    """Keeps the picture it restarts from."""

    def restore(self, picture: np.ndarray, pose: Pose, kept: object = None) -> None:
        super().restore(picture, pose, kept)
        self.begins = picture


def test_a_dream_restarts_from_its_last_good_picture_blurred_at_its_own_pose() -> None:
    picture = np.zeros((*SIZE, 3), np.uint8)
    picture[10:14, 40:44] = 255
    dream = Session(Seen, Motion(2.0, 0.0), latest=Keyframe(picture, Pose(0.0, 0.0), 0.0, scene(), 1, 1))
    dream.apply(BEGUN)
    dream.dreamer.pose = Pose(0.5, 0.0)  # type: ignore[misc]
    dream.apply(Reseeded())
    begun: np.ndarray = dream.dreamer.begins  # type: ignore[attr-defined]
    assert begun.shape == picture.shape
    assert begun.max() < 240, "blurred"
    row, column = np.unravel_index(begun[:, :, 0].argmax(), SIZE)
    assert (row, column) == (pytest.approx(9.5, abs=1.5), pytest.approx(45.9, abs=1.5)), "further out, for the camera moved on"
    assert dream.dreamer.pose == Pose(0.5, 0.0)
    dream.apply(Reseeded(noise=True))
    assert begun.std() < 25 < dream.dreamer.begins.std() + 10  # type: ignore[attr-defined]
    dream.keyframe()
    assert dream.events == (BEGUN, Reseeded(), Reseeded(noise=True))


def test_without_a_good_picture_it_begins_from_noise() -> None:
    dream = Session(Seen, Motion(2.0, 0.0))
    dream.apply(BEGUN)
    dream.apply(Reseeded())
    assert dream.dreamer.begins.std() > 10  # type: ignore[attr-defined]
