import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from streamer.config import CanvasConfig, Config, DreamConfig, NetworkConfig, SourceConfig
from streamer.dream.networks.vgg import build_vgg
from streamer.dream.worker import studio
from streamer.dream.worker.protocol import Unfit
from streamer.dream.worker.studio import build, is_out_of_memory
from streamer.messages import Scene, Target, arrange
from tests.dream.test_renderer import running, until

WNIDS = ("n00000001", "n00000002")


@pytest.fixture
def config(tmp_path):
    """The real dream with a very small network on a very small canvas."""
    file = tmp_path / "small.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        layers = build_vgg((4, 4, 4, 4, 4), 8, len(WNIDS), window=64, average=True)
    save_file(nn.Sequential(layers).state_dict(), file, {"classes": json.dumps(WNIDS)})
    return Config(
        device="cpu",
        network=NetworkConfig(name="bundled", weights=file),
        canvas=CanvasConfig(width=64, height=36),
        dream=DreamConfig(keyframe_s=0.05),
    )


@pytest.mark.usefixtures("precision")
def test_build_says_what_it_does_and_gives_a_dream(config, monkeypatch):
    monkeypatch.setattr(studio, "cores", lambda: 1)
    told = []
    dream = build(config, 1, told.append)
    assert told == ["looking for a device", "loading the network", "setting up the dream"]
    assert (dream.network, dream.device, dream.wnids, dream.dreamer.size) == ("bundled", "cpu", WNIDS, (36, 64))
    dream.dreamer.scene(Scene(1, arrange([Target(WNIDS[0], "thing")])))
    before = dream.dreamer.picture()
    dream.dreamer.step(0.1)
    assert (dream.dreamer.picture() != before).any()
    with pytest.raises(dream.unknown, match="bundled does not know 'other'"):
        dream.dreamer.scene(Scene(2, arrange([Target("n00000009", "other")])))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"network": NetworkConfig(name="bundled", weights=Path("none.pth"))}, r"none\.pth: there is no such file"),
        ({"source": SourceConfig(kind="image", path="none.png")}, r"none\.png"),
        ({"device": "cuda"}, r"'device' is cuda"),
    ],
)
def test_what_cannot_be_had_is_told_in_one_line(config, change, why, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Unfit, match=why) as caught:
        build(config.model_copy(update=change), 1, lambda what: None)
    assert "\n" not in str(caught.value)


def test_out_of_memory_is_told_from_other_errors():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


@pytest.mark.usefixtures("precision")
def test_the_real_dream_in_its_process(config):
    with running(None, config=config) as (renderer, seen):
        renderer.scene(Scene(2, arrange([Target(WNIDS[1], "thing")])))
        until(lambda: len(seen.keyframes) > 3 and seen.keyframes[-1].scene.id == 2)
        status = renderer.status()
    assert (status.network, status.canvas, status.error) == ("bundled", (36, 64), "")
    assert seen.keyframes[-1].steps >= 1
    assert (seen.keyframes[-1].image != seen.keyframes[0].image).any()
