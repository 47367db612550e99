"""Which dream is on air, and its best picture."""

from __future__ import annotations

import numpy as np

from streamer.messages.keyframes import Frame, Keyframe
from streamer.messages.motion import Pose
from streamer.messages.scenes import Scene
from streamer.video.album.on_air_tracker import AiredDream, OnAirTracker
from tests.video.studio import scene

ONE, OTHER = scene(1), scene(2, "pizza")


def image(number: int) -> np.ndarray:
    return np.full((2, 3, 3), number, np.uint8)


def show(airing: OnAirTracker, number: int, shown: Scene | None) -> AiredDream | None:
    return airing.frame(Frame(image(0), number, shown), image(number))


def come(airing: OnAirTracker, shown: Scene) -> None:
    airing.keyframe(Keyframe(image(0), Pose(), 0.0, shown, 0, 1))


def best(aired: AiredDream | None) -> int:
    assert aired is not None
    return int(aired.image[0, 0, 0])


def test_a_dream_is_on_air_from_its_first_frame_to_the_next_ones() -> None:
    airing = OnAirTracker()
    assert airing.now == (None, None)
    assert show(airing, 3, None) is None
    for number in range(4, 9):
        assert show(airing, number, ONE) is None
    left = show(airing, 20, OTHER)
    assert left is not None
    assert (left.scene, left.first, left.last, left.frames) == (ONE, 4, 8, 5)
    now, before = airing.now
    assert before is left
    assert now is not None
    assert (now.scene, now.first, now.last) == (OTHER, 20, 20)


def test_frames_without_a_dream_change_nothing() -> None:
    airing = OnAirTracker()
    show(airing, 1, ONE)
    assert show(airing, 2, None) is None
    assert show(airing, 3, ONE) is None
    assert airing.now[0] is not None
    assert airing.now[0].frames == 3


def test_the_best_picture_is_the_last_before_a_keyframe_of_the_next_came() -> None:
    airing = OnAirTracker()
    come(airing, ONE)
    show(airing, 1, ONE)
    show(airing, 2, ONE)
    come(airing, OTHER)
    show(airing, 3, ONE)  # marked as ONE, but already fading into the next
    assert best(airing.now[0]) == 2
    assert best(show(airing, 4, OTHER)) == 2


def test_where_there_is_no_such_picture_it_is_the_last() -> None:
    airing = OnAirTracker()
    come(airing, OTHER)
    show(airing, 1, ONE)
    show(airing, 2, ONE)
    assert best(show(airing, 3, OTHER)) == 2
    assert best(airing.now[0]) == 3


def test_a_dream_that_comes_back_is_another() -> None:
    airing = OnAirTracker()
    show(airing, 1, ONE)
    show(airing, 2, OTHER)
    left = show(airing, 3, ONE)
    assert left is not None
    assert (left.scene, left.first) == (OTHER, 2)
