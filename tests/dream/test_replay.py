"""Replays of journals that workers recorded on a hand-driven clock: the same calls give the same pixels."""

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from streamer.config import CanvasConfig, Config, DreamConfig, ZoomConfig
from streamer.dream.algorithms.dreamer import Dreamer
from streamer.dream.interface import Dream
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.sessions.replay import Replay
from streamer.dream.worker.dream_loop import DreamLoop
from streamer.dream.worker.frame_slots import STATE_SLOT
from streamer.dream.worker.protocol import FreeSlot, KeyframeReady, Pause, Resume, Stop
from streamer.dream.worker.step_scheduler import StepScheduler
from streamer.dream_state import DreamState
from streamer.events import Bump, DreamStarted, Reseeded, Tuned
from streamer.journal_reader import read_journal
from streamer.journal_writer import Journal
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion
from streamer.messages.scenes import Scene, Target, arrange
from tests.dream.test_dream_loop import FakeRing, Scripted
from tests.fakes import HandClock, tiny_network

pytestmark = pytest.mark.usefixtures("precision")

SIZE = (36, 64)
WNIDS = ("n00000001", "n00000002", "n00000003")


def scene(number, *which):
    return Scene(number, arrange([Target(WNIDS[each], f"thing {each}") for each in which]), user=f"viewer {number}")


SCRIPT = [
    (1000.0, scene(0, 0)),
    (1002.13, Motion(1.2, 5.0)),
    (1003.01, scene(1, 1, 2)),
    (1004.5, Bump()),
    (1005.0, Bump(twist=True)),
    (1005.5, Motion(1.0, 0.0)),
    (1006.0, Pause(True)),
    (1007.2, Pause(False)),
    (1008.0, scene(2, 0, 1)),
]


class LiveRun:
    """Runs workers as a renderer does, without processes."""

    def __init__(self, folder, config, *, step_s=lambda n: 0.07 + 0.025 * (n % 7), size=SIZE):
        self.config, self.clock = config, HandClock(1000.0)
        self.journal = Journal(folder, config, 5, "0.1", clock=self.clock, wall=lambda: datetime(2026, 1, 1, tzinfo=UTC))
        self.keyframes, self.size, self.network, self.step_s, self.count = [], size, Ensemble(tiny_network(WNIDS)), step_s, 0
        self.kept = None

    def make(self):
        return Dreamer(self.network, self.config, self.size, torch.device("cpu"), 5)

    def work(self, script, *, resume=False, fails=(), spoils=()):
        dreamer, frame_slots, inbox = self.make(), FakeRing(), Scripted(self.clock, script)
        step = dreamer.step

        def stepping(dt_s, camera_s=None):
            self.clock.advance(self.step_s(self.count))
            self.count += 1
            step(dt_s, camera_s)
            if self.count in spoils:
                dreamer.canvas.picture[0, 0, 3, 4] = float("nan")
            if self.count in fails:
                raise MemoryError

        dreamer.step = stepping

        def send(report):
            if isinstance(report, KeyframeReady):
                picture = frame_slots.slots.pop(report.slot)
                inbox.put(FreeSlot(report.slot))
                keyframe = Keyframe(picture, report.pose, report.time_s, report.scene, len(self.keyframes), report.steps)
                self.keyframes.append(keyframe)
                self.journal.keyframe(keyframe, report.events)
                if (at := report.kept) is not None:
                    arrays = frame_slots.slots.pop(STATE_SLOT)
                    inbox.put(FreeSlot(STATE_SLOT))
                    self.kept = keyframe.number, DreamState(at.network, at.algorithm, at.pose, arrays, at.numbers)

        last, kept, ago = self.keyframes[-1] if resume else None, None, 0
        if resume and self.kept is not None:
            number, kept = self.kept
            ago = last.number - number
            self.ago = ago
        motion = Motion(self.config.zoom.speed, self.config.zoom.rotation)
        dream = Dream(dreamer, "tiny", "cpu", WNIDS)
        DreamLoop(
            dream,
            StepScheduler(self.config.dream, self.size, frame_s=0.04),
            frame_slots,
            inbox,
            send,
            motion=motion,
            config=self.config,
            resume=Resume(last.image, last.pose, last.time_s, kept=kept, kept_ago=ago) if last else None,
            clock=self.clock,
        ).run()

    def replay(self, **settings):
        self.journal.close()
        self.past_run = read_journal(self.journal.path)
        return Replay(
            self.past_run, self.make, Motion(self.config.zoom.speed, self.config.zoom.rotation), self.config, **settings
        )


def config(**dream):
    return Config(
        canvas=CanvasConfig(width=64, height=36),
        zoom=ZoomConfig(speed=1.05, rotation=1.0),
        dream=DreamConfig(**{"views": (1.2, 0.6), **dream}),  # smaller than the network's own: a third less time
    )


def same(first, second):
    return (
        np.array_equal(first.image, second.image)
        and (first.pose, first.scene, first.steps) == (second.pose, second.scene, second.steps)
        and first.time_s - 1000 == pytest.approx(second.time_s, abs=0.001)
    )


@pytest.mark.parametrize(
    "dream",
    [
        {"steps_per_keyframe": 3},
        {"views": "auto"},
        {"algorithm": "original_2015", "steps_per_keyframe": 5},
        {"keyframe_s": 0.05, "steps_per_keyframe": 1},
    ],
)
def test_the_same_pixels_again(tmp_path, dream):
    live = LiveRun(tmp_path, config(**dream))
    live.work([*SCRIPT, (1010.0, Stop())])
    replay = live.replay()
    again = list(replay.keyframes())
    assert live.past_run.complete
    assert len(again) == len(live.keyframes) > 15
    assert all(map(same, live.keyframes, again))
    assert replay.alike == replay.compared >= 5
    assert {keyframe.scene.id for keyframe in again} == {0, 1, 2}


TUNED = Tuned((("dream.momentum", 0.2), ("dream.prior_weight", 2.0), ("dream.steps_per_keyframe", 4), ("dream.surge", 0.5)))
FINER = Tuned((("dream.jitter_px", 3), ("dream.leash", 0.5), ("dream.spectrum_power", 0.4), ("dream.views", [1.0, 2.5])))


@pytest.mark.parametrize("dream", [{"steps_per_keyframe": 3}, {"algorithm": "deepdream"}, {"algorithm": "original_2015"}])
def test_the_same_pixels_again_where_settings_changed(tmp_path, dream):
    live = LiveRun(tmp_path, config(**dream))
    changes = [(1001.7, TUNED), (1003.5, FINER), (1006.5, Tuned())]
    live.work(sorted([*SCRIPT, *changes, (1010.0, Stop())], key=lambda command: command[0]))
    replay = live.replay()
    again = list(replay.keyframes())
    assert [event for keyframe in live.past_run.keyframes for event in keyframe.events if isinstance(event, Tuned)] == [
        Tuned(tuple(sorted(tuned.changes))) for _, tuned in changes
    ]
    assert all(map(same, live.keyframes, again))
    assert replay.alike == replay.compared >= 5


def test_the_same_pixels_after_a_worker_died_that_went_by_other_settings(tmp_path):
    live = LiveRun(tmp_path, config(steps_per_keyframe=2))
    live.work([*SCRIPT[:3], (1003.2, TUNED), (1004.8, Stop())])
    live.clock.advance(1.0)
    live.work([(0.0, TUNED), (0.0, scene(1, 1, 2)), (1008.0, Stop())], resume=True)
    replay = live.replay()
    assert all(map(same, live.keyframes, list(replay.keyframes())))
    assert live.past_run.complete


@pytest.mark.parametrize(
    ("dream", "step_s"),
    [({"steps_per_keyframe": 2}, 0.1), ({"steps_per_keyframe": 1}, 0.06), ({"algorithm": "original_2015"}, 0.12)],
)
def test_the_same_pixels_after_a_worker_died(tmp_path, dream, step_s):
    live = LiveRun(tmp_path, config(**dream), step_s=lambda n: step_s)
    live.work([*SCRIPT[:4], (1004.8, Stop())])
    live.clock.advance(3.7)
    live.work([(0.0, Motion(1.2, 5.0)), (0.0, scene(1, 1, 2)), (0.0, Bump(twist=True)), (1012.0, Stop())], resume=True)
    replay = live.replay()
    again = list(replay.keyframes())
    assert live.past_run.complete
    assert all(map(same, live.keyframes, again))
    assert len(again) == len(live.keyframes)
    (resumed,) = [
        event
        for keyframe in live.past_run.keyframes
        for event in keyframe.events
        if isinstance(event, DreamStarted) and event.resumed
    ]
    assert resumed.kept == live.ago


def test_a_replay_matches_after_a_worker_died_before_its_state_was_kept(tmp_path):
    live = LiveRun(tmp_path, config(steps_per_keyframe=2))
    live.work([*SCRIPT[:4], (1004.8, Stop())])
    live.clock.advance(1.0)
    live.work([(0.0, scene(1, 1, 2)), (1006.0, Stop())], resume=True)
    dead = live.kept
    live.work([(0.0, scene(1, 1, 2)), (1006.2, Stop())], resume=True)
    live.kept = dead  # as if it had died before the renderer got its saved state
    live.work([(0.0, scene(1, 1, 2)), (1009.0, Stop())], resume=True)
    assert live.ago > 0
    replay = live.replay()
    assert all(map(same, live.keyframes, list(replay.keyframes())))


def test_a_replay_matches_where_unusable_pictures_made_the_dream_restart(tmp_path):
    live = LiveRun(tmp_path, config(steps_per_keyframe=2))
    live.work([*SCRIPT[:3], (1007.0, Stop())], spoils={41})
    replay = live.replay()
    assert Reseeded(noise=False) in [event for keyframe in live.past_run.keyframes for event in keyframe.events]
    begun_anew = next(n for n, keyframe in enumerate(live.past_run.keyframes) if Reseeded(noise=False) in keyframe.events)
    assert live.keyframes[begun_anew].steps > 2 * 3, "those before it were not shown"
    # The journal records no invalid number: the replay continues, and restarts where the live dream did.
    again = list(replay.keyframes())
    assert all(map(same, live.keyframes, again))


@pytest.mark.logs("canvas resized")
def test_the_same_pixels_when_the_canvas_changed_its_size(tmp_path):
    slow = LiveRun(tmp_path, config(keyframe_s=0.05), step_s=lambda n: 0.1, size=(80, 120))
    slow.work([(1000.0, scene(0, 0)), (1004.0, Stop())])
    replay = slow.replay()
    again = list(replay.keyframes())
    assert again[-1].image.shape < (80, 120, 3)
    assert all(map(same, slow.keyframes, again))
    own = list(slow.replay(sizes=False).keyframes())
    assert own[-1].image.shape == (80, 120, 3)


@pytest.mark.logs("a step ran out of memory here")
def test_a_failed_step_is_logged_and_the_replay_continues(tmp_path):
    live = LiveRun(tmp_path, config(), size=(80, 120))
    live.work([(1000.0, scene(0, 0)), (1002.0, Stop())], fails=(10,))
    again = list(live.replay().keyframes())
    assert again[-1].image.shape == live.keyframes[-1].image.shape == (68, 102, 3)
    assert again[-1].time_s == pytest.approx(live.keyframes[-1].time_s - 1000, abs=0.001)


def test_a_replay_with_another_seed_is_reported_as_different(tmp_path):
    live = LiveRun(tmp_path, config())
    live.work([*SCRIPT[:2], (1004.0, Stop())])
    live.make = lambda: Dreamer(live.network, live.config, SIZE, torch.device("cpu"), 6)
    replay = live.replay()
    again = list(replay.keyframes())
    assert [keyframe.pose for keyframe in again] == [keyframe.pose for keyframe in live.keyframes]
    assert replay.alike == 0 < replay.compared


def test_a_range_begins_with_what_was_on_air(tmp_path):
    live = LiveRun(tmp_path, config(), step_s=lambda n: 0.08)
    live.work([*SCRIPT, (1010.0, Stop())])
    replay = live.replay()
    again = list(replay.keyframes(from_ms=5700))
    shown = [keyframe for keyframe in live.keyframes if keyframe.time_s >= 1005.7]
    assert abs(len(again) - len(shown)) <= 1
    assert again[0].scene == scene(1, 1, 2)
    assert again[0].time_s == pytest.approx(5.7, abs=0.2)
    assert again[-1].time_s == pytest.approx(shown[-1].time_s - 1000, abs=0.001)
    still = [keyframe.pose for keyframe in again if keyframe.time_s > 5.8]
    assert len(set(still)) == 1, "the motion at that time holds"


def test_an_unknown_subject_is_left_out_again(tmp_path, caplog):
    live = LiveRun(tmp_path, config())
    stranger = dataclasses.replace(scene(1, 1), regions=arrange([Target("n99999999", "stranger")]))
    live.work([(1000.0, scene(0, 0)), (1001.0, stranger), (1003.0, Stop())])
    again = list(live.replay().keyframes())
    assert all(map(same, live.keyframes, again))
    assert "stranger" in caplog.text
