"""Workers forked from a process that has already imported what they need, for test files that start many.

A spawned worker imports everything itself, for half a second of CPU time, and one that talks to a cluster for a second more.
Tests of whole programs start spawned ones, as the product does everywhere.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_S

MODULES = ("streamer.dream.worker.worker_main", "tests.dream.fake_dream")
"""What a worker imports for a dream without torch."""
FORKS = sys.platform == "linux"
"""Whether forking is safe, and niceness inherited by thread; elsewhere all workers are spawned."""
GET_CONTEXT = multiprocessing.get_context


class _Inherited:
    """The environment, niceness and scheduling policy of the thread that starts a process: a spawned one would inherit them."""

    def __init__(self, environment: dict[str, str], niceness: int, policy: int) -> None:
        self._environment, self._niceness, self._policy = environment, niceness, policy

    def restore(self) -> None:
        """Apply them to this process."""
        os.environ.clear()
        os.environ.update(self._environment)
        os.setpriority(os.PRIO_PROCESS, 0, self._niceness)
        os.sched_setscheduler(0, self._policy, os.sched_param(0))


class _Start:
    """The function that a process runs; it is sent to the fork server by the thread that starts the process."""

    def __init__(self, target: Callable[..., None], inherited: _Inherited | None = None) -> None:
        self._target, self._inherited = target, inherited

    def __reduce__(self) -> tuple[object, ...]:
        now = _Inherited(dict(os.environ), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))
        return _Start, (self._target, now)

    def __call__(self, *args: object) -> None:
        assert self._inherited is not None, "it was sent"
        self._inherited.restore()
        self._target(*args)


class _Context:
    """Stands in for multiprocessing's context of spawned processes."""

    def __init__(self) -> None:
        self._forked = multiprocessing.get_context("forkserver")
        self.Pipe = self._forked.Pipe

    def Process(self, *, target: Callable[..., None], **named: Any) -> Any:
        return self._forked.Process(target=_Start(target), **named)


@contextlib.contextmanager
def serving(*modules: str) -> Iterator[int | None]:
    """Run a fork server that has imported ``modules``; yields its process ID, or None where workers are spawned."""
    if not FORKS:
        yield None
        return
    forkserver.set_forkserver_preload([*modules])
    forkserver.ensure_running()
    server: Any = forkserver._forkserver  # type: ignore[attr-defined]
    try:
        yield server._forkserver_pid
    finally:
        server._stop()


@pytest.fixture(scope="module")
def fork_server() -> Iterator[int | None]:
    """Provide the process ID of a running fork server, or None where workers are spawned."""
    with serving(*MODULES) as server:
        yield server


@pytest.fixture
def forked_workers(fork_server: int | None) -> Iterator[None]:
    """Fork the workers of a test instead of spawning them, and check that none is left running."""
    if fork_server is None:
        yield
        return
    context = _Context()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiprocessing, "get_context", lambda how=None: context if how == "spawn" else GET_CONTEXT(how))
        yield
    children = Path(f"/proc/{fork_server}/task/{fork_server}/children")
    deadline = time.monotonic() + PATIENCE_S
    while (left := children.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, f"workers left running: {left}"


@pytest.fixture
def spawned_workers(forked_workers: None) -> Iterator[None]:
    """Spawn the workers of a test after all, as the product does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiprocessing, "get_context", GET_CONTEXT)
        yield
