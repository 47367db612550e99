"""Copies of the picture from the device to the host, while the next step runs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from streamer.dream.interface import Copy


class FinishedCopy:
    """A picture that is on the host."""

    done = True

    def __init__(self, picture: np.ndarray) -> None:
        self._picture = picture

    def array(self) -> np.ndarray:
        """Return the picture, (H, W, 3) uint8 RGB."""
        return self._picture


class PendingCopy:
    """A picture that is being copied from a GPU."""

    def __init__(self, host: Tensor, copied: torch.cuda.Event) -> None:
        self._host, self._copied = host, copied

    @property
    def done(self) -> bool:
        """Whether the copy is complete."""
        return bool(self._copied.query())  # type: ignore[no-untyped-call]

    def array(self) -> np.ndarray:
        """Wait for the copy and return the picture, (H, W, 3) uint8 RGB."""
        self._copied.synchronize()
        picture: np.ndarray = self._host.numpy()
        return picture


class HostCopier:
    """Copies pictures from a device to the host.

    A GPU copies them during its other work, on a separate stream, into pinned memory; torch reuses that memory for the next
    picture once this one is released. On a CPU they are copied immediately.
    """

    def __init__(self, device: torch.device) -> None:
        self._copy_stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def begin(self, picture: Tensor) -> Copy:
        """Start to copy a picture (1, 3, H, W) float32 0..255 in its current state, as uint8."""
        rounded = picture[0].round().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous()
        if self._copy_stream is None:
            return FinishedCopy(rounded.cpu().numpy())
        self._copy_stream.wait_stream(torch.cuda.current_stream(rounded.device))
        with torch.cuda.stream(self._copy_stream):
            host = torch.empty(rounded.shape, dtype=torch.uint8, pin_memory=True)
            host.copy_(rounded, non_blocking=True)
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record(self._copy_stream)
        rounded.record_stream(self._copy_stream)  # otherwise the next step's tensors would reuse its memory
        return PendingCopy(host, copied)
