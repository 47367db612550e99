"""The program as its users start it, with the bundled network and a very small picture."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.kill9 import kill9
from tests.acceptance.shutdown import end
from tests.acceptance.stream import ROOT, SHM, Stream

SMALL = ["canvas.width=64", "canvas.height=36", "video.width=64", "video.height=36", "device=cpu", "queue.hold_s=1"]

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not SHM.is_dir() or sys.platform != "linux", reason="looks into /proc and /dev/shm"),
]


def test_requests_outlive_kill_9_and_are_dreamt_once(tmp_path: Path) -> None:
    kill9(tmp_path, SMALL, hold_s=1.0, timeout_s=60.0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_nothing(tmp_path: Path, number: int) -> None:
    with Stream(tmp_path, SMALL) as stream:
        stream.wait_for_picture()
        ending = end(stream, number)
        assert ending.clean, (ending, stream.log())
        assert "ERROR" not in stream.log()


def test_a_taken_port_ends_it_with_2_and_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        call = [sys.executable, "-m", "streamer", "run", "--set", f"web.port={port}", "--log-level", "warning"]
        call += ["--set", f"queue.path={tmp_path / 'queue.sqlite3'}"]
        done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"zoomdream: port {port} on 127.0.0.1 is taken by another program")
    assert len(done.stderr.splitlines()) == 1


def test_a_network_that_cannot_be_had_ends_it_with_1_and_one_line(tmp_path: Path) -> None:
    weights = tmp_path / "broken.safetensors"
    weights.write_bytes(b"broken")
    call = [sys.executable, "-m", "streamer", "run", "--log-level", "error", "--set", "web.port=0"]
    call += ["--set", f"queue.path={tmp_path / 'queue.sqlite3'}", "--set", f"network.weights={weights}"]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("zoomdream: ")
    assert str(weights) in line
