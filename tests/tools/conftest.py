from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from bundled_net.data import TinyImageNet, read

WNIDS = ("n02124075", "n01443537", "n07753592")
PER_CLASS, HELD = 27, 11
"""More than a row of a mosaic (25 pictures), and less than one."""


def picture(label: int, number: int) -> np.ndarray:
    """Return (64, 64, 3) uint8: waves with a direction and a colour for each class, so there is something to learn."""
    chance = np.random.default_rng((label, number))
    y, x = np.mgrid[:64, :64] / 64
    angle = label * np.pi / len(WNIDS)
    wave = np.sin(2 * np.pi * (2 * (x * np.cos(angle) + y * np.sin(angle)) + chance.random()))
    colour = np.roll([1.0, 0.4, -0.6], label)
    return np.clip(128 + 90 * wave[..., None] * colour + chance.normal(0, 3, (64, 64, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out like Tiny ImageNet. Its classes and annotations are not in alphabetical order."""
    folder = tmp_path_factory.mktemp("tiny") / "tiny-imagenet-200"
    for label, wnid in enumerate(WNIDS):
        images = folder / "train" / wnid / "images"
        images.mkdir(parents=True)
        for number in range(PER_CLASS):
            Image.fromarray(picture(label, number)).save(images / f"{wnid}_{number:03d}.JPEG", quality=95)
    (folder / "wnids.txt").write_text("\n".join(WNIDS) + "\n")
    (folder / "val" / "images").mkdir(parents=True)
    lines = []
    for number in range(HELD):
        label = (number * 2 + 1) % len(WNIDS)
        Image.fromarray(picture(label, 100 + number)).save(folder / "val" / "images" / f"val_{number}.JPEG", quality=95)
        lines.insert(0, f"val_{number}.JPEG\t{WNIDS[label]}\t0\t0\t62\t62\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))
    return folder


@pytest.fixture(scope="session")
def data(unpacked: Path) -> TinyImageNet:
    return read([unpacked], Console(quiet=True))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Use one thread: these networks are too small for more."""
    torch.set_num_threads(1)
