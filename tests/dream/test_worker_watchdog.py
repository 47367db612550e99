from streamer.dream.worker.protocol import Busy, Heartbeat, KeyframeReady, LinkReport
from streamer.dream.worker.worker_watchdog import SilenceLimits, WorkerWatchdog
from streamer.messages.motion import Pose
from streamer.messages.renderer_status import LinkStatus
from streamer.messages.scenes import Scene
from tests.fakes import HandClock

LIMITS = SilenceLimits(loading_s=300.0, silence_s=5.0, silence_steps=5.0)
SHOT = KeyframeReady(0, (4, 4), Pose(), 0.0, Scene(0, ()), 1, 0.1)


class Stage:
    def __init__(self, *, prepared=False):
        self.clock = HandClock(100.0)
        self.watchdog = WorkerWatchdog(LIMITS, self.clock, prepared=prepared)

    def left_after(self, seconds):
        self.clock.advance(seconds)
        return self.watchdog.left_s


def test_loading_has_a_time_of_its_own_until_the_first_step_is_done():
    stage = Stage()
    assert stage.left_after(290.0) == 10.0
    stage.watchdog.note_report(Busy("downloading"))
    assert stage.left_after(290.0) == 10.0
    stage.watchdog.note_report(Heartbeat(0.0, 0))
    assert stage.watchdog.seconds == 300.0
    stage.watchdog.note_report(SHOT)
    assert stage.watchdog.seconds == 5.0
    assert stage.left_after(5.0) == 0.0


def test_one_that_is_prepared_has_nothing_to_load():
    assert Stage(prepared=True).watchdog.seconds == 5.0


def test_where_steps_take_long_so_may_silence():
    stage = Stage()
    stage.watchdog.note_report(SHOT)
    stage.watchdog.note_report(Heartbeat(9.0, 0, median_s=0.4))
    assert stage.watchdog.seconds == 5.0, "a mean that a hiccup spoilt counts for nothing"
    stage.watchdog.note_report(Heartbeat(2.0, 0, median_s=3.0))
    assert stage.watchdog.seconds == 15.0


def test_a_step_that_sets_things_up_may_take_as_long_as_loading():
    stage = Stage()
    stage.watchdog.note_report(SHOT)
    stage.watchdog.note_report(Heartbeat(0.1, 0, 0.1, sets_up=True))
    assert stage.watchdog.seconds == 300.0
    stage.watchdog.note_report(Heartbeat(0.1, 0, 0.1))
    assert stage.watchdog.seconds == 5.0
    ready = Stage(prepared=True)
    ready.watchdog.note_report(Heartbeat(0.0, 0, sets_up=True))
    assert ready.watchdog.seconds == 300.0
    ready.watchdog.note_report(SHOT)
    assert ready.watchdog.seconds == 5.0


def test_what_it_waits_for_a_processor_is_no_silence_up_to_a_minute():
    clock, waited = HandClock(0.0), [7.0]
    watchdog = WorkerWatchdog(LIMITS, clock, prepared=True, starved=lambda: waited[0])
    clock.advance(30.0)
    waited[0] += 28.0
    assert watchdog.left_s == 3.0
    watchdog.note_report(Heartbeat(0.1, 0))
    assert watchdog.left_s == 5.0
    waited[0] += 1000.0
    assert watchdog.left_s == 65.0


def test_the_end_of_the_thread_that_waited_longest_is_no_silence():
    clock, waited = HandClock(0.0), [7.0]
    watchdog = WorkerWatchdog(LIMITS, clock, prepared=True, starved=lambda: waited[0])
    waited[0] = 0.5
    clock.advance(1.0)
    assert watchdog.left_s == 4.0


def test_a_report_on_the_link_says_when_the_worker_gave_a_sign_of_life():
    stage = Stage()
    stage.watchdog.note_report(SHOT)
    for _ in range(4):
        stage.clock.advance(1.0)
        stage.watchdog.note_report(LinkReport("a", 0, LinkStatus("10.0.0.2"), silent_s=0.5))
        assert stage.watchdog.left_s == 4.5, "its pictures are on a slow link"
    for second in range(1, 6):
        stage.clock.advance(1.0)
        stage.watchdog.note_report(LinkReport("a", 0, LinkStatus("10.0.0.2"), silent_s=0.5 + second))
    assert stage.watchdog.left_s == -0.5, "it hangs, and the relay lives"


def test_one_that_takes_over_has_the_patience_of_the_one_before():
    watchdog = WorkerWatchdog(LIMITS, HandClock(0.0), prepared=True, median_s=2.0)
    assert watchdog.seconds == 10.0
    watchdog.note_report(Heartbeat(0.0, 0))
    assert watchdog.seconds == 10.0, "it has not told of any step yet"
    watchdog.note_report(Heartbeat(0.1, 0, median_s=0.1))
    assert watchdog.seconds == 5.0
