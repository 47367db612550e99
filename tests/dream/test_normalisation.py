import pytest
import torch

from streamer.config import DreamConfig
from streamer.dream.algorithms.normalisation import Normalisations, normalise_in_backward
from streamer.dream.objectives.views import resized

CPU = torch.device("cpu")
SIZE = (96, 160)
COLOUR = torch.tensor([[1.0, 0.9, 0.8], [0.9, 1.0, 0.9], [0.8, 0.9, 1.0]])


def normalisations(normalisation: str = "auto") -> Normalisations:
    return Normalisations(DreamConfig(normalisation=normalisation), COLOUR, SIZE, CPU)


@pytest.mark.parametrize(
    ("normalisation", "shown", "at"),
    [
        ("auto", (48, 80), (48, 80)),
        ("decorrelated", (192, 320), SIZE),
        ("laplacian", (48, 80), SIZE),
        ("mean", (48, 80), SIZE),
    ],
)
def test_gradients_are_decorrelated_where_they_are_smallest(
    normalisation: str, shown: tuple[int, int], at: tuple[int, int]
) -> None:
    assert normalisations(normalisation).at(shown) == at


def test_what_is_made_for_a_size_is_kept() -> None:
    made = normalisations()
    assert made((48, 80)) is made((48, 80))
    assert made((48, 80)) is not made(SIZE)


def test_a_gradient_is_normalised_on_its_way_back_and_the_picture_left_alone() -> None:
    picture = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(1), requires_grad=True)
    slope = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(2)) - 0.5
    normalise = normalisations()(SIZE)
    same = normalise_in_backward(picture, normalise)
    assert torch.equal(same, picture)
    (found,) = torch.autograd.grad((same * slope).sum(), picture)
    assert torch.equal(found, normalise(slope))


def test_decorrelated_at_the_size_seen_a_gradient_is_the_one_decorrelated_on_the_canvas() -> None:
    picture = torch.zeros(1, 3, *SIZE, requires_grad=True)
    slope = torch.randn(1, 3, 40, 67, generator=torch.Generator().manual_seed(3))
    made = normalisations()
    seen = normalise_in_backward(resized(picture, (40, 67)), made((40, 67)))
    (found,) = torch.autograd.grad((seen * slope).sum(), picture)
    (plain,) = torch.autograd.grad((resized(picture, (40, 67)) * slope).sum(), picture)
    expected = made(SIZE)(plain)
    assert torch.cosine_similarity(found.flatten(), expected.flatten(), dim=0) > 0.98
    assert torch.cosine_similarity(plain.flatten(), expected.flatten(), dim=0) < 0.9
