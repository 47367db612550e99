"""Where to dream, and how large a picture that place can keep up with. Imports torch only when asked for a device."""

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
"""Canvas widths, in pixels, that a device's ordinary models hold at several keyframes a second."""
LEAST_PX = 32
VIDEO_CORES = 1
"""CPU cores left to the process that shows the dream. Threads that wait for one which has lost its core make the dream many
times slower than one thread fewer: 4.1 s a step instead of 0.35 s, on two cores with another busy process."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's mallopt(3)."""
MOST_MMAP_THRESHOLD = 32 << 20
"""The largest that glibc takes. What is larger is handed back all the same."""
KEPT_BYTES = 256 << 20
"""Freed memory that a process keeps at most. No step takes that much at the canvas sizes that a CPU keeps up with."""


class DeviceError(ZoomdreamError):
    """The device asked for is not there."""


def choose_device(setting: str) -> torch.device:
    """The device that the setting ``device`` stands for: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        DeviceError: it is ``cuda`` and this machine, or this build of torch, has none.
    """
    import torch

    if setting == "cpu" or (setting == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        why = "this torch is built without CUDA" if torch.version.cuda is None else "torch finds no CUDA GPU"
        raise DeviceError(f"'device' is cuda, but {why}; set it to auto or cpu")
    return torch.device("cuda")


def canvas_size(canvas: CanvasConfig, video: VideoConfig, device: str) -> tuple[int, int]:
    """(height, width) of the picture to dream.

    Args:
        device: ``cpu`` or ``cuda``, for what is ``auto``. An automatic canvas has the video's shape and is never larger.
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
    """(height, width) up to which a canvas may grow with time to spare: the video's; None where the settings fix its size."""
    return (video.height, video.width) if canvas.width == canvas.height == "auto" else None


def most_pixels(canvas: CanvasConfig, video: VideoConfig) -> int:
    """Pixels of the largest canvas that these settings can have, on whatever device."""
    largest = largest_canvas(canvas, video)
    sizes = [*(canvas_size(canvas, video, device) for device in AUTO_WIDTH), *([largest] if largest else [])]
    return max(height * width for height, width in sizes)


def _least(side: float) -> int:
    return max(LEAST_PX, round(side))


def make_cpu_sums_repeatable() -> None:
    """Let a CPU's products of small matrices be the same from call to call; of use before torch computes for the first time.

    MKL shares their sums out among threads as these come, so that the last bit depends on what else the machine does, whatever
    torch is told of deterministic algorithms (Intel, 'Conditional Numerical Reproducibility').
    """
    os.environ.setdefault("MKL_CBWR", "AUTO")


def cores() -> int:
    """CPU cores this process may use: in a container often fewer than the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def dreaming_threads() -> int:
    """Threads that a live dream computes with on a CPU."""
    return max(1, cores() - VIDEO_CORES)


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, up to ``KEPT_BYTES``, instead of handing it back to the system at once.

    A step on a CPU makes and drops dozens of tensors of some megabytes. glibc hands such memory back with each of them, and to
    have it mapped anew, page by page, takes as long as to compute with it. Without glibc, or where the environment tells it
    what to do, nothing changes.
    """
    if not _keeps():
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(M_MMAP_THRESHOLD, MOST_MMAP_THRESHOLD)
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def compute_with(threads: int) -> None:
    """Have torch compute with so many threads from now on."""
    import torch

    torch.set_num_threads(threads)


def threads() -> int:
    """Threads that torch computes with."""
    import torch

    return torch.get_num_threads()


def return_freed_memory() -> None:
    """Hand back what ``keep_freed_memory`` has kept; the next step takes anew what it needs.

    Of use every minute: tensors of dozens of sizes leave holes between one another that fit none of those to come, so that the
    heap grows for hours. It takes a hundredth of a second.
    """
    if _keeps():
        ctypes.CDLL(None).malloc_trim(0)


def _keeps() -> bool:
    """Whether the C library can be told what to keep, and nobody else has told it."""
    return platform.libc_ver()[0] == "glibc" and not any(name.startswith("MALLOC_") for name in os.environ)


def make_torch_repeatable(threads: int = 0) -> None:
    """Make torch give the same numbers again, at some cost on a GPU.

    Args:
        threads: to compute with on a CPU, where sums taken by another number of threads are other sums; 0: as many as suit it.
    """
    make_cpu_sums_repeatable()
    import torch

    if threads:
        torch.set_num_threads(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA is first used
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Of use only where memory is read before it is written. Torch's hints for types leave it out.
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010
    torch.backends.cudnn.benchmark = False
