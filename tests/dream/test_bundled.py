"""Files of several networks, read as an ensemble whose members take turns."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from streamer.config import Config, DreamConfig, NetworkConfig
from streamer.dream.algorithms.dreamer import Dreamer
from streamer.dream.networks.loading import NetworkError, load
from streamer.dream.networks.vgg import build_vgg
from streamer.messages.scenes import Scene, Target, arrange

pytestmark = pytest.mark.usefixtures("precision")

CPU = torch.device("cpu")
WNIDS = ("n01443537", "n01882714", "n02165456", "n07753592")
SIZE = (40, 72)


def slim(seed: int) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    layers = build_vgg((3, 4, 5, 6, 7), 8, len(WNIDS), window=64, average=True)
    return {key: value.detach() for key, value in nn.Sequential(layers).state_dict().items()}


def write(path: Path, *members: dict[str, Tensor]) -> Path:
    tensors = {f"{i}.{key}": value.clone() for i, member in enumerate(members) for key, value in member.items()}
    save_file(tensors, path, {"classes": json.dumps(WNIDS), "members": str(len(members))})
    return path


def integers(member: dict[str, Tensor]) -> dict[str, Tensor]:
    found = {}
    for key, value in member.items():
        if key.endswith("weight"):
            scale = value.flatten(1).abs().amax(1) / 127
            found[key] = (value / scale.view(-1, 1, 1, 1)).round().to(torch.int8)
            found[key.replace("weight", "scale")] = scale
        else:
            found[key] = value
    return found


def test_a_file_of_two_networks_is_an_ensemble_of_them(tmp_path: Path) -> None:
    ensemble = load(NetworkConfig(weights=write(tmp_path / "two.safetensors", slim(1), slim(2))), CPU)
    alone = load(NetworkConfig(name="bundled", weights=write(tmp_path / "one.safetensors", slim(2))), CPU)
    (only,), (first, second) = alone.members, ensemble.members
    assert (first.wnids, first.layer_names) == (second.wnids, second.layer_names)
    picture = torch.rand(1, 3, 70, 90) * 255
    assert torch.equal(second(picture), only(picture))
    assert not torch.allclose(first(picture), second(picture))
    assert (ensemble.name, ensemble.wnids) == ("bundled", WNIDS)


@pytest.mark.parametrize("precision", ["float32"], indirect=True)
def test_weights_may_be_integers_with_scales(tmp_path: Path) -> None:
    exact = load(NetworkConfig(weights=write(tmp_path / "exact.safetensors", slim(1))), CPU).first
    rounded = load(NetworkConfig(weights=write(tmp_path / "rounded.safetensors", integers(slim(1)))), CPU).first
    for (name, a), b in zip(exact.layers.named_parameters(), rounded.layers.parameters(), strict=True):
        step = a.abs().flatten(1).amax(1).max() / 127 if a.ndim > 1 else torch.tensor(0.0)
        assert (a - b).abs().max() <= 0.5 * step + 1e-6, name


def test_the_wrong_key_is_named_with_its_number(tmp_path: Path) -> None:
    file = write(tmp_path / "odd.safetensors", slim(1), slim(2) | {"fc7.bias": torch.zeros(9)})
    with pytest.raises(NetworkError, match=r"odd\.safetensors: '1\.fc7\.bias' has shape \(9,\), expected \(8,\)"):
        load(NetworkConfig(name="bundled", weights=file), CPU)


def test_a_dream_of_classes_takes_the_networks_in_turn(tmp_path: Path) -> None:
    """With one view and no randomness, each step equals that of the network whose turn it is."""
    config = Config(dream=DreamConfig(views=(1.0,), view_jitter=0.0, jitter_px=0, prior_weight=0.0))
    scene = Scene(1, arrange((Target(WNIDS[0], "goldfish"),)))

    def dream(*members: dict[str, Tensor], steps: int, start: np.ndarray) -> np.ndarray:
        network = load(NetworkConfig(weights=write(tmp_path / "net.safetensors", *members)), CPU)
        dreamer = Dreamer(network, config, SIZE, CPU, seed=1, start=start)
        dreamer.scene(scene)
        for _ in range(steps):
            dreamer.step(0.0)
        return dreamer.picture()

    start = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    first, second = slim(1), slim(2)
    assert np.array_equal(dream(first, second, steps=1, start=start), dream(first, steps=1, start=start))
    assert np.array_equal(dream(first, second, steps=3, start=start), dream(first, second, first, steps=3, start=start))
    assert not np.array_equal(dream(first, second, steps=2, start=start), dream(first, steps=2, start=start))
