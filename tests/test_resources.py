"""What the program uses of the machine, compared with known amounts."""

import subprocess
import sys
from pathlib import Path

import pytest

from streamer import resources
from streamer.resources import held

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


COUNTED = """
import sys, threading
from streamer.resources import held
before = held()
files = [open(sys.executable, "rb") for _ in range(7)]
ending = threading.Event()
threads = [threading.Thread(target=ending.wait) for _ in range(3)]
for thread in threads:
    thread.start()
kept = bytearray(b"x") * 50_000_000
now = held()
ending.set()
print(now.descriptors - before.descriptors, now.threads - before.threads, now.memory_bytes - before.memory_bytes)
"""
"""Code for a separate process: in this one, memory that other tests have freed may be reused."""


def test_descriptors_threads_and_memory_are_counted() -> None:
    answer = subprocess.run([sys.executable, "-c", COUNTED], check=True, capture_output=True, text=True)
    descriptors, threads, memory_bytes = map(int, answer.stdout.split())
    assert (descriptors, threads) == (7, 3)
    assert 45_000_000 < memory_bytes < 100_000_000


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
