import pytest

from streamer.dream.fading import Fading
from streamer.messages import Scene, Target, arrange

A, B, C = (Target(f"n0000000{i}", name) for i, name in enumerate(("alpha", "beta", "gamma"), 1))


def shares(fading: Fading, dt_s: float) -> dict[str, float]:
    return {f"{region.target.label}{'-' if share < 0 else ''}": share for region, share in fading.regions(dt_s)}


def test_the_first_scene_is_there_at_once() -> None:
    fading = Fading(1.0, 3.0)
    assert fading.regions(0.1) == []
    fading.scene(Scene(1, arrange([A, B])))
    assert shares(fading, 0.1) == {"alpha": 1.0, "beta": 1.0}


def test_what_leaves_fades_and_is_climbed_down_from_and_what_stays_is_not() -> None:
    fading = Fading(1.0, 3.0)
    fading.scene(Scene(1, arrange([A, B])))
    fading.scene(Scene(2, arrange([B, C])))
    assert shares(fading, 0.25) == pytest.approx({"alpha": 0.75, "beta": 0.25, "gamma": 0.25, "alpha-": -1.0})
    for _ in range(4):
        found = shares(fading, 0.25)
    assert set(found) == {"beta", "gamma", "alpha-"}
    assert -0.7 < found["alpha-"] < -0.5
    fading.regions(20.0)
    assert set(shares(fading, 0.1)) == {"beta", "gamma"}


def test_without_surge_nothing_is_climbed_down_from() -> None:
    fading = Fading(0.0, 0.0)
    fading.scene(Scene(1, arrange([A])))
    fading.scene(Scene(2, arrange([B])))
    assert shares(fading, 0.1) == {"beta": 1.0}
