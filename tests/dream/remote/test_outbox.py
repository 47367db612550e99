"""Reports that wait on the node, and slots that the worker may write to."""

import logging

import numpy as np

from streamer.dream.worker.frame_slots import SLOTS
from streamer.dream.worker.protocol import Busy, Heartbeat, KeyframeReady, NonFatalError
from streamer.dream.worker.remote.outbox import MOST_RECORDS, Outbox, OutgoingKeyframe
from streamer.messages.motion import Pose
from streamer.messages.scenes import Scene


class Stage:
    """A worker that makes a picture whenever it has a slot."""

    def __init__(self):
        self.outbox, self.slots, self.made = Outbox(), list(range(SLOTS)), 0

    def make(self):
        """Make as many pictures as there are slots for."""
        while self.slots:
            self.made += 1
            keyframe_ready = KeyframeReady(self.slots.pop(0), (4, 4), Pose(), float(self.made), Scene(0, ()), 1, 0.1)
            self.slots += self.outbox.put(OutgoingKeyframe(keyframe_ready, np.zeros((4, 4, 3), np.uint8), None))
            assert self.made < 1000, "there is no end to it"

    def acknowledge(self, pictures, window):
        self.slots += self.outbox.acknowledge(pictures, window)


def times(taken):
    return [each.keyframe_ready.time_s for each in taken if isinstance(each, OutgoingKeyframe)]


def test_no_more_pictures_are_made_than_may_be_under_way():
    for window in (1, 2, 3, 5, 8):
        stage = Stage()
        stage.acknowledge(0, window)
        stage.make()
        assert stage.made == max(window, SLOTS), "at first each slot is the worker's"
        for _ in range(20):
            stage.acknowledge(stage.made, window)
            before = stage.made
            stage.make()
            assert stage.made - before == window


def test_a_slot_is_lent_once():
    stage = Stage()
    stage.make()
    for arrived in range(1, 50):
        stage.acknowledge(arrived, 2)
        assert len(set(stage.slots)) == len(stage.slots) <= SLOTS
        stage.make()
        assert stage.made - arrived == 2 or arrived < SLOTS
    stage.acknowledge(10, 2)  # outdated, since calls overtake one another
    assert not stage.slots


def test_one_picture_is_sent_at_a_time_with_all_that_was_said_before_it():
    outbox = Outbox()
    for number, said in enumerate((Busy("loading"), NonFatalError("a"), None, NonFatalError("b"), None, NonFatalError("c"))):
        keyframe_ready = KeyframeReady(number, (4, 4), Pose(), float(number), Scene(0, ()), 1, 0.1)
        outbox.put(said or OutgoingKeyframe(keyframe_ready, np.zeros((4, 4, 3), np.uint8), None))
    first, second, third = (outbox.take(0.0) for _ in range(3))
    assert [type(each).__name__ for each in first] == ["Busy", "NonFatalError", "OutgoingKeyframe"]
    assert [type(each).__name__ for each in second] == ["NonFatalError", "OutgoingKeyframe"]
    assert [type(each).__name__ for each in third] == ["NonFatalError"]
    assert outbox.take(0.0) == []
    assert times(first) + times(second) == [2.0, 4.0]


def test_of_signs_of_life_the_newest_waits():
    outbox = Outbox()
    for heard in range(5):
        outbox.put(Heartbeat(0.1, heard))
    assert [beat.commands_received for beat in outbox.take(0.0)] == [4]


def test_lines_for_the_log_that_nobody_fetches_have_an_end():
    outbox = Outbox()
    outbox.put(NonFatalError("first"))
    for number in range(MOST_RECORDS + 50):
        outbox.put(logging.LogRecord("x", logging.INFO, "", 0, f"{number}", (), None))
    trouble, *records = outbox.take(0.0)
    assert isinstance(trouble, NonFatalError)
    assert [records[0].getMessage(), len(records)] == ["50", MOST_RECORDS]
