import pytest

from streamer.config import DreamConfig
from streamer.dream.sessions.script import steps_and_interval


@pytest.mark.parametrize(
    ("settings", "steps", "interval_s"),
    [
        ({}, 1, 0.1),
        ({"keyframe_s": 2.0}, 20, 2.0),
        ({"steps_per_keyframe": 5}, 5, 0.5),
        ({"steps_per_keyframe": 5, "keyframe_s": 7.0}, 5, 7.0),
        ({"algorithm": "original_2015"}, 10, 1.0),
        ({"algorithm": "original_2015", "keyframe_s": 7.0}, 10, 7.0),
        ({"algorithm": "original_2015", "steps_per_keyframe": 4}, 4, 0.4),
    ],
)
def test_the_default_is_ten_steps_a_second(settings: dict, steps: int, interval_s: float) -> None:
    assert steps_and_interval(DreamConfig(**settings)) == (steps, pytest.approx(interval_s))
