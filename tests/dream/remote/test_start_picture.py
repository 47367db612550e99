"""The start picture of a dream, as it is sent to another machine."""

import cv2
import numpy as np
import pytest

from streamer.config import Config, SourceConfig
from streamer.dream.interface import ConfigRejected
from streamer.dream.sources.start import starting_picture
from streamer.dream.worker.disclosure import disclosed_config
from streamer.dream.worker.remote.start_picture import start_picture_bytes, with_start_picture


def starting(source: SourceConfig) -> Config:
    return Config().model_copy(update={"source": source})


def test_a_picture_arrives_as_it_is(tmp_path):
    image = np.random.default_rng(1).integers(0, 255, (12, 20, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), image)
    config = starting(SourceConfig(kind="image", path=str(tmp_path / "photo.png")))
    (there := tmp_path / "there").mkdir()
    arrived = with_start_picture(disclosed_config(config), start_picture_bytes(config), there)
    (tmp_path / "photo.png").unlink()
    assert (starting_picture(arrived.source) == image[..., ::-1]).all()


def test_without_one_nothing_is_sent():
    assert start_picture_bytes(Config()) is None
    assert start_picture_bytes(starting(SourceConfig(kind="camera"))) is None


def test_an_unreadable_start_picture_is_refused(tmp_path):
    with pytest.raises(ConfigRejected, match=r"the picture '.*none.png' cannot be read: No such file or directory"):
        start_picture_bytes(starting(SourceConfig(kind="image", path=str(tmp_path / "none.png"))))
