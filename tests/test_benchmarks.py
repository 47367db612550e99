from __future__ import annotations

import dataclasses
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from streamer.config import Config, DreamConfig
from tests.fakes import tiny_ensemble

ROOT = Path(__file__).resolve().parents[1]
SIZE = (48, 80)
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


def imported(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a file of the benchmarks as a benchmark that runs does."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module(name)


@pytest.fixture
def stepping(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = imported("stepping", monkeypatch)
    monkeypatch.setattr(module, "MATRIX", {"cpu": 64, "cuda": 1024})
    return module


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return imported("step", monkeypatch)


@pytest.mark.parametrize("algorithm", ["default", "deepdream", "original_2015", "ink"])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, GPU])])
def test_a_step_is_measured(stepping: ModuleType, step: ModuleType, algorithm: str, device: str) -> None:
    place = torch.device(device)
    ensemble = tiny_ensemble()
    for member in ensemble.members:
        member.to(place)
    config = Config(dream=DreamConfig(algorithm=algorithm, octaves=2, octave_scale=1.5))
    measured = stepping.Dream(stepping.maker(), ensemble, config, SIZE, place)
    rounds = [measured.round() for _ in range(2)]
    facts = measured.facts
    assert facts.cycle == {"default": 2, "deepdream": 2, "original_2015": 1, "ink": 2}[algorithm]
    assert facts.flops is not None
    assert facts.first_s > 0
    assert facts.memory > 0
    for each in rounds:
        assert 0 < each.alone_s < 100 * each.step_s
        assert each.picture_s > 0
        assert facts.flops / each.flop_per_s > 0
    cells = step.row("this build", "tiny", facts, rounds, [1.0, 1.0]).strip("| ").split(" | ")
    assert len(cells) == len(step.COLUMNS) == step.heading().splitlines()[1].count("---")
    assert "-" not in cells
    assert cells[3] == "1.00"
    assert float(cells[2].removesuffix(" ms")) > 0


def test_multiplications_are_those_of_the_layers(stepping: ModuleType) -> None:
    config = Config(dream=DreamConfig(algorithm="original_2015"))
    facts = stepping.Dream(stepping.maker(), tiny_ensemble(), config, SIZE, torch.device("cpu")).facts
    places = SIZE[0] // 2 * SIZE[1] // 2
    multiplied = places * 8 * 3 * 9 + places // 4 * (8 * 8 * 9 + 8 * 3)
    assert facts.flops == 2 * 2 * multiplied  # forward and backward


def test_another_build_is_compared_round_by_round(stepping: ModuleType, step: ModuleType) -> None:
    facts = stepping.Facts("a machine", 1.0, 10**6, 2, 1e9)
    workers = {}
    for title, seconds in {"this build": [0.1, 0.2, 0.3], "the other": [0.2, 0.4, 0.3]}.items():
        workers[title] = step.Worker(stepping.Job("tiny", "default", SIZE, "cpu", 1, None), [ROOT])
        workers[title].facts = facts
        workers[title].rounds = [stepping.Round(each, each / 2, 1e11) for each in seconds]
    ours, other = step.rows(workers, "tiny", "this build")
    assert ours == "| this build | tiny | 200.00 ms | 1.00 | 100.00 ms | 10.00 ms | 5.0% | - | 1000 ms | 1 MB |"
    assert other == "| the other | tiny | 300.00 ms | 2.00 | 150.00 ms | 10.00 ms | 3.3% | - | 1000 ms | 1 MB |"


def test_what_a_checkout_lacks_is_said(stepping: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "streamer").mkdir()
    (tmp_path / "streamer" / "__init__.py").touch()
    job = stepping.Job("bundled", "default", SIZE, "cpu", 1, None)
    command = [sys.executable, str(ROOT / "benchmarks" / "step.py"), "--job", json.dumps(dataclasses.asdict(job))]
    environment = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    done = subprocess.run(command, env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    cannot = json.loads(done.stdout)["cannot"]
    assert cannot.startswith("ImportError: this checkout has no streamer.dream.networks.loading:load")


def test_smoothing_keeps_what_is_even(monkeypatch: pytest.MonkeyPatch, stepping: ModuleType) -> None:
    peers = imported("peers", monkeypatch)
    even = torch.full((1, 3, 20, 30), 2.0)
    assert torch.allclose(peers.smoothed(even, [0.5, 1.0, 2.0]), even)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA")
def test_a_missing_gpu_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: ModuleType) -> None:
    monkeypatch.setattr(sys, "argv", ["step.py", "--device", "cuda"])
    with pytest.raises(SystemExit) as ended:
        step.main()
    assert ended.value.code == 2
    assert "there is no CUDA here" in capsys.readouterr().err
