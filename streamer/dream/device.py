"""The device to compute on, the canvas size that it can handle, and torch's threads and memory. Imports torch lazily."""

from __future__ import annotations

import ctypes
import os
import platform
from typing import TYPE_CHECKING

from streamer.config import CanvasConfig, VideoConfig
from streamer.errors import ZoomdreamError

if TYPE_CHECKING:
    import torch

AUTO_WIDTH = {"cpu": 480, "cuda": 1280}
"""Canvas widths, in pixels, at which ordinary models of a device reach several keyframes per second."""
LEAST_PX = 32
VIDEO_CORES = 1
"""CPU cores left to the process that encodes the video. If one thread loses its core, all others wait for it, and the dream is
many times slower than with one thread fewer: 4.1 s a step instead of 0.35 s, on two cores with another busy process."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt(3)."""
MOST_MMAP_THRESHOLD = 32 << 20
"""The largest value that glibc accepts; larger blocks are still returned to the system."""
KEPT_BYTES = 256 << 20
"""Most freed memory that a process keeps. No step needs that much at the canvas sizes that a CPU can handle."""


class DeviceError(ZoomdreamError):
    """The device in the settings is unavailable."""


def choose_device(setting: str) -> torch.device:
    """Return the device for the setting ``device``: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        DeviceError: it is ``cuda``, but this machine has no GPU or torch is built without CUDA.
    """
    import torch

    if setting == "cpu" or (setting == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        why = "this torch is built without CUDA" if torch.version.cuda is None else "torch finds no CUDA GPU"
        raise DeviceError(f"'device' is cuda, but {why}; set it to auto or cpu")
    return torch.device("cuda")


def canvas_size(canvas: CanvasConfig, video: VideoConfig, device: str) -> tuple[int, int]:
    """Return the (height, width) of the canvas.

    Args:
        canvas: the ``canvas`` block of the settings.
        video: the ``video`` block of the settings.
        device: ``cpu`` or ``cuda``; it determines an automatic size, which has the video's shape and is never larger.
    """
    match canvas.width, canvas.height:
        case int(width), int(height):
            return height, width
        case int(width), _:
            return _least(width * video.height / video.width), width
        case _, int(height):
            return height, _least(height * video.width / video.height)
    width = min(AUTO_WIDTH[device], video.width)
    return _least(width * video.height / video.width), width


def largest_canvas(canvas: CanvasConfig, video: VideoConfig) -> tuple[int, int] | None:
    """Return the (height, width) up to which a canvas may grow: the video's; None if the settings fix its size."""
    return (video.height, video.width) if canvas.width == canvas.height == "auto" else None


def most_pixels(canvas: CanvasConfig, video: VideoConfig) -> int:
    """Return the pixels of the largest canvas that these settings allow, on any device."""
    largest = largest_canvas(canvas, video)
    sizes = [*(canvas_size(canvas, video, device) for device in AUTO_WIDTH), *([largest] if largest else [])]
    return max(height * width for height, width in sizes)


def _least(side: float) -> int:
    return max(LEAST_PX, round(side))


def make_cpu_sums_repeatable() -> None:
    """Make a CPU's small matrix products repeatable; call it before torch computes for the first time.

    MKL distributes their sums over threads as these become free, so the last bit depends on the load of the machine, even with
    torch's deterministic algorithms (Intel, 'Conditional Numerical Reproducibility').
    """
    os.environ.setdefault("MKL_CBWR", "AUTO")


def cores() -> int:
    """Return the number of CPU cores this process may use: in a container often fewer than the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def dreaming_threads() -> int:
    """Return the number of threads for a live dream on a CPU."""
    return max(1, cores() - VIDEO_CORES)


def keep_freed_memory() -> None:
    """Let this process keep up to ``KEPT_BYTES`` of freed memory instead of returning it to the system immediately.

    A step on a CPU creates and frees dozens of tensors of some megabytes. glibc returns each of them to the system, and mapping
    the memory again, page by page, takes as long as computing with it. Without glibc, or if the environment configures malloc,
    nothing changes.
    """
    if not _keeps():
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(M_MMAP_THRESHOLD, MOST_MMAP_THRESHOLD)
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def compute_with(threads: int) -> None:
    """Set the number of threads that torch computes with."""
    import torch

    torch.set_num_threads(threads)


def threads() -> int:
    """Return the number of threads that torch computes with."""
    import torch

    return torch.get_num_threads()


def return_freed_memory() -> None:
    """Give the memory that ``keep_freed_memory`` keeps back to the system; the next step allocates what it needs.

    Call it about every minute: tensors of dozens of sizes leave holes that fit no later tensor, so the heap grows for hours.
    It takes 10 ms.
    """
    if _keeps():
        ctypes.CDLL(None).malloc_trim(0)


def _keeps() -> bool:
    """Return whether the C library is glibc and the environment does not configure its malloc."""
    return platform.libc_ver()[0] == "glibc" and not any(name.startswith("MALLOC_") for name in os.environ)


def make_torch_repeatable(threads: int = 0) -> None:
    """Make torch's results repeatable, at some cost on a GPU.

    Args:
        threads: number of threads on a CPU, on which the rounding of sums depends; 0 keeps torch's number.
    """
    make_cpu_sums_repeatable()
    import torch

    if threads:
        torch.set_num_threads(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA is first used
    torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms would import the compiler, for 1.6 s
    # Needed only if memory is read before it is written. setattr, since torch's type hints omit it.
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010
    torch.backends.cudnn.benchmark = False
