"""Train the bundled networks, which need no download: slim VGGs, adversarially, on Tiny ImageNet.

    python tools/train_bundled_net.py pack tiny-imagenet-200 --out packed        118 MB, if the GPU is on another machine
    python tools/train_bundled_net.py train packed --work out/bundled            both members; continues where it stopped
    python tools/train_bundled_net.py export packed --work out/bundled --out net.safetensors
    zoomdream run --set network.name=bundled --set network.weights=net.safetensors

DATA is the unpacked tiny-imagenet-200 (cs231n.stanford.edu/tiny-imagenet-200.zip), or the folders of a packed one. It uses a
GPU if there is one: three minutes a member on an H200. On a CPU, a small share shows that everything works:

    python tools/train_bundled_net.py train packed --work out/try --fraction 0.1 --batch 50 --widths 8-16-32-64-128 --minutes 1

``assets/bundled_net.md`` describes what was trained and the results; the code is in ``tools/bundled_net/``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Self

import torch
from rich.console import Console

from bundled_net import TrainingError
from bundled_net.checkpoint import Recipe
from bundled_net.data import TinyImageNet, read
from bundled_net.export import export
from bundled_net.mosaics import QUALITY, pack
from bundled_net.net import CONVOLUTIONS, MEMBERS, Member
from bundled_net.train import train

BATCH, ATTACK_STEPS = 500, 2
RATE = 0.25
"""Highest learning rate for a batch of 500; proportional for others (Goyal et al. 2017)."""


def main(arguments: list[str] | None = None) -> None:
    """Pack, train or export, as the command line says."""
    options = _parser().parse_args(arguments)
    console = Console(soft_wrap=True)
    try:
        options.run(options, console)
    except TrainingError as error:
        sys.exit(f"train_bundled_net: {error}")


def _pack(options: argparse.Namespace, console: Console) -> None:
    pack(options.data, options.out, options.quality, console)


def _train(options: argparse.Namespace, console: Console) -> None:
    device = _device(options.device)
    members = [_member(text) for text in options.member] or list(MEMBERS)
    data = _read(options, device, console)
    console.print(f"{len(data.train)} pictures of {len(data.wnids)} classes, on {device}", highlight=False)
    with _Pause(options.minutes) as pause:
        for member in members:
            recipe = _recipe(options, member, data)
            done = train(recipe, data.train, options.work, device, console, pause)
            if done.step < recipe.steps:
                console.print(f"{member.name}: stopped after {done.step} of {recipe.steps} steps; the same command goes on")
                if pause.interrupted:
                    sys.exit(130)  # as shells do after Ctrl+C; stops make
                return
            console.print(f"{member.name}: done, {done.epochs:.1f} epochs")


def _export(options: argparse.Namespace, console: Console) -> None:
    device = _device(options.device)
    data = _read(options, device, console, held_only=True)
    export(options.work, tuple(options.member), data, options.out, device, console)


def _recipe(options: argparse.Namespace, member: Member, data: TinyImageNet) -> Recipe:
    if options.widths:
        member = replace(member, widths=options.widths)
    epochs = options.epochs or member.epochs
    return Recipe(
        member,
        data.wnids,
        pictures=len(data.train),
        steps=options.steps or max(1, round(epochs * (len(data.train) // options.batch))),
        batch=options.batch,
        attack_steps=options.attack_steps,
        rate=options.rate or RATE * options.batch / BATCH,
    )


def _read(options: argparse.Namespace, device: torch.device, console: Console, *, held_only: bool = False) -> TinyImageNet:
    console.print(f"reading {' and '.join(map(str, options.data))}", highlight=False)
    return read(options.data, console, options.fraction, held_only=held_only).to(device)


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise TrainingError("--device cuda: torch sees no CUDA device; leave it out to train on the CPU")
    device = torch.device(name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True  # every batch has one shape
    return device


class _Pause:
    """Says when to stop between two steps: after some minutes, or at the first Ctrl+C; a second one kills."""

    def __init__(self, minutes: float | None) -> None:
        self.interrupted = False
        self._deadline = time.monotonic() + 60 * minutes if minutes else float("inf")

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def __call__(self) -> bool:
        return self.interrupted or time.monotonic() >= self._deadline

    def _interrupt(self, number: int, frame: object) -> None:
        self.interrupted = True
        signal.signal(signal.SIGINT, self._before)


def _member(text: str) -> Member:
    """Parse a member: one of the table by name, or a new one: ``c,radius=2,epochs=20,seed=3``.

    Raises:
        TrainingError: the text is neither.
    """
    name, *settings = text.split(",")
    known = {member.name: member for member in MEMBERS}
    read_as = {"radius": float, "epochs": float, "seed": int, "dense": int, "widths": _widths}
    try:
        found = {key: read_as[key](value) for key, _, value in (setting.partition("=") for setting in settings)}
        return replace(known[name], **found) if name in known else Member(name, **found)
    except (KeyError, ValueError, TypeError, argparse.ArgumentTypeError) as error:
        raise TrainingError(
            f"--member {text}: must be {' or '.join(known)}, or a name with radius=, epochs= and seed=, as in "
            "c,radius=2,epochs=20,seed=3"
        ) from error


def _widths(text: str) -> tuple[int, ...]:
    widths = tuple(int(part) for part in text.split("-") if part.isdecimal() and int(part))
    if len(widths) != len(CONVOLUTIONS) or len(widths) != len(text.split("-")):
        raise argparse.ArgumentTypeError(f"'{text}' must be five numbers, as in 24-48-96-192-384")
    return widths


def _number(kind: type[int] | type[float], lowest: float, highest: float = float("inf")) -> Callable[[str], float]:
    """Return a parser of command-line numbers in a range."""

    def read_number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not lowest <= value <= highest:
            limits = f"from {lowest:g} to {highest:g}" if highest < float("inf") else f"from {lowest:g} on"
            raise argparse.ArgumentTypeError(f"'{text}' must be {'a whole' if kind is int else 'a'} number {limits}")
        return value

    return read_number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="pack | train | export")

    packing = commands.add_parser("pack", help="make the data small enough to travel")
    packing.set_defaults(run=_pack)
    packing.add_argument("data", type=Path, metavar="DATA", help="the unpacked tiny-imagenet-200")
    packing.add_argument("--out", type=Path, required=True, help="folder for the mosaics")
    packing.add_argument("--quality", type=_number(int, 1, 100), default=QUALITY, help=f"WebP's, 1 to 100 (default: {QUALITY})")

    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("data", type=Path, nargs="+", metavar="DATA", help="the unpacked data set, or folders of a packed one")
    shared.add_argument("--work", type=Path, required=True, help="folder of the checkpoints")
    shared.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto takes a GPU if there is one")
    shared.add_argument("--fraction", type=_number(float, 1e-6, 1), default=1.0, help="share of each class's pictures, 0 to 1")

    training = commands.add_parser("train", parents=[shared], help="train the members, or go on training them")
    training.set_defaults(run=_train)
    training.add_argument(
        "--member",
        action="append",
        default=[],
        metavar="NAME[,radius=R,epochs=E,seed=S,widths=W]",
        help="train this one instead of the table's; may be repeated",
    )
    training.add_argument("--widths", type=_widths, help="channels of the five blocks, for all members")
    training.add_argument("--epochs", type=_number(float, 0.001), help="for all members; the schedule is stretched to them")
    training.add_argument("--steps", type=_number(int, 1), help="the same in steps")
    training.add_argument("--batch", type=_number(int, 2), default=BATCH, help=f"pictures a step (default: {BATCH})")
    training.add_argument("--attack-steps", type=_number(int, 1), default=ATTACK_STEPS, help=f"(default: {ATTACK_STEPS})")
    training.add_argument(
        "--rate", type=_number(float, 1e-6), help=f"highest learning rate (default: {RATE} * batch / {BATCH})"
    )
    training.add_argument("--minutes", type=_number(float, 0.001), help="stop after so long; the same command goes on")

    exporting = commands.add_parser("export", parents=[shared], help="write the members as the file that ships")
    exporting.set_defaults(run=_export)
    exporting.add_argument("--out", type=Path, required=True, help="the .safetensors file")
    exporting.add_argument("--member", action="append", default=[], metavar="NAME", help="this one only; may be repeated")
    return parser


if __name__ == "__main__":
    main()
