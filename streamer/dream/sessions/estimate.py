"""Estimates the cost of a dream before it starts: memory by counting, time by timing a few steps."""

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
"""Peak bytes per canvas pixel in a step: picture, momentum, gradients and their spectra, the maps of the contrast
normalisation; measured by ``benchmarks/tiles.py``, with some margin."""
WORKSPACE = 2.0
"""Peak memory of a network's backward pass, as a multiple of the activations it keeps; measured in the same way."""
VIEW_SLACK = 1.6
"""Largest area of a randomly enlarged view, relative to the canvas."""
SET_UP_BYTES = 250_000_000
"""Bytes that the first step allocates once: plans, buffers, code."""
LEAST_TILE_PX = 512
"""Smallest tile to count with: smaller ones consist mostly of their margins, so the network sees more than the tile."""
BASE_BYTES = 450_000_000
"""Bytes of the program itself once torch is loaded; used if the system does not report them."""
LOOK_PX = 256
"""Side of the picture on which a network's activations are counted."""
VIEWS = 3
"""Most kinds of steps that an algorithm takes in turn with each network; this many are timed."""
SHARE = 0.9
"""Share of the free memory that may be used."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimated cost of a dream."""

    seconds: float | None
    """None if not measured: memory is too small, or the pace is known from earlier."""
    bytes: int
    """Memory on the device, including everything that the program already holds there."""
    free_bytes: int | None
    """Memory of the device that the program can use, including what it already holds; None if unknown."""

    @property
    def fits(self) -> bool:
        """Whether there is enough memory, as far as is known."""
        return self.free_bytes is None or self.bytes <= SHARE * self.free_bytes

    @property
    def needs(self) -> str:
        """The memory needed, in words."""
        free = "" if self.free_bytes is None else f" ({gigabytes(self.free_bytes)} available)"
        return f"about {gigabytes(self.bytes)} of memory{free}"

    def __str__(self) -> str:
        return self.needs if self.seconds is None else f"about {duration(self.seconds)} in all, {self.needs}"


def needed_bytes(ensemble: Ensemble, device: torch.device, size: tuple[int, int], tile_px: int) -> int:
    """Return the peak bytes for a picture of (height, width), including what the program already holds.

    Args:
        tile_px: side of the square tiles that the network sees.
    """
    pixels = size[0] * size[1]
    shown = min(max(tile_px, LEAST_TILE_PX) ** 2 * 1.0, VIEW_SLACK * pixels)
    views = VIEW_SLACK * pixels * 24 if VIEW_SLACK * pixels > tile_px**2 else 0.0
    kept = max(kept_per_pixel(member) for member in ensemble.members)  # one after the other
    step = pixels * CANVAS_BYTES + views + shown * kept * WORKSPACE
    return used_bytes(device) + SET_UP_BYTES + int(step)


def kept_per_pixel(network: Network) -> float:
    """Return the bytes that the network keeps for its backward pass, per input pixel."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}  # they live until all are counted, so that no address is used twice

    def note(tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        # There is no backward pass to return the tensor for. Returned, an output would be kept by its own node and never be
        # freed: the cycle passes through C++, where Python's collector does not look.

    picture = torch.zeros(1, 3, LOOK_PX, LOOK_PX, device=network.device, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda nothing: nothing):
        logits = network(picture)
    del logits
    return sum(storage.nbytes() for storage in kept.values()) / LOOK_PX**2


def step_seconds(step: Callable[[], None], device: torch.device, networks: int = 1) -> float:
    """Return the mean seconds per step, over as many steps as there are kinds of them with ``networks`` networks."""
    began_s = time.perf_counter()
    kinds = VIEWS * networks
    for _ in range(kinds):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - began_s) / kinds


def pace_key(config: Config, network: str, device: torch.device) -> str:
    """Return a key for what a render's pace depends on besides its size: CPU, torch, threads, network and algorithm."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return f"{compute_formats.format_key(config, torch.get_num_threads())} | {network} | {name} | {config.dream.algorithm}"


def used_bytes(device: torch.device) -> int:
    """Return the bytes that this program currently holds on a device."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):  # not Linux
        return BASE_BYTES


def available_bytes(device: torch.device) -> int | None:
    """Return the total bytes that this program can use on a device, including what it holds; None if unknown."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device))
    found = [left for left in (_available(), _container()) if left is not None]
    return used_bytes(device) + min(found) if found else None


def _available() -> int | None:
    """Return the available bytes of the machine's memory; None if unknown."""
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
    """Return the available bytes of the container's memory; None if it has no limit."""
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
    """Format a duration with the precision of an estimate: ``8 s``, ``3.2 min``, ``1.5 h``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.2g} min"
    return f"{seconds / 3600:.1f} h"


def gigabytes(count: float) -> str:
    """Format an amount of memory."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{math.ceil(count / 1e6)} MB"
