"""The renderer with real processes and a fake dreamer; whatever has to happen is polled for, with a deadline."""

import json
import logging
import multiprocessing.resource_tracker
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from streamer.acts import Begun, Bump
from streamer.config import CanvasConfig, Config, DreamConfig, ZoomConfig
from streamer.dream.worker.renderer import Limits, Renderer
from streamer.messages import Motion, Scene, Target, arrange
from tests.dream import fake_dream
from tests.dream.fake_dream import LAYERS, WNIDS

DEADLINE_S = 60.0
"""Far more than anything here takes."""
CONFIG = Config(
    canvas=CanvasConfig(width=64, height=36), dream=DreamConfig(keyframe_s=0.02), zoom=ZoomConfig(speed=2.0, rotation=0.0)
)
EAGER = Limits(backoff_s=0.01)


def scene(number=1, wnid=WNIDS[0]):
    return Scene(number, arrange([Target(wnid, "thing")]))


def until(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        threading.Event().wait(0.005)


def descriptors():
    """What this process has open, shared memory among it; nothing where the system does not show it."""
    found = Counter()
    for file in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):  # closed meanwhile, as the folder itself is by now
            found[os.readlink(file)] += 1
    return found


class Seen:
    def __init__(self):
        self.keyframes = []

    def __call__(self, keyframe):
        self.keyframes.append(keyframe)

    def where(self, condition):
        return [keyframe for keyframe in list(self.keyframes) if condition(keyframe)]


@contextmanager
def running(factory, *, limits=EAGER, config=CONFIG):
    multiprocessing.resource_tracker.ensure_running()
    before, seen = descriptors(), Seen()
    renderer = Renderer(config, 1, seen, factory=factory, limits=limits)
    renderer.scene(scene())
    renderer.start()
    try:
        yield renderer, seen
    finally:
        renderer.stop()
    left = descriptors() - before  # what earlier tests left to the garbage collector may go meanwhile
    assert not left


def test_importing_it_leaves_torch_alone():
    code = "import sys, streamer.dream.worker.renderer as r; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=DEADLINE_S)


def test_scenes_in_keyframes_out():
    with running(fake_dream.make) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 5)
        renderer.scene(scene(2, WNIDS[1]))
        until(lambda: seen.keyframes[-1].scene.id == 2)
        renderer.bump()
        renderer.motion(Motion(1.0, 0.0))
        stood = len(seen.keyframes)
        until(lambda: len(seen.keyframes) > stood + 20)
        until(lambda: renderer.status().steps_per_s > 0)
        status = renderer.status()
        assert renderer.latest() is not None
        latest_s = renderer.latest().time_s
    assert [keyframe.number for keyframe in seen.keyframes] == list(range(len(seen.keyframes)))
    assert seen.keyframes[-1].pose == seen.keyframes[-5].pose, "the new motion stands still"
    assert abs(time.monotonic() - latest_s) < DEADLINE_S
    for keyframe in seen.keyframes:
        assert keyframe.image.shape == (36, 64, 3)
        assert np.ptp(keyframe.image.reshape(-1, 3), axis=0).max() == 0, "torn"
        assert keyframe.image[0, 0, 1] == keyframe.scene.id
    moving = [keyframe for keyframe in seen.keyframes if keyframe.scene.id == 1]
    for keyframe in moving:
        assert keyframe.pose.log_zoom == pytest.approx(keyframe.time_s - moving[0].time_s)
    assert (status.network, status.device, status.canvas, status.wnids) == ("fake", "cpu", (36, 64), WNIDS)
    assert status.layers == LAYERS
    assert (status.restarts, status.error, status.activity) == (0, "", "")
    assert status.keyframe_s is not None


@pytest.mark.logs("it goes on with a new worker in 0.01 s")
def test_all_that_is_done_is_told_with_its_keyframe():
    told, seen = [], Seen()
    renderer = Renderer(
        CONFIG,
        1,
        seen,
        on_acts=lambda keyframe, acts: told.append((keyframe, acts)),
        factory=fake_dream.make_raising,
        limits=EAGER,
    )
    renderer.scene(scene())
    renderer.start()
    try:
        until(lambda: seen.where(lambda keyframe: keyframe.image[0, 0, 2] == 255 and keyframe.steps))
        renderer.twist()
        until(lambda: any(Bump(twist=True) in acts for _, acts in told))
    finally:
        renderer.stop()
    begun = [act for _, acts in told for act in acts if isinstance(act, Begun)]
    assert begun == [Begun("fake", "cpu", 0, (36, 64)), Begun("fake", "cpu", 0, (36, 64), resumed=True)]
    assert [keyframe for keyframe, _ in told] == seen.keyframes
    moved_s = sum(act for _, acts in told for act in acts if isinstance(act, int)) / 1000
    assert seen.keyframes[-1].pose.log_zoom == pytest.approx(moved_s), "steps that led to no keyframe are nobody's"


def test_pause_keeps_the_camera_still_and_keyframes_coming():
    with running(fake_dream.make) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 2)
        renderer.pause(True)
        until(lambda: len(seen.keyframes) > 4 and all(keyframe.steps == 0 for keyframe in seen.keyframes[-2:]))
        until(lambda: renderer.status().steps_per_s == 0)
        assert seen.keyframes[-1].pose == seen.keyframes[-2].pose
        renderer.pause(False)
        until(lambda: seen.keyframes[-1].steps > 0)


@pytest.mark.logs("it goes on with a new worker in 0.01 s")
@pytest.mark.parametrize(
    ("factory", "error"),
    [
        (fake_dream.make_raising, "RuntimeError: a step went wrong"),
        (fake_dream.make_killed, "the worker was killed by SIGKILL; was there memory enough?"),
    ],
)
def test_the_dream_goes_on_after_a_crash(factory, error):
    with running(factory) as (renderer, seen):
        until(lambda: seen.where(lambda keyframe: keyframe.image[0, 0, 2] == 255 and keyframe.steps))
        status = renderer.status()
    restored = seen.where(lambda keyframe: keyframe.image[0, 0, 2] == 255)
    before = seen.keyframes[restored[0].number - 1]
    assert (status.restarts, status.error) == (1, error)
    assert before.image[0, 0, 0] <= restored[0].image[0, 0, 0] <= before.image[0, 0, 0] + 2
    assert restored[0].scene.id == 1
    went_s = restored[0].time_s - before.time_s
    assert restored[0].pose.log_zoom - before.pose.log_zoom == pytest.approx(went_s), "the zoom made up for the gap"
    assert [keyframe.number for keyframe in seen.keyframes] == list(range(len(seen.keyframes)))


@pytest.mark.logs("the worker was silent for 0.3 s")
def test_a_worker_that_hangs_is_replaced():
    with running(fake_dream.make_hanging, limits=Limits(backoff_s=0.01, silence_s=0.3)) as (renderer, seen):
        until(lambda: seen.where(lambda keyframe: keyframe.image[0, 0, 2] == 255))
        assert renderer.status().restarts >= 1


@pytest.mark.logs("out of luck")
def test_a_dream_that_never_begins_is_given_up():
    with running(fake_dream.make_failing_start) as (renderer, _):
        until(lambda: renderer.failure)
        assert renderer.failure == "RuntimeError: out of luck"
        assert renderer.status().restarts == 2
        assert renderer.status().activity == "given up"


def test_settings_that_cannot_be_dreamt_are_not_tried_again():
    with running(fake_dream.make_unfit) as (renderer, _):
        until(lambda: renderer.failure)
        assert (renderer.failure, renderer.status().restarts) == ("no network of that name", 0)


@pytest.mark.logs("fake does not know 'thing'")
def test_an_unknown_subject_is_told_and_survived():
    with running(fake_dream.make) as (renderer, seen):
        renderer.scene(scene(2, "n99999999"))
        until(lambda: renderer.status().error)
        count = len(seen.keyframes)
        until(lambda: len(seen.keyframes) > count + 2)
        assert "fake does not know" in renderer.status().error


@pytest.mark.parametrize("factory", [fake_dream.make_slow_to_load, fake_dream.make_deaf])
def test_stop_does_not_wait_for_a_worker_that_is_busy(factory):
    with running(factory, limits=EAGER) as (renderer, _):
        until(lambda: renderer.status().activity != "starting")
        until(lambda: renderer.status().activity or renderer.status().network)
        renderer.stop(0.2)


def test_stop_without_start_and_twice():
    renderer = Renderer(CONFIG, 1, factory=fake_dream.make)
    renderer.stop()
    renderer.stop()
    renderer.scene(scene())
    assert renderer.latest() is None


def test_a_listener_that_fails_is_told_of(caplog):
    def listener(keyframe):
        raise ValueError("full")

    renderer = Renderer(CONFIG, 1, listener, factory=fake_dream.make, limits=EAGER)
    renderer.scene(scene())
    with caplog.at_level(logging.ERROR):
        renderer.start()
        until(lambda: renderer.failure)
    renderer.stop()
    assert renderer.failure == "ValueError: full"
    assert "the renderer itself failed" in caplog.text


PROGRAM = """
import json, multiprocessing, sys, threading
sys.path[:0] = {path!r}
from tests.dream import fake_dream
from tests.dream.test_renderer import CONFIG, EAGER, scene
from streamer.dream.worker.renderer import Renderer

def main():
    began = threading.Event()
    heard = lambda keyframe: keyframe.number > 3 and began.set()
    renderer = Renderer(CONFIG, 1, heard, factory=fake_dream.{factory}, limits=EAGER)
    renderer.scene(scene())
    renderer.start()
    if not {loading}:
        assert began.wait(60)
    else:
        while renderer.status().activity in ("", "starting"):
            began.wait(0.01)
    try:
        print(json.dumps([child.pid for child in multiprocessing.active_children()]), flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        renderer.stop()

if __name__ == "__main__":
    main()
"""


@contextmanager
def program(tmp_path, factory="make", loading=False):
    """The renderer in a process group of its own, as in a terminal; gives the process and its workers' ids."""
    file = tmp_path / "program.py"
    file.write_text(PROGRAM.format(path=[os.getcwd()], factory=factory, loading=loading))
    process = subprocess.Popen(
        [sys.executable, str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")


@needs_proc
@pytest.mark.parametrize(("factory", "loading"), [("make", False), ("make_slow_to_load", True)])
def test_ctrl_c_in_a_terminal_ends_everything_quietly(tmp_path, factory, loading):
    with program(tmp_path, factory, loading) as (process, workers):
        assert workers
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, output, errors) == (0, "", "")
    assert not any(map(alive, workers))


@needs_proc
def test_no_worker_outlives_a_killed_program(tmp_path):
    with program(tmp_path) as (process, workers):
        assert workers
        assert all(map(alive, workers))
        process.kill()
        process.wait(DEADLINE_S)
        until(lambda: not any(map(alive, workers)))
        assert process.stderr.read() == ""
