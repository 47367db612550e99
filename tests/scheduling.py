"""Which worker of pytest-xdist runs which tests: those of a file stay together, and the longest files come first.

A file starts its browser or cluster once for each worker that runs a part of it. A long file that starts last keeps one core
busy while the others idle.
"""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parents[1]

LONGEST = (
    "tests/dream/remote/",
    "tests/test_whole_program.py",
    "tests/dream/test_renderer.py",
    "tests/on_cluster/",
    "tests/web/test_accessibility.py",
    "tests/dream/test_replay.py",
    "tests/commands/test_resumable_work.py",
    "tests/web/test_desk.py",
    "tests/web/test_first_minutes.py",
    "tests/web/test_pages.py",
    "tests/media/test_clips.py",
    "tests/bot/test_twitch_reconnect.py",
    "tests/video/test_network_sink.py",
    "tests/web/test_strangers.py",
    "tests/test_pipeline.py",
    "tests/web/test_fuzz.py",
)
"""Files and folders whose tests take more than 20 s, the longest first; ``pytest --durations=0`` lists them."""
TOGETHER = ("tests/dream/remote/", "tests/on_cluster/")
"""Folders whose files share something they start: here, a Ray cluster."""


class FileScheduling(LoadFileScheduling):
    """Gives each file, and each folder of ``TOGETHER``, to one worker, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return next((folder for folder in TOGETHER if scope.startswith(folder)), scope)


def sort_longest_first(items: list[pytest.Item]) -> None:
    """Sort collected tests so that the longest files come first; the others, and the tests of a file, keep their order."""

    def rank(item: pytest.Item) -> int:
        return next((number for number, start in enumerate(LONGEST) if item.nodeid.startswith(start)), len(LONGEST))

    items.sort(key=rank)


def import_share(config: pytest.Config) -> None:
    """Import a worker's share of the test modules before it collects all: so in a fresh checkout each is compiled only once.

    Otherwise all workers compile all of them at the same time, 7 CPU seconds each. Errors are left to the collection.
    """
    worker, count = os.environ.get("PYTEST_XDIST_WORKER", ""), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if not worker or config.args != ["tests"]:
        return
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    for file in files[int(worker.removeprefix("gw")) :: count]:
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
