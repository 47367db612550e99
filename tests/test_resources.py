"""What the program takes of the machine, compared with what is known of it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from streamer import resources
from streamer.resources import held

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_descriptors_threads_and_memory_are_counted(tmp_path: Path) -> None:
    before = held()
    assert before is not None
    files = [(tmp_path / str(number)).open("w") for number in range(7)]
    ending = threading.Event()
    threads = [threading.Thread(target=ending.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    kept = bytearray(os.urandom(1)) * 50_000_000
    now = held()
    ending.set()
    for each in (*files, *threads):
        each.close() if hasattr(each, "close") else each.join()
    assert now is not None
    assert now.descriptors - before.descriptors == 7
    assert now.threads - before.threads == 3
    assert now.memory_bytes - before.memory_bytes > 0.9 * len(kept)


def test_children_and_theirs_are_counted() -> None:
    before = held()
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        now = held()
        child.communicate(b"\n")
    assert before is not None
    assert now is not None
    assert now.children - before.children == 2
    assert now.children_bytes - before.children_bytes > 5_000_000


def test_a_system_that_does_not_tell_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "PROC", tmp_path)
    assert held() is None
