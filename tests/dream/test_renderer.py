"""The renderer with real processes and a fake dreamer; tests poll for each event, with a deadline."""

import itertools
import json
import logging
import multiprocessing.resource_tracker
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamer.config import CanvasConfig, Config, DreamConfig, RendererConfig, ZoomConfig
from streamer.dream.worker import degradation
from streamer.dream.worker import process as worker_process
from streamer.dream.worker.dream_loop import MAX_DT_S
from streamer.dream.worker.frame_slots import SLOTS
from streamer.dream.worker.process import WorkerProcess
from streamer.dream.worker.protocol import ResourceLimit
from streamer.dream.worker.renderer import Renderer, RendererLimits
from streamer.dream.worker.spare_worker import SpareLimits
from streamer.dream.worker.worker_main import NICENESS
from streamer.dream.worker.worker_watchdog import SilenceLimits
from streamer.dream_state import DreamState
from streamer.events import Bump, DreamStarted, Tuned
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene, Target, arrange
from tests.dream import fake_dream
from tests.dream.fake_dream import LAYERS, WNIDS
from tests.patience import PATIENCE_S, until

pytestmark = pytest.mark.usefixtures("forked_workers")

CONFIG = Config(
    canvas=CanvasConfig(width=64, height=36), dream=DreamConfig(keyframe_s=0.02), zoom=ZoomConfig(speed=2.0, rotation=0.0)
)
WITHOUT_SPARE = CONFIG.model_copy(update={"renderer": RendererConfig(spare=False)})
EAGER = RendererLimits(backoff_s=0.01, spare=SpareLimits(after_s=1000.0))
"""No test lasts until a spare starts."""
SPARED = RendererLimits(backoff_s=1000.0, grown_up=0, spare=SpareLimits(after_s=0.0, pause_s=0.01))
"""Every worker that rendered counts as sound and has a spare; any pause outlasts a test."""


def scene(number=1, wnid=WNIDS[0]):
    return Scene(number, arrange([Target(wnid, "thing")]))


def descriptors():
    """Count what this process has open, shared memory included; nothing if the system hides it."""
    found = Counter()
    for file in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):  # closed by now, like the folder's own
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
def running(factory, *, limits=EAGER, config=CONFIG, clock=time.monotonic):
    multiprocessing.resource_tracker.ensure_running()
    before, seen = descriptors(), Seen()
    renderer = Renderer(config, 1, seen, factory=factory, limits=limits, clock=clock)
    renderer.scene(scene())
    renderer.start()
    try:
        yield renderer, seen
    finally:
        renderer.stop()
    left = descriptors() - before  # the garbage of earlier tests may vanish meanwhile
    assert not left


def test_importing_it_leaves_torch_alone():
    code = "import sys, streamer.dream.worker.renderer as r; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE_S)


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
    assert abs(time.monotonic() - latest_s) < PATIENCE_S
    for keyframe in seen.keyframes:
        assert keyframe.image.shape == (36, 64, 3)
        assert np.ptp(keyframe.image.reshape(-1, 3), axis=0).max() == 0, "torn"
        assert keyframe.image[0, 0, 1] == keyframe.scene.id
    moving = [keyframe for keyframe in seen.keyframes if keyframe.scene.id == 1]
    for keyframe in moving:
        assert keyframe.pose.log_zoom == pytest.approx(keyframe.time_s - moving[0].time_s)
    assert (status.network, status.device, status.canvas, status.wnids) == ("fake", "cpu", (36, 64), WNIDS)
    assert (status.layers, status.nearest) == (LAYERS, ((1,), (0,)))
    assert (status.restarts, status.error, status.activity) == (0, "", "")
    assert status.keyframe_s is not None


@pytest.mark.logs("continuing with a new worker")
def test_every_event_is_passed_on_with_its_keyframe():
    told, seen = [], Seen()
    renderer = Renderer(
        CONFIG,
        1,
        seen,
        on_events=lambda keyframe, events: told.append((keyframe, events)),
        factory=fake_dream.make_raising,
        limits=EAGER,
    )
    renderer.scene(scene())
    renderer.start()
    try:
        until(lambda: seen.where(lambda keyframe: keyframe.image[0, 0, 2] == 255 and keyframe.steps))
        renderer.twist()
        until(lambda: any(Bump(twist=True) in events for _, events in told))
    finally:
        renderer.stop()
    begun = [event for _, events in told for event in events if isinstance(event, DreamStarted)]
    first, second = begun
    assert first == DreamStarted("fake", "cpu", 0, (36, 64))
    assert (second.resumed, second.kept in range(4)) == (True, True), "with the momentum of that picture, or of one before it"
    assert [keyframe for keyframe, _ in told] == seen.keyframes
    moved_s = sum(event for _, events in told for event in events if isinstance(event, int)) / 1000
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


@pytest.mark.logs("continuing with a new worker")
@pytest.mark.parametrize(
    ("factory", "error"),
    [
        (fake_dream.make_raising, "RuntimeError: a step went wrong"),
        (fake_dream.make_killed, "the worker was killed by SIGKILL"),
        (fake_dream.make_leaving, "the worker ended with exit code 0"),
    ],
)
def test_the_dream_continues_after_a_crash(factory, error):
    with running(factory) as (renderer, seen):
        until(lambda: seen.where(lambda keyframe: keyframe.image[0, 0, 2] == 255 and keyframe.steps))
        status = renderer.status()
    restored = seen.where(lambda keyframe: keyframe.image[0, 0, 2] == 255)
    before = seen.keyframes[restored[0].number - 1]
    assert (status.restarts, status.last_error.removesuffix("; was there enough memory?")) == (1, error)
    assert (status.error, status.activity) == ("", ""), "it is over"
    assert status.last_error_ago_s is not None
    assert 0 <= status.last_error_ago_s < PATIENCE_S
    assert before.image[0, 0, 0] <= restored[0].image[0, 0, 0] <= before.image[0, 0, 0] + 2
    assert restored[0].scene.id == 1
    went_s = min(restored[0].time_s - before.time_s, MAX_DT_S)  # a busy machine may take longer to start a process
    assert restored[0].pose.log_zoom - before.pose.log_zoom == pytest.approx(went_s), "the zoom made up for the gap"
    assert [keyframe.number for keyframe in seen.keyframes] == list(range(len(seen.keyframes)))


@pytest.mark.logs("the worker was silent for 1 s")
def test_a_worker_that_hangs_is_replaced():
    with running(fake_dream.make_hanging, limits=RendererLimits(backoff_s=0.01, silence=SilenceLimits(silence_s=1.0))) as (
        renderer,
        seen,
    ):
        until(lambda: seen.where(lambda keyframe: keyframe.image[0, 0, 2] == 255))
        assert renderer.status().restarts >= 1


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="Linux tells how long processes wait for a processor")
def test_how_long_a_worker_waits_for_a_processor_is_known():
    worker = WorkerProcess(CONFIG, 1, fake_dream.make_slow_to_load)
    until(lambda: worker.starved_s > 0)
    worker.dismiss(0.0)


@contextmanager
def no_descriptor_left():
    """Leave this process no free file descriptor, as with too many open connections."""
    resource = pytest.importorskip("resource", reason="limits of a process are POSIX")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.logs("was killed by SIGKILL", "the dream stopped: no process can be started")
def test_a_worker_that_cannot_be_started_is_tried_until_it_can():
    with running(fake_dream.make) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 2)
        (victim,) = workers("dream")
        with no_descriptor_left():
            os.kill(victim, signal.SIGKILL)
            until(lambda: renderer.status().restarts > 2 + EAGER.tries)
            assert renderer.status().error == "no process can be started: Too many open files"
        stood = len(seen.keyframes)
        until(lambda: len(seen.keyframes) > stood + 2)
        assert renderer.failure == ""


@pytest.mark.logs("the dream stopped: no process can be started: Too many open files")
def test_the_first_worker_is_tried_until_it_can_be_started():
    multiprocessing.resource_tracker.ensure_running()
    before, seen = descriptors(), Seen()
    renderer = Renderer(CONFIG, 1, seen, factory=fake_dream.make, limits=EAGER)
    renderer.scene(scene())
    with no_descriptor_left():
        renderer.start()
        until(lambda: renderer.status().restarts > EAGER.tries)
    until(lambda: seen.keyframes)
    renderer.stop()
    assert not descriptors() - before


@pytest.mark.logs("out of luck")
def test_a_dream_that_never_begins_is_given_up():
    with running(fake_dream.make_failing_start) as (renderer, _):
        until(lambda: renderer.failure)
        assert renderer.failure == "RuntimeError: out of luck"
        assert renderer.status().restarts == 2
        assert renderer.status().activity == "given up"


def workers(name):
    found = []
    for child in multiprocessing.active_children():
        with suppress(ValueError):  # the renderer has closed it meanwhile
            found += [child.pid] if child.name == name else []
    return found


@pytest.fixture
def gate(tmp_path, monkeypatch):
    gate = tmp_path / "gate"
    monkeypatch.setenv(fake_dream.GATE, str(gate))
    return gate


def rehearsed(gate):
    """Return the PID that rehearsed last."""
    return int(Path(f"{gate}.rehearsed").read_text())


def restored(keyframe):
    return keyframe.image[0, 0, 2] == 255 and keyframe.steps


@pytest.mark.logs("the worker was killed by SIGKILL; continuing with a new worker immediately")
def test_a_spare_takes_the_place_of_a_killed_worker_at_once(gate, caplog):
    caplog.set_level(logging.INFO)
    with running(fake_dream.make_rehearsing, limits=SPARED) as (renderer, seen):
        until(lambda: seen.keyframes)
        (dreaming,) = workers("dream")
        for _ in range(3):
            until(lambda dreaming=dreaming: renderer._spare.waits and rehearsed(gate) != dreaming)
            spare = rehearsed(gate)
            assert {spare, dreaming} == {*workers("dream"), *workers("spare")}
            os.kill(dreaming, signal.SIGKILL)
            dreaming = spare
        until(lambda: renderer._spare.waits and rehearsed(gate) != dreaming)
        assert renderer.status().restarts == 3
        assert spare in workers("spare")
    assert seen.where(restored)
    begun = [keyframe for keyframe in seen.keyframes if keyframe.steps]
    assert [keyframe.number for keyframe in seen.keyframes] == list(range(len(seen.keyframes)))
    assert all(after.pose.log_zoom >= before.pose.log_zoom for before, after in itertools.pairwise(begun))
    assert caplog.text.count("the dream continues after") == 3


@pytest.mark.logs("the worker was killed by SIGKILL; continuing with a new worker immediately")
def test_without_a_spare_a_new_worker_continues():
    with running(fake_dream.make, limits=SPARED, config=WITHOUT_SPARE) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 10)
        (victim,) = workers("dream")
        assert len(multiprocessing.active_children()) == 1
        os.kill(victim, signal.SIGKILL)
        until(lambda: seen.where(restored))
        assert renderer.status().restarts == 1
        assert not workers("spare")


@pytest.mark.logs("cannot switch to the best network, ink: there is no ink", "the spare worker ended: there is no ink")
def test_without_a_spare_the_settings_can_still_be_switched():
    with running(fake_dream.make_by_algorithm, limits=SPARED, config=WITHOUT_SPARE) as (renderer, seen):
        renderer.scene(scene(1, WNIDS[1]))
        until(lambda: seen.keyframes)
        renderer.switch(_with("ink"), Tuned())
        until(lambda: renderer.status().switch_failures)
        renderer.switch(_with("deepdream"), Tuned())
        until(lambda: seen.where(lambda keyframe: _blue(keyframe) == 50))
        until(lambda: len(multiprocessing.active_children()) == 1)
        after = len(seen.keyframes)
        until(lambda: len(seen.keyframes) > after + 10)
        assert len(multiprocessing.active_children()) == 1, "it does not wait for the next failure"
        assert renderer.status().restarts == 0


@pytest.mark.logs("the spare worker ended: the worker was killed by SIGKILL; starting another in 0.01 s")
def test_a_spare_that_is_killed_is_replaced_and_missed_by_nobody():
    with running(fake_dream.make, limits=SPARED) as (renderer, seen):
        until(lambda: renderer._spare.waits)
        (spare,) = workers("spare")
        os.kill(spare, signal.SIGKILL)
        until(lambda: renderer._spare.waits and workers("spare") not in ([spare], []))
        count = len(seen.keyframes)
        until(lambda: len(seen.keyframes) > count + 2)
        assert (renderer.status().restarts, renderer.status().error) == (0, "")
    assert not seen.where(restored)


def test_stop_does_not_wait_for_a_spare_that_loads(gate):
    with running(fake_dream.make_slow_spare, limits=SPARED) as (renderer, _):
        until(lambda: workers("spare"))
        renderer.stop(0.5)
        assert not multiprocessing.active_children()


@pytest.mark.logs("continuing with a new worker immediately")
def test_a_spare_that_loads_is_taken_too(gate):
    with running(fake_dream.make_slow_spare, limits=SPARED) as (renderer, seen):
        until(lambda: workers("spare"))
        (spare,) = workers("spare")
        os.kill(*workers("dream"), signal.SIGKILL)
        until(lambda: renderer.status().restarts == 1)
        gate.touch()
        until(lambda: seen.where(restored))
        assert spare in workers("spare")


def test_no_spare_is_kept_once_the_config_is_rejected(gate):
    with running(fake_dream.make_unfit_later, limits=SPARED) as (renderer, _):
        until(lambda: renderer._spare.waits)
        gate.touch()
        until(lambda: renderer.failure)
        until(lambda: not multiprocessing.active_children())
        assert (renderer.failure, renderer.status().restarts) == ("the disk is gone", 0)


@pytest.mark.logs("continuing with a new worker immediately")
def test_a_gpu_holds_no_second_network(gate):
    with running(fake_dream.make_on_a_gpu, limits=SPARED) as (renderer, seen):
        until(lambda: renderer._spare.waits)
        (spare,) = workers("spare")
        gate.touch()
        os.kill(*workers("dream"), signal.SIGKILL)
        until(lambda: seen.where(restored))
        assert spare in workers("spare")


def test_workers_that_fail_soon_are_replaced_ever_later_and_have_no_spare(caplog):
    with running(fake_dream.make_raising_always, limits=replace(EAGER, spare=SpareLimits(after_s=0.0))) as (renderer, _):
        until(lambda: renderer.status().restarts >= 3)
        assert not workers("spare")
    told = [record.getMessage().rpartition("worker ")[2] for record in caplog.records if record.levelno == logging.WARNING]
    assert told[:3] == ["in 0.01 s", "in 0.02 s", "in 0.04 s"]


def test_the_pause_grows_only_while_workers_die_young(caplog):
    grown_up = SLOTS - 1  # each worker's pictures that find a slot, however late the renderer is
    limits = RendererLimits(backoff_s=1000.0, grown_up=grown_up, spare=SpareLimits(after_s=1000.0))
    with running(fake_dream.make_short_lived, limits=limits) as (renderer, _):
        until(lambda: renderer.status().restarts >= 3)
    told = [record.getMessage().rpartition("worker ")[2] for record in caplog.records if record.levelno == logging.WARNING]
    assert told[:3] == ["immediately"] * 3


@pytest.mark.logs("RuntimeError: CUDA error", "the GPU fails: the CPU renders from now on")
def test_after_three_failures_of_the_gpu_the_cpu_dreams():
    with running(fake_dream.make_without_a_gpu_that_works) as (renderer, seen):
        until(lambda: renderer.status().device == "cpu" and seen.where(restored) and seen.keyframes[-1].image[0, 0, 0] > 20)
        status = renderer.status()
    assert status.restarts == 3
    assert status.reduced == "the GPU failed 3 times in a row: the CPU renders until the program is restarted"


LARGE = CONFIG.model_copy(update={"canvas": CanvasConfig(width=640, height=360)})


@pytest.mark.logs("out of memory: dreaming on a canvas of 544x306 from now on")
@pytest.mark.logs("the worker was killed by SIGKILL")
def test_want_of_memory_makes_the_canvas_smaller_for_those_to_come_too():
    with running(fake_dream.make_large, config=LARGE) as (renderer, seen):
        until(lambda: seen.where(lambda keyframe: keyframe.image.shape == (306, 544, 3) and keyframe.steps))
        assert renderer.status().reduced == "too little memory: a smaller canvas; next attempt with more in 10 min"
        assert renderer.status().restarts == 0
        os.kill(workers("dream")[0], signal.SIGKILL)
        until(lambda: seen.where(restored))
    assert {keyframe.image.shape for keyframe in seen.where(restored)} == {(306, 544, 3)}


@pytest.mark.logs("the system killed the worker: out of memory", "the canvas is one size smaller from now on")
def test_a_worker_killed_for_lack_of_memory_is_followed_by_a_smaller_canvas(monkeypatch):
    monkeypatch.setattr(worker_process.OomKillCounter, "rose", lambda self: True)
    with running(fake_dream.make_killed, config=LARGE) as (_, seen):
        until(lambda: seen.where(restored))
    assert {keyframe.image.shape for keyframe in seen.where(restored)} == {(306, 544, 3)}


@pytest.mark.logs("MemoryError: two are too many", "out of memory: continuing without bundled")
@pytest.mark.logs("its picture is kept, its momentum is not")
def test_a_network_is_dropped_for_lack_of_memory_and_later_taken_back(gate, monkeypatch):
    monkeypatch.setattr(degradation, "MEMORY_RETRY_S", 0.5)
    limits = RendererLimits(backoff_s=0.01, spare=SpareLimits(after_s=0.0, pause_s=0.01))
    with running(fake_dream.make_two_networks, limits=limits) as (renderer, seen):
        until(lambda: renderer.status().network == "vgg16" and seen.where(restored))
        gate.touch()
        until(lambda: renderer.status().network == "vgg16 + bundled" and not renderer.status().reduced)
        stood = len(seen.keyframes)
        until(lambda: len(seen.keyframes) > stood + 3)
        assert renderer.failure == ""


@pytest.mark.logs("3 unusable pictures in a row, it holds values that are not numbers: the dream restarts from its last")
def test_spoilt_pictures_are_counted_and_not_shown():
    with running(fake_dream.make_spoilt) as (renderer, seen):
        until(lambda: seen.where(restored))
        status = renderer.status()
    assert (status.spoilt, status.restarts) == (3, 0)
    assert max(keyframe.image[0, 0, 0] for keyframe in seen.where(lambda keyframe: keyframe.image[0, 0, 2] == 0)) <= 5


def test_a_dream_continues_where_another_program_left_off():
    first = Renderer(CONFIG, 1, factory=fake_dream.make, limits=EAGER)
    first.scene(scene(7))
    first.start()
    until(lambda: first.kept() is not None and first.kept()[0].number > 3)
    first.stop()
    latest, kept = first.kept()
    seen, told = Seen(), []
    second = Renderer(
        CONFIG,
        1,
        seen,
        on_events=lambda keyframe, events: told.extend(events),
        factory=fake_dream.make,
        limits=EAGER,
        latest=latest,
        kept=kept,
    )
    second.scene(scene(7))
    second.start()
    until(lambda: seen.keyframes)
    second.stop()
    (begun,) = [event for event in told if isinstance(event, DreamStarted)]
    assert (begun.resumed, begun.kept) == (True, 0)
    assert restored(seen.keyframes[0])
    assert seen.keyframes[0].number == latest.number + 1
    assert seen.keyframes[0].image[0, 0, 0] == latest.image[0, 0, 0] + seen.keyframes[0].steps
    assert seen.keyframes[0].pose.log_zoom > latest.pose.log_zoom


@pytest.mark.logs("the previous dream used default with other, this one uses default with fake")
def test_state_kept_by_another_network_is_logged_and_not_used():
    latest = Keyframe(np.full((36, 64, 3), 9, np.uint8), Pose(), time.monotonic(), scene(), 0, 0)
    told = []
    renderer = Renderer(
        CONFIG,
        1,
        on_events=lambda keyframe, events: told.extend(events),
        factory=fake_dream.make,
        limits=EAGER,
        latest=latest,
        kept=DreamState("other", "default", Pose(), {"momentum": np.zeros((3, 36, 64), np.float16)}, {}),
    )
    renderer.scene(scene())
    renderer.start()
    until(lambda: told)
    renderer.stop()
    assert (told[0].resumed, told[0].kept) == (True, None)


def _with(algorithm):
    return CONFIG.model_copy(update={"dream": CONFIG.dream.model_copy(update={"algorithm": algorithm})})


def _blue(keyframe):
    return int(keyframe.image[0, 0, 2])


def test_another_algorithm_takes_over_from_the_picture_without_a_break():
    switched, seen = [], Seen()
    renderer = Renderer(
        CONFIG,
        1,
        seen,
        on_switched=lambda config: switched.append((config.dream.algorithm, len(seen.keyframes))),
        factory=fake_dream.make_by_algorithm,
        limits=SPARED,
    )
    renderer.scene(scene(1, WNIDS[1]))
    renderer.start()
    try:
        until(lambda: len(seen.keyframes) > 5)
        renderer.tune(Tuned((("dream.momentum", 0.5),)))
        renderer.switch(_with("deepdream"), Tuned((("dream.momentum", 0.1),)))
        assert renderer.status().switching == "the best network, deepdream"
        renderer.tune(Tuned((("dream.momentum", 0.2),)))
        until(lambda: seen.where(lambda keyframe: _blue(keyframe) == 50))
        until(lambda: not renderer.status().switching)
        status = renderer.status()
        renderer.switch(CONFIG, Tuned())
        until(lambda: len(switched) == 2)
    finally:
        renderer.stop()
    first = seen.where(lambda keyframe: _blue(keyframe) == 50)[0]
    before = seen.keyframes[first.number - 1]
    assert [keyframe.number for keyframe in seen.keyframes] == list(range(len(seen.keyframes)))
    assert first.pose.log_zoom - before.pose.log_zoom == pytest.approx(first.time_s - before.time_s), "the zoom goes on"
    assert first.image[0, 0, 0] >= before.image[0, 0, 0], "from the picture that there was"
    assert first.scene == before.scene
    assert switched[0] == ("deepdream", first.number), "told before its first keyframe"
    assert switched[1][0] == "default"
    assert (status.network, status.restarts, status.switch_error, status.error) == ("deep", 0, "", "")


def test_a_subject_that_the_other_network_lacks_is_waited_for():
    with running(fake_dream.make_by_algorithm, limits=SPARED) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 2)
        renderer.switch(_with("deepdream"), Tuned())
        until(lambda: renderer.status().network == "deep")
        assert not seen.where(lambda keyframe: _blue(keyframe) == 50), "it knows nothing of what is on air"
        renderer.scene(scene(2, fake_dream.OTHER_WNIDS[1]))
        until(lambda: seen.where(lambda keyframe: _blue(keyframe) == 50 and keyframe.scene.id == 2))
        assert (renderer.status().error, renderer.status().restarts) == ("", 0)


@pytest.mark.logs("the spare worker ended: there is no ink", "cannot switch to", "the dream continues as before")
def test_what_cannot_be_prepared_leaves_the_dream_as_it_is(caplog):
    with running(fake_dream.make_by_algorithm, limits=SPARED) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 2)
        renderer.switch(_with("ink"), Tuned())
        until(lambda: renderer.status().switch_failures)
        status, there = renderer.status(), len(seen.keyframes)
        assert (status.switching, status.switch_error, status.restarts) == ("", "there is no ink", 0)
        until(lambda: len(seen.keyframes) > there + 5)
        assert renderer.failure == ""
        renderer.switch(_with("deepdream"), Tuned())  # the next switch still works
        renderer.scene(scene(2, WNIDS[1]))
        until(lambda: seen.where(lambda keyframe: _blue(keyframe) == 50))
        assert renderer.status().switch_error == ""
    assert "cannot switch to the best network, ink: there is no ink; the dream continues as before" in caplog.text


@pytest.mark.logs("cannot switch to the best network, original_2015: RuntimeError: it is not 2015")
def test_what_fails_before_its_first_picture_is_gone_back_from():
    with running(fake_dream.make_by_algorithm, limits=SPARED) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 2)
        renderer.switch(_with("original_2015"), Tuned())
        until(lambda: renderer.status().switch_failures)
        there = len(seen.keyframes)
        until(lambda: len(seen.keyframes) > there + 5)
        status = renderer.status()
        assert (status.switch_error, status.restarts) == ("RuntimeError: it is not 2015", 0)


def test_who_goes_back_before_it_is_prepared_has_what_there_was(gate):
    with running(fake_dream.make_slow_spare, limits=SPARED) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 2)
        renderer.switch(_with("deepdream"), Tuned((("dream.momentum", 0.1),)))
        renderer.switch(CONFIG, Tuned())
        until(lambda: not renderer.status().switching)
        gate.touch()
        there = len(seen.keyframes)
        until(lambda: len(seen.keyframes) > there + 5)
        assert renderer.status().switch_failures == 0


@pytest.mark.logs("RuntimeError: out of luck", "continuing with a new worker")
def test_a_dream_that_was_and_never_begins_again_is_given_up_too():
    latest = Keyframe(np.full((36, 64, 3), 9, np.uint8), Pose(), time.monotonic(), scene(), 0, 0)
    renderer = Renderer(CONFIG, 1, factory=fake_dream.make_failing_start, limits=EAGER, latest=latest)
    renderer.start()
    until(lambda: renderer.failure)
    renderer.stop()
    assert renderer.status().restarts == 2


def test_a_worker_may_be_started_before_its_renderer():
    first = WorkerProcess(CONFIG, 1, fake_dream.make)
    seen = Seen()
    renderer = Renderer(CONFIG, 1, seen, factory=fake_dream.make_unfit, first=first)
    renderer.scene(scene())
    renderer.start()
    until(lambda: len(seen.keyframes) > 2)
    renderer.stop()
    assert not multiprocessing.active_children()


def test_a_worker_that_was_started_for_nothing_ends_with_its_renderer():
    renderer = Renderer(CONFIG, 1, first=WorkerProcess(CONFIG, 1, fake_dream.make_slow_to_load))
    renderer.stop()
    assert not multiprocessing.active_children()


def test_a_rejected_config_is_not_tried_again():
    with running(fake_dream.make_unfit) as (renderer, _):
        until(lambda: renderer.failure)
        assert (renderer.failure, renderer.status().restarts) == ("no network of that name", 0)


@pytest.mark.logs("fake does not know 'thing'")
def test_an_unknown_subject_is_reported_without_stopping():
    with running(fake_dream.make) as (renderer, seen):
        renderer.scene(scene(2, "n99999999"))
        until(lambda: renderer.status().last_error)
        count = len(seen.keyframes)
        until(lambda: len(seen.keyframes) > count + 2)
        assert "fake does not know" in renderer.status().last_error


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


def test_the_failure_of_a_listener_is_reported(caplog):
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
if __name__ == "__mp_main__":
    print("the program's file is run again", file=sys.stderr)
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
        assert began.wait(120)
    else:
        while renderer.status().activity in ("", "starting"):
            began.wait(0.01)
    try:
        print(json.dumps([child.pid for child in multiprocessing.active_children()]), flush=True)
        while True:  # a signal between two instructions would not end a wait without a limit
            threading.Event().wait(0.1)
    except KeyboardInterrupt:
        renderer.stop()

if __name__ == "__main__":
    main()
"""


@contextmanager
def program(tmp_path, factory="make", loading=False):
    """Run the renderer in its own process group, as a terminal does; yield the process and its workers' PIDs."""
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
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, output, errors) == (0, "", "")
    assert not any(map(alive, workers))


@needs_proc
def test_no_worker_outlives_a_killed_program(tmp_path):
    with program(tmp_path) as (process, workers):
        assert workers
        assert all(map(alive, workers))
        process.kill()
        process.wait(PATIENCE_S)
        until(lambda: not any(map(alive, workers)))
        assert process.stderr.read() == ""


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="Linux only")
def test_workers_give_way_to_the_video_from_their_first_moment_on(spawned_workers):
    before = os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)
    with running(fake_dream.make, limits=replace(EAGER, spare=SpareLimits(after_s=0.0))) as (_, seen):
        until(lambda: len(seen.keyframes) > 2 and workers("spare"))
        for name in ("dream", "spare"):
            (worker,) = workers(name)
            for thread in Path(f"/proc/{worker}/task").iterdir():
                fields = thread.joinpath("stat").read_text().rpartition(")")[2].split()
                niceness, policy = int(fields[16]), int(fields[38])
                assert niceness >= min(19, before[0] + NICENESS), f"{name}: {thread.name}"
                assert policy == os.SCHED_BATCH, f"{name}: {thread.name}"
    assert (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)) == before, "who starts them does not"


def test_a_worker_applies_the_resource_limit(tmp_path, monkeypatch):
    told = tmp_path / "threads"
    monkeypatch.setenv(fake_dream.GATE, str(told))
    with running(fake_dream.make_telling_its_threads) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 3)
        renderer.limit_resources(ResourceLimit(1, 0.5))
        until(lambda: told.exists() and told.read_text() == "2")


def test_the_worker_of_a_program_that_was_stopped_is_not_taken_for_hung():
    """The clock jumps by a minute at each call, as after a SIGCONT, which may come anywhere in a round."""
    stops = itertools.count(1)
    with running(fake_dream.make_slow, clock=lambda: time.monotonic() + 60.0 * next(stops)) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 3)
        assert renderer.status().restarts == 0


def test_a_look_at_a_step_crosses_the_pipe():
    with running(fake_dream.make_inspectable) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 2)
        assert renderer.inspection() is None
        renderer.inspect()
        until(lambda: renderer.inspection() is not None)
        inspection = renderer.inspection()
        assert inspection is not None
        assert inspection.number == 1
        assert inspection.view is not None
        assert [(each.name, each.jpeg) for each in inspection.view.pictures] == [("dream", b"jpeg")]
        renderer.inspect()
        until(lambda: renderer.inspection() is not inspection)
        assert renderer.inspection().number == 2
    with running(fake_dream.make) as (renderer, seen):
        until(lambda: seen.keyframes)
        renderer.inspect()
        until(lambda: renderer.inspection() is not None)
        assert renderer.inspection().view is None
