"""Tiny ImageNet read from its folder and from mosaics: same pictures, same labels, readable errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from bundled_net import TrainingError
from bundled_net.data import TinyImageNet, read
from bundled_net.mosaics import compose, pack
from tests.tools.conftest import HELD, PER_CLASS, WNIDS, picture

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def packed(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    pack(unpacked, folder, quality=90, console=QUIET)
    return folder


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(20 * torch.log10(255 / (a.float() - b.float()).square().mean().sqrt()))


def test_the_unpacked_folder_in_the_order_of_its_lists(data: TinyImageNet) -> None:
    assert data.wnids == WNIDS
    assert data.train.labels.tolist() == [label for label in range(len(WNIDS)) for _ in range(PER_CLASS)]
    assert data.held.labels.tolist() == [(number * 2 + 1) % len(WNIDS) for number in reversed(range(HELD))]
    assert data.train.pixels.shape == (len(WNIDS) * PER_CLASS, 64, 64, 3)
    for place, expected in ((PER_CLASS + 4, picture(1, 4)), (2 * PER_CLASS + 26, picture(2, 26))):
        assert psnr(data.train.pixels[place], torch.from_numpy(expected)) > 30
    first = HELD - 1
    assert psnr(data.held.pixels[0], torch.from_numpy(picture((first * 2 + 1) % len(WNIDS), 100 + first))) > 30


def test_packed_pictures_come_back_in_their_places(data: TinyImageNet, packed: Path) -> None:
    found = read([packed], QUIET)
    assert found.wnids == data.wnids
    for mine, original in ((found.train, data.train), (found.held, data.held)):
        assert torch.equal(mine.labels, original.labels)
        assert mine.pixels.shape == original.pixels.shape
        assert all(psnr(a, b) > 28 for a, b in zip(mine.pixels, original.pixels, strict=True))


def test_a_packed_set_may_be_spread_over_folders(packed: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    shutil.copytree(packed, one)
    two.mkdir()
    shutil.move(one / f"train_{WNIDS[1]}.webp", two)
    whole, spread = read([packed], QUIET), read([two, one], QUIET)
    assert torch.equal(whole.train.pixels, spread.train.pixels)
    with pytest.raises(TrainingError, match=f"'train_{WNIDS[1]}.webp' is not in .*one; name every folder"):
        read([one], QUIET)


@pytest.mark.parametrize("kind", ["unpacked", "packed"])
def test_a_share_is_one_of_each_class(kind: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(kind)
    all_of_it, share = read([folder], QUIET), read([folder], QUIET, fraction=0.3)
    assert torch.bincount(share.train.labels).tolist() == [9, 9, 9]
    assert torch.equal(share.train.pixels[9:18], all_of_it.train.pixels[PER_CLASS : PER_CLASS + 9])
    counts = torch.bincount(all_of_it.held.labels)
    assert torch.bincount(share.held.labels).tolist() == [-(-int(count) * 3 // 10) for count in counts]


@pytest.mark.parametrize("kind", ["unpacked", "packed"])
def test_the_validation_pictures_alone(kind: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(kind)
    all_of_it, held = read([folder], QUIET), read([folder], QUIET, held_only=True)
    assert torch.equal(held.held.pixels, all_of_it.held.pixels)
    assert torch.equal(held.held.labels, all_of_it.held.labels)
    assert held.train.pixels.shape == (0, 64, 64, 3)
    assert len(held.train) == 0


def test_a_mosaic_is_laid_out_row_by_row() -> None:
    pixels = np.arange(27, dtype=np.uint8)[:, None, None, None] * np.ones((1, 64, 64, 3), np.uint8)
    mosaic = compose(pixels)
    assert mosaic.shape == (2 * 64, 25 * 64, 3)
    assert (mosaic[10, 3 * 64 + 5, 0], mosaic[64, 0, 0], mosaic[127, 2 * 64 - 1, 2]) == (3, 25, 26)
    assert not mosaic[64:, 2 * 64 :].any()


def remove_a_class(folder: Path) -> None:
    shutil.rmtree(folder / "train" / WNIDS[2])


def remove_annotations(folder: Path) -> None:
    (folder / "val" / "val_annotations.txt").unlink()


def name_a_strange_class(folder: Path) -> None:
    with (folder / "val" / "val_annotations.txt").open("a") as lines:
        lines.write("val_0.JPEG\tn99999999\t0\t0\t62\t62\n")


def damage_a_picture(folder: Path) -> None:
    next((folder / "train" / WNIDS[0] / "images").iterdir()).write_bytes(b"\xff\xd8 no more")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (remove_a_class, rf"wnids.txt lists {WNIDS[2]}, but train/{WNIDS[2]}/images holds no .JPEG"),
        (remove_annotations, r"val_annotations.txt: cannot be read"),
        (name_a_strange_class, rf"val_annotations.txt:{HELD + 1}: the class is 'n99999999'; must be one of wnids.txt"),
        (damage_a_picture, rf"{WNIDS[0]}_\d+.JPEG: cannot be read as a picture"),
    ],
)
def test_a_folder_that_is_not_whole(unpacked: Path, tmp_path: Path, spoil: Callable[[Path], None], says: str) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(unpacked, folder)
    spoil(folder)
    with pytest.raises(TrainingError, match=says):
        read([folder], QUIET)


def test_a_wrong_folder(unpacked: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"neither an unpacked tiny-imagenet-200, with its wnids.txt, nor packed"):
        read([tmp_path], QUIET)
    with pytest.raises(TrainingError, match=r"index.json; .*tiny-imagenet-200 is it$"):
        read([unpacked.parent], QUIET)


@pytest.mark.parametrize("text", ["", "[]", '{"wnids": ["a"]}', '{"wnids": ["a"], "train": [1], "held_labels": [1]}'])
def test_a_wrong_index(text: str, tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(TrainingError, match=r"index.json: (not an index as 'pack' writes it|counts or labels do not fit)"):
        read([tmp_path], QUIET)


def test_a_mosaic_that_holds_too_few(packed: Path, tmp_path: Path) -> None:
    shutil.copytree(packed, tmp_path / "packed")
    index = tmp_path / "packed" / "index.json"
    said = json.loads(index.read_text())
    index.write_text(json.dumps(said | {"train": [51, 51, 51]}))
    with pytest.raises(TrainingError, match=r"1600x128 pixels hold no 51 pictures, 25 a row"):
        read([tmp_path / "packed"], QUIET)
