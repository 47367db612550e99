import pytest
import torch

from streamer.config import CanvasConfig, VideoConfig
from streamer.dream.device import DeviceError, canvas_size, choose_device


@pytest.mark.parametrize(
    ("canvas", "device", "size"),
    [
        (CanvasConfig(), "cpu", (270, 480)),
        (CanvasConfig(), "cuda", (540, 960)),  # no larger than the video
        (CanvasConfig(width=400), "cpu", (225, 400)),
        (CanvasConfig(height=90), "cpu", (90, 160)),
        (CanvasConfig(width=100, height=200), "cuda", (200, 100)),
    ],
)
def test_an_automatic_canvas_has_the_videos_shape(canvas: CanvasConfig, device: str, size: tuple[int, int]) -> None:
    assert canvas_size(canvas, VideoConfig(width=960, height=540), device) == size


def test_an_extreme_shape_still_gives_a_canvas() -> None:
    assert canvas_size(CanvasConfig(), VideoConfig(width=7680, height=32), "cpu") == (32, 480)


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(DeviceError, match="'device' is cuda, but"):
        choose_device("cuda")
