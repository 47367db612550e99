"""What the dream does without so that its workers live: some of the canvas, a network, the GPU. Pure: told why they ended.

Want of memory takes one step at a time: the canvas gets smaller, and where it is at its least, the last of several networks is
left out. After a while without, the latest of these is taken back. CUDA's errors need a new process; after three of them in a
row the processor dreams until the program is started again.
"""

from __future__ import annotations

from collections.abc import Callable

from streamer.config import Config, NetworkName
from streamer.dream.device import canvas_size
from streamer.dream.networks.names import split_names
from streamer.dream.worker.causes import Cause
from streamer.dream.worker.step_scheduler import MEMORY_RETRY_S, StepScheduler

DEVICE_FAILURES = 3
"""Of a GPU, one after the other, before the processor takes over."""


class Degradation:
    """What is done without now.

    Args:
        config: The settings as they are meant.
        clock: Monotonic seconds.
    """

    def __init__(self, config: Config, clock: Callable[[], float]) -> None:
        self._wanted_config, self._clock = config, clock
        self._networks: tuple[str, ...] = ()  # all of them, once known
        self._fewer = self._failures = 0
        self._since_s = 0.0
        self._cpu = False
        self.level = 0
        """By how many levels the canvas is smaller than usual."""

    def set_config(self, config: Config) -> None:
        """Go by other settings from the next worker on, with all of their networks."""
        self._wanted_config, self._networks, self._fewer = config, (), 0

    @property
    def config(self) -> Config:
        """The settings to dream by."""
        config = self._wanted_config
        if self._cpu:
            config = config.model_copy(update={"device": "cpu"})
        if self._fewer:
            names: tuple[NetworkName, ...] = self._networks[: len(self._networks) - self._fewer]  # type: ignore[assignment]
            config = config.model_copy(update={"network": config.network.model_copy(update={"name": names})})
        return config

    @property
    def told(self) -> str:
        """What is done without and why, in one line; empty when nothing is."""
        parts = []
        if self._cpu:
            parts.append(f"the GPU failed {DEVICE_FAILURES} times in a row: the CPU dreams until the program is started again")
        if self.level or self._fewer:
            less = ["a smaller canvas"] if self.level else []
            less += [f"no {' and '.join(self._networks[-self._fewer :])}"] if self._fewer else []
            left_s = max(0.0, self._since_s + MEMORY_RETRY_S - self._clock())
            parts.append(f"too little memory: {' and '.join(less)}; more is tried again in {left_s / 60:.0f} min")
        return "; ".join(parts)

    def begun(self, network: str) -> None:
        """A worker begins to dream with these networks."""
        if not self._fewer:
            self._networks = tuple(split_names(network))

    def stumbled(self, level: int) -> None:
        """A worker made its canvas smaller for want of memory, and dreams on."""
        self.level, self._since_s = max(0, level), self._clock()

    def ended(self, cause: Cause, dreamt_s: float, device: str) -> str:
        """A worker ended; what is done without from now on, in a few words, empty when nothing more is.

        Args:
            dreamt_s: how long it had dreamt.
            device: where; empty if it did not come so far.
        """
        if cause is Cause.DEVICE:
            if device == "cpu":
                return ""
            self._failures = 1 if dreamt_s >= MEMORY_RETRY_S else self._failures + 1
            if self._failures < DEVICE_FAILURES or self._cpu:
                return ""
            self._cpu, self.level = True, 0
            return "the CPU dreams from now on"
        self._failures = 0
        if cause is not Cause.MEMORY:
            return ""
        if self._smaller(device or "cpu"):
            self.level, self._since_s = self.level + 1, self._clock()
            return "the canvas is one size smaller from now on"
        if len(self._networks) - self._fewer > 1:
            self._fewer, self._since_s = self._fewer + 1, self._clock()
            return f"it goes on without {self._networks[-self._fewer]}"
        return ""

    def look(self) -> bool:
        """Take back what was long enough done without; returns whether that takes a new worker.

        A canvas grows by itself, in the worker.
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
        """Whether there is a smaller canvas."""
        config = self._wanted_config
        size = canvas_size(config.canvas, config.video, "cpu" if self._cpu else device)
        return StepScheduler(config.dream, size, frame_s=1 / config.video.fps, level=self.level).out_of_memory()
