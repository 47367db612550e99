"""Builds a live dream from the settings: device, network, canvas, starting picture."""

from __future__ import annotations

from collections.abc import Callable

import torch

from streamer.config import Config
from streamer.dream.algorithms.decorrelated import auto_views
from streamer.dream.algorithms.dreamer_factory import make_dreamer
from streamer.dream.device import DeviceError, canvas_size, choose_device, compute_with, dreaming_threads
from streamer.dream.interface import ConfigRejected, Dream, PreparationCallback
from streamer.dream.networks.class_similarity import nearest
from streamer.dream.networks.format_benchmark import find_fastest_format
from streamer.dream.networks.loading import NetworkError, load
from streamer.dream.objectives.views import ViewSampler
from streamer.dream.sources.picture import SourceError
from streamer.dream.sources.start import starting_picture
from streamer.messages.scenes import Scene, Target, arrange

REHEARSED = 2
"""Steps of a warm-up: the first sets up what the others use."""


def build_dream(config: Config, seed: int, tell: PreparationCallback) -> Dream:
    """Build the dream that the settings describe, ready for its first step.

    Args:
        tell: Called with what is being done, before each stage.

    Raises:
        ConfigRejected: the network, the device or the starting picture is unavailable.
    """
    tell("looking for a device")
    try:
        device = choose_device(config.device)
        start = starting_picture(config.source)
        if device.type == "cpu":
            torch.set_num_threads(dreaming_threads())
        tell("loading the network")
        ensemble = load(config.network, device, progress=lambda received, total: tell(_megabytes(received, total)))
    except (DeviceError, NetworkError, SourceError) as error:
        raise ConfigRejected(str(error)) from error
    tell("setting up the dream")
    size = canvas_size(config.canvas, config.video, device.type)
    dreamer = make_dreamer(ensemble, config, size, device, seed, start)

    def warm_up() -> None:
        other = make_dreamer(ensemble, config, size, device, seed, start)
        other.scene(Scene(0, arrange([Target(ensemble.wnids[0], "rehearsal")])))
        for _ in range(REHEARSED):
            other.step(0.1)

    def probe(stop: Callable[[], bool]) -> None:
        if device.type == "cpu":
            network = ensemble.first
            views = auto_views(network.trained_px, size)
            shown = ViewSampler(config.dream, size, torch.Generator()).view_sizes(network, views[0])[0]
            find_fastest_format(config, network, shown, torch.get_num_threads(), stop)

    return Dream(
        dreamer,
        ensemble.name,
        device.type,
        ensemble.wnids,
        free_memory,
        torch.get_num_threads(),
        ensemble.layer_entries,
        nearest(ensemble),
        warm_up,
        compute_with if device.type == "cpu" else lambda threads: None,
        probe,
        torch.cuda.current_stream(device).synchronize if device.type == "cuda" else lambda: None,
        str(ensemble.first.form),
    )


def free_memory() -> None:
    """Release the GPU memory that a failed step held."""
    torch.cuda.empty_cache()  # does nothing without a GPU


def _megabytes(received: int, total: int | None) -> str:
    return f"downloading weights, {received / 1e6:.0f}" + (f" of {total / 1e6:.0f} MB" if total else " MB")
