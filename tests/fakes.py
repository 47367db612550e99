"""Stand-ins that tests of several packages share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from streamer.dream.networks.ensemble import Ensemble
    from streamer.dream.networks.network import Network


class HandClock:
    """A clock that moves only when a test moves it: call it for the time, ``sleep`` or ``advance`` to move it."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s
        self.oversleep_s = 0.0
        """How much longer than requested each sleep takes."""

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now_s += seconds + self.oversleep_s


def tiny_network(
    wnids: tuple[str, ...] = ("n00000001", "n00000002", "n00000003"), seed: int = 0, dtype: torch.dtype | None = None
) -> Network:
    """Return a random network with three convolutions and one logit position per 4 pixels.

    It computes in the precision of the real networks on this CPU unless ``dtype`` is given.
    """
    import torch
    from torch import nn

    from streamer.dream.networks.network import Network, compute_dtype

    dtype = dtype or compute_dtype(torch.device("cpu"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = {
            "conv1": nn.Conv2d(3, 8, 3, stride=2, padding=1),
            "relu1": nn.ReLU(inplace=True),
            "conv2": nn.Conv2d(8, 8, 3, stride=2, padding=1),
            "relu2": nn.ReLU(inplace=True),
            "conv3": nn.Conv2d(8, len(wnids), 1),
        }
    return Network("tiny", layers, wnids, stride=4, window=4, trained_px=32, min_size=1, dtype=dtype)


def tiny_ensemble(*seeds: int) -> Ensemble:
    """Return tiny networks with the same classes, one for each seed; one with seed 0 if none is given."""
    from streamer.dream.networks.ensemble import Ensemble

    return Ensemble(*(tiny_network(seed=seed) for seed in seeds or (0,)))
