import dataclasses
from collections import deque

import numpy as np
import pytest

from streamer.config import DreamConfig
from streamer.dream.interface import Dream
from streamer.dream.sessions.convergence import ConvergenceDetector
from streamer.dream.worker.causes import Cause
from streamer.dream.worker.dream_loop import BEAT_S, INSPECTED, KEEP_S, MAX_DT_S, DreamLoop, Inbox, UnusablePictureError
from streamer.dream.worker.frame_slots import STATE_SLOT
from streamer.dream.worker.protocol import (
    NO_LIMIT,
    FreeSlot,
    Heartbeat,
    Inspect,
    Inspected,
    KeyframeReady,
    NonFatalError,
    Pause,
    PictureRejected,
    Ready,
    ResourceLimit,
    Resume,
    Stop,
)
from streamer.dream.worker.step_scheduler import StepScheduler
from streamer.dream_state import DreamState
from streamer.events import Bump, DreamStarted, Idle, Reseeded, Resized, StepFailed, ThreadsChanged, Tuned
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene, Target, arrange
from streamer.messages.step_view import StepView
from tests.dream.fake_dream import WNIDS, FakeDreamer
from tests.fakes import HandClock

SIZE = (36, 64)
STEP_S = 0.1


def scene(number=1, wnid=WNIDS[0]):
    return Scene(number, arrange([Target(wnid, f"thing {wnid[-1]}")]))


class FakeRing:
    def __init__(self):
        self.slots = {}

    def write(self, slot, image):
        assert slot not in self.slots, "not given back"
        self.slots[slot] = image.copy()

    def write_state(self, arrays):
        assert STATE_SLOT not in self.slots, "not given back"
        self.slots[STATE_SLOT] = {name: array.copy() for name, array in arrays.items()}
        return tuple(arrays)


class Scripted(Inbox):
    """Commands at set times of a hand-driven clock; waiting moves the clock."""

    def __init__(self, clock, script):
        super().__init__()
        self.clock = clock
        self.script = deque(script)

    def take(self, timeout_s):
        due_s = self.clock.now_s + max(0.0, timeout_s)
        if self.script and self.script[0][0] <= due_s:
            at_s, command = self.script.popleft()
            self.clock.now_s = max(self.clock.now_s, at_s)
            return command
        self.clock.now_s = due_s
        return None


class Stage:
    """A worker, its clock and its reports. It gives slots back immediately, in place of the renderer."""

    def __init__(
        self,
        script,
        *,
        step=None,
        resume=None,
        give_back=True,
        size=SIZE,
        detector=None,
        threads=0,
        compute_with=None,
        made=FakeDreamer,
        **settings,
    ):
        self.clock = HandClock(0.0)
        self.said, self.pictures, self.kept = [], [], []
        self.inbox, self.frame_slots = Scripted(self.clock, script), FakeRing()
        self.give_back = give_back

        def stepping(dreamer):
            self.clock.advance(STEP_S)
            if step:
                step(dreamer)

        self.dreamer = made(size, stepping)
        compute_with = compute_with or (lambda threads: None)
        dream = Dream(self.dreamer, "fake", "cpu", WNIDS, threads=threads, compute_with=compute_with)
        self.scheduler = StepScheduler(DreamConfig(**settings), size, frame_s=0.04)
        self.worker = DreamLoop(
            dream,
            self.scheduler,
            self.frame_slots,
            self.inbox,
            self.send,
            motion=Motion(2.0, 0.0),
            resume=resume,
            detector=None if detector is None else ConvergenceDetector(DreamConfig(**detector)),
            clock=self.clock,
        )

    def send(self, report):
        self.said.append((self.clock.now_s, report))
        if isinstance(report, KeyframeReady):
            self.pictures.append(self.frame_slots.slots[report.slot])
            if report.kept is not None:
                self.kept.append(self.frame_slots.slots[STATE_SLOT])
            if self.give_back:
                for slot in (report.slot, *([STATE_SLOT] if report.kept is not None else [])):
                    del self.frame_slots.slots[slot]
                    self.inbox.put(FreeSlot(slot))

    def run(self):
        self.worker.run()
        return self

    def reports(self, kind):
        return [report for _, report in self.said if isinstance(report, kind)]


def test_scenes_in_pictures_out():
    stage = Stage([(0.0, scene(1)), (1.0, scene(2)), (2.0, Stop())]).run()
    assert stage.reports(Ready) == [Ready("fake", "cpu", WNIDS)]
    shots = stage.reports(KeyframeReady)
    assert [shot.steps for shot in shots[:3]] == [0, 1, 1]
    assert all(shot.steps == 2 for shot in shots[5:-1])
    assert {shot.scene.id for shot in shots} == {1, 2}
    assert [int(picture[0, 0, 1]) for picture in stage.pictures] == [shot.scene.id for shot in shots]
    assert sum(shot.steps for shot in shots) == pytest.approx(stage.dreamer.red, abs=2)


class Slow:
    """A copy that is never done, and notes when its array is read."""

    done = False

    def __init__(self, stage, picture):
        self.stage, self.picture, self.begun_s = stage, picture, stage.clock.now_s
        self.arrived_s = None

    def array(self):
        self.arrived_s = self.stage.clock.now_s
        return self.picture


def test_a_picture_is_copied_while_the_next_step_is_taken():
    stage, copies = Stage([(0.0, scene()), (2.0, Stop())], steps_per_keyframe=3), []

    def copy():
        copies.append(Slow(stage, stage.dreamer.picture()))
        return copies[-1]

    stage.dreamer.copy = copy
    stage.run()
    shots = stage.reports(KeyframeReady)
    assert len(shots) == len(copies) > 3
    for slow, picture in zip(copies, stage.pictures, strict=True):
        assert np.array_equal(picture, slow.picture), "as it was when the keyframe was done"
    assert [slow.arrived_s - slow.begun_s for slow in copies[1:-1]] == [pytest.approx(STEP_S)] * (len(copies) - 2)
    assert [shot.steps for shot in shots[1:-1]] == [3] * (len(shots) - 2)
    told = [event for shot in shots for event in shot.events if isinstance(event, int)]
    assert len(told) == sum(shot.steps for shot in shots), "each step is told with the keyframe that it led to"


def test_a_picture_does_not_wait_for_a_step_when_the_worker_rests():
    stage = Stage([(0.0, scene()), (3.0, Stop())], steps_per_keyframe=1, keyframe_s=1.0)
    stage.dreamer.copy = lambda: Slow(stage, stage.dreamer.picture())
    stage.run()
    at_s = [at_s for at_s, report in stage.said if isinstance(report, KeyframeReady)]
    assert at_s == pytest.approx([0.0, STEP_S, 1.0 + STEP_S, 2.0 + STEP_S], abs=1e-6)


def test_freed_memory_is_handed_back_once_a_minute(monkeypatch):
    returned = []
    stage = Stage([(0.0, scene()), (200.0, Stop())])
    monkeypatch.setattr("streamer.dream.worker.dream_loop.return_freed_memory", lambda: returned.append(stage.clock.now_s))
    stage.run()
    assert returned == pytest.approx([60, 120, 180], abs=1)


def test_steps_are_waited_for_before_their_time_is_taken():
    stage = Stage([(0.0, scene()), (2.0, Stop())])
    stage.worker._dream = dataclasses.replace(stage.worker._dream, wait=lambda: stage.clock.advance(0.05))
    stage.run()
    assert stage.scheduler.step_s == pytest.approx(STEP_S + 0.05)


def test_nothing_is_shown_before_a_scene_and_signs_of_life_are_given():
    stage = Stage([(3.0, scene()), (4.0, Stop())]).run()
    first_s = next(at_s for at_s, report in stage.said if isinstance(report, KeyframeReady))
    assert first_s == 3.0
    beats = [at_s for at_s, report in stage.said if isinstance(report, Heartbeat)]
    assert np.diff(beats).max() <= BEAT_S + STEP_S + 1e-9
    assert stage.dreamer.moved_s[0] == 0.0


def test_the_camera_follows_the_wall_exactly():
    stage = Stage([(0.0, scene()), (5.0, Stop())], steps_per_keyframe=3).run()
    shots = stage.reports(KeyframeReady)
    for shot in shots:
        assert shot.pose.log_zoom == pytest.approx(shot.time_s - shots[0].time_s)


def test_a_change_of_motion_counts_from_its_moment():
    stage = Stage([(0.0, scene()), (1.0, Motion(1.0, 0.0)), (2.0, Stop())]).run()
    assert stage.dreamer.pose.log_zoom == pytest.approx(1.0, abs=2 * STEP_S)
    shots = stage.reports(KeyframeReady)
    assert shots[-1].time_s > shots[-3].time_s


def test_a_long_silence_moves_the_camera_no_further_than_it_can_be_followed():
    def freeze(dreamer):
        if dreamer.red == 5:
            stage.clock.advance(3600)

    stage = Stage([(0.0, scene()), (3610.0, Stop())], step=freeze)
    stage.run()
    assert max(stage.dreamer.moved_s) == MAX_DT_S


def test_paused_the_camera_stands_and_pictures_say_so():
    stage = Stage([(0.0, scene()), (1.0, Pause(True)), (5.0, Pause(False)), (6.0, Stop())]).run()
    still = [shot for at_s, shot in stage.said if isinstance(shot, KeyframeReady) and 1.5 < at_s < 5.0]
    assert len(still) >= 5
    assert len({shot.pose for shot in still}) == 1
    assert [shot.steps for shot in still[1:]] == [0] * (len(still) - 1)
    assert np.diff([shot.time_s for shot in still]).min() > 0
    assert stage.dreamer.pose.log_zoom == pytest.approx(2.0, abs=3 * STEP_S)


def test_bump_and_commands_heard_are_counted():
    stage = Stage([(0.0, scene()), (0.5, Bump()), (0.5, Bump()), (2.0, Stop())]).run()
    assert stage.dreamer.bumps == 2
    assert stage.reports(Heartbeat)[-1].commands_received == 3


def test_a_twist_is_another_bump():
    stage = Stage([(0.0, scene()), (0.5, Bump(twist=True)), (2.0, Stop())]).run()
    assert (stage.dreamer.bumps, stage.dreamer.twists) == (0, 1)


def test_a_settled_dream_is_woken_and_the_wake_is_reported():
    stage = Stage(
        [(0.0, scene()), (60.0, Stop())], detector={"wake": "alternate", "wake_after_s": 5.0}, steps_per_keyframe=2
    ).run()
    woken = [event for event in events(stage) if isinstance(event, Bump)]
    assert woken[:2] == [Bump(twist=True), Bump(twist=False)]
    assert stage.dreamer.twists == 2
    assert stage.dreamer.bumps - woken.count(Bump()) in (0, 1), "the last led to no picture any more"
    done = [event for event in events(stage) if isinstance(event, Bump | int)]
    first_s = sum(done[: done.index(woken[0])]) / 1000
    assert 30 < first_s < 35, "the fake's red rises for 25.5 s, then nothing changes"


def events(stage):
    return [event for shot in stage.reports(KeyframeReady) for event in shot.events]


def test_all_events_are_reported_with_the_picture_they_led_to():
    other, motion = scene(2), Motion(1.5, 3.0)
    script = [(0.0, scene(1)), (1.05, motion), (1.15, Bump()), (2.0, other), (3.0, Stop())]
    stage = Stage(script, steps_per_keyframe=3).run()
    first, *others = stage.reports(KeyframeReady)
    assert first.events == (DreamStarted("fake", "cpu", 0, SIZE), scene(1))
    assert [sum(isinstance(event, int) for event in shot.events) for shot in others] == [shot.steps for shot in others]
    told = events(stage)
    assert [event for event in told if not isinstance(event, int | DreamStarted)] == [scene(1), motion, Bump(), other]
    steps = [event for event in told if isinstance(event, int)]
    assert [ms / 1000 for ms in steps] == stage.dreamer.moved_s[: len(steps)]
    assert 900 < sum(steps[: [event for event in told if not isinstance(event, DreamStarted | Scene)].index(motion)]) <= 1100


def test_events_without_a_picture_are_sent_with_the_next_one():
    stage = Stage([(0.0, scene()), (2.0, Stop())], give_back=False).run()
    told = len(events(stage))
    stage.inbox.free.append(0)
    stage.frame_slots.slots.clear()
    stage.worker._publish()
    assert len([event for event in events(stage) if isinstance(event, int)]) == len(stage.dreamer.moved_s)
    assert len(events(stage)) > told


def test_time_with_the_camera_paused_is_reported():
    stage = Stage([(0.0, scene()), (1.0, Pause(True)), (5.0, Pause(False)), (6.0, Stop())], steps_per_keyframe=1).run()
    stood_s = sum(event.ms for event in events(stage) if isinstance(event, Idle)) / 1000
    assert stood_s == pytest.approx(4.0, abs=2 * STEP_S)
    moved_s = sum(event for event in events(stage) if isinstance(event, int)) / 1000
    shots = stage.reports(KeyframeReady)
    assert stood_s + moved_s == pytest.approx(shots[-1].time_s - shots[0].time_s, abs=1e-6)


def test_an_unknown_subject_is_reported_and_the_dream_continues():
    stage = Stage([(0.0, scene(1)), (1.0, scene(2, "n99999999")), (2.0, Stop())]).run()
    assert stage.reports(NonFatalError) == [NonFatalError("fake does not know 'thing 9'")]
    assert stage.reports(KeyframeReady)[-1].scene.id == 1


def test_an_unknown_first_subject_does_not_leave_the_screen_dark():
    stage = Stage([(0.0, scene(1, "n99999999")), (1.0, scene(2)), (2.0, Stop())]).run()
    assert [stage.reports(KeyframeReady)[i].scene.id for i in (0, -1)] == [1, 2]


def test_resumed_where_another_stopped():
    picture = np.full((*SIZE, 3), 9, np.uint8)
    stage = Stage([(0.0, scene()), (1.0, Stop())], resume=Resume(picture, Pose(4.0, 1.0), -2.5)).run()
    first = stage.reports(KeyframeReady)[0]
    assert (first.steps, stage.pictures[0][0, 0, 0]) == (1, 10)
    assert first.pose.log_zoom == pytest.approx(6.5)
    assert first.pose.rotation == 1.0


def test_with_all_slots_taken_pictures_are_left_out_and_their_steps_counted_later():
    stage = Stage([(0.0, scene()), (3.0, Stop())], give_back=False).run()
    assert len(stage.reports(KeyframeReady)) == 3
    stage = Stage([(0.0, scene()), (2.0, FreeSlot(0)), (3.0, Stop())], give_back=False)
    stage.inbox.script = deque([(0.0, scene()), (3.0, Stop())])
    stage.dreamer.on_step = lambda dreamer, event=stage.dreamer.on_step: (
        event(dreamer),
        dreamer.red == 15 and (stage.frame_slots.slots.pop(0), stage.inbox.put(FreeSlot(0))),
    )
    stage.run()
    assert stage.reports(KeyframeReady)[3].steps > 2


def test_out_of_memory_makes_the_canvas_smaller():
    def greedy(dreamer):
        if dreamer.size == (400, 600):
            raise MemoryError("400x600")

    stage = Stage([(0.0, scene()), (2.0, Stop())], step=greedy, size=(400, 600)).run()
    (trouble,) = stage.reports(NonFatalError)
    assert trouble.message == "out of memory: dreaming on a canvas of 510x340 from now on (MemoryError: 400x600)"
    assert (trouble.cause, trouble.level) == (Cause.MEMORY, 1)
    assert any(beat.sets_up for beat in stage.reports(Heartbeat))
    assert stage.reports(KeyframeReady)[-1].size == (340, 510)
    assert [event for event in events(stage) if isinstance(event, StepFailed | Resized)] == [StepFailed(), Resized((340, 510))]


def test_out_of_memory_on_the_smallest_canvas_is_an_error():
    def greedy(dreamer):
        raise MemoryError

    with pytest.raises(MemoryError):
        Stage([(0.0, scene())], step=greedy).run()


def test_another_exception_of_a_step_ends_the_loop():
    def broken(dreamer):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Stage([(0.0, scene())], step=broken).run()


def test_the_canvas_shrinks_to_hold_the_interval():
    stage = Stage([(0.0, scene()), (5.0, Stop())], keyframe_s=0.05, size=(400, 600)).run()
    assert stage.reports(KeyframeReady)[-1].size < (400, 600)


def test_a_fast_dream_rests_between_keyframes():
    stage = Stage([(0.0, scene()), (5.0, Stop())], keyframe_s=0.5, steps_per_keyframe=1).run()
    times = [at_s for at_s, report in stage.said if isinstance(report, KeyframeReady)]
    assert np.diff(times[2:]) == pytest.approx(0.5)


def test_settings_are_taken_up_between_two_keyframes():
    tuned = Tuned((("dream.steps_per_keyframe", 5),))
    stage = Stage([(0.0, scene()), (1.05, tuned), (3.0, Stop())], steps_per_keyframe=2).run()
    shots = stage.reports(KeyframeReady)
    changed = next(number for number, shot in enumerate(shots) if tuned in shot.events)
    assert shots[changed].events[0] == tuned, "not in the middle of a keyframe"
    assert {shot.steps for shot in shots[1:changed]} == {2}
    assert {shot.steps for shot in shots[changed:]} == {5}
    assert [config.dream.steps_per_keyframe for config in stage.dreamer.tuned] == [5]
    assert 1.05 - STEP_S <= shots[changed - 1].time_s <= 1.05 + STEP_S, "the camera moved at its first step"


def test_of_settings_that_come_at_once_the_last_count():
    first, last = Tuned((("dream.momentum", 0.1),)), Tuned((("dream.momentum", 0.2),))
    stage = Stage([(0.0, scene()), (1.0, first), (1.0, last), (2.0, Stop())], steps_per_keyframe=3).run()
    assert [config.dream.momentum for config in stage.dreamer.tuned] == [0.2]


def test_invalid_settings_are_reported_and_the_dream_continues():
    stage = Stage([(0.0, scene()), (1.0, Tuned((("dream.momentum", 3),))), (2.0, Stop())]).run()
    (trouble,) = stage.reports(NonFatalError)
    assert trouble.message.startswith("'dream.momentum' is invalid")
    assert trouble.message.endswith("; the dream keeps its old settings")
    assert stage.dreamer.tuned == []
    assert stage.reports(KeyframeReady)[-1].time_s > 1.5


def test_what_others_need_is_left_to_them():
    threads = []
    stage = Stage(
        [(0.0, scene()), (4.0, ResourceLimit(1, 0.5)), (8.0, NO_LIMIT), (12.0, Stop())], threads=3, compute_with=threads.append
    )
    stage.run()
    assert threads == [2, 3]
    shots = [(at_s, shot) for at_s, shot in stage.said if isinstance(shot, KeyframeReady)]
    events = [event for _, shot in shots for event in shot.events if isinstance(event, ThreadsChanged)]
    assert events == [ThreadsChanged(2), ThreadsChanged(3)], "a replay computes alike"

    def steps(from_s, to_s):
        return sum(shot.steps for at_s, shot in shots if from_s <= at_s < to_s)

    assert steps(5.0, 8.0) == pytest.approx(steps(1.0, 4.0) / 2, rel=0.15)
    assert steps(9.0, 12.0) == pytest.approx(steps(1.0, 4.0), rel=0.1)


def test_one_thread_is_left_and_unknown_numbers_are_left_alone():
    for threads, then in ((1, []), (0, [])):
        seen = []
        Stage([(0.0, scene()), (1.0, ResourceLimit(1, 1.0)), (2.0, Stop())], threads=threads, compute_with=seen.append).run()
        assert seen == then


def test_what_it_takes_to_go_on_is_sent_a_few_times_a_second():
    stage = Stage([(0.0, scene()), (4.0, Stop())], steps_per_keyframe=1).run()
    shots = stage.reports(KeyframeReady)
    kept_s = [at_s for at_s, report in stage.said if isinstance(report, KeyframeReady) and report.kept]
    assert np.diff(kept_s).min() >= KEEP_S
    assert len(shots) > len(kept_s) > 10
    for shot, arrays in zip([shot for shot in shots if shot.kept], stage.kept, strict=True):
        assert shot.kept.numbers == {"steps": int(arrays["momentum"][0, 0, 0])}
        assert shot.kept.pose == shot.pose


def test_what_was_kept_is_taken_up():
    picture = np.full((*SIZE, 3), 9, np.uint8)
    kept = DreamState("fake", "default", Pose(4.0, 1.0), {"momentum": np.ones((3, *SIZE), np.float16)}, {"steps": 5})
    resume = Resume(picture, Pose(4.0, 1.0), -0.5, kept=kept, kept_ago=2)
    stage = Stage([(0.0, scene()), (1.0, Stop())], resume=resume).run()
    assert stage.dreamer.taken_up is kept
    assert events(stage)[0] == DreamStarted("fake", "cpu", 0, SIZE, resumed=True, kept=2)


def spoil(which):
    """Make the pictures after these steps unusable."""

    def step(dreamer):
        dreamer.spoilt = "it holds values that are not numbers" if len(dreamer.moved_s) in which else ""

    return step


def test_a_spoilt_picture_is_not_shown_and_its_steps_count_later():
    stage = Stage([(0.0, scene()), (2.0, Stop())], step=spoil({5, 6, 9}), steps_per_keyframe=1).run()
    assert stage.reports(PictureRejected) == [PictureRejected("it holds values that are not numbers")] * 3
    assert stage.reports(NonFatalError) == []
    assert [shot.steps for shot in stage.reports(KeyframeReady)[:8]] == [0, 1, 1, 1, 1, 3, 1, 2]


def test_three_unusable_pictures_in_a_row_restart_the_dream():
    stage = Stage([(0.0, scene()), (3.0, Stop())], step=spoil({5, 6, 7}), steps_per_keyframe=1).run()
    (trouble,) = stage.reports(NonFatalError)
    assert trouble.message == (
        "3 unusable pictures in a row, it holds values that are not numbers: "
        "the dream restarts from its last good picture, blurred"
    )
    assert events(stage).count(Reseeded(noise=False)) == 1
    after = next(shot for shot in stage.reports(KeyframeReady) if Reseeded() in shot.events)
    assert after.steps == 4


def test_a_dream_that_stays_spoilt_begins_from_noise_and_then_ends():
    stage = Stage([(0.0, scene()), (30.0, Stop())], step=spoil(range(5, 1000)), steps_per_keyframe=1)
    why = "it holds values that are not numbers"
    with pytest.raises(UnusablePictureError, match=f"the picture stays unusable after restarts: {why}"):
        stage.run()
    told = [trouble.message.rpartition(" from ")[2] for trouble in stage.reports(NonFatalError)]
    assert told == ["its last good picture, blurred", *["noise, since its last good picture did not help"] * 2]


def test_a_step_that_sets_things_up_is_announced():
    tuned = Tuned((("dream.momentum", 0.5),))
    stage = Stage([(0.0, scene()), (1.0, tuned), (3.0, Stop())], steps_per_keyframe=1).run()
    beats = stage.reports(Heartbeat)
    first = next(number for number, beat in enumerate(beats) if beat.sets_up)
    assert first > 0
    assert not any(beat.sets_up for beat in beats[first + 1 :])
    assert beats[-1].median_s == pytest.approx(STEP_S)


VIEW = StepView("thing 1", "fake", ())


class Shown(FakeDreamer):
    """Supports inspection, which takes two steps."""

    def inspect(self):
        self.on_step(self)
        self.on_step(self)
        return VIEW


def test_a_step_is_shown_when_asked_for_and_at_a_bounded_rate():
    stage = Stage([(0.0, scene()), *((at_s, Inspect()) for at_s in (2.0, 2.5, 3.0, 4.0)), (30.0, Stop())], made=Shown).run()
    shown = [at_s for at_s, report in stage.said if isinstance(report, Inspected)]
    assert len(shown) == 2, "asked for while it was not due, once more"
    assert 2.0 <= shown[0] < 3.0
    assert shown[1] - shown[0] >= INSPECTED * 2 * STEP_S
    assert all(report.view is VIEW for report in stage.reports(Inspected))
    plain = Stage([(0.0, scene()), (30.0, Stop())], made=Shown).run()
    assert plain.reports(Inspected) == []
    assert len(plain.reports(KeyframeReady)) - len(stage.reports(KeyframeReady)) <= 4


def test_who_cannot_be_looked_into_says_so():
    stage = Stage([(0.0, scene()), (1.0, Inspect()), (2.0, Stop())]).run()
    assert [report.view for report in stage.reports(Inspected)] == [None]


@pytest.mark.logs("a step cannot be shown: RuntimeError: too much")
def test_a_look_that_fails_ends_no_dream():
    class Failing(FakeDreamer):
        def inspect(self):
            raise RuntimeError("too much")

    stage = Stage([(0.0, scene()), (1.0, Inspect()), (3.0, Stop())], made=Failing).run()
    assert [report.view for report in stage.reports(Inspected)] == [None]
    assert stage.said[-1][0] > 2.5
