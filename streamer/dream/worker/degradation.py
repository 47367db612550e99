"""Decides what the dream gives up so that its workers survive: canvas size, a network or the GPU. Pure.

Each time memory runs out, the canvas gets one level smaller; at its minimum, the last of several networks is left out. After
``MEMORY_RETRY_S`` the latest of these measures is undone. A CUDA error takes a new process; after three of them in a row the
CPU renders until the program is restarted.
"""

from __future__ import annotations

from collections.abc import Callable

from streamer.config import Config
from streamer.dream.device import canvas_size
from streamer.dream.networks.names import split_names
from streamer.dream.worker.causes import Cause
from streamer.dream.worker.step_scheduler import MEMORY_RETRY_S, StepScheduler
from streamer.network_names import NetworkName

DEVICE_FAILURES = 3
"""GPU failures in a row after which the CPU takes over."""


class Degradation:
    """The current reductions.

    Args:
        config: The settings without reductions.
        clock: Monotonic seconds.
    """

    def __init__(self, config: Config, clock: Callable[[], float]) -> None:
        self._wanted_config, self._clock = config, clock
        self._networks: tuple[str, ...] = ()  # all of them, once known
        self._fewer = self._failures = 0
        self._since_s = 0.0
        self._cpu = False
        self.level = 0
        """Number of levels by which the canvas is smaller than usual."""

    def set_config(self, config: Config) -> None:
        """Use other settings, with all of their networks, from the next worker on."""
        self._wanted_config, self._networks, self._fewer = config, (), 0

    @property
    def config(self) -> Config:
        """The settings with the reductions applied."""
        config = self._wanted_config
        if self._cpu:
            config = config.model_copy(update={"device": "cpu"})
        if self._fewer:
            names: tuple[NetworkName, ...] = self._networks[: len(self._networks) - self._fewer]  # type: ignore[assignment]
            config = config.model_copy(update={"network": config.network.model_copy(update={"name": names})})
        return config

    @property
    def summary(self) -> str:
        """The reductions and their reasons, in one line; empty when there are none."""
        parts = []
        if self._cpu:
            parts.append(f"the GPU failed {DEVICE_FAILURES} times in a row: the CPU renders until the program is restarted")
        if self.level or self._fewer:
            less = ["a smaller canvas"] if self.level else []
            less += [f"no {' and '.join(self._networks[-self._fewer :])}"] if self._fewer else []
            left_s = max(0.0, self._since_s + MEMORY_RETRY_S - self._clock())
            parts.append(f"too little memory: {' and '.join(less)}; next attempt with more in {left_s / 60:.0f} min")
        return "; ".join(parts)

    def worker_started(self, network: str) -> None:
        """Note the networks that a worker has started with."""
        if not self._fewer:
            self._networks = tuple(split_names(network))

    def canvas_shrunk(self, level: int) -> None:
        """Note that a worker ran out of memory, made its canvas smaller and continues."""
        self.level, self._since_s = max(0, level), self._clock()

    def worker_failed(self, cause: Cause, rendered_s: float, device: str) -> str:
        """Decide on a further reduction after a worker has failed; return it in a few words, empty if there is none.

        Args:
            rendered_s: seconds for which the worker rendered.
            device: the device it used; empty if it failed before it chose one.
        """
        if cause is Cause.DEVICE:
            if device == "cpu":
                return ""
            self._failures = 1 if rendered_s >= MEMORY_RETRY_S else self._failures + 1
            if self._failures < DEVICE_FAILURES or self._cpu:
                return ""
            self._cpu, self.level = True, 0
            return "the CPU renders from now on"
        self._failures = 0
        if cause is not Cause.MEMORY:
            return ""
        if self._smaller(device or "cpu"):
            self.level, self._since_s = self.level + 1, self._clock()
            return "the canvas is one size smaller from now on"
        if len(self._networks) - self._fewer > 1:
            self._fewer, self._since_s = self._fewer + 1, self._clock()
            return f"continuing without {self._networks[-self._fewer]}"
        return ""

    def undo_if_due(self) -> bool:
        """Undo the latest reduction if it is old enough; return whether that takes a new worker.

        A larger canvas takes none: the worker enlarges it by itself.
        """
        if not (self.level or self._fewer) or self._clock() - self._since_s < MEMORY_RETRY_S:
            return False
        self._since_s = self._clock()
        if self._fewer:
            self._fewer -= 1
            return True
        self.level -= 1
        return False

    def _smaller(self, device: str) -> bool:
        """Return whether the canvas can be made smaller."""
        config = self._wanted_config
        size = canvas_size(config.canvas, config.video, "cpu" if self._cpu else device)
        return StepScheduler(config.dream, size, frame_s=1 / config.video.fps, level=self.level).out_of_memory()
