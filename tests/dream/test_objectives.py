import pytest
import torch

from streamer.dream.objectives import SceneObjective, region_mask, resample
from streamer.messages import Layout, Region, Target, arrange

A, B = Target("n00000001", "alpha"), Target("n00000002", "beta")
CLASSES = {"n00000001": 0, "n00000002": 1, "n00000003": 2}


def test_two_halves_cover_every_place_once() -> None:
    for layout in (Layout.TOP_BOTTOM, Layout.LEFT_RIGHT):
        masks = [region_mask(region.box, (29, 52)) for region in arrange([A, B], layout)]
        assert torch.allclose(masks[0] + masks[1], torch.ones(29, 52), atol=1e-5)


def test_the_first_named_is_on_top() -> None:
    mask = region_mask(arrange([A, B])[0].box, (8, 20))
    assert (mask[0] == 1).all()
    assert (mask[-1] == 0).all()


def test_a_map_of_one_position_belongs_half_to_each() -> None:
    assert float(region_mask(arrange([A, B])[0].box, (1, 1))) == pytest.approx(0.5)


def test_the_loss_counts_each_class_in_its_own_region_and_takes_off_what_is_common() -> None:
    logits = torch.zeros(1, 3, 10, 16)
    logits[0, 0, :5] = 4.0
    logits[0, 1, 5:] = 2.0
    objective = SceneObjective(CLASSES)
    both = [(region, 1.0) for region in arrange([A, B])]
    swapped = [(region, 1.0) for region in arrange([B, A])]
    assert objective(logits, both) < -1.9
    assert objective(logits, both) < objective(logits, swapped)
    everything = [(Region(A, (0, 0, 1, 1)), 1.0)]
    assert float(objective(logits + 7, everything)) == pytest.approx(float(objective(logits, everything)), abs=1e-5)


def test_a_fading_region_counts_by_its_share() -> None:
    logits = torch.ones(1, 3, 4, 4)
    objective = SceneObjective(CLASSES)
    region = Region(A, (0, 0, 1, 1))
    assert float(objective(logits, [(region, 0.25)])) == pytest.approx(1 - 0.25)


def test_resampling_keeps_the_shape_and_a_least_size() -> None:
    picture = torch.zeros(1, 3, 27, 48)
    assert resample(picture, 2.0).shape == (1, 3, 54, 96)
    assert resample(picture, 0.1, 32).shape == (1, 3, 32, 32)
    assert resample(picture, 1.0, 1) is picture
