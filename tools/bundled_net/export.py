"""Write checkpoints to the file that ships: batch norm folded, weights as 8-bit integers, the facts in the metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from rich.console import Console
from safetensors.torch import save_file
from torch import Tensor, nn

from bundled_net import TrainingError
from bundled_net.checkpoint import Checkpoint, load, path_of
from bundled_net.data import TinyImageNet
from bundled_net.measure import top1, top1_attacked
from bundled_net.net import MEAN, STD, SlimVGG, classifier
from streamer.dream.networks.bundled import read_bundle


def export(
    work: Path, names: tuple[str, ...], data: TinyImageNet, target: Path, device: torch.device, console: Console
) -> None:
    """Write members' moving averages to one file and print each one's accuracy as written.

    Args:
        names: the members, in the order in which dreams use them; empty for all checkpoints of ``work``.
        data: what to measure them on, on ``device``.

    Raises:
        TrainingError: a checkpoint is missing, or they differ in shape or classes, or the file cannot be written.
    """
    names = names or tuple(sorted(file.stem for file in work.glob("*.pt")))
    if not names:
        raise TrainingError(f"{work}: holds no checkpoint; train first")
    members = [load(path_of(work, name)) for name in names]
    recipes = [member.recipe for member in members]
    for name, recipe in zip(names, recipes, strict=True):
        if (recipe.member.widths, recipe.member.dense) != (recipes[0].member.widths, recipes[0].member.dense):
            raise TrainingError(f"{name} has other widths than {names[0]}; a file's networks have one shape")
        if recipe.wnids != data.wnids:
            raise TrainingError(f"{path_of(work, name)}: was trained on other classes than the data's")
    tensors: dict[str, Tensor] = {}
    for number, member in enumerate(members):
        tensors |= rounded(number, fold(averaged(member)))
    facts = {"members": str(len(members))} | {
        key: json.dumps(value)
        for key, value in {
            "classes": data.wnids,
            "mean": MEAN,
            "std": STD,
            "widths": recipes[0].member.widths,
            "radii": [recipe.member.radius for recipe in recipes],
            "epochs": [round(member.epochs, 2) for member in members],
        }.items()
    }
    clean, attacked = _measure(target, tensors, facts, members, data, device, console)
    _write(target, tensors, facts | {"top1": json.dumps(clean), "top1_attacked": json.dumps(attacked)})
    console.print(f"{target}: {target.stat().st_size / 1e6:.2f} MB", highlight=False)


def averaged(checkpoint: Checkpoint) -> SlimVGG:
    """Return the network of a checkpoint's moving average, in evaluation mode, on the CPU."""
    member = checkpoint.recipe.member
    net = SlimVGG(member.widths, member.dense, len(checkpoint.recipe.wnids))
    net.load_state_dict(checkpoint.mean)
    return net.eval().requires_grad_(False)


def fold(net: SlimVGG) -> dict[str, tuple[Tensor, Tensor]]:
    """Fold each batch norm into the convolution before it: weight and bias by name, conv1_1 to conv5_3, fc6, fc7, fc8."""
    layers: dict[str, tuple[Tensor, Tensor]] = {}

    def put(name: str, convolution: nn.Module, norm: nn.Module) -> None:
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        layers[name] = (convolution.weight * gain.view(-1, 1, 1, 1), norm.bias - norm.running_mean * gain)

    for b, block in enumerate(net.blocks, 1):
        for c in range(len(block) // 3):  # convolution, norm, ReLU
            put(f"conv{b}_{c + 1}", block[3 * c], block[3 * c + 1])
    put("fc6", net.fc6[0], net.fc6[1])
    put("fc7", net.fc7[0], net.fc7[1])
    layers["fc8"] = (net.fc8.weight, net.fc8.bias)
    return layers


def rounded(number: int, layers: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Return a member's tensors: weights as int8, a float32 scale for each output, and float32 biases."""
    tensors: dict[str, Tensor] = {}
    for name, (weight, bias) in layers.items():
        scale = weight.flatten(1).abs().amax(1).clamp_min(1e-12) / 127
        tensors[f"{number}.{name}.weight"] = (weight / scale.view(-1, 1, 1, 1)).round().to(torch.int8).contiguous()
        tensors[f"{number}.{name}.scale"] = scale
        tensors[f"{number}.{name}.bias"] = bias.contiguous()
    return tensors


class _Normalised(nn.Module):
    """Layers as the product reads them, with the normalisation they expect."""

    def __init__(self, layers: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.layers = nn.Sequential(*layers.values())

    def forward(self, pictures: Tensor) -> Tensor:
        return self.layers((pictures - self.mean) / self.std)


def _measure(
    target: Path,
    tensors: Mapping[str, Tensor],
    facts: Mapping[str, str],
    members: list[Checkpoint],
    data: TinyImageNet,
    device: torch.device,
    console: Console,
) -> tuple[list[float], list[float]]:
    """Return each member's top-1, clean and attacked, as the product reads it back."""
    clean, attacked = [], []
    for layers, member in zip(read_bundle(target, tensors, facts).members, members, strict=True):
        recipe = member.recipe
        network = _Normalised(layers).eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
        classify = classifier(network, device)
        clean.append(round(top1(classify, data.held), 4))
        attacked.append(round(top1_attacked(classify, data.held, recipe.member.radius), 4))
        unfinished = "" if member.step == recipe.steps else f", not finished: {recipe.steps} steps were meant"
        console.print(
            f"{recipe.member.name}: {member.step} steps{unfinished}; top-1 {clean[-1]:.1%}, under attack within "
            f"{recipe.member.radius:g} {attacked[-1]:.1%}",
            highlight=False,
        )
    return clean, attacked


def _write(target: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    part = target.with_suffix(".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part, metadata)
        part.chmod(0o644)  # safetensors lets only its owner read it; a container runs as another user
        os.replace(part, target)
    except OSError as error:
        raise TrainingError(f"{target}: cannot be written: {error}") from error
