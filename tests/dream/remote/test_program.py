"""The whole program with its dream on a Ray cluster, and without one."""

import os
import signal
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.acceptance.shutdown import end
from tests.acceptance.stream import ROOT, SHM, WITHOUT_SPARE, Stream
from tests.patience import PATIENCE_S, faults
from tests.test_whole_program import SMALL, same_pixels

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not SHM.is_dir() or sys.platform != "linux", reason="looks into /proc and /dev/shm"),
]


def call(folder: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    """Run ``zoomdream run`` to its end."""
    command = [sys.executable, "-m", "streamer", "run", "--log-level", "error", "--set", "web.port=0"]
    command += [part for each in (f"queue.path={folder / 'queue.sqlite3'}", *settings) for part in ("--set", each)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("compress", ["none", "jpeg"])
def test_a_dream_rendered_on_a_node_is_replayed_locally(tmp_path: Path, ray_address: str, compress: str) -> None:
    settings = [*SMALL, "renderer.where=ray", f"renderer.address={ray_address}", "renderer.gpus=0"]
    settings += WITHOUT_SPARE if compress == "jpeg" else ()
    with Stream(tmp_path, [*settings, "renderer.fallback=none", f"renderer.compress={compress}"]) as stream:
        stream.wait_for_picture()
        told = stream.wait_for(lambda told: told["renderer"]["link"]["coding"] and told["on_air"]["since_s"] > 3, 60)
        assert told["renderer"]["link"]["coding"].startswith(compress)
        assert (told["renderer"]["link"]["node"] != "", told["renderer"]["device"]) == (True, "cpu")
        assert faults(told) == []
        ending = end(stream, signal.SIGTERM, PATIENCE_S)
        assert ending.clean, (ending, stream.log())
    (journal,) = (tmp_path / "journals").glob("*.jsonl")
    assert same_pixels(journal, tmp_path) > 0


def test_no_cluster_ends_it_with_2_and_one_line(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        done = call(tmp_path, "renderer.where=ray", f"renderer.address={address}", "renderer.fallback=none")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"zoomdream: no cluster at '{address}': ")


def test_without_ray_it_ends_with_2_and_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError('there is none')\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    done = call(tmp_path, "renderer.where=ray", "renderer.fallback=none")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line == "zoomdream: a cluster needs Ray, which is not installed: pip install 'zoomdream[ray]' (there is none)"


def test_a_dream_here_never_imports_ray(tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w').close()\nraise ImportError('never')\n")
    with Stream(tmp_path, SMALL, environment={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}) as stream:
        stream.wait_for_picture()
        assert stream.status()["renderer"]["link"] is None
        assert end(stream, limit_s=PATIENCE_S).clean, stream.log()
    assert not (tmp_path / "imported").exists()
    with pytest.raises(subprocess.CalledProcessError):  # an import is noticed
        subprocess.run([sys.executable, "-c", "import ray"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "imported").exists()


def test_this_machine_stands_in_where_there_is_no_ray(tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError('there is none')\n")
    settings = [*SMALL, "renderer.where=ray"]
    with Stream(tmp_path, settings, environment={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}) as stream:
        stream.wait_for_picture()
        told = stream.status()
        assert told["renderer"]["link"]["node"] == ""
        why = "a cluster needs Ray, which is not installed: pip install 'zoomdream[ray]' (there is none)"
        assert faults(told) == [f"this machine renders instead of the cluster: {why}"]
        assert end(stream, limit_s=PATIENCE_S).clean, stream.log()


def test_another_version_ends_it_with_2_and_one_line(tmp_path: Path, ray_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (ours := tmp_path / "zoomdream-9.9.dist-info").mkdir()
    (ours / "METADATA").write_text("Metadata-Version: 2.1\nName: zoomdream\nVersion: 9.9\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    settings = ("renderer.where=ray", f"renderer.address={ray_address}", "renderer.gpus=0", "renderer.fallback=none")
    done = call(tmp_path, *settings)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"zoomdream: no node of the cluster at '{ray_address}' can be used: node ")
    assert f" has zoomdream {metadata.version('zoomdream')}, this is 9.9: install the same on both" in line
