import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from streamer.config import CanvasConfig, Config, DreamConfig, NetworkConfig, RendererConfig, SourceConfig
from streamer.dream import device
from streamer.dream.interface import ConfigRejected, DreamError
from streamer.dream.networks.vgg import build_vgg
from streamer.dream.worker.worker_setup import build_dream
from streamer.messages.scenes import Scene, Target, arrange
from tests.dream.test_renderer import running, until

WNIDS = ("n00000001", "n00000002")


@pytest.fixture
def config(tmp_path):
    """Return a config for the real dream, with a tiny network and canvas."""
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
        renderer=RendererConfig(spare=False),  # a process more that would import torch
    )


@pytest.mark.usefixtures("precision")
def test_build_says_what_it_does_and_gives_a_dream(config, monkeypatch):
    monkeypatch.setattr(device, "cores", lambda: 1)
    told = []
    dream = build_dream(config, 1, told.append)
    assert told == ["looking for a device", "loading the network", "setting up the dream"]
    assert (dream.network, dream.device, dream.wnids, dream.dreamer.size) == ("bundled", "cpu", WNIDS, (36, 64))
    assert dream.nearest == ((1,), (0,))
    dream.dreamer.scene(Scene(1, arrange([Target(WNIDS[0], "thing")])))
    before = dream.dreamer.picture()
    dream.dreamer.step(0.1)
    assert (dream.dreamer.picture() != before).any()
    with pytest.raises(DreamError, match="bundled does not know 'other'"):
        dream.dreamer.scene(Scene(2, arrange([Target("n00000009", "other")])))


@pytest.mark.usefixtures("precision")
def test_a_rehearsal_changes_nothing(config):
    pictures = []
    for rehearses in (False, True):
        dream = build_dream(config, 1, lambda what: None)
        if rehearses:
            dream.warm_up()
        dream.dreamer.scene(Scene(1, arrange([Target(WNIDS[0], "thing")])))
        for _ in range(3):
            dream.dreamer.step(0.1)
        dream.dreamer.bump()
        dream.dreamer.step(0.1)
        pictures.append(dream.dreamer.picture())
    assert (pictures[0] == pictures[1]).all()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"network": NetworkConfig(name="bundled", weights=Path("none.pth"))}, r"none\.pth: there is no such file"),
        ({"source": SourceConfig(kind="image", path="none.png")}, r"none\.png"),
        ({"device": "cuda"}, r"'device' is cuda"),
    ],
)
def test_a_missing_file_or_device_is_reported_in_one_line(config, change, why, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigRejected, match=why) as caught:
        build_dream(config.model_copy(update=change), 1, lambda what: None)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("precision")
def test_the_real_dream_in_its_process(config):
    with running(None, config=config) as (renderer, seen):
        renderer.scene(Scene(2, arrange([Target(WNIDS[1], "thing")])))
        until(lambda: len(seen.keyframes) > 3 and seen.keyframes[-1].scene.id == 2)
        status = renderer.status()
    assert (status.network, status.canvas, status.error) == ("bundled", (36, 64), "")
    assert seen.keyframes[-1].steps >= 1
    assert (seen.keyframes[-1].image != seen.keyframes[0].image).any()
