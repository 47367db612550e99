"""Measures which compute format of a network is fastest on this CPU: a few forward and backward passes of each, in turn."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

import torch

from streamer.config import Config
from streamer.dream.compute_formats import COMPUTE_FORMATS, LEAST_ROUNDS, ComputeFormat, FormatCache, fastest_format, format_key
from streamer.dream.networks.network import Network

log = logging.getLogger(__name__)

ROUNDS = 5
"""Rounds, each with one run of every format, so that other load on the machine slows down all of them."""
MOST_S = 6.0
"""Seconds after which no further run starts."""
HOPELESS = 1.5
"""A format whose first run takes more than this many times that of the usual one is not tried again."""


def measure(
    network: Network,
    size: tuple[int, int],
    stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.perf_counter,
) -> Mapping[ComputeFormat, Sequence[float]]:
    """Time the formats of a network and restore its own at the end.

    Args:
        network: a network on a CPU.
        size: (height, width) of the pictures that it sees.
        stop: called before each run; returns whether to stop.
        clock: a clock in seconds.

    Returns:
        Seconds of each format, round by round; fewer rounds if it was stopped or took too long.
    """
    usual, started_s, usual_s = network.form, clock(), 0.0
    forms = [usual, *(form for form in COMPUTE_FORMATS if form != usual)]
    times: dict[ComputeFormat, list[float]] = {form: [] for form in forms}
    picture = 255 * torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(1))

    def run() -> float:
        x = picture.clone().requires_grad_(True)
        before_s = clock()
        torch.autograd.grad(network(x).mean(), x)
        return clock() - before_s

    with network.trial() as take:
        for number in range(-1, ROUNDS):  # a first round for the libraries' plans
            for form in list(forms):
                if stop() or clock() - started_s > MOST_S:
                    return times
                take(form)
                taken_s = run()
                if number >= 0:
                    times[form].append(taken_s)
                elif form == usual:
                    usual_s = taken_s
                elif taken_s > HOPELESS * usual_s:
                    forms.remove(form)
    return times


def find_fastest_format(
    config: Config,
    network: Network,
    size: tuple[int, int],
    threads: int,
    stop: Callable[[], bool] = lambda: False,
    cache: FormatCache | None = None,
) -> None:
    """Measure a network's fastest format and save it for later starts; do nothing if it is known or set.

    Args:
        config: the settings; with a precision or a layout of their own there is nothing to measure.
        network: a network on a CPU.
        size: (height, width) of the pictures that it sees.
        threads: number of threads that compute.
        stop: returns whether to stop; then nothing is saved.
        cache: the cache to use; None for the user's cache folder.
    """
    cache, key = cache or FormatCache(), format_key(config, threads)
    if (config.network.precision, config.network.layout) != ("auto", "auto") or cache.get(key) is not None:
        return
    times = measure(network, size, stop)
    if stop() or len(times[network.form]) < LEAST_ROUNDS:  # the machine is too slow or too busy now
        return
    form = fastest_format(times, network.form)
    cache.put(key, form)
    log.info("%s computes fastest in %s on this machine, and uses that format from the next start on", network.name, form)
