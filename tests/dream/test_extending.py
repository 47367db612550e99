"""The exercises of docs/extending.md, followed step by step."""

from __future__ import annotations

import importlib.util
import re
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

from streamer.config import Config, DreamConfig
from streamer.dream.algorithms.dreamer import Dreamer
from streamer.dream.interface import DreamError
from streamer.dream.networks import loading, registry
from streamer.dream.objectives import scene as scene_module
from streamer.dream.objectives.objective import Objective
from streamer.dream.objectives.scene import SceneObjective
from streamer.events import DreamStarted
from streamer.journal_reader import read_journal
from streamer.journal_writer import Journal
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Pose
from streamer.messages.scenes import Scene, Target, arrange
from streamer.target_record import target_as_record, target_from_record
from tests.fakes import tiny_ensemble, tiny_network

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
QUIET = Target("", "quiet conv2", layer="conv2", objective="quiet")
LOUD = Target("", "layer conv2", layer="conv2")


def exercise(number: int, tmp_path: Path) -> ModuleType:
    """Import a code block of the document."""
    code = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[number]
    file = tmp_path / f"exercise_{number}.py"
    file.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Objective]:
    kind = exercise(0, tmp_path).Quiet
    monkeypatch.setitem(scene_module.OBJECTIVES, kind.name, kind)
    assert issubclass(kind, Objective)
    return kind


@pytest.mark.usefixtures("precision", "quiet")
def test_a_new_kind_of_objective_is_climbed() -> None:
    network = tiny_network()
    objective = SceneObjective(network)
    config = Config(dream=DreamConfig(prior_weight=0.0))
    dream = Dreamer(tiny_ensemble(), config, (36, 64), torch.device("cpu"), 1)

    def score() -> float:
        picture = torch.from_numpy(dream.picture()).permute(2, 0, 1)[None].float()
        return objective.score(picture, arrange([QUIET])[0])

    before = score()
    dream.scene(Scene(1, arrange([QUIET])))
    for _ in range(8):
        dream.step(0.1)
    assert before < score() < 0
    dream.scene(Scene(2, arrange([QUIET, LOUD])))
    dream.step(0.1)
    with pytest.raises(DreamError, match="tiny has no layer 'conv9'"):
        dream.scene(Scene(3, arrange([Target("", "quiet conv9", layer="conv9", objective="quiet")])))


@pytest.mark.usefixtures("quiet")
def test_a_new_kind_of_objective_is_kept_by_queue_and_journal(tmp_path: Path) -> None:
    assert target_from_record(target_as_record(QUIET)) == QUIET
    journal = Journal(tmp_path, Config(), 1, "0.1", clock=lambda: 0.0, wall=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    scene = Scene(1, arrange([QUIET, LOUD]))
    picture = torch.zeros(4, 4, 3, dtype=torch.uint8).numpy()
    journal.keyframe(Keyframe(picture, Pose(), 0.0, scene, 0, 0), (DreamStarted("tiny", "cpu", 1, (4, 4)), scene))
    journal.close()
    told = [event for keyframe in read_journal(journal.path).keyframes for event in keyframe.events if isinstance(event, Scene)]
    assert told == [scene]


def test_a_new_network_dreams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = exercise(1, tmp_path).SQUEEZENET1_0
    monkeypatch.setitem(registry.ARCHITECTURES, architecture.name, architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = architecture.build()
    weights = {
        f"{architecture.keys[name]}.{part}": value
        for name, layer in layers.items()
        for part, value in layer.state_dict().items()
    }
    file = tmp_path / "weights.safetensors"
    save_file(weights, file)
    (network,) = loading.make(architecture.name, file, torch.device("cpu"))
    assert network.name == "squeezenet1_0"
    assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 1000, 13, 13)
    assert network(torch.zeros(1, 3, architecture.min_size, architecture.min_size)).shape[2:] == (1, 1)
    assert network.default_layer == "fire6"
