"""The networks that the settings choose, and the replacements of those that are unavailable."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from streamer.config import NetworkConfig
from streamer.dream.networks import bundled, loading
from streamer.dream.networks.caffe_squeezenet import Packaged
from streamer.dream.networks.loading import NetworkError, first_choice, load
from streamer.dream.networks.squeezenet import SQUEEZENET1_1, SQUEEZENET1_1_CAFFE, build_squeezenet
from streamer.dream.networks.vgg import build_vgg

CPU = torch.device("cpu")
WNIDS = ("n01443537", "n01882714", "n02165456", "n07753592")


def squeezenet(seed: int) -> dict[str, Tensor]:
    """Return random SqueezeNet weights under torchvision's keys."""
    torch.manual_seed(seed)
    keys: Mapping[str, str] = SQUEEZENET1_1.keys or {}
    layers = build_squeezenet()
    return {
        f"{theirs}.{part}": value.detach() for ours, theirs in keys.items() for part, value in layers[ours].named_parameters()
    }


def write_squeezenet(file: Path, seed: int, **metadata: str) -> Path:
    save_file(squeezenet(seed), file, metadata)
    return file


def write_bundled(file: Path) -> Path:
    torch.manual_seed(1)
    layers = build_vgg((3, 4, 5, 6, 7), 8, len(WNIDS), window=64, average=True)
    save_file(
        {key: value.detach() for key, value in nn.Sequential(layers).state_dict().items()}, file, {"classes": json.dumps(WNIDS)}
    )
    return file


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave only the bundled network: no connection and no package."""

    def refuse(*_: object, **__: object) -> None:
        raise NetworkError("it cannot be had")

    monkeypatch.setattr(bundled, "asset", lambda name: write_bundled(tmp_path / name))
    monkeypatch.setattr(loading, "fetch", refuse)
    monkeypatch.setattr(loading, "packaged_squeezenet", refuse)


def give_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "fetch", lambda name, enum, **_: write_squeezenet(tmp_path / f"{name}.safetensors", 1))


def give_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = Packaged(squeezenet(2), tmp_path / "packaged.safetensors")
    monkeypatch.setattr(loading, "packaged_squeezenet", lambda cache: packaged)


def told(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Return the log lines of a level and clear the record."""
    lines = [record.getMessage() for record in caplog.records if record.levelno == level]
    caplog.clear()
    return lines


@pytest.mark.usefixtures("nothing")
def test_auto_loads_every_available_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    give_download(tmp_path, monkeypatch)
    give_package(tmp_path, monkeypatch)
    with caplog.at_level(logging.INFO):
        ensemble = load(NetworkConfig(), CPU)
    assert ensemble.names == ("squeezenet1_1", "squeezenet1_1_caffe", "bundled")
    assert len(ensemble.wnids) == 1000
    (line,) = told(caplog, logging.INFO)
    assert f"squeezenet1_1_caffe from {tmp_path / 'packaged.safetensors'} + bundled from" in line


@pytest.mark.usefixtures("nothing")
def test_auto_without_a_connection_takes_what_the_package_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    give_package(tmp_path, monkeypatch)
    with caplog.at_level(logging.INFO):
        ensemble = load(NetworkConfig(), CPU)
    assert ensemble.names == ("squeezenet1_1_caffe", "bundled")
    assert ensemble.first.preprocess(torch.zeros(1, 3, 32, 32)).float()[0, :, 0, 0].tolist() == pytest.approx(
        [-123.68, -116.779, -103.939], rel=0.01
    )
    why, _ = told(caplog, logging.INFO)
    assert why == "dreaming without squeezenet1_1: it cannot be had"


@pytest.mark.usefixtures("nothing")
def test_auto_without_the_package_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    give_download(tmp_path, monkeypatch)
    with caplog.at_level(logging.INFO):
        assert load(NetworkConfig(), CPU).names == ("squeezenet1_1", "bundled")
    assert "dreaming without squeezenet1_1_caffe: it cannot be had" in told(caplog, logging.INFO)


@pytest.mark.usefixtures("nothing")
def test_auto_with_nothing_else_dreams_with_the_bundled_network_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ensemble = load(NetworkConfig(), CPU)
    assert (ensemble.name, ensemble.wnids) == ("bundled", WNIDS)
    (line,) = told(caplog, logging.WARNING)
    assert "which knows 4 things" in line
    assert "squeezenet1_1: it cannot be had; squeezenet1_1_caffe: it cannot be had" in line
    assert "'network.weights'" in line


@pytest.mark.usefixtures("nothing")
@pytest.mark.parametrize("name", ["vgg16", "squeezenet1_1_caffe"])
def test_what_is_asked_for_by_name_is_not_replaced(name: str) -> None:
    with pytest.raises(NetworkError, match="it cannot be had"):
        load(NetworkConfig.model_validate({"name": name}), CPU)


def test_a_list_of_networks_each_with_its_weights(tmp_path: Path) -> None:
    weights = {
        "squeezenet1_1": write_squeezenet(tmp_path / "a.safetensors", 1),
        "squeezenet1_1_caffe": write_squeezenet(tmp_path / "b.safetensors", 2),
        "bundled": write_bundled(tmp_path / "c.safetensors"),
    }
    ensemble = load(NetworkConfig.model_validate({"name": tuple(weights), "weights": weights}), CPU)
    assert ensemble.name == "squeezenet1_1 + squeezenet1_1_caffe + bundled"
    first, second, third = ensemble.members
    assert not torch.equal(first.layers.conv1.weight, second.layers.conv1.weight)
    assert (first.trained_px, third.trained_px) == (224, 64)
    assert ensemble.sources.count(" from ") == 3


def test_a_file_may_say_whose_it_is(tmp_path: Path) -> None:
    plain = load(NetworkConfig(weights=write_squeezenet(tmp_path / "a.safetensors", 1)), CPU)
    marked = load(NetworkConfig(weights=write_squeezenet(tmp_path / "b.safetensors", 1, network="squeezenet1_1_caffe")), CPU)
    assert (plain.name, marked.name) == ("squeezenet1_1", SQUEEZENET1_1_CAFFE.name)


def test_the_first_choice_depends_on_the_device() -> None:
    assert (first_choice("cpu"), first_choice("cuda")) == ("squeezenet1_1", "vgg16")
