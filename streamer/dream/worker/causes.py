"""Classifies failures of steps and workers by what to do about them. No torch: its errors are recognised by name.

When memory runs out, the message depends on the library that allocated it: torch's own allocators, C++ (``std::bad_alloc``),
oneDNN, cuBLAS or cuDNN. After any other CUDA error the process can no longer use the GPU.
"""

from __future__ import annotations

import errno
from enum import Enum


class Cause(Enum):
    """The cause of a failure."""

    OTHER = "other"
    MEMORY = "memory"
    """Out of memory; a smaller canvas or fewer networks may fit."""
    DEVICE = "device"
    """The GPU, its driver or its libraries failed; only a new process can use the GPU again."""


NO_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "bad_alloc",
    "alloc_failed",
)
"""Parts of the message of a RuntimeError that mean out of memory, in lower case."""
DEVICE = ("cuda error", "cuda driver", "cudnn", "cublas", "cusolver", "cufft", "nvrtc", "device-side assert", "nvml")
"""Parts of the message of a RuntimeError that mean a GPU failure, in lower case."""


def diagnose(error: BaseException) -> Cause:
    """Return the cause of a failure."""
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
