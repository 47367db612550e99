import numpy as np

from streamer.video.frames.splash import Splash


def test_the_curtain_drifts_and_carries_words() -> None:
    splash = Splash((90, 160))
    pictures = [splash.draw(now_s) for now_s in (100.0, 100.04, 101.0, 102.0)]
    assert all(picture.shape == (90, 160, 3) and picture.dtype == np.uint8 for picture in pictures)
    assert not np.array_equal(pictures[0], pictures[1])
    assert pictures[0].max() < 150  # dim clouds
    assert pictures[-1].max() > 200  # bright words, after fading in


def test_two_frames_are_close() -> None:
    splash = Splash((90, 160))
    first, second = splash.draw(5.0).astype(int), splash.draw(5.04).astype(int)
    assert np.abs(first - second).mean() < 3


def test_the_smallest_video_has_a_splash() -> None:
    assert Splash((32, 32)).draw(0.0).shape == (32, 32, 3)
