from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streamer.config import VideoConfig, VirtualCameraOutput
from streamer.messages.keyframes import Frame
from streamer.video.encoding.encoders import Encoders
from streamer.video.sinks import Sink, SinkError, SinkState, make_sink
from streamer.video.sinks.virtual_camera import INSTALL, open_camera
from tests.patience import PATIENCE_S
from tests.video.camera_driver import Driver, install

VIDEO = VideoConfig(width=160, height=96, fps=10, bitrate_kbps=400, preset="ultrafast")


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> type[Driver]:
    return install(monkeypatch)


@pytest.fixture
def encoders() -> Iterator[Encoders]:
    made = Encoders(VIDEO)
    yield made
    made.close()


def show(encoders: Encoders, sink: Sink, number: int) -> np.ndarray:
    """Put a frame, wait until the camera has it, and return its image."""
    image = np.zeros((VIDEO.height, VIDEO.width, 3), np.uint8)
    image[:, : VIDEO.width // 2] = (number, 100, 200)
    before = sink.status().delivered
    encoders.put(Frame(image, number, None))
    assert sink.wait_until(lambda status: status.delivered > before, PATIENCE_S)
    return image


def started(sink: Sink) -> Sink:
    sink.start()
    assert sink.wait_until(lambda status: status.state is not SinkState.CONNECTING, PATIENCE_S)
    return sink


def test_every_frame_is_shown_as_it_is_without_encoding(encoders: Encoders, driver: type[Driver]) -> None:
    sink = started(make_sink(VirtualCameraOutput(kind="virtual_camera"), encoders, "camera"))
    images = [show(encoders, sink, number) for number in range(5)]
    assert sink.stop(PATIENCE_S)
    (camera,) = driver.opened
    assert (camera.fps, camera.closed) == (10, 1)
    np.testing.assert_array_equal(np.stack(camera.frames), np.stack(images))
    assert encoders.status().encodes[0][1].encoded == 0
    assert encoders.status().viewers == 0


def test_a_size_of_its_own(encoders: Encoders, driver: type[Driver]) -> None:
    output = VirtualCameraOutput(kind="virtual_camera", width=80, height=48)
    sink = started(make_sink(output, encoders, "camera"))
    show(encoders, sink, 50)
    assert sink.stop(PATIENCE_S)
    (frame,) = driver.opened[0].frames
    assert frame.shape == (48, 80, 3)
    np.testing.assert_allclose(frame[:, :39], np.broadcast_to([50, 100, 200], (48, 39, 3)), atol=1)


def test_a_device_that_goes_is_opened_again(encoders: Encoders, driver: type[Driver], caplog: pytest.LogCaptureFixture) -> None:
    sink = started(make_sink(VirtualCameraOutput(kind="virtual_camera"), encoders, "camera"))
    show(encoders, sink, 1)
    driver.broken = True
    encoders.put(Frame(np.zeros((VIDEO.height, VIDEO.width, 3), np.uint8), 2, None))
    assert sink.wait_until(lambda status: status.state is SinkState.RETRYING, PATIENCE_S)
    assert sink.status().error == "the virtual camera first accepts no picture: the device is gone"
    driver.broken = False
    assert sink.wait_until(lambda status: status.state is SinkState.WAITING, PATIENCE_S)
    show(encoders, sink, 3)
    assert sink.stop(PATIENCE_S)
    assert [camera.closed for camera in driver.opened] == [1, 1]


def test_a_missing_device_is_reported_with_advice(driver: type[Driver], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(SinkError, match=r"the virtual camera /dev/video9 cannot be used: .*does not exist.*v4l2loopback-dkms"):
        open_camera(160, 96, 10, "/dev/video9")
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SinkError, match="install OBS, start its virtual camera once"):
        open_camera(160, 96, 10, "/dev/video9")


@pytest.mark.skipif(sys.platform != "linux" or any(Path("/dev").glob("video*")), reason="needs a machine without cameras")
def test_without_a_driver_it_says_what_to_install() -> None:
    pytest.importorskip("pyvirtualcam", reason="needs the extra virtual-camera", exc_type=ImportError)
    with pytest.raises(SinkError, match=r"^no virtual camera: .* \(v4l2loopback makes one: apt install v4l2loopback-dkms"):
        open_camera(160, 96, 10, None)


def test_without_pyvirtualcam_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)  # type: ignore[arg-type]
    with pytest.raises(SinkError, match="a virtual camera needs pyvirtualcam") as caught:
        open_camera(160, 96, 10, None)
    assert INSTALL in str(caught.value)
    assert isinstance(caught.value.__cause__, ImportError)


def test_the_extra_is_called_as_the_message_says() -> None:
    pyproject = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '\nvirtual-camera = ["pyvirtualcam' in pyproject
    assert "[virtual-camera]" in INSTALL
