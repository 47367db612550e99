"""Puts a live dream together from the settings: device, network, canvas, starting picture."""

from __future__ import annotations

import os

import torch

from streamer.config import Config
from streamer.dream.device import DeviceError, canvas_size, choose_device
from streamer.dream.dreams import make_dreamer
from streamer.dream.moving.riding import RidingDream
from streamer.dream.networks.loading import NetworkError, load
from streamer.dream.objectives import DreamError
from streamer.dream.sources import SourceError
from streamer.dream.start import starting_picture
from streamer.dream.worker.protocol import Dream, Tell, Unfit

VIDEO_CORES = 1
"""CPU cores left to the process that shows the dream. Threads that wait for one which has lost its core make the dream many
times slower than one thread fewer: 4.1 s a step instead of 0.35 s, on two cores with another busy process."""


def build(config: Config, seed: int, tell: Tell) -> Dream:
    """The dream that the settings describe, ready for its first step.

    Raises:
        Unfit: the network, the device or the starting picture is not to be had.
    """
    tell("looking for a device")
    try:
        device = choose_device(config.device)
        start = starting_picture(config.source)
        if device.type == "cpu":
            torch.set_num_threads(max(1, cores() - VIDEO_CORES))
        tell("loading the network")
        ensemble = load(config.network, device, progress=lambda received, total: tell(_megabytes(received, total)))
    except (DeviceError, NetworkError, SourceError) as error:
        raise Unfit(str(error)) from error
    tell("setting up the dream")
    dreamer = make_dreamer(ensemble, config, canvas_size(config.canvas, config.video, device.type), device, seed, start)
    threads = torch.get_num_threads()
    layers = ensemble.layer_entries
    rider = dreamer if isinstance(dreamer, RidingDream) else None
    return Dream(dreamer, ensemble.name, device.type, ensemble.wnids, is_out_of_memory, DreamError, threads, layers, rider)


def cores() -> int:
    """CPU cores this process may use: in a container often fewer than the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def is_out_of_memory(error: Exception) -> bool:
    """Whether a smaller canvas could help. What the failed step held on a GPU is given back."""
    if isinstance(error, torch.OutOfMemoryError):
        torch.cuda.empty_cache()
        return True
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))


def _megabytes(received: int, total: int | None) -> str:
    return f"downloading weights, {received / 1e6:.0f}" + (f" of {total / 1e6:.0f} MB" if total else " MB")
