"""CUDA graphs: work that is the same each time is recorded once and launched as one.

A step is about a hundred small kernels; launched one by one, they take the CPU ten times as long to launch as the GPU to run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

log = logging.getLogger(__name__)

WARM_UPS = 3
"""Runs before recording, in which libraries choose their plans and allocate their memory."""
MOST = 256
"""Most recordings; when one more is needed, all are dropped and recorded again."""


@dataclass(frozen=True, slots=True)
class Work:
    """Work that is repeated."""

    key: Hashable
    """Everything it depends on besides the tensors' values."""
    do: Callable[[], None]
    changes: Sequence[torch.Tensor]
    """The tensors that it changes. Recording runs the work a few times, then restores them."""


class CudaGraphs:
    """Runs work on tensors with fixed addresses: from a recording on a GPU, directly elsewhere.

    The work reads its inputs from tensors and writes its results to tensors, all of which stay alive; its control flow does not
    depend on their values. Work that cannot be recorded runs directly, and one warning says so.
    """

    def __init__(self, device: torch.device) -> None:
        """Prepare for work on a device."""
        self._device = device
        self._recorded: dict[Hashable, torch.cuda.CUDAGraph] = {}
        self._pool: Any = None
        self._plain = device.type != "cuda"

    @property
    def records(self) -> bool:
        """Whether work is recorded."""
        return not self._plain

    def run(self, work: Work) -> None:
        """Run work, from its recording if work is recorded."""
        self.record(work)
        if self._plain:
            work.do()
        else:
            self._recorded[work.key].replay()

    def record(self, work: Work) -> None:
        """Record work that is not yet recorded, without a lasting effect; do nothing where work runs directly."""
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
        """Copy values from the host to the device, without waiting for its pending work."""
        if self._device.type == "cuda":  # torch reuses pinned memory only after the copy
            values = values.pin_memory()
        to.copy_(values, non_blocking=True)

    def wait(self) -> None:
        """Wait until the device has finished all its work."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def held(self) -> int:
        """Return how many bytes of the device's memory torch holds; 0 where it does not count them."""
        return torch.cuda.memory_reserved(self._device) if self._device.type == "cuda" else 0

    def forget(self) -> None:
        """Drop all recordings, since the tensors that they use are going away."""
        self._recorded.clear()
        self._pool = None

    def _record(self, work: Work) -> torch.cuda.CUDAGraph:
        before = [tensor.clone() for tensor in work.changes]
        side_stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        side_stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side_stream):
            for _ in range(WARM_UPS):
                work.do()
        torch.cuda.current_stream(self._device).wait_stream(side_stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            work.do()
        if self._pool is None:
            self._pool = graph.pool()
        for tensor, value in zip(work.changes, before, strict=True):
            tensor.copy_(value)
        return graph
