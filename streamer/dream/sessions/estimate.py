"""What a dream of some size will take, before it is begun: memory by counting, time by taking a step or two."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from streamer.config import Config
from streamer.dream import compute_formats
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.network import Network

CANVAS_BYTES = 200
"""Per pixel of the canvas at the height of a step: picture, momentum, gradients and their spectra, the leash's maps; measured
by ``benchmarks/tiles.py``, with some air."""
WORKSPACE = 2.0
"""What a network needs at once on its way back, as a multiple of the activations it keeps; measured likewise."""
VIEW_SLACK = 1.6
"""The area of a randomly enlarged view, against the canvas's, at most."""
SET_UP_BYTES = 250_000_000
"""What is taken once, at the first step: plans, buffers, code."""
LEAST_TILE_PX = 512
"""Smaller tiles are mostly what lies around them, and are shown more than they are asked to."""
BASE_BYTES = 450_000_000
"""What the program itself holds once torch is loaded; only told where the system does not say."""
LOOK_PX = 256
"""Side of the picture on which a network's activations are counted."""
VIEWS = 3
"""Kinds of steps that an algorithm takes in turn with each network, at most: so many are timed."""
SHARE = 0.9
"""Of the free memory that may be counted on."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a dream will take."""

    seconds: float | None
    """None where it was not measured: the memory does not suffice, or it is known from earlier."""
    bytes: int
    """Of memory on the device that dreams, everything that the program holds there included."""
    free_bytes: int | None
    """What the device has left for it, what the program holds included; None if that cannot be found out."""

    @property
    def fits(self) -> bool:
        """Whether the memory suffices, as far as is known."""
        return self.free_bytes is None or self.bytes <= SHARE * self.free_bytes

    @property
    def needs(self) -> str:
        """Words for the memory."""
        free = "" if self.free_bytes is None else f" ({gigabytes(self.free_bytes)} are there)"
        return f"about {gigabytes(self.bytes)} of memory{free}"

    def __str__(self) -> str:
        return self.needs if self.seconds is None else f"about {duration(self.seconds)} in all, {self.needs}"


def needed_bytes(ensemble: Ensemble, device: torch.device, size: tuple[int, int], tile_px: int) -> int:
    """Bytes that dreaming a picture of (height, width) takes at its height, with what the program holds already.

    Args:
        tile_px: side of the square that the network is shown at once.
    """
    pixels = size[0] * size[1]
    shown = min(max(tile_px, LEAST_TILE_PX) ** 2 * 1.0, VIEW_SLACK * pixels)
    views = VIEW_SLACK * pixels * 24 if VIEW_SLACK * pixels > tile_px**2 else 0.0
    kept = max(kept_per_pixel(member) for member in ensemble.members)  # one after the other
    step = pixels * CANVAS_BYTES + views + shown * kept * WORKSPACE
    return used_bytes(device) + SET_UP_BYTES + int(step)


def kept_per_pixel(network: Network) -> float:
    """Bytes that the network keeps, for its way back, of each pixel it is shown."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    picture = torch.zeros(1, 3, LOOK_PX, LOOK_PX, device=network.device, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        logits = network(picture)
    del logits
    return sum(kept.values()) / LOOK_PX**2


def step_seconds(step: Callable[[], None], device: torch.device, networks: int = 1) -> float:
    """How long a step takes, as the mean of as many as there are kinds of them with so many networks."""
    begun = time.perf_counter()
    kinds = VIEWS * networks
    for _ in range(kinds):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - begun) / kinds


def pace_key(config: Config, network: str, device: torch.device) -> str:
    """What a render's pace depends on besides its size: the processor, torch, the threads, the network and its algorithm."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return f"{compute_formats.format_key(config, torch.get_num_threads())} | {network} | {name} | {config.dream.algorithm}"


def used_bytes(device: torch.device) -> int:
    """Bytes that this program holds on a device now."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):  # not Linux
        return BASE_BYTES


def available_bytes(device: torch.device) -> int | None:
    """Bytes that a device could give this program in all, what it holds already included; None if that is not known."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device))
    found = [left for left in (_available(), _container()) if left is not None]
    return used_bytes(device) + min(found) if found else None


def _available() -> int | None:
    """Of the machine's memory."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def _container() -> int | None:
    """Of the container's memory, where there is a limit."""
    for limit, used in (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")):
        try:
            folder = Path("/sys/fs/cgroup")
            most = (folder / limit).read_text().strip()
            if most != "max" and int(most) < 1 << 60:
                return max(0, int(most) - int((folder / used).read_text()))
        except (OSError, ValueError):
            continue
    return None


def duration(seconds: float) -> str:
    """Words for a time, as exact as an estimate can be: ``8 s``, ``3.2 min``, ``1.5 h``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.2g} min"
    return f"{seconds / 3600:.1f} h"


def gigabytes(count: float) -> str:
    """Words for an amount of memory."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{math.ceil(count / 1e6)} MB"
