import numpy as np
import pytest

from streamer import zoom
from streamer.config import DreamConfig
from streamer.dream.algorithms.canvas import Canvas
from streamer.dream.sessions.convergence import LAG_S, QUIET_S, ConvergenceDetector
from streamer.dream.sources.noise import noise
from streamer.events import Bump
from streamer.messages.motion import Motion, Pose

SIZE = (90, 160)
FPS = 5
PATTERNS = [noise(SIZE, np.random.default_rng(seed), contrast=50).astype(np.float32) for seed in range(3)]


def trembling(first, second, share, seed):
    """Mix two pictures and add the grain of a step."""
    grain = np.random.default_rng(seed).normal(0, 3, (*SIZE, 3))
    return np.clip(first * (1 - share) + second * share + grain, 0, 255).astype(np.uint8)


def watch(detector, seconds, settles_s=4.0, start_s=0.0, patterns=(0, 1), pose=lambda time_s: Pose()):
    """Turn one picture into another, quickly at first; return when each bump is due, and the bump."""
    told = []
    for number in range(int(seconds * FPS)):
        time_s = number / FPS
        share = 1 - np.exp(-3 * time_s / settles_s)
        picture = trembling(PATTERNS[patterns[0]], PATTERNS[patterns[1]], share, number)
        if bump := detector.check(start_s + time_s, pose(time_s), picture):
            told.append((time_s, bump))
    return told


def new_detector(**settings):
    return ConvergenceDetector(DreamConfig(**{"wake": "noise", "wake_after_s": 5.0} | settings))


def test_a_dream_that_settled_is_woken_again_and_again():
    ((first_s, bump), (second_s, _), *_) = watch(new_detector(), 40)
    assert bump == Bump()
    assert 4 + 5 - 2 < first_s < 4 + 5 + LAG_S + 4
    assert second_s - first_s >= 5.0 + QUIET_S


def test_one_that_changes_is_left_alone():
    assert watch(new_detector(), 30, settles_s=200.0) == []


@pytest.mark.parametrize(("wake", "kinds"), [("off", []), ("noise", [0, 0]), ("twist", [1, 1]), ("alternate", [1, 0])])
def test_it_is_woken_as_the_settings_say(wake, kinds):
    assert [int(bump.twist) for _, bump in watch(new_detector(wake=wake), 30)][:2] == kinds


def test_the_share_decides_how_early():
    early, late = (watch(new_detector(wake_share=share), 60, settles_s=20)[0][0] for share in (0.7, 0.3))
    assert early < late - 3


def test_another_scene_resets_the_detector():
    detector = new_detector(wake_after_s=3.0)
    watch(detector, 6)
    detector.reset()
    assert detector.change is None
    ((first_s, _), *_) = watch(detector, 30, settles_s=8, start_s=6.0, patterns=(1, 2))
    assert first_s > 6


def test_the_zoom_is_no_change():
    motion = Motion(1.05, 3.0)

    def change(told):
        detector, canvas = new_detector(), Canvas(PATTERNS[0])
        for number in range(20):
            detector.check(number / FPS, canvas.pose if told else Pose(), canvas.array())
            canvas.move(motion, 1 / FPS)
        return detector.change

    assert change(told=True) < 0.2 * change(told=False), "what the resampling changes is little beside the movement"


def test_a_canvas_of_another_shape_is_compared_with_itself_only():
    detector = new_detector()
    for number in range(40):
        picture = PATTERNS[0].astype(np.uint8)
        detector.check(number / FPS, zoom.advance(Pose(), Motion(1.0, 0.0), 1.0), picture[:, : 160 if number < 20 else 120])
    assert detector.change is not None
    assert detector.change < 1.0
