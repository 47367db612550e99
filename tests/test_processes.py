"""How processes end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from streamer import processes
from streamer.processes import STOPPED_S, RoundClock, cpu_wait_s, exit_code, slowness
from tests.fakes import HandClock
from tests.patience import PATIENCE_S


class Reaped(BaseProcess):
    """A process whose end another thread has noticed but not yet recorded."""

    def __init__(self, after: int) -> None:
        self.after = after

    def join(self, timeout: float | None = None) -> None:
        """Return immediately."""

    @property
    def exitcode(self) -> int | None:
        self.after -= 1
        return -9 if self.after < 0 else None


def test_an_end_that_another_thread_hears_of_first_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exit_code(Reaped(20)) == -9
    monkeypatch.setattr(processes, "HEARD_S", 0.01)
    assert exit_code(Reaped(10**9), 0.0) is None


def test_rounds_take_as_long_as_they_take_on_a_busy_machine() -> None:
    clock = HandClock(100.0)
    rounds = RoundClock(clock)
    for _ in range(4):
        clock.advance(1.0 + STOPPED_S / 10)
        rounds.end_round(1.0)
    assert rounds() == pytest.approx(104.4)
    clock.advance(STOPPED_S)
    rounds.end_round(-1.0)
    assert rounds() == pytest.approx(104.4 + STOPPED_S), "one that waited for nothing"


def test_a_round_in_which_nobody_ran_does_not_count_and_nothing_within_a_round_sees_it() -> None:
    clock = HandClock(100.0)
    rounds = RoundClock(clock)
    clock.advance(60.0)
    assert rounds() == 100.0, "it has not looked"
    rounds.end_round(1.0)
    assert rounds() == 100.0
    clock.advance(1.0)
    rounds.end_round(1.0)
    assert rounds() == 101.0


def test_how_slow_a_machine_is_goes_by_what_wants_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    for wanting, slow in ((0.5, 1.0), (4.0, 1.0), (6.0, 1.5), (40.0, 2.0)):
        monkeypatch.setattr(os, "getloadavg", lambda wanting=wanting: (wanting, 0.0, 0.0))
        assert slowness(2.0) == slow

    def unknown() -> tuple[float, float, float]:
        raise OSError

    monkeypatch.setattr(os, "getloadavg", unknown)
    assert slowness(2.0) == 1.0


def compute(core: int, idle: bool) -> None:
    os.sched_setaffinity(0, {core})
    if idle:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while True:
        pass


def state(pid: int) -> str:
    """Return a process's state, one letter as in Linux's ``/proc``."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="Linux only")
def test_it_is_known_how_long_a_process_waits_for_a_core_and_one_that_is_stopped_waits_for_none() -> None:
    core = min(os.sched_getaffinity(0))
    spawn = multiprocessing.get_context("spawn")
    burner, poor = (spawn.Process(target=compute, args=(core, idle), daemon=True) for idle in (False, True))
    for process in (burner, poor):
        process.start()
    try:
        end_s, before_s = time.monotonic() + PATIENCE_S, 0.0
        while (waited_s := cpu_wait_s(poor.pid) - before_s) < 0.1 or not before_s:  # until both have started
            assert time.monotonic() < end_s, waited_s
            time.sleep(0.3)
            before_s = before_s or cpu_wait_s(poor.pid)
        assert poor.pid is not None
        os.kill(poor.pid, signal.SIGSTOP)
        while state(poor.pid) != "T":  # it needs the core once more to stop
            assert time.monotonic() < end_s
            time.sleep(0.01)
        time.sleep(0.3)
        before_s = cpu_wait_s(poor.pid)
        time.sleep(0.5)
        assert cpu_wait_s(poor.pid) == before_s
    finally:
        for process in (burner, poor):
            process.kill()
            process.join()
    assert cpu_wait_s(poor.pid) == 0.0
    assert cpu_wait_s(None) == 0.0
