"""Which form of a network is fastest on this CPU: each goes forward and back a few times, in turn."""

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
"""Each a run of every form, one after the other: what else the machine does slows down all of them."""
MOST_S = 6.0
"""Seconds after which no other run is begun."""
HOPELESS = 1.5
"""A form whose first run takes so many times that of the fastest is not tried again."""


def measure(
    network: Network,
    size: tuple[int, int],
    stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.perf_counter,
) -> Mapping[ComputeFormat, Sequence[float]]:
    """Time a network's forms; it is as it was before at the end.

    Args:
        network: on a CPU.
        size: (height, width) of the pictures that it is shown.
        stop: whether to leave it at what is known; asked before each run.
        clock: seconds.

    Returns:
        Seconds of each form, round by round; fewer rounds where it was stopped or took too long.
    """
    usual, begun, fastest = network.form, clock(), 0.0
    forms = [usual, *(form for form in COMPUTE_FORMATS if form != usual)]
    times: dict[ComputeFormat, list[float]] = {form: [] for form in forms}
    picture = 255 * torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(1))

    def run() -> float:
        x = picture.clone().requires_grad_(True)
        since = clock()
        torch.autograd.grad(network(x).mean(), x)
        return clock() - since

    with network.trial() as take:
        for number in range(-1, ROUNDS):  # in the first of them plans are made
            for form in list(forms):
                if stop() or clock() - begun > MOST_S:
                    return times
                take(form)
                taken = run()
                if number >= 0:
                    times[form].append(taken)
                elif form == usual:
                    fastest = taken
                elif taken > HOPELESS * fastest:
                    forms.remove(form)
    return times


def find_fastest_format(
    config: Config,
    network: Network,
    size: tuple[int, int],
    threads: int,
    stop: Callable[[], bool] = lambda: False,
    found: FormatCache | None = None,
) -> None:
    """Find out in which form a network is fastest, and keep that for later starts; nothing where it is known or not asked.

    Args:
        config: the settings; with a precision or a layout of their own nothing is to be found out.
        network: on a CPU.
        size: (height, width) of the pictures that it is shown.
        threads: that compute.
        stop: whether something else is wanted by now; then nothing is kept.
        found: where it is kept; None for the user's cache folder.
    """
    found, asked = found or FormatCache(), format_key(config, threads)
    if (config.network.precision, config.network.layout) != ("auto", "auto") or found.get(asked) is not None:
        return
    times = measure(network, size, stop)
    if stop() or len(times[network.form]) < LEAST_ROUNDS:  # so slow, or so busy, that another time is better
        return
    form = fastest_format(times, network.form)
    found.put(asked, form)
    log.info("%s computes fastest in %s on this machine, and will do so from the next start on", network.name, form)
