"""What every worker does: the same tests for a process on this machine and for one on a node of a Ray cluster."""

import time
from contextlib import closing

import numpy as np
import pytest

from streamer.config import CanvasConfig
from streamer.dream.sources.picture_feed import PictureFeed
from streamer.dream.worker.causes import Cause
from streamer.dream.worker.protocol import (
    Busy,
    Heartbeat,
    Inspected,
    LinkReport,
    NonFatalError,
    Prepared,
    PrepareMode,
    Ready,
    Resume,
)
from streamer.events import Bump, DreamStarted, Tuned
from streamer.messages.keyframes import SourcePicture
from streamer.messages.motion import Motion
from tests.dream import fake_dream, test_riding_worker
from tests.dream.fake_dream import WNIDS
from tests.dream.remote.talk import (
    CONFIG,
    DEADLINE_S,
    alive,
    known_at,
    make_known,
    make_known_and_deaf,
    ray,
    scene,
    worker_spec,
)

pytestmark = pytest.mark.usefixtures("forked_workers")


@pytest.fixture(
    params=["here", pytest.param("ray", marks=pytest.mark.torch)], scope="module"
)  # a node without torch is not chosen
def where(request):
    """Return settings for the place, None for this machine. The cluster starts before tests look for leftover processes."""
    return None if request.param == "here" else ray(request.getfixturevalue("ray_cluster").address)


@pytest.fixture
def workers(where):
    """Start workers there that end with the test."""
    talks = []

    def start(*args, **named):
        talks.append(worker_spec(where, *args, **named))
        return talks[-1]

    yield start
    for talk in talks:
        talk.worker.dismiss(2.0)


def dreaming(workers, *args, **named):
    talk = workers(*args, **named)
    talk.begin()
    talk.until(lambda: len(talk.shots) > 3)
    return talk


def test_a_worker_carries_out_its_commands_and_reports_every_event(workers, where):
    talk = dreaming(workers, fake_dream.make_inspectable)
    assert talk.ended is None, talk.ended
    talk.wish(scene=scene(2, WNIDS[1]), bumps=1)
    talk.until(lambda: talk.shots[-1][0].scene.id == 2 and Bump() in talk.events)
    talk.wish(twists=1, tuned=Tuned((("dream.momentum", 0.1),)), inspections=1)
    talk.until(lambda: Bump(twist=True) in talk.events and talk.desired.tuned in talk.events and talk.of(Inspected))
    talk.wish(paused=True)
    talk.until(lambda: len(talk.shots) > 2 and all(keyframe_ready.steps == 0 for keyframe_ready, *_ in talk.shots[-2:]))
    assert talk.shots[-1][0].pose == talk.shots[-2][0].pose
    talk.wish(paused=False, motion=Motion(1.0, 0.0))
    talk.until(lambda: talk.shots[-1][0].steps and Motion(1.0, 0.0) in talk.events)
    assert talk.ended is None

    (ready,) = talk.of(Ready)
    assert (ready.network, ready.device, ready.wnids) == ("fake", "cpu", WNIDS)
    assert talk.of(Inspected)[0].view.pictures[0].jpeg == b"jpeg"
    assert talk.of(Heartbeat)[-1].commands_received > 0
    assert bool(talk.of(LinkReport)) == (where is not None)
    assert isinstance(talk.events[0], DreamStarted)
    for keyframe_ready, picture, _ in talk.shots:
        assert picture.shape == (36, 64, 3)
        assert np.ptp(picture.reshape(-1, 3), axis=0).max() == 0, "torn"
        assert picture[0, 0, 1] == keyframe_ready.scene.id
        assert keyframe_ready.checksum is None
    stood = next(number for number, event in enumerate(talk.events) if isinstance(event, Motion))
    moved_s = sum(event for event in talk.events[:stood] if isinstance(event, int)) / 1000
    assert talk.shots[-1][0].pose.log_zoom == pytest.approx(moved_s), "all that was done was told, once"
    times = [talk.worker.time_s(keyframe_ready) for keyframe_ready, *_ in talk.shots]
    assert times == sorted(times)
    assert -0.01 < min(talk.lags) < max(talk.lags) < DEADLINE_S, "they are on this clock"
    assert sum(kept is not None for *_, kept in talk.shots) > 1


def test_a_worker_continues_where_another_left_off(workers):
    first = dreaming(workers, fake_dream.make)
    first.until(lambda: first.shots[-1][2] is not None)
    keyframe_ready, picture, kept = first.shots[-1]
    left = Resume(picture, keyframe_ready.pose, first.worker.time_s(keyframe_ready), None, keyframe_ready.scene, kept, 0)
    first.worker.dismiss(2.0)
    second = workers(fake_dream.make)
    second.desired = first.desired
    second.begin(left)
    second.until(lambda: second.shots)
    now, restored, _ = second.shots[0]
    (begun,) = [event for event in second.events if isinstance(event, DreamStarted)]
    assert (begun.resumed, begun.kept, now.scene.id) == (True, 0, 1)
    assert (restored[0, 0, 2], restored[0, 0, 0]) == (255, picture[0, 0, 0] + now.steps)
    went_s = second.worker.time_s(now) - left.time_s
    assert now.pose.log_zoom - keyframe_ready.pose.log_zoom == pytest.approx(went_s, abs=0.05), "the zoom made up for the gap"


def test_it_rides_on_the_newest_picture(workers):
    with closing(PictureFeed(test_riding_worker.SIZE)) as feed:
        talk = workers(test_riding_worker.make, feed=feed, config=test_riding_worker.CONFIG)
        talk.begin()
        for number in (1, 2):
            feed.put(SourcePicture(np.full((36, 64, 3), 40 * number, np.uint8), number, number / 10))
            talk.until(lambda number=number: talk.shots and talk.shots[-1][0].source_picture == (number, number / 10))
            _, lying, _ = talk.shots[-1]
            assert lying.shape == (72, 64, 3)
            assert (lying[36:] == 40 * number).all(), "what was ridden on lies below"
        talk.worker.dismiss(2.0)


@pytest.mark.parametrize(
    ("factory", "message", "lasting"),
    [
        (fake_dream.make_raising, "RuntimeError: a step went wrong", False),
        (fake_dream.make_killed, "the worker was killed by SIGKILL", False),
        (fake_dream.make_leaving, "the worker ended with exit code 0", False),
        (fake_dream.make_unfit, "no network of that name", True),
    ],
)
def test_how_a_worker_ended_is_reported(workers, factory, message, lasting):
    talk = workers(factory)
    talk.begin()
    talk.until(lambda: False)
    assert (talk.ended.message.removesuffix("; was there enough memory?"), talk.ended.lasting) == (message, lasting)
    assert ("a step\nwent wrong" in talk.ended.trace) == (factory is fake_dream.make_raising)


def test_want_of_memory_makes_its_canvas_smaller(workers):
    large = CONFIG.model_copy(update={"canvas": CanvasConfig(width=640, height=360)})
    talk = workers(fake_dream.make_large, config=large)
    talk.begin()
    talk.until(lambda: talk.shots and talk.shots[-1][0].steps)
    (trouble,) = talk.of(NonFatalError)
    assert (trouble.cause, trouble.level) == (Cause.MEMORY, 1)
    assert talk.shots[-1][1].shape == (306, 544, 3)


def test_a_spare_prepares_and_waits(workers):
    talk = workers(fake_dream.make, prepare_mode=PrepareMode.SPARE)
    talk.until(lambda: talk.of(Prepared))
    assert talk.worker.prepared
    assert "getting ready" in {busy.what for busy in talk.of(Busy)}
    assert not talk.of(Ready)
    talk.begin()
    talk.until(lambda: len(talk.shots) > 2)
    assert talk.ended is None


def test_a_light_spare_takes_nothing_before_it_is_needed(workers):
    talk = workers(fake_dream.make, prepare_mode=PrepareMode.SPARE_LIGHT)
    talk.until(lambda: talk.of(Prepared))
    assert not talk.worker.prepared, "its network is yet to be loaded"
    assert "getting ready" not in {busy.what for busy in talk.of(Busy)}
    talk.begin()
    talk.until(lambda: len(talk.shots) > 2)
    assert talk.ended is None


@pytest.mark.parametrize("seconds", [0.0, 2.0])
@pytest.mark.parametrize("factory", [make_known, make_known_and_deaf])
def test_nothing_is_left_of_one_that_is_dismissed(workers, tmp_path, factory, seconds):
    talk = workers(factory, config=known_at(tmp_path / "pid"))
    talk.begin()
    talk.until(lambda: talk.of(Ready))
    worker = int((tmp_path / "pid").read_text())
    assert alive(worker)
    talk.worker.dismiss(seconds)
    deadline_s = time.monotonic() + DEADLINE_S
    while alive(worker):
        assert time.monotonic() < deadline_s, "it outlives who dismissed it"
        time.sleep(0.01)
