"""Exporting checkpoints to a file that the product reads, and the file that ships."""

from __future__ import annotations

import json
import runpy
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn

from bundled_net import TrainingError
from bundled_net.checkpoint import Recipe, load
from bundled_net.data import TinyImageNet
from bundled_net.export import averaged, export, fold, rounded
from bundled_net.net import CONVOLUTIONS, MEAN, MEMBERS, STD, Member
from bundled_net.train import train
from streamer.assets import asset
from streamer.dream.networks.bundled import read_bundle
from streamer.dream.networks.weights import read_weights
from tests.tools.conftest import WNIDS

CPU = torch.device("cpu")
QUIET = Console(quiet=True)
TOOL = Path(__file__).parents[2] / "tools" / "train_bundled_net.py"
MEMBERS_HERE = (
    Member("one", radius=0.5, epochs=1, seed=3, widths=(4, 5, 6, 7, 8), dense=9),
    Member("two", radius=1.0, epochs=1, seed=4, widths=(4, 5, 6, 7, 8), dense=9),
)


def recipe(member: Member) -> Recipe:
    return Recipe(member, WNIDS, pictures=81, steps=3, batch=27, attack_steps=2, rate=0.1)


@pytest.fixture(scope="module")
def work(data: TinyImageNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    for member in MEMBERS_HERE:
        train(recipe(member), data.train, folder, CPU, QUIET)
    return folder


def test_the_product_reads_what_was_exported(work: Path, data: TinyImageNet, tmp_path: Path) -> None:
    """On a picture that is not square, the file's logits equal the trained network's, apart from rounding."""
    target = tmp_path / "new" / "net.safetensors"
    export(work, (), data, target, CPU, QUIET)
    tensors, metadata = read_weights(target)
    bundle = read_bundle(target, tensors, metadata)
    assert bundle.wnids == WNIDS
    assert bundle.window == 64
    assert len(bundle.members) == 2
    assert json.loads(metadata["radii"]) == [0.5, 1.0]
    assert json.loads(metadata["epochs"]) == [1.0, 1.0]
    assert json.loads(metadata["widths"]) == [4, 5, 6, 7, 8]
    assert all(0 <= share <= 1 for key in ("top1", "top1_attacked") for share in json.loads(metadata[key]))
    assert target.stat().st_mode & 0o777 == 0o644
    picture = torch.rand(1, 3, 96, 150, generator=torch.Generator().manual_seed(1))
    normalised = (picture - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    for member, layers in zip(MEMBERS_HERE, bundle.members, strict=True):
        with torch.no_grad():
            trained = averaged(load(work / f"{member.name}.pt"))(picture)
            shipped = nn.Sequential(layers)(normalised)
        assert trained.shape == shipped.shape == (1, len(WNIDS), 2, 3)
        assert (trained - shipped).norm() < 0.15 * trained.norm()  # eight bits in sixteen layers of very few channels
        assert not torch.equal(trained, shipped)


def test_folding_changes_nothing_and_rounding_no_more_than_half_a_step(work: Path) -> None:
    net = averaged(load(work / "one.pt"))
    picture = torch.rand(1, 3, 64, 130, generator=torch.Generator().manual_seed(2))
    layers = fold(net)
    x = (picture - net.mean) / net.std
    for block, count in enumerate(CONVOLUTIONS, 1):
        for i in range(1, count + 1):
            weight, bias = layers[f"conv{block}_{i}"]
            x = nn.functional.conv2d(x, weight, bias, padding=1).relu()
        x = nn.functional.avg_pool2d(x, 2)
    for name in ("fc6", "fc7"):
        x = nn.functional.conv2d(x, *layers[name]).relu()
    x = nn.functional.conv2d(x, *layers["fc8"])
    torch.testing.assert_close(x, net(picture), rtol=1e-3, atol=1e-4)
    tensors = rounded(0, layers)
    for name, (weight, bias) in layers.items():
        scale = tensors[f"0.{name}.scale"].view(-1, 1, 1, 1)
        assert tensors[f"0.{name}.weight"].dtype is torch.int8
        assert ((tensors[f"0.{name}.weight"] * scale - weight).abs() <= 0.5001 * scale).all(), name
        assert torch.equal(tensors[f"0.{name}.bias"], bias)


def test_members_of_two_shapes_or_of_other_classes_are_refused(work: Path, data: TinyImageNet, tmp_path: Path) -> None:
    wide = replace(MEMBERS_HERE[0], name="wide", widths=(5, 5, 6, 7, 8))
    train(recipe(wide), data.train, work, CPU, QUIET)
    target = tmp_path / "net.safetensors"
    try:
        with pytest.raises(TrainingError, match="wide has other widths than one; a file's networks have one shape"):
            export(work, ("one", "wide"), data, target, CPU, QUIET)
        with pytest.raises(TrainingError, match=r"none\.pt: there is no such checkpoint"):
            export(work, ("none",), data, target, CPU, QUIET)
        with pytest.raises(TrainingError, match=r"one\.pt: was trained on other classes than the data's"):
            export(work, ("one",), replace(data, wnids=WNIDS[::-1]), target, CPU, QUIET)
        with pytest.raises(TrainingError, match="holds no checkpoint; train first"):
            export(tmp_path, (), data, target, CPU, QUIET)
    finally:
        (work / "wide.pt").unlink()
    assert not target.exists()


def test_the_command_line_from_folder_to_file(unpacked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(TOOL))["main"]
    packed, work, target = str(tmp_path / "packed"), str(tmp_path / "work"), tmp_path / "net.safetensors"
    main(["pack", str(unpacked), "--out", packed])
    calls = ["train", packed, "--work", work, "--device", "cpu", "--batch", "27", "--steps", "3", "--fraction", "0.5"]
    calls += ["--member", "c,radius=0.5,epochs=1,seed=1,widths=3-4-5-6-7,dense=8", "--batch", "9"]
    main([*calls, "--minutes", "0.001"])
    main(calls)
    main(["export", packed, "--work", work, "--device", "cpu", "--out", str(target), "--fraction", "0.5"])
    said = capsys.readouterr().out
    assert "stopped after" in said
    assert "c: done, 0.6 epochs" in said
    assert "c: 3 steps; top-1 " in said
    assert read_bundle(target, *read_weights(target)).wnids == WNIDS


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (["train", "nowhere", "--work", "w"], "nowhere: neither an unpacked tiny-imagenet-200"),
        (["pack", "nowhere", "--out", "o"], "nowhere/wnids.txt: cannot be read"),
        (["train", "nowhere", "--work", "w", "--member", "c,radius=2"], "--member c,radius=2: must be a or b, or a name with"),
        (["train", "nowhere", "--work", "w", "--member", "a,colour=2"], "--member a,colour=2: must be a or b"),
        (["train", "nowhere", "--work", "w", "--member", "a,widths=1-2"], "--member a,widths=1-2: must be a or b"),
    ],
)
def test_mistakes_are_refused_with_a_reason(
    call: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = runpy.run_path(str(TOOL))["main"]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f"^train_bundled_net: {says}"):
        main(call)
    assert not list(tmp_path.iterdir())


def test_the_first_interruption_waits_for_the_step_and_the_second_does_not() -> None:
    with runpy.run_path(str(TOOL))["_Pause"](None) as pause:
        assert not pause()
        signal.raise_signal(signal.SIGINT)
        assert pause()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_file_that_ships() -> None:
    file = asset("bundled_net.safetensors")
    assert file.stat().st_size <= 16_000_000
    tensors, metadata = read_weights(file)
    bundle = read_bundle(file, tensors, metadata)
    assert len(bundle.members) == len(MEMBERS)
    assert len(bundle.wnids) == 200
    assert json.loads(metadata["widths"]) == list(MEMBERS[0].widths)
    assert json.loads(metadata["radii"]) == [member.radius for member in MEMBERS]
    assert json.loads(metadata["epochs"]) == [member.epochs for member in MEMBERS]
    assert [json.loads(metadata[key]) for key in ("mean", "std")] == [list(MEAN), list(STD)]
    for key in ("top1", "top1_attacked"):
        assert len(json.loads(metadata[key])) == len(MEMBERS)
