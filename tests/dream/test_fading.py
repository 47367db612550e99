import pytest

from streamer.dream.algorithms.fading import MATURE_AFTER_S, MATURES_FROM_S, Fading
from streamer.messages.scenes import Scene, Target, arrange

A, B, C = (Target(f"n0000000{i}", name) for i, name in enumerate(("alpha", "beta", "gamma"), 1))


def shares(fading: Fading, dt_s: float) -> dict[str, float]:
    return {f"{region.target.label}{'-' if share < 0 else ''}": share for region, share in fading.advance(dt_s).regions}


def test_the_first_scene_is_there_at_once() -> None:
    fading = Fading(1.0, 3.0)
    assert fading.advance(0.1).regions == ()
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
    fading.advance(20.0)
    assert set(shares(fading, 0.1)) == {"beta", "gamma"}


def test_without_surge_nothing_is_climbed_down_from() -> None:
    fading = Fading(0.0, 0.0)
    fading.scene(Scene(1, arrange([A])))
    fading.scene(Scene(2, arrange([B])))
    assert shares(fading, 0.1) == {"beta": 1.0}


def test_a_step_knows_how_fresh_its_scene_is_and_whether_something_comes() -> None:
    fading = Fading(1.0, 3.0)
    fading.scene(Scene(1, arrange([A])))
    first, second = fading.advance(0.5), fading.advance(0.5)
    assert 1.0 == first.freshness > second.freshness > 0
    assert first.has_incoming
    assert not first.has_outgoing
    fading.scene(Scene(2, ()))
    assert fading.advance(0.5).has_outgoing
    assert not fading.advance(5.0).has_incoming


def test_a_scene_comes_to_stand_and_what_hastens_it_makes_it_young_again() -> None:
    fading = Fading(1.0, 0.0)
    assert fading.advance(60.0).maturity == 0.0
    fading.scene(Scene(1, arrange([A])))
    fading.advance(MATURES_FROM_S)
    told = [fading.advance((MATURE_AFTER_S - MATURES_FROM_S) / 2).maturity for _ in range(4)]
    assert told == [0.0, 0.5, 1.0, 1.0]
    fading.freshen(0.5)
    assert fading.advance(0.1).maturity == 0.0
    fading.advance(60.0)
    fading.scene(Scene(2, arrange([B])))
    assert fading.advance(0.1).maturity == 0.0


def test_a_resumed_scene_is_mature_at_once() -> None:
    fading = Fading(1.0, 3.0)
    fading.resume()
    fading.scene(Scene(1, arrange([A])))
    assert fading.advance(0.1).maturity == 1.0


def test_a_resumed_scene_is_not_fresh_but_the_next_scene_is() -> None:
    fading = Fading(1.0, 3.0)
    fading.resume()
    fading.scene(Scene(1, arrange([A])))
    assert (shares(fading, 0.1), fading.freshness) == ({"alpha": 1.0}, 0.0)
    fading.freshen(0.5)
    assert fading.freshness == pytest.approx(0.5)
    fading.resume()
    fading.scene(Scene(2, arrange([B])))
    assert fading.freshness == 1.0
    assert set(shares(fading, 0.1)) == {"alpha", "beta", "alpha-"}
