"""The dream without a deadline: keyframes at exact moments of a video, the same for the same seed on the same device."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator

import numpy as np
import torch

from streamer.config import Config, DreamConfig
from streamer.dream.device import canvas_size, choose_device
from streamer.dream.dreams import make_dreamer
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.loading import load
from streamer.dream.settled import Sleep
from streamer.dream.worker.budget import ORIGINAL_STEPS
from streamer.dream.worker.protocol import Dreaming, wake
from streamer.messages import Keyframe, LayerEntry, Scene

log = logging.getLogger(__name__)

STEPS_PER_S = 10
"""Steps for one second of video when the settings leave it open."""


def pace(dream: DreamConfig) -> tuple[int, float]:
    """Steps per keyframe, and seconds of video from one keyframe to the next.

    The algorithm of 2015 moves its camera only when its steps for a keyframe are done: all else would be the same picture.
    """
    asked = dream.steps_per_keyframe
    if asked == "auto" and dream.algorithm == "original_2015":
        asked = ORIGINAL_STEPS
    match asked, dream.keyframe_s:
        case "auto", "auto":
            return 1, 1 / STEPS_PER_S
        case "auto", float(interval_s):
            return max(1, round(STEPS_PER_S * interval_s)), interval_s
        case int(steps), "auto":
            return steps, steps / STEPS_PER_S
        case int(steps), float(interval_s):
            return steps, interval_s
    raise AssertionError(f"{dream.steps_per_keyframe!r} and {dream.keyframe_s!r} passed the config")


class OfflineDream:
    """Networks ready to dream a video."""

    def __init__(self, config: Config) -> None:
        """Load the networks.

        Raises:
            NetworkError: its weights cannot be had.
            DeviceError: the device asked for is not there.
        """
        self._config = config
        self._device = choose_device(config.device)
        self._ensemble: Ensemble = load(config.network, self._device)
        self.size = canvas_size(config.canvas, config.video, self._device.type)
        """(height, width) of the picture being dreamt."""

    @property
    def wnids(self) -> Collection[str]:
        """The classes it can dream."""
        return self._ensemble.wnids

    @property
    def layers(self) -> tuple[LayerEntry, ...]:
        """The networks' layers."""
        return self._ensemble.layer_entries

    @property
    def network(self) -> str:
        """The networks' names, as ``Ensemble.name`` joins them."""
        return self._ensemble.name

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda``."""
        return self._device.type

    def set_out(self, seed: int, start: np.ndarray | None = None) -> Dreaming:
        """A dream at its beginning; arguments as ``keyframes`` has them."""
        return make_dreamer(self._ensemble, self._config, self.size, self._device, seed, start)

    def keyframes(self, scene_at: Callable[[float], Scene], seed: int, start: np.ndarray | None = None) -> Iterator[Keyframe]:
        """Dream for ever, one keyframe after the other; the first, at 0 s, is what the dream starts from.

        Args:
            scene_at: what is to be dreamt at a second of the video.
            seed: of everything random.
            start: (H, W, 3) uint8 picture to start from, of any size; None for coloured noise.
        """
        steps, interval_s = pace(self._config.dream)
        dreamer = self.set_out(seed, start)
        shown = scene_at(0.0)
        dreamer.scene(shown)
        number, sleep = 0, Sleep(self._config.dream)
        while True:
            time_s = number * interval_s
            keyframe = Keyframe(dreamer.picture(), dreamer.pose, time_s, shown, number, steps if number else 0)
            yield keyframe
            if bump := sleep.look(time_s, keyframe.pose, keyframe.image):
                wake(dreamer, bump)
            for step in range(steps):
                scene = scene_at(time_s + step * interval_s / steps)
                if scene != shown:
                    dreamer.scene(scene)
                    shown = scene
                    sleep.renew()
                dreamer.step(interval_s / steps)
            number += 1


def be_repeatable(threads: int = 0) -> None:
    """Make torch give the same numbers again, at some cost on a GPU.

    Args:
        threads: to compute with on a CPU, where sums taken by another number of threads are other sums; 0: as many as suit it.
    """
    if threads:
        torch.set_num_threads(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA is first used
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Of use only where memory is read before it is written. Torch's hints for types leave it out.
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010
    torch.backends.cudnn.benchmark = False
