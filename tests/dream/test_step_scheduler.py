import pytest

from streamer.config import DreamConfig
from streamer.dream.worker.step_scheduler import (
    AUTO_MAX_S,
    LEVELS,
    MAX_STEPS_PER_S,
    MEMORY_RETRY_S,
    MIN_SIDE,
    SHRINK,
    StepScheduler,
)

FULL = (270, 480)


class Machine:
    """Takes ``step_s`` for a step on the full canvas, in proportion to the area on others; its clock is fake."""

    def __init__(self, step_s, *, frame_s=0.04, shrinkable=True, size=FULL, largest=None, **settings):
        self.step_s, self.full, self.now_s = step_s, size, 0.0
        self.scheduler = StepScheduler(DreamConfig(**settings), size, frame_s=frame_s, shrinkable=shrinkable, largest=largest)
        self.intervals, self.sizes = [], [size]

    def run(self, keyframes):
        for _ in range(keyframes):
            began = self.now_s
            for _ in range(self.scheduler.steps):
                height, width = self.scheduler.size
                took = self.step_s * height * width / (self.full[0] * self.full[1])
                self.now_s += took
                self.scheduler.took(took)
            self.now_s = max(self.now_s, began + self.scheduler.least_s)
            self.intervals.append(self.now_s - began)
            if self.scheduler.keyframe():
                self.sizes.append(self.scheduler.size)
        return self.intervals[-1]


def test_auto_makes_a_keyframe_of_two_steps_on_a_cpu():
    machine = Machine(0.07)
    assert machine.run(20) == pytest.approx(0.14)
    assert (machine.scheduler.steps, machine.scheduler.size) == (2, FULL)


def test_auto_makes_a_keyframe_every_frame_on_a_fast_gpu_without_flicker():
    machine = Machine(0.002)
    assert machine.run(50) == pytest.approx(0.04)
    assert machine.scheduler.steps / 0.04 <= MAX_STEPS_PER_S * 1.02


def test_auto_leaves_a_slow_network_its_time_up_to_a_limit():
    machine = Machine(0.9)
    assert machine.run(20) == pytest.approx(1.8)
    assert machine.scheduler.size == FULL
    slow = Machine(7.0)
    assert slow.run(60) <= AUTO_MAX_S * 1.25
    assert slow.scheduler.steps == 1
    assert slow.scheduler.size < FULL


def test_keyframe_s_is_held_by_steps_first():
    machine = Machine(0.05, keyframe_s=0.5)
    assert machine.run(20) == pytest.approx(0.5)
    assert machine.scheduler.steps == 10
    machine.step_s = 0.2
    machine.run(30)
    assert machine.intervals[-1] == pytest.approx(0.5, rel=0.25)
    assert (machine.scheduler.steps, machine.scheduler.size) == (2, FULL)
    machine.step_s = 0.05
    machine.run(60)
    assert machine.scheduler.steps == 10


def test_keyframe_s_is_held_by_the_canvas_second_which_grows_again():
    machine = Machine(0.3, keyframe_s=0.2)
    machine.run(100)
    assert machine.intervals[-1] <= 0.25 * 1.01
    assert machine.scheduler.steps == 1
    assert machine.scheduler.size < FULL
    shrunk = len(machine.sizes)
    machine.step_s = 0.05
    machine.run(500)
    assert machine.scheduler.size == FULL
    assert len(machine.sizes) > shrunk


def test_a_canvas_at_the_edge_does_not_swing():
    machine = Machine(0.29, keyframe_s=0.2)
    machine.run(5000)
    assert len(machine.sizes) <= 4


def test_a_canvas_that_was_asked_for_is_left_alone():
    machine = Machine(7.0, shrinkable=False)
    machine.run(20)
    assert machine.scheduler.size == FULL


def test_fixed_steps_are_respected():
    machine = Machine(0.05, steps_per_keyframe=7)
    assert machine.run(20) == pytest.approx(0.35)
    machine.step_s = 0.01
    assert machine.run(20) == pytest.approx(7 / MAX_STEPS_PER_S)
    both = Machine(0.5, steps_per_keyframe=4, keyframe_s=1.0)
    both.run(60)
    assert both.scheduler.steps == 4
    assert both.scheduler.size < FULL


def test_as_many_steps_a_second_as_are_asked_for():
    machine = Machine(0.001, frame_s=1 / 30, steps_per_keyframe=10, steps_per_s=300)
    assert machine.run(20) == pytest.approx(1 / 30)
    auto = Machine(0.001, frame_s=1 / 30, steps_per_s=300)
    assert auto.run(50) == pytest.approx(1 / 30)
    assert auto.scheduler.steps == 10
    slow = Machine(0.2, steps_per_s=2)
    assert slow.run(20) == pytest.approx(0.5 * slow.scheduler.steps)


def test_with_time_to_spare_after_all_steps_the_canvas_grows_up_to_the_video():
    machine = Machine(0.005, largest=(540, 960))
    machine.run(3000)
    assert machine.scheduler.size == (540, 960)
    assert machine.scheduler.steps / machine.intervals[-1] == pytest.approx(MAX_STEPS_PER_S)
    machine.step_s = 0.0115  # 46 ms on this canvas; a step may take 40
    machine.run(100)
    assert FULL < machine.scheduler.size < (540, 960)
    assert machine.intervals[-1] == pytest.approx(machine.scheduler.least_s)
    machine.step_s = 0.2
    machine.run(300)
    assert machine.scheduler.size == FULL
    busy = Machine(0.035, largest=(540, 960))
    busy.run(1000)
    assert busy.sizes == [FULL]


def test_the_2015_algorithm_takes_ten_steps():
    assert Machine(0.5, algorithm="original_2015").scheduler.steps == 10


def test_one_hiccup_changes_nothing():
    machine = Machine(0.05, keyframe_s=0.2)
    machine.run(20)
    machine.step_s = 30.0
    machine.run(1)
    machine.step_s = 0.05
    machine.run(20)
    assert (machine.scheduler.steps, machine.sizes) == (4, [FULL])


def test_the_first_steps_set_things_up_and_do_not_count():
    scheduler = StepScheduler(DreamConfig(keyframe_s=0.2), FULL, frame_s=0.04)
    for seconds in (9.0, 5.0, 0.05):
        scheduler.took(seconds)
    assert scheduler.step_s == 0.05


def test_out_of_memory_shrinks_for_ten_minutes_until_there_is_nothing_left():
    machine = Machine(0.01, keyframe_s=0.2, shrinkable=False)
    assert machine.scheduler.out_of_memory()
    small = machine.scheduler.size
    assert small == (round(270 * SHRINK), round(480 * SHRINK))
    machine.run(round(MEMORY_RETRY_S / 0.2) - 5)
    assert machine.scheduler.size == small
    machine.run(10)
    assert machine.scheduler.size == FULL
    tries = 1
    while machine.scheduler.out_of_memory():
        tries += 1
    assert tries <= LEVELS
    assert not StepScheduler(DreamConfig(), (MIN_SIDE, 500), frame_s=0.04).out_of_memory()


def test_a_share_of_the_time_is_kept_by_resting_and_the_canvas_does_not_grow_into_it():
    machine = Machine(0.02, size=(90, 160), largest=(180, 320))
    machine.run(30)
    size, steps = machine.scheduler.size, machine.scheduler.steps
    machine.scheduler.limit_share(0.5)
    machine.run(400)
    assert machine.scheduler.size == size
    assert machine.scheduler.steps == steps
    assert machine.scheduler.least_s == pytest.approx(max(0.04, 2 * steps * machine.scheduler.step_s))
    machine.scheduler.limit_share(1.0)
    assert machine.scheduler.least_s < 2 * steps * machine.scheduler.step_s or steps * machine.scheduler.step_s < 0.04
    fixed = Machine(0.4, keyframe_s=1.0)
    fixed.run(20)
    fixed.scheduler.limit_share(0.5)
    assert fixed.scheduler.least_s == pytest.approx(max(1.0, 2 * fixed.scheduler.steps * fixed.scheduler.step_s))


def test_a_canvas_that_did_not_fit_twice_comes_back_one_size_at_a_time():
    machine = Machine(0.01, keyframe_s=0.2)
    assert machine.scheduler.out_of_memory()
    assert machine.scheduler.out_of_memory()
    assert machine.scheduler.level == 2
    machine.run(round(MEMORY_RETRY_S / 0.2) + 200)
    assert machine.scheduler.level == 1
    machine.run(round(MEMORY_RETRY_S / 0.2))
    assert machine.scheduler.level == 0
    machine.run(round(MEMORY_RETRY_S / 0.2))
    assert machine.scheduler.level == 0


def test_a_budget_may_begin_where_an_earlier_one_got_to():
    scheduler = StepScheduler(DreamConfig(), FULL, frame_s=0.04, level=2)
    assert scheduler.size == (round(270 * SHRINK**2), round(480 * SHRINK**2))
    assert StepScheduler(DreamConfig(), FULL, frame_s=0.04, level=99).level == LEVELS - 1


def test_the_median_of_the_latest_steps_is_known():
    scheduler = StepScheduler(DreamConfig(), FULL, frame_s=0.04)
    assert scheduler.median_s == 0.0
    for seconds in (9.0, 5.0, 0.1, 60.0, 0.3, 0.2, 0.1):
        scheduler.took(seconds)
    assert scheduler.median_s == 0.2
