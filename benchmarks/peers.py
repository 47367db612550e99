"""Steps of other programs, for ``step.py``: the same weights, size and threads; all else as their authors wrote it.

lucent is installed from PyPI (``torch-lucent``), into a folder of its own, with the newest kornia that it allows. Its step is
that of ``render_vis`` at its defaults: an image parametrised by its spectrum, the transforms for robustness, Adam, one class.
As in its README, weights are not frozen, so their gradients are computed too; ``lucent frozen`` freezes them.

gordicaleksa's pytorch-deepdream is not on PyPI. This module has our own code for its published step, at the finest level of
its pyramid: a shift, the mean square of a layer, its gradient smoothed by three Gaussians and divided by its deviation.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from stepping import ROUND_STEPS, Clock, Facts, Job, Round, described, memory_in_use
from torch import Tensor, nn

KINDS = {"lucent": "lucent 0.1.8", "lucent frozen": "lucent 0.1.8, frozen", "deepdream": "pytorch-deepdream's step"}
"""Peers and their display names."""
PACKAGES = (("--no-deps", "torch-lucent==0.1.8", "kornia<=0.4.1"), ("ipython", "decorator", "tqdm"))
"""Arguments of pip, once per line: lucent's needs beyond the installed torch, torchvision, numpy and Pillow."""
LAYERS = {"vgg16": "22", "squeezenet1_1": "12"}
"""Names in torchvision's ``features``: relu4_3, pytorch-deepdream's own choice, and the last fire block."""
SMOOTHING = (0.5, 1.0, 2.0)
"""Standard deviations of the three Gaussians, as multiples of a sigma that grows with a level's steps."""
KERNEL = 9
"""Side of the Gaussians, px."""
LEVEL_STEPS = 10
SHIFT_PX = 32
RATE = 0.09
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's statistics, RGB in 0..1."""


def install(folder: Path) -> str | None:
    """Install what the peers need into a folder, if missing.

    Returns:
        Why it failed; None after success.
    """
    if (folder / "lucent").is_dir():
        return None
    for packages in PACKAGES:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), *packages]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            return "pip gave no answer"
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            return errors[-1] if errors else f"pip ended with {done.returncode}"
    return None


class Peer:
    """A peer's steps, timed."""

    def __init__(self, step: Callable[[], object], device: torch.device, busy: bool) -> None:
        self._step, self._clock = step, Clock(device, busy)
        first_s = self._clock.time(step)
        self._clock.time(step, 2)
        self.facts = Facts(described(device, torch.float32), first_s, memory_in_use(device))

    def round(self) -> Round:
        """Time some steps."""
        return Round(self._clock.time(self._step, ROUND_STEPS))


class LucentSteps:
    """``render_vis`` in a thread that waits before each step until it is called."""

    def __init__(self, model: nn.Module, size: tuple[int, int], threads: int) -> None:
        from lucent.optvis import param, render, transform  # from the folder of peers

        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._begun = False
        self._error: BaseException | None = None
        height, width = size

        def gate(image: Tensor) -> Tensor:
            if self._begun:
                self._done.release()
                self._go.acquire()
            self._begun = True
            return image

        def run() -> None:
            if threads:
                torch.set_num_threads(threads)  # the number is per thread
            self._go.acquire()
            try:
                render.render_vis(
                    model,
                    "labels:7",
                    lambda: param.image(width, height),
                    transforms=[gate, *transform.standard_transforms],
                    thresholds=(10**9,),
                    progress=False,
                    show_image=False,
                )
            except Exception as error:  # __call__ raises it
                self._error = error
                self._done.release()

        threading.Thread(target=run, daemon=True).start()

    def __call__(self) -> None:
        """Run one step and wait for its end."""
        self._go.release()
        self._done.acquire()
        if self._error is not None:
            raise self._error


class DeepDreamStep:
    """Gradient ascent on the mean square of a layer, at one size."""

    def __init__(self, model: nn.Module, layer: str, size: tuple[int, int], device: torch.device) -> None:
        self._features, self._layer = model.features.requires_grad_(False), layer
        self._picture = torch.randn((1, 3, *size), generator=torch.Generator().manual_seed(1)).to(device)
        self._chance = torch.Generator().manual_seed(1)
        self._steps = 0
        mean, std = (torch.tensor(each, device=device).view(1, 3, 1, 1) for each in (MEAN, STD))
        self._least, self._most = -mean / std, (1 - mean) / std

    def __call__(self) -> None:
        """Take one step."""
        down, right = (int(torch.randint(-SHIFT_PX, SHIFT_PX + 1, (), generator=self._chance)) for _ in range(2))
        picture = torch.roll(self._picture, (down, right), (2, 3)).requires_grad_(True)
        x, seen = picture, None
        for name, layer in self._features.named_children():  # every layer, as the original does
            x = layer(x)
            seen = x if name == self._layer else seen
        assert seen is not None
        F.mse_loss(seen, torch.zeros_like(seen)).backward()
        assert picture.grad is not None
        sigma = 2.0 * (self._steps % LEVEL_STEPS + 1) / LEVEL_STEPS + 0.5
        gradient = smoothed(picture.grad, [share * sigma for share in SMOOTHING])
        with torch.no_grad():
            moved = picture + RATE * (gradient - gradient.mean()) / gradient.std()
            moved = torch.max(torch.min(moved, self._most), self._least)
            self._picture = torch.roll(moved, (-down, -right), (2, 3))
        self._steps += 1


def smoothed(gradient: Tensor, sigmas: list[float]) -> Tensor:
    """Return the mean of a (1, 3, H, W) gradient under Gaussians of these sigmas (px)."""
    padded = F.pad(gradient, [KERNEL // 2] * 4, mode="reflect")
    at = torch.arange(KERNEL, device=gradient.device) - (KERNEL - 1) / 2
    total = torch.zeros_like(gradient)
    for sigma in sigmas:
        line = torch.exp(-((at / sigma) ** 2) / 2)
        kernel = line[:, None] * line[None, :]
        total += F.conv2d(padded, (kernel / kernel.sum()).expand(3, 1, KERNEL, KERNEL), groups=3)
    return total / len(sigmas)


def peer(job: Job) -> Peer:
    """Return a peer, ready to be measured."""
    from streamer.dream.networks.torchvision_import import torchvision
    from streamer.dream.networks.weights import read_weights

    assert job.weights is not None, "a file is made where none is given"
    device = torch.device(job.device)
    with torch.device("meta"):
        model: Any = getattr(torchvision().models, job.network)(weights=None)
    tensors = {key: tensor.float() for key, tensor in read_weights(Path(job.weights))[0].items()}
    model.load_state_dict(tensors, assign=True)
    model = model.to(device).eval().requires_grad_(job.kind == "lucent")
    if job.kind == "deepdream":
        return Peer(DeepDreamStep(model, LAYERS[job.network], job.size, device), device, job.busy)
    return Peer(LucentSteps(model, job.size, job.threads), device, job.busy)
