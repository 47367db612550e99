"""How repeated log lines are written, on a hand-driven clock."""

import io
import logging
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from streamer import logs
from streamer.logs import Counting
from tests.fakes import HandClock
from tests.patience import until


class Written(logging.Handler):
    """Keeps the records that reach it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.records]


class Stage:
    def __init__(self) -> None:
        self.clock, self.written = HandClock(100.0), Written()
        self.counting = Counting(self.written, self.clock)
        self.log = logging.getLogger("tests.counted")
        self.log.propagate = False  # these lines are not warnings of the program
        self.log.setLevel(logging.DEBUG)
        self.log.handlers[:] = [self.counting]

    def say(self, *args: object, every_s: float = 0.0, times: int = 1, level: int = logging.WARNING) -> None:
        for _ in range(times):
            self.log.log(level, *args)
            self.clock.advance(every_s)


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.log.handlers[:] = []
    stage.counting.close()


def test_a_line_that_comes_back_within_a_second_is_counted(stage: Stage) -> None:
    stage.say("it is %s", "full", every_s=0.01, times=500)
    stage.say("something else")
    assert stage.written.lines == ["it is full", "something else"]
    stage.clock.advance(5.0)
    stage.say("it is %s", "full")
    assert stage.written.lines[2:] == ["it is full (the same line 499 more times in the last 10 s)", "it is full"]
    assert stage.written.records[2].levelno == logging.WARNING
    assert stage.written.records[2].name == "tests.counted"


def test_a_line_repeated_endlessly_is_counted_every_ten_seconds(stage: Stage) -> None:
    stage.say("out of descriptors\nsocket: 7", every_s=0.125, times=281)
    told = "out of descriptors (the same line %d more times in the last 10 s)"
    assert stage.written.lines == ["out of descriptors\nsocket: 7", told % 80, told % 80, told % 80]


def test_a_line_that_comes_once_a_second_is_written_each_time(stage: Stage) -> None:
    stage.say("slow", every_s=1.0, times=5)
    assert stage.written.lines == ["slow"] * 5


def test_lines_of_one_place_that_differ_are_counted_beyond_twenty_a_second(stage: Stage) -> None:
    for number in range(300):
        stage.say("call %d failed", number, every_s=0.01)
    assert stage.written.lines == [f"call {number} failed" for number in range(20)]
    stage.counting.flush()
    assert stage.written.lines[20:] == ["call 299 failed (lines like it 280 more times in the last 3 s)"]
    stage.clock.advance(2.0)
    for number in range(60):
        stage.say("call %d failed", number, every_s=0.125)
    assert stage.written.lines[21:] == [f"call {number} failed" for number in range(60)]


def test_details_are_not_counted(stage: Stage) -> None:
    stage.say("detail", times=50, level=logging.DEBUG)
    assert len(stage.written.lines) == 50


def test_it_remembers_a_bounded_number_of_lines_and_loses_no_count(stage: Stage) -> None:
    stage.say("first", times=3)
    for number in range(2 * logs.REMEMBERED):
        stage.clock.advance(0.06)
        stage.say("line %d", number)
    assert len(stage.counting._seen) <= logs.REMEMBERED
    assert [line for line in stage.written.lines if "first" in line] == [
        "first",
        "first (the same line 2 more times in the last 15 s)",
    ]


def test_a_wrong_call_does_not_end_in_here(stage: Stage) -> None:
    record = logging.LogRecord("tests", logging.ERROR, "here.py", 1, "two %s %s", ("one",), None)
    stage.counting.handle(record)
    assert stage.written.records == [record]  # the handler that writes reports the mistake, as usual


def test_repeated_lines_are_counted_even_if_nothing_more_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "TOLD_S", 0.05)
    monkeypatch.setattr(logs, "AGAIN_S", 0.04)
    written = Written()
    counting = Counting(written)
    for _ in range(10):
        counting.handle(logging.LogRecord("tests", logging.ERROR, "here.py", 1, "again", None, None))
    until(lambda: len(written.lines) > 1)
    assert written.lines == ["again", "again (the same line 9 more times in the last 1 s)"]
    counting.close()


def test_the_program_logs_its_counts_when_it_ends() -> None:
    code = """
import logging
from streamer.logs import LogSetup, configure_logs
configure_logs(LogSetup("info"))
for _ in range(1000):
    logging.getLogger("asyncio").error("socket.accept() out of system resource")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    first, second = done.stderr.splitlines()
    assert re.fullmatch(r"\S+ \S+ ERROR   asyncio: socket.accept\(\) out of system resource", first)
    assert second.endswith("socket.accept() out of system resource (the same line 999 more times in the last 1 s)")


def test_a_stream_that_is_closed_by_its_owner_does_no_harm() -> None:
    lent = io.StringIO()
    handler = Counting(logging.StreamHandler(lent))
    lent.close()
    handler.flush()
    handler.close()
