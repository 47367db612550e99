import pytest

from streamer.config import DreamConfig
from streamer.dream.worker.budget import AUTO_MAX_S, LEVELS, MAX_STEPS_PER_S, MIN_SIDE, SHRINK, Budget

FULL = (270, 480)


class Machine:
    """Takes ``step_s`` for a step on the full canvas, and in proportion to the area on others; time moves by hand."""

    def __init__(self, step_s, *, frame_s=0.04, shrinkable=True, size=FULL, **settings):
        self.step_s, self.full, self.now_s = step_s, size, 0.0
        self.budget = Budget(DreamConfig(**settings), size, frame_s=frame_s, shrinkable=shrinkable)
        self.intervals, self.sizes = [], [size]

    def run(self, keyframes):
        for _ in range(keyframes):
            began = self.now_s
            for _ in range(self.budget.steps):
                height, width = self.budget.size
                took = self.step_s * height * width / (self.full[0] * self.full[1])
                self.now_s += took
                self.budget.took(took)
            self.now_s = max(self.now_s, began + self.budget.least_s)
            self.intervals.append(self.now_s - began)
            if self.budget.keyframe():
                self.sizes.append(self.budget.size)
        return self.intervals[-1]


def test_auto_makes_a_keyframe_of_two_steps_on_a_cpu():
    machine = Machine(0.07)
    assert machine.run(20) == pytest.approx(0.14)
    assert (machine.budget.steps, machine.budget.size) == (2, FULL)


def test_auto_makes_a_keyframe_every_frame_on_a_fast_gpu_without_flicker():
    machine = Machine(0.002)
    assert machine.run(50) == pytest.approx(0.04)
    assert machine.budget.steps / 0.04 <= MAX_STEPS_PER_S * 1.02


def test_auto_leaves_a_slow_network_its_time_up_to_a_limit():
    machine = Machine(0.9)
    assert machine.run(20) == pytest.approx(1.8)
    assert machine.budget.size == FULL
    slow = Machine(7.0)
    assert slow.run(60) <= AUTO_MAX_S * 1.25
    assert slow.budget.steps == 1
    assert slow.budget.size < FULL


def test_keyframe_s_is_held_by_steps_first():
    machine = Machine(0.05, keyframe_s=0.5)
    assert machine.run(20) == pytest.approx(0.5)
    assert machine.budget.steps == 10
    machine.step_s = 0.2
    machine.run(30)
    assert machine.intervals[-1] == pytest.approx(0.5, rel=0.25)
    assert (machine.budget.steps, machine.budget.size) == (2, FULL)
    machine.step_s = 0.05
    machine.run(60)
    assert machine.budget.steps == 10


def test_keyframe_s_is_held_by_the_canvas_second_which_grows_again():
    machine = Machine(0.3, keyframe_s=0.2)
    machine.run(100)
    assert machine.intervals[-1] <= 0.25 * 1.01
    assert machine.budget.steps == 1
    assert machine.budget.size < FULL
    shrunk = len(machine.sizes)
    machine.step_s = 0.05
    machine.run(500)
    assert machine.budget.size == FULL
    assert len(machine.sizes) > shrunk


def test_a_canvas_at_the_edge_does_not_swing():
    machine = Machine(0.29, keyframe_s=0.2)
    machine.run(5000)
    assert len(machine.sizes) <= 4


def test_a_canvas_that_was_asked_for_is_left_alone():
    machine = Machine(7.0, shrinkable=False)
    machine.run(20)
    assert machine.budget.size == FULL


def test_fixed_steps_are_respected():
    machine = Machine(0.05, steps_per_keyframe=7)
    assert machine.run(20) == pytest.approx(0.35)
    machine.step_s = 0.01
    assert machine.run(20) == pytest.approx(7 / MAX_STEPS_PER_S)
    both = Machine(0.5, steps_per_keyframe=4, keyframe_s=1.0)
    both.run(60)
    assert both.budget.steps == 4
    assert both.budget.size < FULL


def test_the_2015_algorithm_takes_ten_steps():
    assert Machine(0.5, algorithm="original_2015").budget.steps == 10


def test_one_hiccup_changes_nothing():
    machine = Machine(0.05, keyframe_s=0.2)
    machine.run(20)
    machine.step_s = 30.0
    machine.run(1)
    machine.step_s = 0.05
    machine.run(20)
    assert (machine.budget.steps, machine.sizes) == (4, [FULL])


def test_the_first_steps_set_things_up_and_do_not_count():
    budget = Budget(DreamConfig(keyframe_s=0.2), FULL, frame_s=0.04)
    for seconds in (9.0, 5.0, 0.05):
        budget.took(seconds)
    assert budget.step_s == 0.05


def test_out_of_memory_shrinks_for_good_until_there_is_nothing_left():
    machine = Machine(0.01, keyframe_s=0.2, shrinkable=False)
    assert machine.budget.out_of_memory()
    small = machine.budget.size
    assert small == (round(270 * SHRINK), round(480 * SHRINK))
    machine.run(500)
    assert machine.budget.size == small
    tries = 1
    while machine.budget.out_of_memory():
        tries += 1
    assert tries <= LEVELS
    assert not Budget(DreamConfig(), (MIN_SIDE, 500), frame_s=0.04).out_of_memory()
