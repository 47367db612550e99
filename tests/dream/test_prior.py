import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from streamer.assets import asset
from streamer.dream.algorithms import patch_prior
from streamer.dream.algorithms.patch_prior import PatchPrior, frequency_scaling
from streamer.dream.algorithms.picture_steps import Decorrelation
from streamer.dream.algorithms.prior import PATCH, PriorError, PriorParameters, fit


def textured(seed: int, size: tuple[int, int] = (90, 130)) -> np.ndarray:
    """Return a picture with a natural spectrum and correlated colours."""
    from streamer.dream.sources.noise import noise

    return noise(size, np.random.default_rng(seed), contrast=50)


@pytest.fixture(scope="module")
def fitted() -> PriorParameters:
    return fit([textured(i) for i in range(6)], per_picture=1500, rounds=8)


def test_the_fit_whitens_what_it_was_fitted_on(fitted: PriorParameters) -> None:
    picture = torch.from_numpy(textured(99)).permute(2, 0, 1)[None].float() - 128
    responses = torch.nn.functional.conv2d(picture, fitted.filters)[0].flatten(1)
    assert fitted.filters.shape == (192, 3, PATCH, PATCH)
    assert 0.5 < responses.square().mean() < 2.0


def test_the_fit_repeats_itself(fitted: PriorParameters) -> None:
    again = fit([textured(i) for i in range(6)], per_picture=1500, rounds=8)
    assert torch.equal(again.filters, fitted.filters)
    assert again.nu == fitted.nu


def test_a_prior_comes_back_from_its_file(fitted: PriorParameters, tmp_path) -> None:
    fitted.write(tmp_path / "prior.safetensors")
    back = PriorParameters.read(tmp_path / "prior.safetensors")
    assert torch.equal(back.filters, fitted.filters)
    assert torch.equal(back.colour, fitted.colour)
    assert back.nu == pytest.approx(fitted.nu, rel=1e-6)


def test_the_shipped_prior_finds_noise_less_natural_than_a_smooth_picture() -> None:
    prior = PatchPrior(PriorParameters.read(asset("patch_prior.safetensors")))
    smooth = torch.from_numpy(cv2.GaussianBlur(textured(3), (0, 0), 2.0)).permute(2, 0, 1)[None].float()
    rough = torch.rand(smooth.shape, generator=torch.Generator().manual_seed(1)) * 255
    assert prior(smooth) < 0.8 * prior(rough)


def test_patches_on_a_random_grid_have_the_gradient_of_all_patches_on_average() -> None:
    parameters = PriorParameters.read(asset("patch_prior.safetensors"))
    picture = torch.from_numpy(textured(4, (40, 56))).permute(2, 0, 1)[None].float()

    full = PatchPrior(parameters, (1,), stride=1).gradient(picture)[..., 12:-12, 12:-12]
    chance = torch.Generator().manual_seed(0)
    sparse = PatchPrior(parameters, (1,), stride=4)
    mean = torch.stack([sparse.gradient(picture, chance)[..., 12:-12, 12:-12] for _ in range(150)]).mean(0)
    likeness = torch.nn.functional.cosine_similarity(mean.flatten(), full.flatten(), dim=0)
    assert likeness > 0.95


@pytest.mark.parametrize(
    ("stride", "size", "poolings"),
    [
        (1, (37, 50), (1,)),
        (4, (37, 50), (1, 2)),
        (4, (8, 8), (1,)),
        (2, (8, 64), (1,)),
        (2, (40, 31), (1, 2, 3)),
        (8, (45, 70), (1, 2)),
    ],
)
@pytest.mark.parametrize("band", [4 * 192 * 16, patch_prior.BAND])  # several bands, the last one shorter; all at once
def test_bands_give_the_penalty_and_gradient_of_the_whole(
    stride: int, size: tuple[int, int], poolings: tuple[int, ...], band: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patch_prior, "BAND", band)
    parameters = PriorParameters.read(asset("patch_prior.safetensors"))
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1)) * 255

    seen = picture.double().requires_grad_(True)
    expected = torch.zeros(())
    for pooling in poolings:
        pooled = torch.nn.functional.avg_pool2d(seen - 128, pooling)
        responses = torch.nn.functional.conv2d(pooled, parameters.filters.double(), stride=stride)
        expected = expected + torch.log1p(responses.square() / parameters.nu).mean()
    (slope,) = torch.autograd.grad(expected, seen)
    prior = PatchPrior(parameters, poolings, stride)
    assert float(prior(picture)) == pytest.approx(float(expected.detach()), rel=1e-5)
    gradient = prior.gradient(picture)
    # Plain float32 alone is off by 2.5e-5 of the largest value: whitening filters take differences of large numbers.
    assert (gradient - slope).abs().max() < 4e-5 * slope.abs().max()


def test_in_bfloat16_the_gradient_is_nearly_the_same() -> None:
    parameters = PriorParameters.read(asset("patch_prior.safetensors"))
    picture = torch.from_numpy(textured(5, (64, 96))).permute(2, 0, 1)[None].float()
    exact, coarse = (
        PatchPrior(parameters, stride=8, dtype=dtype).gradient(picture) for dtype in (torch.float32, torch.bfloat16)
    )
    assert coarse.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(exact.flatten(), coarse.flatten(), dim=0) > 0.99


def test_weights_scale_the_gradient_by_its_frequencies_as_a_transform_does() -> None:
    parameters = PriorParameters.read(asset("patch_prior.safetensors"))
    picture = torch.from_numpy(textured(6, (96, 160))).permute(2, 0, 1)[None].float()
    transform = Decorrelation((96, 160), torch.eye(3), floor_cycles=1, power=0.8)
    whole = PatchPrior(parameters, stride=8).gradient(picture)
    within = PatchPrior(parameters, stride=8, power=0.8).gradient(picture)

    def likeness(one: torch.Tensor, other: torch.Tensor) -> float:
        return float(torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))

    assert likeness(within, transform(whole)) > 0.985
    assert likeness(whole, transform(whole)) < 0.95


def test_a_square_is_scaled_by_what_frequencies_are() -> None:
    matrix = frequency_scaling(16, 1.0)
    assert torch.allclose(matrix, matrix.T, atol=1e-5)
    x = torch.arange(16) / 16

    def passes(cycles: int) -> float:
        wave = torch.sin(2 * torch.pi * cycles * x).expand(16, 16).flatten()
        return float(wave @ matrix @ wave / (wave @ wave))

    assert passes(4) / passes(8 - 2) == pytest.approx(6 / 4, rel=0.1)


def test_a_stride_that_does_not_divide_the_patch_is_refused() -> None:
    parameters = PriorParameters.read(asset("patch_prior.safetensors"))
    with pytest.raises(ValueError, match="the stride is 3; must divide 8"):
        PatchPrior(parameters, (1,), stride=3)


def test_poolings_too_coarse_for_the_picture_are_passed_over() -> None:
    prior = PatchPrior(PriorParameters.read(asset("patch_prior.safetensors")), (1, 32))
    assert torch.isfinite(prior(torch.full((1, 3, 9, 20), 100.0)))
    assert prior(torch.full((1, 3, 4, 4), 100.0)) == 0
    assert torch.equal(prior.gradient(torch.full((1, 3, 4, 4), 100.0)), torch.zeros(1, 3, 4, 4))


def test_nothing_to_fit_is_said() -> None:
    with pytest.raises(PriorError, match="at least 8x8"):
        fit([np.zeros((1, 1, 3), np.uint8)])


def test_a_file_that_is_no_prior_is_named(tmp_path) -> None:
    broken, other = tmp_path / "broken.safetensors", tmp_path / "other.safetensors"
    broken.write_bytes(b"not safetensors")
    save_file({"weights": torch.zeros(2)}, str(other))
    with pytest.raises(PriorError, match=r"broken\.safetensors: cannot be read"):
        PriorParameters.read(broken)
    with pytest.raises(PriorError, match=r"other\.safetensors: no tensor 'filters'"):
        PriorParameters.read(other)


def test_every_offset_leaves_a_patch_in_a_picture_that_just_holds_one() -> None:
    prior = PatchPrior(PriorParameters.read(asset("patch_prior.safetensors")), (1, 2, 4))
    chance = torch.Generator().manual_seed(3)
    for size in ((32, 33), (35, 40), (16, 63)):
        for _ in range(40):
            assert torch.isfinite(prior(torch.full((1, 3, *size), 90.0), chance))
