import pytest
import torch

from streamer.dream.algorithms.picture_steps import (
    LINE_KEEP,
    Decorrelation,
    fft_size,
    grid_attenuation,
    normalise_local_contrast,
    soft_clip_step,
)
from streamer.dream.objectives.region_weights import rms

GREYISH = torch.tensor([[1.0, 0.9, 0.8], [0.9, 1.0, 0.9], [0.8, 0.9, 1.0]])


def wave(cycles: int, size: tuple[int, int] = (48, 80)) -> torch.Tensor:
    """Return a grey wave of some cycles over the height."""
    y = torch.arange(size[0]) / size[0]
    return torch.sin(2 * torch.pi * cycles * y)[None, None, :, None].expand(1, 3, *size).contiguous()


def test_coarse_waves_pass_more_than_fine_ones_by_the_power_of_their_frequency() -> None:
    decorrelate = Decorrelation((48, 80), GREYISH, floor_cycles=3, power=1.5)
    ratio = rms(decorrelate(wave(4))) / rms(decorrelate(wave(9)))
    assert float(ratio) == pytest.approx((9 / 4) ** 1.5, rel=1e-3)


def test_below_the_floor_all_pass_alike() -> None:
    decorrelate = Decorrelation((48, 80), GREYISH, floor_cycles=6)
    assert float(rms(decorrelate(wave(2))) / rms(decorrelate(wave(5)))) == pytest.approx(1, rel=1e-3)


def test_frequency_is_measured_in_square_pixels() -> None:
    decorrelate = Decorrelation((40, 80), GREYISH, floor_cycles=1)
    upright = wave(8, (40, 80))
    x = torch.arange(80) / 40
    lying = torch.sin(2 * torch.pi * 8 * x)[None, None, None, :].expand(1, 3, 40, 80).contiguous()
    assert float(rms(decorrelate(upright)) / rms(decorrelate(lying))) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(("side", "next_one"), [(270, 270), (472, 480), (1, 1), (59, 60), (1009, 1024)])
def test_transforms_have_sides_of_small_primes(side: int, next_one: int) -> None:
    assert fft_size(side) == next_one


def test_a_side_that_is_padded_changes_no_more_than_the_border() -> None:
    middle = torch.zeros(1, 3, 59, 80)
    middle[..., 20:40, 30:50] = torch.randn(3, 20, 20, generator=torch.Generator().manual_seed(1))
    padded = torch.zeros(1, 3, 60, 80)
    padded[..., :59, :] = middle
    found = Decorrelation((59, 80), GREYISH, floor_cycles=3 * 59 / 60)(middle)
    assert found.shape == middle.shape
    expected = Decorrelation((60, 80), GREYISH, floor_cycles=3)(padded)[..., :59, :]
    assert torch.cosine_similarity(found.flatten(), expected.flatten(), dim=0) > 0.999


def test_lines_along_rows_and_columns_are_taken_off_and_other_waves_are_not() -> None:
    cycles = torch.arange(64.0)
    kept = grid_attenuation(cycles[:, None], cycles[None, :])
    assert kept.shape == (64, 64)
    assert torch.equal(kept, kept.T)
    assert float(kept[40, 0]) == pytest.approx(LINE_KEEP)
    assert float(kept[28, 28]) == 1  # diagonal
    assert float(kept[40, 6]) > 0.999  # no longer than a sixth of the height
    assert float(kept[:10, 0].min()) == 1  # a horizon


def test_a_grid_is_taken_out_of_a_gradient_and_an_object_stays() -> None:
    decorrelate = Decorrelation((240, 240), GREYISH, floor_cycles=3)
    down, across = torch.meshgrid(torch.arange(240.0), torch.arange(240.0), indexing="ij")

    def passed(along: float, reach_px: float) -> float:
        """Return the share that passes of 30 waves per height, at an angle to the rows and fading over a distance."""
        angle = torch.deg2rad(torch.tensor(along))
        waves = torch.sin(2 * torch.pi * 30 / 240 * (down * angle.sin() + across * angle.cos()))
        fades = torch.exp(-((down - 120).square() + (across - 120).square()) / (2 * reach_px**2))
        gradient = (waves * fades).expand(1, 3, -1, -1).contiguous()
        return float(rms(decorrelate(gradient)) / rms(gradient))

    assert passed(0, 1000) == pytest.approx(LINE_KEEP * passed(45, 1000), rel=0.1)
    assert passed(90, 1000) == pytest.approx(passed(0, 1000), rel=1e-3)
    assert passed(0, 8) > 0.7 * passed(45, 8)


def test_grey_passes_more_than_colour() -> None:
    decorrelate = Decorrelation((48, 80), GREYISH, floor_cycles=3)
    coloured = wave(4) * torch.tensor([1.0, -1.0, 0.0]).view(1, 3, 1, 1)
    grey = wave(4)
    assert rms(decorrelate(grey)) / rms(grey) > 2 * rms(decorrelate(coloured)) / rms(coloured)


def test_headroom_leaves_the_middle_alone_and_is_never_entered() -> None:
    picture = torch.tensor([128.0, 248.0, 248.0, 6.0, 251.0, 254.0, 254.0]).view(1, 1, 1, 7)
    update = torch.tensor([5.0, 5.0, -5.0, -5.0, 5.0, 5.0, -5.0]).view(1, 1, 1, 7)
    after = soft_clip_step(picture, -update / 2, 2.0, knee=40, headroom=4)
    slowed = (after - picture).flatten().tolist()
    assert slowed[0] == 5
    assert 0 < slowed[1] < 1
    assert slowed[2] == -5
    assert -1 < slowed[3] < 0
    assert slowed[4] == 0
    assert slowed[5:] == [0, -5], "values that the zoom has brought into the headroom move only inward"


@pytest.mark.parametrize("step", [1.0, 50.0, 1000.0])
def test_no_step_is_so_large_that_it_reaches_black_or_white(step: float) -> None:
    picture = torch.linspace(5, 250, 64).view(1, 1, 8, 8)
    for direction in (1.0, -1.0):
        after = soft_clip_step(picture, torch.full_like(picture, direction), step, knee=40, headroom=4)
        assert 4 < float(after.min()) < float(after.max()) < 251
        assert bool(((after - picture) * direction < 0).all())
        assert float((after - picture).abs().max()) <= step * 1.0001


def test_the_leash_leaves_a_natural_picture_alone() -> None:
    picture = 127.5 + 20 * wave(5)
    kept = normalise_local_contrast(picture, (6, 10), pull=0.2, mean_slack=50, contrast=40, chroma=20)
    assert torch.allclose(kept, picture, atol=1e-3)


def test_the_leash_pulls_back_contrast_brightness_and_colour() -> None:
    harsh = 127.5 + 100 * wave(20)
    bright = torch.full((1, 3, 48, 80), 240.0)
    gaudy = 127.5 + 90 * torch.tensor([1.0, 0.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 48, 80)

    def settle(picture: torch.Tensor) -> torch.Tensor:
        for _ in range(200):
            picture = normalise_local_contrast(picture, (6, 10), pull=0.1, mean_slack=50, contrast=40, chroma=20)
        return picture

    assert float(settle(harsh).std()) == pytest.approx(40, abs=4)
    assert float(settle(bright).mean()) == pytest.approx(177.5, abs=1)
    assert float(rms(settle(gaudy) - 127.5)) == pytest.approx(20, abs=2)


def test_a_picture_smaller_than_the_grid_is_held_too() -> None:
    assert normalise_local_contrast(torch.full((1, 3, 2, 3), 250.0), (9, 16), 0.1, 50, 40, 20).shape == (1, 3, 2, 3)
