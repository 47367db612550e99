"""CUDA graphs: work that is the same each time is recorded once, and launched as one.

A step is some hundred small kernels; told one by one, a processor takes ten times as long to tell them as a GPU to do them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

log = logging.getLogger(__name__)

WARM_UPS = 3
"""Runs before recording: libraries choose their plans and take their memory in them."""
MOST = 256
"""Recordings that are kept; with one more all are made anew."""


@dataclass(frozen=True, slots=True)
class Work:
    """Something that is done again and again."""

    key: Hashable
    """What it depends on besides the tensors' values."""
    do: Callable[[], None]
    changes: Sequence[torch.Tensor]
    """The tensors that it changes: to record it is to do it some times, which is undone."""


class CudaGraphs:
    """Does work on tensors that stay where they are; on a GPU from a recording, elsewhere as it stands.

    The work reads its inputs from tensors and writes its results to tensors, all of which live on; it decides nothing by their
    values. What cannot be recorded is done as it stands, and that is said once.
    """

    def __init__(self, device: torch.device) -> None:
        """Get ready for work on a device."""
        self._device = device
        self._recorded: dict[Hashable, torch.cuda.CUDAGraph] = {}
        self._pool: Any = None
        self._plain = device.type != "cuda"

    @property
    def records(self) -> bool:
        """Whether work is recorded."""
        return not self._plain

    def run(self, work: Work) -> None:
        """Do some work, from its recording where work is recorded."""
        self.record(work)
        if self._plain:
            work.do()
        else:
            self._recorded[work.key].replay()

    def record(self, work: Work) -> None:
        """Record some work, unless it is recorded already, without doing it; nothing where work is done as it stands."""
        if self._plain or work.key in self._recorded:
            return
        if len(self._recorded) >= MOST:
            self.forget()
        try:
            self._recorded[work.key] = self._record(work)
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            log.warning("a step cannot be recorded for the GPU, and is launched kernel by kernel from now on: %s", error)
            self._plain = True
            self.forget()

    def hand_over(self, values: torch.Tensor, to: torch.Tensor) -> None:
        """Copy values of the host to the device, without waiting for what is under way there."""
        if self._device.type == "cuda":  # from memory that torch gives to others only once it has been read
            values = values.pin_memory()
        to.copy_(values, non_blocking=True)

    def wait(self) -> None:
        """Until all is done that the device was told to do."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def held(self) -> int:
        """Bytes of the device's memory that torch holds; 0 where it does not count them."""
        return torch.cuda.memory_reserved(self._device) if self._device.type == "cuda" else 0

    def forget(self) -> None:
        """Let go of all recordings: the tensors that they know are going."""
        self._recorded.clear()
        self._pool = None

    def _record(self, work: Work) -> torch.cuda.CUDAGraph:
        before = [tensor.clone() for tensor in work.changes]
        aside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                work.do()
        torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            work.do()
        if self._pool is None:
            self._pool = graph.pool()
        for tensor, value in zip(work.changes, before, strict=True):
            tensor.copy_(value)
        return graph
