"""Report batches that overtake one another, and what the renderer gets."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from streamer.config import CanvasConfig, Config
from streamer.dream.worker.frame_slots import SLOTS, STATE_SLOT, FrameSlots
from streamer.dream.worker.protocol import Failed, FreeSlot, Hello, KeyframeReady, Ready
from streamer.dream.worker.remote.delivery import Delivery
from streamer.dream.worker.remote.link_meter import LinkMeter
from streamer.dream.worker.remote.mailbox import Mailbox
from streamer.dream.worker.remote.picture_coding import UNCOMPRESSED, CodedPicture, Coding
from streamer.dream.worker.remote.relay_protocol import PART_BYTES, ReportBatch, SentKeyframe
from streamer.dream_state import DreamState
from streamer.messages.motion import Pose
from streamer.messages.scenes import Scene
from tests.fakes import HandClock

SIZE = (6, 8)
AHEAD_S = 900.0


def picture(number):
    return np.full((*SIZE, 3), number, np.uint8)


def sent(number, *, kept=None, coded=None, source_picture=None):
    keyframe_ready = KeyframeReady(
        0,
        SIZE,
        Pose(),
        AHEAD_S + number,
        Scene(0, ()),
        2,
        0.1,
        (number,),
        None if source_picture is None else (source_picture, 0.5),
    )
    below = None if source_picture is None else CodedPicture("none", SIZE, picture(source_picture).tobytes())
    return SentKeyframe(
        keyframe_ready, coded or CodedPicture("none", SIZE, picture(number).tobytes()), UNCOMPRESSED, below, kept
    )


class Stage:
    def __init__(self, frame_slots):
        self.frame_slots, self.mailbox, self.told, self.ended = frame_slots, Mailbox(), [], []
        clock = HandClock(0.0)
        self.link_meter = LinkMeter(Config(canvas=CanvasConfig(width=64, height=36)), "there", clock)
        self.link_meter.answered(0.0, AHEAD_S, 0.0)
        self.delivery = Delivery(frame_slots, self.mailbox, self.told.append, self.ended.append)

    def come(self, number, *held):
        self.delivery(ReportBatch(number, AHEAD_S, held), 0.01, self.link_meter)

    @property
    def shots(self):
        return [each for each in self.told if isinstance(each, KeyframeReady)]


@pytest.fixture
def stage():
    with closing(FrameSlots(2 * 3 * SIZE[0] * SIZE[1], 4096)) as frame_slots:
        yield Stage(frame_slots)


def test_what_overtook_waits_for_what_was_said_before(stage):
    ready = Ready("fake", "cpu", ())
    stage.come(1, sent(1))
    stage.come(2, Failed("it is over", "", lasting=False))
    stage.come(None)
    assert not stage.told
    stage.come(0, Hello(5.0), ready)
    assert stage.told[0] is ready, "whose clock it is the relay knows better"
    (keyframe_ready,) = stage.shots
    assert (keyframe_ready.time_s, keyframe_ready.events, keyframe_ready.steps) == (1.0, (1,), 2)
    assert (stage.frame_slots.read(keyframe_ready.slot, SIZE) == 1).all()
    assert [failed.message for failed in stage.ended] == ["it is over"]


def test_each_picture_has_a_slot_of_its_own(stage):
    for number in range(SLOTS):
        stage.come(number, sent(number))
    assert sorted(keyframe_ready.slot for keyframe_ready in stage.shots) == list(range(SLOTS))
    assert [int(stage.frame_slots.read(keyframe_ready.slot, SIZE).mean()) for keyframe_ready in stage.shots] == list(
        range(SLOTS)
    )
    stage.mailbox.put(FreeSlot(stage.shots[1].slot))
    stage.come(SLOTS, sent(SLOTS))
    assert stage.shots[-1].slot == stage.shots[1].slot
    assert stage.link_meter.ask().acknowledged == SLOTS + 1


def test_the_source_picture_is_below_the_dream(stage):
    stage.come(0, sent(7, source_picture=9))
    (keyframe_ready,) = stage.shots
    both = stage.frame_slots.read(keyframe_ready.slot, (2 * SIZE[0], SIZE[1]))
    assert ((both[: SIZE[0]] == 7).all(), (both[SIZE[0] :] == 9).all(), keyframe_ready.source_picture) == (True, True, (9, 0.5))


def test_what_was_kept_comes_when_there_is_a_place_for_it(stage):
    kept = DreamState("fake", "default", Pose(), {"momentum": np.arange(6, dtype=np.float16)}, {"steps": 3})
    stage.come(0, sent(0, kept=kept))
    stage.come(1, sent(1, kept=kept))
    first, second = stage.shots
    assert second.kept is None
    assert (first.kept.get(stage.frame_slots).arrays["momentum"] == kept.arrays["momentum"]).all()
    stage.mailbox.put(FreeSlot(STATE_SLOT))
    stage.come(2, sent(2, kept=kept))
    assert stage.shots[2].kept is not None


@pytest.mark.logs("a keyframe was lost in transit: it depends on a picture that never arrived")
def test_nothing_that_was_done_is_lost_with_a_picture(stage):
    before = stage.link_meter.ask().coding
    stage.come(0, sent(0, coded=CodedPicture("h264", SIZE, b"", key=False)), Ready("fake", "cpu", ()))
    assert not stage.shots
    stage.come(1, sent(1))
    (keyframe_ready,) = stage.shots
    assert (keyframe_ready.events, keyframe_ready.steps) == ((0, 1), 4)
    assert stage.link_meter.ask().acknowledged == 2
    assert before == stage.link_meter.ask().coding or before.kind == "h264"


def test_after_a_lost_picture_another_run_is_asked_for():
    config = Config(canvas=CanvasConfig(width=64, height=36))
    config = config.model_copy(update={"renderer": config.renderer.model_copy(update={"compress": "h264"})})
    link_meter = LinkMeter(config, "there", HandClock(0.0))
    before = link_meter.ask().coding
    assert link_meter.ask().coding == before
    link_meter.lost()
    assert (before.run, link_meter.ask().coding.run) == (0, 1)


def test_the_state_of_a_link_is_reported():
    clock = HandClock(100.0)
    link_meter = LinkMeter(Config(canvas=CanvasConfig(width=64, height=36)), "there", clock)
    assert (link_meter.status().node, link_meter.status().coding) == ("there", "")
    link_meter.probed(12.5e6)
    link_meter.answered(99.98, 99.99 + AHEAD_S, 100.0)
    one = sent(0)
    link_meter.came(one, 100.0 + AHEAD_S, 100.05)
    link_meter.ask()
    link_meter.shown(KeyframeReady(0, SIZE, Pose(), 99.9, Scene(0, ()), 1, 0.1))
    status = link_meter.status()
    assert (status.coding, status.keyframe_bytes, status.round_trip_s) == ("none", one.bytes, pytest.approx(0.02))
    assert status.lag_s == pytest.approx(0.1)
    assert link_meter.theirs(link_meter.ours(1234.5)) == 1234.5


def test_a_slow_dream_asks_for_no_more_than_it_can_give():
    link_meter = LinkMeter(Config(canvas=CanvasConfig(width=1280, height=720)), "there", HandClock(0.0))
    link_meter.probed(2.5e6)
    assert link_meter.ask().coding.kind == "h264"
    slow = KeyframeReady(0, (720, 1280), Pose(), 0.0, Scene(0, ()), 2, 0.5)
    for _ in range(30):
        link_meter.came(SentKeyframe(slow, CodedPicture("jpeg", (720, 1280), bytes(200_000)), Coding("jpeg", 80)), 0.0, 0.1)
        link_meter.ask()
    assert link_meter._per_s() == 1.0


def test_scenes_come_back_with_who_asked_for_them(stage):
    asked = Scene(4, (), "ann", 12)
    stage.mailbox.put(asked)
    assert stage.mailbox.next() is asked
    told = sent(0)
    stage.come(
        0,
        replace(
            told, keyframe_ready=replace(told.keyframe_ready, scene=Scene(4, ()), events=(100, Scene(4, ()), Scene(9, ())))
        ),
    )
    (keyframe_ready,) = stage.shots
    assert (keyframe_ready.scene, keyframe_ready.events) == (asked, (100, asked, Scene(9, ())))


@pytest.mark.parametrize("size", [0, 10, 5 * PART_BYTES])
@pytest.mark.parametrize("parts", [1, 4, 16])
def test_a_parcel_in_parts_is_whole_again(size, parts):
    whole = ReportBatch(3, 1.5, (sent(0, coded=CodedPicture("jpeg", SIZE, bytes(size))),))
    cut = whole.cut(parts)
    assert len(cut) == parts
    assert max(map(len, cut)) <= PART_BYTES or not any(cut[1:]), "what is too large comes in one piece"
    again = ReportBatch.joined(cut)
    assert (again.number, again.sent_s, len(again.held[0].picture.data)) == (3, 1.5, size)
