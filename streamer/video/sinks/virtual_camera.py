"""Offers the stream to other programs on this machine as a camera, through pyvirtualcam and a driver."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import Protocol

import numpy as np

from streamer.config import VirtualCameraOutput
from streamer.video.encoding.encoders import Encoders
from streamer.video.sinks.sink import Sink, SinkError, Subscribe

log = logging.getLogger(__name__)

INSTALL = "pip install 'zoomdream[virtual-camera]'"
DRIVERS = {
    "linux": "v4l2loopback makes one: apt install v4l2loopback-dkms, then modprobe v4l2loopback exclusive_caps=1",
    "darwin": "OBS brings one: install OBS, start its virtual camera once, and stop it",
    "win32": "OBS brings one: install OBS, and stop its own virtual camera",
}
"""Advice for a missing camera, by sys.platform."""


class Camera(Protocol):
    """The methods of pyvirtualcam's camera that are used here."""

    @property
    def device(self) -> str:
        """Name of the camera."""

    def send(self, frame: np.ndarray) -> None:
        """Show an (h, w, 3) uint8 RGB picture."""

    def close(self) -> None:
        """Release the camera."""


def open_camera(width: int, height: int, fps: float, device: str | None) -> Camera:
    """Open a virtual camera, the first one if ``device`` is None.

    Raises:
        SinkError: there is no camera, or something is missing; the text says what to do.
    """
    try:
        pyvirtualcam = importlib.import_module("pyvirtualcam")
    except (ImportError, OSError) as error:
        raise SinkError(f"a virtual camera needs pyvirtualcam ({error}): {INSTALL}") from error
    try:
        camera: Camera = pyvirtualcam.Camera(width=width, height=height, fps=fps, device=device)
    except (RuntimeError, ValueError, OSError) as error:
        which = "no virtual camera" if device is None else f"the virtual camera {device} cannot be used"
        reason = "; ".join(str(error).splitlines())
        raise SinkError(f"{which}: {reason} ({DRIVERS.get(sys.platform, 'see docs/outputs.md')})") from error
    return camera


class VirtualCameraSink(Sink):
    """Shows pieces of the kind ``rgb``."""

    def __init__(self, name: str, size: tuple[int, int], fps: float, device: str | None, subscribe: Subscribe) -> None:
        """Prepare to show pictures of ``size``, (height, width), on ``device``; None: the first virtual camera."""
        super().__init__(name, subscribe, kind="virtual_camera")
        self._size, self._fps, self._device = size, fps, device
        self._camera: Camera | None = None

    @classmethod
    def from_settings(cls, name: str, output: VirtualCameraOutput, encoders: Encoders) -> VirtualCameraSink:
        """Make the sink of a block of ``outputs:``."""
        spec = encoders.spec(width=output.width, height=output.height)
        size = (spec.height, spec.width)
        return cls(name, size, spec.fps, output.device, lambda: encoders.encoder(spec).subscribe("rgb"))

    def open(self) -> None:
        """Open the camera; other programs can select it now."""
        height, width = self._size
        self._camera = open_camera(width, height, self._fps, self._device)
        log.info("output %s is the camera %s", self.name, self._camera.device)

    def deliver(self, piece: bytes) -> None:
        """Show a picture."""
        assert self._camera is not None
        try:
            self._camera.send(np.frombuffer(piece, np.uint8).reshape(*self._size, 3))
        except RuntimeError as error:
            raise SinkError(f"the virtual camera {self._camera.device} accepts no picture: {error}") from error

    def finish(self) -> None:
        """Close the camera."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()
