import pytest
import torch

from streamer.dream.ascent import Decorrelation, headroom, leash, rms

GREYISH = torch.tensor([[1.0, 0.9, 0.8], [0.9, 1.0, 0.9], [0.8, 0.9, 1.0]])


def wave(cycles: int, size: tuple[int, int] = (48, 80)) -> torch.Tensor:
    """A grey wave of some cycles over the height."""
    y = torch.arange(size[0]) / size[0]
    return torch.sin(2 * torch.pi * cycles * y)[None, None, :, None].expand(1, 3, *size).contiguous()


def test_coarse_waves_pass_more_than_fine_ones_by_the_power_of_their_frequency() -> None:
    decorrelate = Decorrelation((48, 80), GREYISH, floor_cycles=3, power=1.5)
    ratio = rms(decorrelate(wave(4))) / rms(decorrelate(wave(16)))
    assert float(ratio) == pytest.approx((16 / 4) ** 1.5, rel=1e-3)


def test_below_the_floor_all_pass_alike() -> None:
    decorrelate = Decorrelation((48, 80), GREYISH, floor_cycles=6)
    assert float(rms(decorrelate(wave(2))) / rms(decorrelate(wave(5)))) == pytest.approx(1, rel=1e-3)


def test_frequency_is_measured_in_square_pixels() -> None:
    decorrelate = Decorrelation((40, 80), GREYISH, floor_cycles=1)
    upright = wave(8, (40, 80))
    x = torch.arange(80) / 40
    lying = torch.sin(2 * torch.pi * 8 * x)[None, None, None, :].expand(1, 3, 40, 80).contiguous()
    assert float(rms(decorrelate(upright)) / rms(decorrelate(lying))) == pytest.approx(1, rel=1e-3)


def test_grey_passes_more_than_colour() -> None:
    decorrelate = Decorrelation((48, 80), GREYISH, floor_cycles=3)
    coloured = wave(4) * torch.tensor([1.0, -1.0, 0.0]).view(1, 3, 1, 1)
    grey = wave(4)
    assert rms(decorrelate(grey)) / rms(grey) > 2 * rms(decorrelate(coloured)) / rms(coloured)


def test_headroom_leaves_the_middle_alone_and_never_reaches_the_bounds() -> None:
    picture = torch.tensor([128.0, 250.0, 250.0, 3.0, 255.0]).view(1, 1, 1, 5)
    update = torch.tensor([5.0, 5.0, -5.0, -5.0, 5.0]).view(1, 1, 1, 5)
    slowed = headroom(picture, update, knee=40).flatten().tolist()
    assert slowed[0] == 5
    assert 0 < slowed[1] < 1
    assert slowed[2] == -5
    assert -1 < slowed[3] < 0
    assert slowed[4] == 0


def test_the_leash_leaves_a_natural_picture_alone() -> None:
    picture = 127.5 + 20 * wave(5)
    kept = leash(picture, (6, 10), pull=0.2, mean_slack=50, contrast=40, chroma=20)
    assert torch.allclose(kept, picture, atol=1e-3)


def test_the_leash_pulls_back_contrast_brightness_and_colour() -> None:
    harsh = 127.5 + 100 * wave(20)
    bright = torch.full((1, 3, 48, 80), 240.0)
    gaudy = 127.5 + 90 * torch.tensor([1.0, 0.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 48, 80)

    def settle(picture: torch.Tensor) -> torch.Tensor:
        for _ in range(200):
            picture = leash(picture, (6, 10), pull=0.1, mean_slack=50, contrast=40, chroma=20)
        return picture

    assert float(settle(harsh).std()) == pytest.approx(40, abs=4)
    assert float(settle(bright).mean()) == pytest.approx(177.5, abs=1)
    assert float(rms(settle(gaudy) - 127.5)) == pytest.approx(20, abs=2)


def test_a_picture_smaller_than_the_grid_is_held_too() -> None:
    assert leash(torch.full((1, 3, 2, 3), 250.0), (9, 16), 0.1, 50, 40, 20).shape == (1, 3, 2, 3)
