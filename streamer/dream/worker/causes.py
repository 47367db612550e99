"""Why a step or a worker failed, as far as that decides what to do about it. No torch: its errors are known by their names.

What torch says for want of memory depends on who asked for it: its own allocators, C++ (``std::bad_alloc``), oneDNN, cuBLAS,
cuDNN. Of CUDA's errors all but that one leave the process without a device.
"""

from __future__ import annotations

import errno
from enum import Enum


class Cause(Enum):
    """What kind of failure it was."""

    OTHER = "other"
    MEMORY = "memory"
    """There was not enough of it; less work may cure it."""
    DEVICE = "device"
    """The GPU, its driver or its libraries: only a new process may use it again."""


NO_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "bad_alloc",
    "alloc_failed",
)
"""What a RuntimeError for want of memory says, in small letters."""
DEVICE = ("cuda error", "cuda driver", "cudnn", "cublas", "cusolver", "cufft", "nvrtc", "device-side assert", "nvml")
"""What one of a GPU says."""


def diagnose(error: BaseException) -> Cause:
    """The kind of a failure."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, MemoryError) or "OutOfMemoryError" in names or getattr(error, "errno", None) == errno.ENOMEM:
        return Cause.MEMORY
    if not isinstance(error, RuntimeError):
        return Cause.OTHER
    text = str(error).lower()
    if any(sign in text for sign in NO_MEMORY):
        return Cause.MEMORY
    if "AcceleratorError" in names or any(sign in text for sign in DEVICE):
        return Cause.DEVICE
    return Cause.OTHER
