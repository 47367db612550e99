import logging
import threading

import pytest

from streamer.loop import MAX_FAILURES, Loop
from tests.patience import PATIENCE_S


def test_a_loop_runs_until_it_is_stopped() -> None:
    thrice = threading.Event()
    calls: list[str] = []

    def step() -> None:
        calls.append(threading.current_thread().name)
        if len(calls) == 3:
            thrice.set()

    loop = Loop("count", step, every_s=0.001)
    loop.start()
    assert thrice.wait(PATIENCE_S)
    assert loop.stop(PATIENCE_S)
    assert loop.stop()  # a second stop does no harm
    assert set(calls) == {"count"}
    assert loop.failure is None


def test_a_failing_step_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    recovered = threading.Event()
    calls = 0

    def step() -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise RuntimeError("a hiccup")
        recovered.set()

    loop = Loop("hiccup", step, every_s=0.001, pause_s=0.001)
    loop.start()
    assert recovered.wait(PATIENCE_S)
    assert loop.stop(PATIENCE_S)
    assert loop.failure is None
    assert [record.getMessage() for record in caplog.records] == ["hiccup failed and continues"] * 2


def test_a_step_that_always_fails_ends_the_loop_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    over = threading.Event()
    calls = 0

    def step() -> None:
        nonlocal calls
        calls += 1
        if calls == MAX_FAILURES:
            over.set()
        raise RuntimeError("broken for good")

    loop = Loop("broken", step, pause_s=0.0)
    loop.start()
    assert over.wait(PATIENCE_S)
    assert loop.stop(PATIENCE_S)
    assert str(loop.failure) == "broken for good"
    assert calls == MAX_FAILURES


def test_failures_far_apart_do_not_add_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    enough = threading.Event()
    now_s = 0.0

    def step() -> None:
        nonlocal now_s
        now_s += 10.0
        if now_s > 10.0 * (MAX_FAILURES + 5):
            enough.set()
        raise RuntimeError("a hiccup")

    loop = Loop("seldom", step, pause_s=0.0, clock=lambda: now_s)
    loop.start()
    assert enough.wait(PATIENCE_S)
    assert loop.stop(PATIENCE_S)
    assert loop.failure is None


def test_stopping_before_starting_is_harmless() -> None:
    assert Loop("never", lambda: None).stop()
