"""The picture on its way from the device to the host, while the next step is under way."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from streamer.dream.interface import Copy


class FinishedCopy:
    """A picture that is there."""

    done = True

    def __init__(self, picture: np.ndarray) -> None:
        self._picture = picture

    def array(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        return self._picture


class PendingCopy:
    """A picture on its way from a GPU."""

    def __init__(self, host: Tensor, there: torch.cuda.Event) -> None:
        self._host, self._there = host, there

    @property
    def done(self) -> bool:
        """Whether it is there."""
        return bool(self._there.query())  # type: ignore[no-untyped-call]

    def array(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, waited for."""
        self._there.synchronize()
        found: np.ndarray = self._host.numpy()
        return found


class HostCopier:
    """Takes pictures from a device to the host.

    A GPU copies them beside its work, on a stream of their own, into memory that the system does not move; torch gives that to
    the next picture once nobody holds this one. On a CPU they are copied at once.
    """

    def __init__(self, device: torch.device) -> None:
        self._aside = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def begin(self, picture: Tensor) -> Copy:
        """Set a picture (1, 3, H, W) float32 0..255 on its way, as it is now, in uint8."""
        rounded = picture[0].round().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous()
        if self._aside is None:
            return FinishedCopy(rounded.cpu().numpy())
        self._aside.wait_stream(torch.cuda.current_stream(rounded.device))
        with torch.cuda.stream(self._aside):
            host = torch.empty(rounded.shape, dtype=torch.uint8, pin_memory=True)
            host.copy_(rounded, non_blocking=True)
            there = torch.cuda.Event()  # type: ignore[no-untyped-call]
            there.record(self._aside)
        rounded.record_stream(self._aside)  # or its memory went to the next step's tensors
        return PendingCopy(host, there)
