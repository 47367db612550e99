"""The renderer with a real cluster: workers there die, hang or cannot start, and others take over."""

import itertools
import logging
import multiprocessing
import os
import signal
from contextlib import contextmanager
from dataclasses import replace

import pytest

from streamer.dream.worker.placement import PlacementLimits
from streamer.dream.worker.renderer import Renderer, RendererLimits
from streamer.dream.worker.spare_worker import SpareLimits
from streamer.dream.worker.worker_watchdog import SilenceLimits
from tests.dream import fake_dream
from tests.dream.remote.talk import CONFIG, known_at, make_known, parent, ray, scene
from tests.dream.test_renderer import Seen, restored, until

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.torch,  # a node without torch is not chosen
    pytest.mark.usefixtures("forked_workers"),
]

EAGER = RendererLimits(
    backoff_s=0.01,
    silence=SilenceLimits(silence_s=1.0),
    spare=SpareLimits(after_s=1000.0),
    placement=PlacementLimits(pause_s=0.1, pause_most_s=1.0),
)
"""No spare at first, so that each test sees what takes over."""


@contextmanager
def running(config, where, factory=make_known, limits=EAGER):
    seen = Seen()
    renderer = Renderer(config.model_copy(update={"renderer": where}), 1, seen, factory=factory, limits=limits)
    renderer.scene(scene())
    renderer.start()
    try:
        yield renderer, seen
    finally:
        renderer.stop()


def in_order(seen):
    """Check that keyframes are numbered without a gap; return whether the camera never goes back."""
    begun = [keyframe for keyframe in seen.keyframes if keyframe.steps]
    assert [keyframe.number for keyframe in seen.keyframes] == list(range(len(seen.keyframes)))
    return all(after.pose.log_zoom >= before.pose.log_zoom - 1e-6 for before, after in itertools.pairwise(begun))


@pytest.mark.logs("its worker or the connection to it is gone", "continuing with a new worker")
def test_another_node_takes_over_when_a_host_is_killed(ray_address, tmp_path):
    config, limits = known_at(tmp_path / "pid"), RendererLimits(backoff_s=0.01, grown_up=0, spare=SpareLimits(after_s=0.0))
    with running(config, ray(ray_address), limits=limits) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 3)
        dreaming, first = int((tmp_path / "pid").read_text()), renderer._placement._link_report.node
        until(lambda: renderer._spare.waits and renderer._spare.cluster_placement is not None)
        os.kill(parent(dreaming), signal.SIGKILL)
        until(lambda: seen.where(restored) and renderer._placement._link_report is not None)
        assert renderer._placement._link_report.node != first
        assert renderer.status().link.node
        assert renderer.status().restarts == 1
    assert in_order(seen)


@pytest.mark.logs("no cluster at 'auto'", "continuing with a new worker")
def test_this_machine_stands_in_while_there_is_no_cluster(ray_address, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    limits = replace(EAGER, spare=SpareLimits(after_s=0.0))
    with running(known_at(tmp_path / "pid"), ray("auto"), limits=limits) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 3)
        assert renderer.status().link.node == ""
        assert renderer.status().link.why.startswith("no cluster at 'auto': ")
        assert int((tmp_path / "pid").read_text()) in [child.pid for child in multiprocessing.active_children()]
        monkeypatch.setenv("RAY_ADDRESS", ray_address)
        until(lambda: renderer.status().link.node and renderer.status().restarts == 1)
        there = len(seen.keyframes)
        until(lambda: len(seen.keyframes) > there + 3)
        assert int((tmp_path / "pid").read_text()) not in [child.pid for child in multiprocessing.active_children()]
        assert renderer.failure == ""
    assert "another worker takes over, on the cluster" in caplog.text
    assert in_order(seen)


@pytest.mark.logs("the worker was silent for 2 s", "continuing with a new worker")
def test_one_that_hangs_there_is_replaced(ray_address):
    """The limit is longer than the second after which the relay reports on the link: that is no sign of life of the worker."""
    limits = replace(EAGER, silence=SilenceLimits(silence_s=2.0))
    with running(CONFIG, ray(ray_address), fake_dream.make_hanging, limits) as (renderer, seen):
        until(lambda: seen.where(restored))
        assert renderer.status().restarts >= 1
    assert in_order(seen)


@pytest.mark.logs("no network of that name", "continuing with a new worker")
def test_what_no_node_can_dream_is_given_up_here_too(ray_address):
    with running(CONFIG, ray(ray_address), fake_dream.make_unfit) as (renderer, _):
        until(lambda: renderer.failure)
        assert (renderer.failure, renderer.status().restarts) == ("no network of that name", 1)


def test_lossy_pictures_carry_a_checksum_of_what_was_rendered(ray_address, tmp_path):
    with running(known_at(tmp_path / "pid"), ray(ray_address, compress="jpeg")) as (renderer, seen):
        until(lambda: len(seen.keyframes) > 3)
        until(lambda: renderer.status().link.coding == "jpeg 95")
        status = renderer.status().link
    assert {type(keyframe.checksum) for keyframe in seen.keyframes} == {int}
    assert status.bytes_per_s > 0
    assert status.round_trip_s > 0
    assert status.keyframe_bytes > 0
