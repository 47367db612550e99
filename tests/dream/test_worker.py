from collections import deque

import numpy as np
import pytest

from streamer.acts import Begun, Bump, Resized, Stood, Stumbled
from streamer.config import DreamConfig
from streamer.dream.settled import Sleep
from streamer.dream.worker.budget import Budget
from streamer.dream.worker.protocol import Beat, Dream, Free, Pause, Ready, Resume, Shot, Stop, Trouble
from streamer.dream.worker.work import BEAT_S, MAX_DT_S, Inbox, Worker
from streamer.messages import Motion, Pose, Scene, Target, arrange
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


class Scripted(Inbox):
    """Commands due at moments of a hand-driven clock; waiting moves the clock."""

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
    """A worker, its clock, and all it says; the renderer's part is played by giving slots back at once."""

    def __init__(
        self, script, *, step=None, resume=None, give_back=True, unknown=LookupError, size=SIZE, sleep=None, **settings
    ):
        self.clock = HandClock(0.0)
        self.said, self.pictures = [], []
        self.inbox, self.ring = Scripted(self.clock, script), FakeRing()
        self.give_back = give_back

        def stepping(dreamer):
            self.clock.advance(STEP_S)
            if step:
                step(dreamer)

        self.dreamer = FakeDreamer(size, stepping)
        dream = Dream(self.dreamer, "fake", "cpu", WNIDS, unknown=unknown)
        self.budget = Budget(DreamConfig(**settings), size, frame_s=0.04)
        self.worker = Worker(
            dream,
            self.budget,
            self.ring,
            self.inbox,
            self.send,
            motion=Motion(2.0, 0.0),
            resume=resume,
            sleep=None if sleep is None else Sleep(DreamConfig(**sleep)),
            clock=self.clock,
        )

    def send(self, report):
        self.said.append((self.clock.now_s, report))
        if isinstance(report, Shot):
            self.pictures.append(self.ring.slots[report.slot])
            if self.give_back:
                del self.ring.slots[report.slot]
                self.inbox.put(Free(report.slot))

    def run(self):
        self.worker.run()
        return self

    def reports(self, kind):
        return [report for _, report in self.said if isinstance(report, kind)]


def test_scenes_in_pictures_out():
    stage = Stage([(0.0, scene(1)), (1.0, scene(2)), (2.0, Stop())]).run()
    assert stage.reports(Ready) == [Ready("fake", "cpu", WNIDS)]
    shots = stage.reports(Shot)
    assert [shot.steps for shot in shots[:3]] == [0, 1, 1]
    assert all(shot.steps == 2 for shot in shots[5:-1])
    assert {shot.scene.id for shot in shots} == {1, 2}
    assert [int(picture[0, 0, 1]) for picture in stage.pictures] == [shot.scene.id for shot in shots]
    assert sum(shot.steps for shot in shots) == pytest.approx(stage.dreamer.red, abs=2)


def test_nothing_is_shown_before_a_scene_and_signs_of_life_are_given():
    stage = Stage([(3.0, scene()), (4.0, Stop())]).run()
    first_s = next(at_s for at_s, report in stage.said if isinstance(report, Shot))
    assert first_s == 3.0
    beats = [at_s for at_s, report in stage.said if isinstance(report, Beat)]
    assert np.diff(beats).max() <= BEAT_S + STEP_S + 1e-9
    assert stage.dreamer.moved_s[0] == 0.0


def test_the_camera_follows_the_wall_exactly():
    stage = Stage([(0.0, scene()), (5.0, Stop())], steps_per_keyframe=3).run()
    shots = stage.reports(Shot)
    for shot in shots:
        assert shot.pose.log_zoom == pytest.approx(shot.time_s - shots[0].time_s)


def test_a_change_of_motion_counts_from_its_moment():
    stage = Stage([(0.0, scene()), (1.0, Motion(1.0, 0.0)), (2.0, Stop())]).run()
    assert stage.dreamer.pose.log_zoom == pytest.approx(1.0, abs=2 * STEP_S)
    shots = stage.reports(Shot)
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
    still = [shot for at_s, shot in stage.said if isinstance(shot, Shot) and 1.5 < at_s < 5.0]
    assert len(still) >= 5
    assert len({shot.pose for shot in still}) == 1
    assert [shot.steps for shot in still[1:]] == [0] * (len(still) - 1)
    assert np.diff([shot.time_s for shot in still]).min() > 0
    assert stage.dreamer.pose.log_zoom == pytest.approx(2.0, abs=3 * STEP_S)


def test_bump_and_commands_heard_are_counted():
    stage = Stage([(0.0, scene()), (0.5, Bump()), (0.5, Bump()), (2.0, Stop())]).run()
    assert stage.dreamer.bumps == 2
    assert stage.reports(Beat)[-1].heard == 3


def test_a_twist_is_another_bump():
    stage = Stage([(0.0, scene()), (0.5, Bump(twist=True)), (2.0, Stop())]).run()
    assert (stage.dreamer.bumps, stage.dreamer.twists) == (0, 1)


def test_a_dream_that_settled_is_woken_and_told_of():
    stage = Stage(
        [(0.0, scene()), (60.0, Stop())], sleep={"wake": "alternate", "wake_after_s": 5.0}, steps_per_keyframe=2
    ).run()
    woken = [act for act in acts(stage) if isinstance(act, Bump)]
    assert woken[:2] == [Bump(twist=True), Bump(twist=False)]
    assert stage.dreamer.twists == 2
    assert stage.dreamer.bumps - woken.count(Bump()) in (0, 1), "the last led to no picture any more"
    done = [act for act in acts(stage) if isinstance(act, Bump | int)]
    first_s = sum(done[: done.index(woken[0])]) / 1000
    assert 30 < first_s < 35, "the fake's red rises for 25.5 s, then nothing changes"


def acts(stage):
    return [act for shot in stage.reports(Shot) for act in shot.acts]


def test_all_that_was_done_is_told_with_the_picture_it_led_to():
    other, motion = scene(2), Motion(1.5, 3.0)
    script = [(0.0, scene(1)), (1.05, motion), (1.15, Bump()), (2.0, other), (3.0, Stop())]
    stage = Stage(script, steps_per_keyframe=3).run()
    first, *others = stage.reports(Shot)
    assert first.acts == (Begun("fake", "cpu", 0, SIZE), scene(1))
    assert [sum(isinstance(act, int) for act in shot.acts) for shot in others] == [shot.steps for shot in others]
    told = acts(stage)
    assert [act for act in told if not isinstance(act, int | Begun)] == [scene(1), motion, Bump(), other]
    steps = [act for act in told if isinstance(act, int)]
    assert [ms / 1000 for ms in steps] == stage.dreamer.moved_s[: len(steps)]
    assert 900 < sum(steps[: [act for act in told if not isinstance(act, Begun | Scene)].index(motion)]) <= 1100


def test_what_led_to_no_picture_is_told_with_the_next():
    stage = Stage([(0.0, scene()), (2.0, Stop())], give_back=False).run()
    told = len(acts(stage))
    stage.inbox.free.append(0)
    stage.ring.slots.clear()
    stage.worker._publish()
    assert len([act for act in acts(stage) if isinstance(act, int)]) == len(stage.dreamer.moved_s)
    assert len(acts(stage)) > told


def test_time_without_the_camera_is_told():
    stage = Stage([(0.0, scene()), (1.0, Pause(True)), (5.0, Pause(False)), (6.0, Stop())]).run()
    stood_s = sum(act.ms for act in acts(stage) if isinstance(act, Stood)) / 1000
    assert stood_s == pytest.approx(4.0, abs=2 * STEP_S)
    moved_s = sum(act for act in acts(stage) if isinstance(act, int)) / 1000
    shots = stage.reports(Shot)
    assert stood_s + moved_s == pytest.approx(shots[-1].time_s - shots[0].time_s, abs=1e-6)


def test_an_unknown_subject_is_reported_and_the_dream_goes_on():
    stage = Stage([(0.0, scene(1)), (1.0, scene(2, "n99999999")), (2.0, Stop())]).run()
    assert stage.reports(Trouble) == [Trouble("fake does not know 'thing 9'")]
    assert stage.reports(Shot)[-1].scene.id == 1


def test_an_unknown_first_subject_does_not_leave_the_screen_dark():
    stage = Stage([(0.0, scene(1, "n99999999")), (1.0, scene(2)), (2.0, Stop())]).run()
    assert [stage.reports(Shot)[i].scene.id for i in (0, -1)] == [1, 2]


def test_resumed_where_another_stopped():
    picture = np.full((*SIZE, 3), 9, np.uint8)
    stage = Stage([(0.0, scene()), (1.0, Stop())], resume=Resume(picture, Pose(4.0, 1.0), -2.5)).run()
    first = stage.reports(Shot)[0]
    assert (first.steps, stage.pictures[0][0, 0, 0]) == (1, 10)
    assert first.pose.log_zoom == pytest.approx(6.5)
    assert first.pose.rotation == 1.0


def test_with_all_slots_taken_pictures_are_left_out_and_their_steps_counted_later():
    stage = Stage([(0.0, scene()), (3.0, Stop())], give_back=False).run()
    assert len(stage.reports(Shot)) == 3
    stage = Stage([(0.0, scene()), (2.0, Free(0)), (3.0, Stop())], give_back=False)
    stage.inbox.script = deque([(0.0, scene()), (3.0, Stop())])
    stage.dreamer.on_step = lambda dreamer, act=stage.dreamer.on_step: (
        act(dreamer),
        dreamer.red == 15 and (stage.ring.slots.pop(0), stage.inbox.put(Free(0))),
    )
    stage.run()
    assert stage.reports(Shot)[3].steps > 2


def test_out_of_memory_makes_the_canvas_smaller():
    def greedy(dreamer):
        if dreamer.size == (400, 600):
            raise MemoryError("400x600")

    stage = Stage([(0.0, scene()), (2.0, Stop())], step=greedy, size=(400, 600)).run()
    (trouble,) = stage.reports(Trouble)
    assert trouble.message == "out of memory: dreaming on a canvas of 510x340 from now on (MemoryError: 400x600)"
    assert stage.reports(Shot)[-1].size == (340, 510)
    assert [act for act in acts(stage) if isinstance(act, Stumbled | Resized)] == [Stumbled(), Resized((340, 510))]


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
    assert stage.reports(Shot)[-1].size < (400, 600)


def test_a_fast_dream_rests_between_keyframes():
    stage = Stage([(0.0, scene()), (5.0, Stop())], keyframe_s=0.5, steps_per_keyframe=1).run()
    times = [at_s for at_s, report in stage.said if isinstance(report, Shot)]
    assert np.diff(times[2:]) == pytest.approx(0.5)
