"""The program as users start it, with the bundled network and a very small picture."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamer.__main__ import app
from tests.acceptance.figures import Figures
from tests.acceptance.kill9 import kill9
from tests.acceptance.queue_faults import hung
from tests.acceptance.reload import storm
from tests.acceptance.shutdown import end
from tests.acceptance.stream import RESTING, ROOT, SHM, SMALL_PICTURE, WITHOUT_SPARE, Stream, eventually
from tests.patience import PATIENCE_S, faults

SMALL = [*SMALL_PICTURE, *RESTING, "queue.hold_s=1"]

# A program that hangs after Ctrl+C is killed and ends with another exit code: the tests need not measure time for that.
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not SHM.is_dir() or sys.platform != "linux", reason="looks into /proc and /dev/shm"),
]


def test_requests_survive_kill_9_and_are_dreamed_once(tmp_path: Path) -> None:
    kill9(tmp_path, [*SMALL, *WITHOUT_SPARE], hold_s=1.0, timeout_s=300.0)


def test_nobodys_request_is_over_while_the_dream_hangs(tmp_path: Path) -> None:
    figures = Figures()
    hung(figures, tmp_path, [*SMALL, "queue.per_user=5", "dream.keyframe_s=0.1"], hold_s=1.0)
    missed = [what for what in figures.missed if "gap" not in what]  # gaps depend on what else the machine does
    assert not missed


def test_a_start_resumes_where_the_last_run_ended_and_is_replayed_from_there(tmp_path: Path) -> None:
    settings = [*SMALL_PICTURE, *RESTING, *WITHOUT_SPARE, "queue.hold_s=60"]
    with Stream(tmp_path, settings) as stream:
        stream.ask("ann", "goldfish")
        stream.wait_for(
            lambda told: told["on_air"] and told["on_air"]["user"] == "ann" and told["on_air"]["since_s"] > 1, PATIENCE_S
        )
        stream.call("POST", "/api/motion", {"speed": 1.2})
        before = stream.status()["on_air"]
        assert end(stream, signal.SIGTERM, PATIENCE_S).clean, stream.log()
    first = set((tmp_path / "journals").glob("*.jsonl"))
    with Stream(tmp_path, settings) as stream:
        told = stream.status()
        assert (told["on_air"]["scene"], told["on_air"]["user"]) == (before["scene"], "ann")
        assert told["on_air"]["since_s"] >= before["since_s"]
        assert told["motion"]["speed"] == 1.2
        stream.wait_for_picture()
        stream.wait_for(lambda told: told["on_air"]["since_s"] > before["since_s"] + 3, PATIENCE_S)
        assert end(stream, signal.SIGTERM, PATIENCE_S).clean, stream.log()
    assert stream.log().count("the dream resumes from") == 1
    assert "ERROR" not in stream.log()
    (journal,) = set((tmp_path / "journals").glob("*.jsonl")) - first
    assert same_pixels(journal, tmp_path) > 0


def same_pixels(journal: Path, folder: Path) -> int:
    """Replay a run; return how many pictures the replay compared. All of them are the same."""
    done = CliRunner().invoke(app, ["render", "--journal", str(journal), "-o", str(folder / "again.mp4")])
    told = re.search(r"\((\d+) of (\d+) pictures compared have the same pixels\)", done.output)
    assert told is not None, done.output
    assert told[1] == told[2]
    return int(told[2])


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    with Stream(tmp_path, SMALL) as stream:
        stream.wait_for_picture()
        ending = end(stream, signal.SIGINT, PATIENCE_S)
        assert ending.clean, (ending, stream.log())
        assert "ERROR" not in stream.log()


def test_a_running_stream_reloads_the_config_and_the_replay_shows_it(tmp_path: Path) -> None:
    file, journals = tmp_path / "live.yaml", tmp_path / "journals"
    file.write_text("zoom: {speed: 1.1}\n")
    with Stream(tmp_path, [*SMALL_PICTURE, *WITHOUT_SPARE, "seed=3"], config=file) as stream:
        stream.wait_for_picture()
        file.write_text(
            "zoom: {speed: 1.2}\ndream: {momentum: 0.3, prior_weight: 2, steps_per_keyframe: 3}\nvideo: {fps: 30}\n"
        )
        stream.wait_for(lambda told: told["settings"]["reloads"] == 1, PATIENCE_S)
        assert stream.status()["motion"] == {"speed": 1.2, "rotation": 0.25}
        assert stream.call("GET", "/api/reload")["at_next_start"] == ["video.fps"]
        assert eventually(
            lambda: '"settings":{"dream.momentum":0.3' in next(iter(journals.glob("*.jsonl"))).read_text(), PATIENCE_S
        )
        os.killpg(stream.process.pid, signal.SIGHUP)  # what a program under nohup gets when its terminal closes
        stream.call("POST", "/api/skip", {})
        file.unlink()
        stream.wait_for(lambda told: told["settings"]["mistakes"] == 1, PATIENCE_S)
        told = stream.status()
        assert (told["renderer"]["restarts"], faults(told)) == (0, [])
        assert "'video.fps' changes at the next start" in stream.log()
        assert end(stream, limit_s=PATIENCE_S).clean, stream.log()
    (journal,) = journals.glob("*.jsonl")
    assert same_pixels(journal, tmp_path) > 0


def test_mutated_and_half_written_configs_do_no_harm(tmp_path: Path) -> None:
    result = storm(tmp_path, [*SMALL_PICTURE, *WITHOUT_SPARE], count=20)
    assert result.refused > 8
    assert result.untold == []
    assert result.told["renderer"]["restarts"] == 0
    assert result.told["video"]["frames"]["repeated"] == 0


def test_a_taken_port_ends_it_with_2_and_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        call = [sys.executable, "-m", "streamer", "run", "--set", f"web.port={port}", "--log-level", "warning"]
        call += ["--set", f"queue.path={tmp_path / 'queue.sqlite3'}"]
        done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"zoomdream: port {port} on 127.0.0.1 is taken by another program")
    assert len(done.stderr.splitlines()) == 1


def test_an_unreadable_network_ends_the_program_with_1_and_one_line(tmp_path: Path) -> None:
    weights = tmp_path / "broken.safetensors"
    weights.write_bytes(b"broken")
    call = [sys.executable, "-m", "streamer", "run", "--log-level", "error", "--set", "web.port=0"]
    call += ["--set", f"queue.path={tmp_path / 'queue.sqlite3'}", "--set", f"network.weights={weights}"]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("zoomdream: ")
    assert str(weights) in line
