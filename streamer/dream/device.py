"""Where to dream, and how large a picture that place can keep up with. Imports torch only when asked for a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.config import CanvasConfig, VideoConfig

if TYPE_CHECKING:
    import torch

AUTO_WIDTH = {"cpu": 480, "cuda": 1280}
"""Canvas widths, in pixels, that a device's ordinary models hold at several keyframes a second."""
LEAST_PX = 32


class DeviceError(Exception):
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


def _least(side: float) -> int:
    return max(LEAST_PX, round(side))
