"""Calls with and without ``--ray``: they connect and leave, fail with one line, and do not even import Ray."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streamer.__main__ import app

pytestmark = pytest.mark.torch
ROOT = Path(__file__).resolve().parents[2]
FAST = ["--set", "network.name=bundled", "--set", "device=cpu", "--set", "dream.views=[0.6]"]
PICTURE = ["--class", "goldfish", "--iterations", "1", "--size", "40x32"]


def render(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["render", *FAST, *map(str, words)])


def test_a_call_connects_and_leaves(ray_address: str, tmp_path: Path) -> None:
    answer = render(*PICTURE, "-o", tmp_path / "a.png", "--ray", ray_address)
    assert answer.exit_code == 0, answer.output
    assert "2 tasks at once" in answer.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_nothing_imports_ray_without_being_asked_to(tmp_path: Path) -> None:
    code = (
        "import sys; from streamer.__main__ import main\n"
        f"sys.argv = ['zoomdream', 'render', *{FAST!r}, '--class', 'goldfish', '--iterations', '1', '--size', '40x32',\n"
        f"            '-o', {str(tmp_path / 'a.png')!r}]\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code, ended.code\n"
        "print([name for name in ('ray', 'grpc') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--ray-gpus", "1"], "--ray-gpus goes with --ray ADDRESS"),
        (["--ray", "there"], "'there' is not the address of a cluster; must be auto, HOST:PORT"),
        (["--ray", "127.0.0.1:1"], "no cluster at '127.0.0.1:1': Connection refused"),
        (["--ray", "{address}", "--ray-cpus", "9"], "has room for a task of 9 CPUs: the largest has 1 CPUs and 0 GPUs"),
        (["--ray", "{address}", "--ray-gpus", "0.5"], "'device' is cpu, and --ray-gpus asks for GPUs"),
        (["--ray", "{address}", "--ray-segment", "9"], "--ray-segment goes with a film, not with a picture"),
    ],
)
def test_an_impossible_call_is_refused_in_one_line(words: list[str], says: str, ray_address: str, tmp_path: Path) -> None:
    answer = render("--class", "goldfish", "-o", tmp_path / "a.png", *(word.format(address=ray_address) for word in words))
    assert answer.exit_code == 2, answer.output
    assert says in answer.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_check_looks_at_nodes_room_link_and_stream(ray_address: str) -> None:
    settings = ["--set", "renderer.gpus=0", "--set", "canvas.width=160", "--set", "dream.keyframe_s=1"]
    answer = CliRunner().invoke(app, ["check", "--ray", ray_address, *settings])
    assert answer.exit_code == 0, answer.output
    lines = answer.stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["config", "cluster", "node", "node", "room", "link", "link", "stream"]
    assert sum("nothing has to cross a network" in line for line in lines) == 1
    assert sum("ms round trip" in line for line in lines) == 1
    answer = CliRunner().invoke(app, ["check", "--ray", ray_address])
    assert answer.exit_code == 1
    assert "✗ room      no node has the 1 GPU and 1 CPU that 'renderer' asks for" in answer.stdout
