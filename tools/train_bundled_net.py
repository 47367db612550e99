"""Train the bundled network: VGG-16's layout made slim, on Tiny ImageNet, and adversarial in the end.

The network this makes is the one that dreams where no download is possible, so it is judged by its dreams as much as by its
accuracy. Three things set it apart from a plain classifier of its size:

* Adversarial training (Madry et al. 2018; one step from a random start as in Wong et al. 2020): a network whose answer does not
  hang on imperceptible changes has input gradients that look like things (Santurkar et al. 2019, 'Image Synthesis with a Single
  (Robust) Classifier').
* Average pooling (Gatys et al. 2016, section 2): its gradient reaches every pixel under a window, so dreams keep no dots.
* Pictures that grow from 32 to 64 pixels, which buys most of the epochs at a quarter of the cost.

It is two networks in truth: states of one training far apart (a snapshot ensemble, Huang et al. 2017), which the dream takes in
turn, one a step. What only one of them takes for a banana does not last.

Batch normalisation is folded into the convolutions when the networks are exported, and their weights are rounded to 8 bits, so
that the shipped file holds nothing but convolutions, their scales and biases.

    python tools/train_bundled_net.py --data tiny-imagenet-200 --work /tmp/bundled      # train, resuming where it stopped
    python tools/train_bundled_net.py --data tiny-imagenet-200 --work /tmp/bundled --export assets/bundled_net.safetensors

Tiny ImageNet: cs231n.stanford.edu/tiny-imagenet-200.zip (Stanford CS231N), 200 classes, 100,000 training pictures of 64x64.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from rich.console import Console
from rich.progress import track
from safetensors.torch import save_file
from torch import Tensor, nn

WIDTHS = (16, 32, 64, 128, 256)
"""Channels of the five blocks; VGG-16 has 64, 128, 256, 512, 512."""
CONVOLUTIONS = (2, 2, 3, 3, 3)
"""Convolutions per block, as in VGG-16 (Simonyan & Zisserman 2015, table 1, column D)."""
DENSE = 512
"""Units of fc6 and fc7; VGG-16 has 4096."""
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
CHECKPOINT_EVERY = 200
"""Steps between checkpoints: one to five minutes on two cores."""
EMA_DECAY = 0.998

console = Console()


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one picture size and one strength of attack."""

    epochs: float
    size: int
    """Side of the pictures in pixels: 32, 48 or 64."""
    radius: float
    """L2 radius of the attack over values in 0..1, for a 64-pixel picture; scaled with the side. 0 trains on clean pictures."""
    lr_from: float
    lr_to: float
    batch: int = 128
    whole: float = 0.0
    """Share of batches of whole pictures, unscaled at 64 pixels. Crops alone are enlarged to 64 pixels and therefore soft: a
    network that saw only them is right on 30 % of soft pictures and on 24 % of sharp ones."""
    member: bool = False
    """Whether the network as it is at the end of this stretch is one of those that are shipped."""


SCHEDULE = (
    Phase(epochs=3.0, size=32, radius=0.0, lr_from=0.02, lr_to=0.15),
    Phase(epochs=6.0, size=32, radius=0.0, lr_from=0.15, lr_to=0.08),
    Phase(epochs=1.1, size=48, radius=0.4, lr_from=0.08, lr_to=0.05),
    Phase(epochs=0.5, size=64, radius=0.5, lr_from=0.05, lr_to=0.001),
    Phase(epochs=2.0, size=32, radius=0.4, lr_from=0.10, lr_to=0.10, batch=64),
    Phase(epochs=6.5, size=48, radius=0.0, lr_from=0.08, lr_to=0.02, batch=64),
    Phase(epochs=1.0, size=64, radius=0.4, lr_from=0.03, lr_to=0.0005, batch=64, member=True),
    Phase(epochs=5.0, size=48, radius=0.0, lr_from=0.06, lr_to=0.01, batch=64),
    Phase(epochs=1.0, size=64, radius=0.0, lr_from=0.02, lr_to=0.01, batch=64),
    Phase(epochs=1.0, size=64, radius=0.3, lr_from=0.02, lr_to=0.0005, batch=64, whole=0.4, member=True),
)


class SlimVGG(nn.Module):
    """VGG-16's layout with narrow layers, batch norm and average pooling; dense layers as convolutions.

    Takes (N, 3, S, S) float32 in 0..1 with S = 32, 48 or 64 and gives (N, classes) logits.
    """

    def __init__(self, classes: int = 200) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.blocks = nn.ModuleList()
        inputs = 3
        for width, count in zip(WIDTHS, CONVOLUTIONS, strict=True):
            layers: list[nn.Module] = []
            for _ in range(count):
                layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                inputs = width
            self.blocks.append(nn.Sequential(*layers))
        self.fc6 = nn.Sequential(nn.Conv2d(inputs, DENSE, 2, bias=False), nn.BatchNorm2d(DENSE), nn.ReLU(inplace=True))
        self.fc7 = nn.Sequential(nn.Conv2d(DENSE, DENSE, 1, bias=False), nn.BatchNorm2d(DENSE), nn.ReLU(inplace=True))
        self.fc8 = nn.Conv2d(DENSE, classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        x = (pictures - self.mean) / self.std
        for block in self.blocks:
            x = F.avg_pool2d(block(x), 2, ceil_mode=True)
        if x.shape[-1] == 1:  # 32-pixel pictures leave one position where fc6 looks at two by two
            x = x.expand(-1, -1, 2, 2)
        return self.fc8(self.fc7(self.fc6(x))).flatten(1)


def load(data: Path, work: Path) -> tuple[Tensor, Tensor, Tensor, Tensor, list[str]]:
    """Read all of Tiny ImageNet into memory, once from JPEG and afterwards from a cache in ``work``.

    Returns training pictures (100000, 64, 64, 3) uint8 and labels, validation pictures (10000, 64, 64, 3) and labels, and the
    class ids in label order.
    """
    ids = (data / "wnids.txt").read_text().split()
    cache = work / "pictures.npz"
    if not cache.exists():
        work.mkdir(parents=True, exist_ok=True)
        label = {wnid: i for i, wnid in enumerate(ids)}
        files = [(f, label[wnid]) for wnid in ids for f in sorted((data / "train" / wnid / "images").glob("*.JPEG"))]
        held = [line.split("\t")[:2] for line in (data / "val" / "val_annotations.txt").read_text().splitlines()]
        files += [(data / "val" / "images" / name, label[wnid]) for name, wnid in held]
        pictures = np.empty((len(files), 64, 64, 3), np.uint8)
        for i, (file, _) in enumerate(track(files, "reading pictures", console=console)):
            with Image.open(file) as picture:
                pictures[i] = np.asarray(picture.convert("RGB"))
        part = cache.with_suffix(".part.npz")
        np.savez(part, pictures=pictures, labels=np.array([y for _, y in files]), held=len(held))
        os.replace(part, cache)
    arrays = np.load(cache)
    pictures, labels, held = torch.from_numpy(arrays["pictures"]), torch.from_numpy(arrays["labels"]), int(arrays["held"])
    return pictures[:-held], labels[:-held], pictures[-held:], labels[-held:], ids


def batches(
    pictures: Tensor, labels: Tensor, size: int, batch: int, whole: float, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of augmented batches: square crops of 42 to 64 pixels scaled to ``size``, mirrored, lighting varied.

    A ``whole`` share of the batches is shifted by up to four pixels, the border reflected, instead of cropped.
    """
    for index in torch.randperm(len(pictures), generator=generator).split(batch):
        if len(index) < batch:
            return
        x = pictures[index].permute(0, 3, 1, 2).float() / 255
        side = int(torch.randint(42, 65, (), generator=generator))
        if whole and torch.rand((), generator=generator) < whole:
            x, side = F.pad(x, (4, 4, 4, 4), mode="reflect"), 64
        room = x.shape[-1] - side
        if room:  # one side for the batch, a corner for each group of eight pictures
            corners = torch.randint(0, room + 1, (batch // 8, 2), generator=generator).tolist()
            x = torch.cat([g[:, :, t : t + side, u : u + side] for g, (t, u) in zip(x.split(8), corners, strict=True)])
        if side != size:
            x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
        mirror = torch.rand(batch, generator=generator) < 0.5
        x[mirror] = x[mirror].flip(-1)
        gain = 1 + 0.15 * torch.randn(batch, 1, 1, 1, generator=generator)
        offset = 0.06 * torch.randn(batch, 1, 1, 1, generator=generator)
        yield ((x - 0.45) * gain + 0.45 + offset).clamp_(0, 1).contiguous(memory_format=torch.channels_last), labels[index]


def attack(
    net: SlimVGG, forward: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, radius: float, generator: torch.Generator
) -> Tensor:
    """One gradient step of at most ``radius`` (L2, values in 0..1) from a random start, toward a wrong answer.

    Batch norm stays in evaluation mode, or the attack would move its statistics. ``forward`` is ``net`` or ``net`` compiled.
    """

    def norm(t: Tensor) -> Tensor:
        return t.flatten(1).norm(dim=1).view(-1, 1, 1, 1).clamp_min(1e-12)

    start = torch.randn(x.shape, generator=generator).contiguous(memory_format=torch.channels_last)
    delta = start / norm(start) * (0.5 * radius)
    net.eval().requires_grad_(False)
    probe = (x + delta).requires_grad_(True)
    (gradient,) = torch.autograd.grad(F.cross_entropy(forward(probe), y), probe)
    net.train().requires_grad_(True)
    delta = delta + gradient / norm(gradient) * (1.0 * radius)
    return (x + delta * (radius / norm(delta)).clamp_max(1.0)).clamp(0, 1)


@torch.no_grad()
def accuracy(net: SlimVGG, pictures: Tensor, labels: Tensor, size: int = 64) -> float:
    """Top-1 accuracy on whole pictures scaled to ``size`` pixels, in 0..1."""
    net.eval()
    right = 0
    for x, y in zip(pictures.split(500), labels.split(500), strict=True):
        x = x.permute(0, 3, 1, 2).float() / 255
        if size != 64:
            x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
        right += int((net(x.contiguous(memory_format=torch.channels_last)).argmax(1) == y).sum())
    net.train()
    return right / len(labels)


def train(data: Path, work: Path, schedule: tuple[Phase, ...], seed: int, compiled: bool) -> None:
    """Train through ``schedule``, writing ``work/checkpoint.pt`` as it goes and resuming from it."""
    pictures, labels, held_pictures, held_labels, _ = load(data, work)
    torch.manual_seed(seed)
    net = SlimVGG().to(memory_format=torch.channels_last)
    forward = torch.compile(net, dynamic=False) if compiled else net
    ema = {k: v.clone() for k, v in net.state_dict().items()}
    decay, plain = [], []
    for parameter in net.parameters():
        (decay if parameter.ndim > 1 else plain).append(parameter)
    optimiser = torch.optim.SGD(
        [{"params": decay, "weight_decay": 5e-4}, {"params": plain, "weight_decay": 0.0}], lr=0.1, momentum=0.9, nesterov=True
    )
    done = 0
    checkpoint = work / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        ema, done = state["ema"], state["step"]
        console.print(f"resuming at step {done}")
    generator = torch.Generator().manual_seed(seed * 1_000_003 + done)

    def save(step: int, file: Path = checkpoint) -> None:
        part = file.with_suffix(".part")
        torch.save({"net": net.state_dict(), "optimiser": optimiser.state_dict(), "ema": ema, "step": step}, part)
        os.replace(part, file)

    step, first = 0, 0
    for number, phase in enumerate(schedule):
        steps = round(phase.epochs * (len(pictures) // phase.batch))
        first, last = step, step + steps
        if done >= last:
            step = last
            continue
        step = max(step, done)
        began, seen, loss_sum, right = time.monotonic(), 0, 0.0, 0
        while step < last:
            for x, y in batches(pictures, labels, phase.size, phase.batch, phase.whole, generator):
                rate = phase.lr_from + (phase.lr_to - phase.lr_from) * (step - first) / steps
                for group in optimiser.param_groups:
                    group["lr"] = rate
                if phase.radius:
                    x = attack(net, forward, x, y, phase.radius * phase.size / 64, generator)
                answer = net(x)
                loss = F.cross_entropy(answer, y, label_smoothing=0.1)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                step += 1
                with torch.no_grad():
                    keep = min(EMA_DECAY, (1 + step) / (10 + step))
                    for key, value in net.state_dict().items():
                        ema[key].lerp_(value, 1 - keep) if value.is_floating_point() else ema[key].copy_(value)
                seen, loss_sum, right = seen + 1, loss_sum + loss.item(), right + int((answer.argmax(1) == y).sum())
                if not math.isfinite(loss_sum):
                    raise SystemExit(f"the loss is not finite at step {step}: lower the learning rate of phase {number}")
                if step % CHECKPOINT_EVERY == 0:
                    save(step)
                    pace = (time.monotonic() - began) / seen
                    console.print(
                        f"phase {number} ({phase.size} px, radius {phase.radius})  step {step}/{last}  lr {rate:.3f}  "
                        f"loss {loss_sum / seen:.3f}  right {right / seen / phase.batch:.1%}  {pace:.2f} s a step"
                    )
                    began, seen, loss_sum, right = time.monotonic(), 0, 0.0, 0
                if step >= last:
                    break
        save(step)
        if phase.member:
            save(step, work / f"member_{number}.pt")
        averaged = SlimVGG().to(memory_format=torch.channels_last)
        averaged.load_state_dict(ema)
        console.print(f"phase {number} done: top-1 {accuracy(averaged, held_pictures, held_labels, phase.size):.1%}")


def fold(net: SlimVGG) -> dict[str, tuple[Tensor, Tensor]]:
    """Fold each batch norm into the convolution before it: weight and bias by name, conv1_1 to conv5_3, fc6, fc7, fc8."""
    layers: dict[str, tuple[Tensor, Tensor]] = {}

    def put(name: str, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        layers[name] = (convolution.weight * gain.view(-1, 1, 1, 1), norm.bias - norm.running_mean * gain)

    for b, block in enumerate(net.blocks, 1):
        for c in range(len(block) // 3):
            put(f"conv{b}_{c + 1}", block[3 * c], block[3 * c + 1])
    put("fc6", net.fc6[0], net.fc6[1])
    put("fc7", net.fc7[0], net.fc7[1])
    layers["fc8"] = (net.fc8.weight, net.fc8.bias)
    return layers


def rounded(member: int, layers: dict[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """A network's tensors for the file: weights as int8, with a float32 scale for each output, and float32 biases."""
    tensors: dict[str, Tensor] = {}
    for name, (weight, bias) in layers.items():
        weight = weight.detach()
        scale = weight.flatten(1).abs().amax(1).clamp_min(1e-12) / 127
        shape = (-1, *[1] * (weight.ndim - 1))
        tensors[f"{member}.{name}.weight"] = (weight / scale.view(shape)).round().to(torch.int8).contiguous()
        tensors[f"{member}.{name}.scale"] = scale
        tensors[f"{member}.{name}.bias"] = bias.detach().contiguous()
    return tensors


def export(data: Path, checkpoints: list[Path], target: Path) -> None:
    """Write the averaged networks of some checkpoints as one file, with class ids and training facts in its metadata."""
    _, _, held_pictures, held_labels, ids = load(data, checkpoints[0].parent)
    tensors: dict[str, Tensor] = {}
    top1, steps = [], []
    for member, checkpoint in enumerate(checkpoints):
        state = torch.load(checkpoint, weights_only=True)
        net = SlimVGG().to(memory_format=torch.channels_last)
        net.load_state_dict(state["ema"])
        top1.append(f"{accuracy(net, held_pictures, held_labels):.4f}")
        steps.append(str(state["step"]))
        tensors |= rounded(member, fold(net))
    facts = {"members": str(len(checkpoints)), "classes": json.dumps(ids), "top1": " ".join(top1), "steps": " ".join(steps)}
    save_file(tensors, target, facts | {"mean": json.dumps(MEAN), "std": json.dumps(STD)})
    console.print(
        f"{target}: {target.stat().st_size / 1e6:.2f} MB, top-1 {' and '.join(top1)} after {' and '.join(steps)} steps"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the unpacked tiny-imagenet-200 folder")
    parser.add_argument("--work", type=Path, required=True, help="folder for the picture cache and the checkpoint")
    parser.add_argument("--export", type=Path, help="write the members here instead of training")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads (default: all)")
    parser.add_argument("--compile", action="store_true", help="compile the attack: a fifth faster, needs a C++ compiler")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.export:
        members = [arguments.work / f"member_{number}.pt" for number, phase in enumerate(SCHEDULE) if phase.member]
        export(arguments.data, members, arguments.export)
    else:
        train(arguments.data, arguments.work, SCHEDULE, arguments.seed, arguments.compile)


if __name__ == "__main__":
    main()
