"""Rules for every test: no unexpected warning in the log, no thread or process left behind, no use of the user's files.

A test that provokes a warning is marked with ``@pytest.mark.logs("text in it", …)``, or takes ``caplog`` and checks the log.
"""

from __future__ import annotations

import functools
import gc
import importlib.util
import logging
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import pytest
import typer.main
import typer.testing
from hypothesis import settings

QUICK = "ZOOMDREAM_TEST_QUICK" in os.environ
"""Run only fast tests, as ``make quick`` does: no torch, no random examples, and no module that ``SLOW`` matches."""
SLOW = re.compile(
    r"^\s*(?:from|import) (?:asyncio|av|multiprocessing|playwright|socket|subprocess|threading|time|torch|typer"
    r"|streamer\.(?:pipeline|video\.(?:encoding|files|sinks))|tests\.(?:acceptance|bot|test_pipeline|video|web))\b"
    r"|importorskip\(",
    re.MULTILINE,
)
"""Imports of processes, threads, servers, browsers, the whole command line, and encoding or decoding of video."""
if QUICK:
    sys.modules["torch"] = None  # type: ignore[assignment]  # so that tests that need it are skipped

from streamer.dream.device import make_cpu_sums_repeatable, return_freed_memory  # noqa: E402
from tests import precision  # noqa: E402
from tests.logging_setup import restored_logging  # noqa: E402
from tests.patience import PATIENCE_S  # noqa: E402
from tests.scheduling import FileScheduling, import_share, sort_longest_first  # noqa: E402

make_cpu_sums_repeatable()  # before any test computes: MKL reads the setting only once
os.environ["OMP_NUM_THREADS"] = "1"  # small tensors: more threads only wait for each other, for long on a busy machine
settings.register_profile("here", deadline=None)  # a busy machine is not a bug
settings.register_profile("ci", deadline=None, derandomize=True)  # the change decides, not that day's random examples
settings.load_profile("ci" if os.environ.get("CI") else "here")

WITHOUT_TORCH = importlib.util.find_spec("torch") is None
"""Whether to skip all tests that need torch and run the rest: ``.ci/run`` does so with further versions of Python."""
collect_ignore = ["tools"] if WITHOUT_TORCH else []  # the training: all of it needs torch
BUSY = ("given up, because other programs use the machine",)
"""Log texts that a healthy program may write on a busy machine."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out slow modules in a quick run."""
    slow = QUICK and collection_path.name.startswith("test_") and SLOW.search(collection_path.read_text(encoding="utf-8"))
    return True if slow else None


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip modules that import torch where it is not installed."""
    report = yield
    error = report.call.excinfo and report.call.excinfo.value.__cause__
    if WITHOUT_TORCH and isinstance(error, ModuleNotFoundError) and error.name == "torch":
        report.outcome, report.longrepr = "skipped", (report.nodeid, 0, "Skipped: imports torch")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Keep the garbage collector away from modules and collected tests: each full search passes over a million objects."""
    gc.disable()
    try:
        if not QUICK:
            import_share(session.config)
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Drop slow tests in a quick run, sort the rest, and skip those marked as needing torch where it is not installed."""
    if QUICK:
        by_chance = [item for item in items if getattr(getattr(item, "obj", None), "is_hypothesis_test", False)]
        left_out = {*by_chance, *(item for item in items if item.get_closest_marker("slow") or _starts_ray(item))}
        items[:] = [item for item in items if item not in left_out]
    sort_longest_first(items)
    for item in items:
        if WITHOUT_TORCH and item.get_closest_marker("torch"):
            item.add_marker(pytest.mark.skip(reason="needs torch"))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    """Run all tests of a file on one worker."""
    return FileScheduling(config, log)


def _starts_ray(item: pytest.Item) -> bool:
    return "ray_cluster" in getattr(item, "fixturenames", ())


@pytest.fixture(autouse=True, scope="session")
def _nothing_of_the_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the user's queues, caches and tokens out of the tests, but apply the precision that the user sets."""
    dtype = precision.forced()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        for name in [name for name in os.environ if name.startswith("ZOOMDREAM_")]:
            patch.delenv(name)
        if dtype is not None:
            precision.settle(patch, dtype)
        yield


@pytest.fixture(autouse=True, scope="session")
def _command_line_is_built_once() -> Iterator[None]:
    """Build all commands only once: Typer's runner builds them for each call, which takes longer than many calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard() -> Iterator[None]:
    """Restore Ctrl+C: a shell that runs the tests in the background makes them and their child processes ignore it."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    if ignored:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Undo the logging setup of commands, so that it does not affect the next test."""
    with restored_logging():
        yield


class _Warnings(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def _no_unexpected_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    handler = _Warnings()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    expected = [*BUSY, *(text for mark in request.node.iter_markers("logs") for text in mark.args)]
    if "caplog" not in request.fixturenames:
        lines = [f"{record.levelname} {record.name}: {record.getMessage()}" for record in handler.records]
        unexpected = [line for line in lines if not any(text in line for text in expected)]
        assert not unexpected, f"unexpected in the log: {unexpected}; mark the test with pytest.mark.logs if it provokes them"


@pytest.fixture(autouse=True, scope="module")
def _freed_memory_returned() -> Iterator[None]:
    """Return the memory that a dream keeps for its next step, so that other tests do not pay for it."""
    yield
    return_freed_memory()


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """Fail a test that leaves threads or processes running; those that are ending get time to finish."""
    threads, children = set(threading.enumerate()), _children()
    yield
    deadline = time.monotonic() + PATIENCE_S
    for thread in _started_since(threads):
        thread.join(max(0.0, deadline - time.monotonic()))
    left = [thread.name for thread in _started_since(threads)]
    assert not left, f"threads left running: {left}"
    while (orphans := _children() - children) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not orphans, f"processes left running: {[_command(pid) for pid in orphans]}"


def _started_since(before: set[threading.Thread]) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]


def _children() -> set[int]:
    """Return the live child processes, except multiprocessing's tracker of shared memory, which outlives the tests."""
    multiprocessing.active_children()  # reaps ended children
    tracker = getattr(resource_tracker._resource_tracker, "_pid", None)
    found = set()
    for file in Path("/proc/self/task").glob("*/children"):  # Linux only; elsewhere nothing is found
        try:
            found |= {int(pid) for pid in file.read_text().split()}
        except OSError:  # the thread ended meanwhile
            continue
    return {pid for pid in found if pid != tracker and _lives(pid)}


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _command(pid: int) -> str:
    try:
        return f"{pid} {Path(f'/proc/{pid}/cmdline').read_text().replace(chr(0), ' ')}"
    except OSError:
        return str(pid)
