"""A fake pyvirtualcam driver that records the pictures."""

from __future__ import annotations

import numpy as np
import pytest


class Driver:
    """A driver; pyvirtualcam makes one for each camera that it opens."""

    opened: list[Driver] = []  # noqa: RUF012
    broken = False

    def __init__(self, *, width: int, height: int, fps: float, fourcc: int, device: str | None, **_: object) -> None:
        if device not in (None, "first"):
            raise RuntimeError(f"Device {device} does not exist.")
        self.size, self.fps = (height, width), fps
        self.frames: list[np.ndarray] = []
        self.closed = 0
        Driver.opened.append(self)

    def send(self, frame: np.ndarray) -> None:
        if Driver.broken:
            raise RuntimeError("the device is gone")
        self.frames.append(frame.reshape(*self.size, 3).copy())

    def close(self) -> None:
        self.closed += 1

    def device(self) -> str:
        return "first"

    def native_fourcc(self) -> None:
        return None


def install(monkeypatch: pytest.MonkeyPatch) -> type[Driver]:
    """Make it the only driver. Skip the test where pyvirtualcam is missing."""
    pyvirtualcam = pytest.importorskip("pyvirtualcam", reason="needs the extra virtual-camera", exc_type=ImportError)
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {"test": Driver})
    monkeypatch.setattr(Driver, "opened", [])
    monkeypatch.setattr(Driver, "broken", False)
    return Driver
