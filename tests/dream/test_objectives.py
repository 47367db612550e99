from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from streamer.dream.interface import DreamError
from streamer.dream.networks.network import Network
from streamer.dream.objectives.masks import region_mask
from streamer.dream.objectives.registry import OBJECTIVES
from streamer.dream.objectives.scene import SceneObjective
from streamer.dream.objectives.views import filters, resample, resized, separated
from streamer.messages.scenes import Kind, Layout, Region, Target, arrange
from tests.fakes import tiny_network

pytestmark = pytest.mark.usefixtures("precision")

A, B = Target("n00000001", "alpha"), Target("n00000002", "beta")
WHOLE = (0.0, 0.0, 1.0, 1.0)
LAYER = Target("", "layer conv2", layer="conv2")
CHANNEL = Target("", "layer relu2:5", layer="relu2", channels=(5,))


def colours() -> Network:
    """Return a network with the classes red, green and blue, where every pixel is a position."""
    layer = nn.Conv2d(3, 3, 1, bias=False)
    layer.weight.data = torch.eye(3).view(3, 3, 1, 1)
    wnids = ("n00000001", "n00000002", "n00000003")
    return Network("colours", {"colours": layer}, wnids, stride=1, window=1, trained_px=8, min_size=1)


def picture(height: int = 24, width: int = 40, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 255


def climb(network: Network, target: Target, start: Tensor, steps: int = 5) -> tuple[float, float]:
    """Return the score before and after some steps against the gradient."""
    objective, region = SceneObjective(network), Region(target, WHOLE)
    objective.check(target)
    x = start
    for _ in range(steps):
        gradient = objective.gradient(x, [(region, 1.0)])
        x = (x - 4 * gradient / gradient.square().mean().sqrt()).clamp(0, 255)
    return objective.score(start, region), objective.score(x, region)


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


def test_each_class_counts_in_its_own_region_and_what_is_common_is_taken_off() -> None:
    objective = SceneObjective(colours())
    gradient = objective.gradient(picture(), [(region, 1.0) for region in arrange([A, B])])
    red, green, blue = gradient[0] * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    assert (red[:10] < 0).all(), "more red above"
    assert (green[:10] > 0).all()
    assert (green[14:] < 0).all(), "more green below"
    assert (blue > 0).all(), "less of what nobody asked for"
    alone = objective.gradient(picture(), [(Region(A, WHOLE), 1.0)])[0] * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    assert float(alone[0].mean() / alone[1].mean()) == pytest.approx(-2, rel=1e-4), "what all share is taken off"


def test_a_fading_region_counts_by_its_share() -> None:
    objective = SceneObjective(colours())

    def pull(share: float) -> float:
        return float(objective.gradient(picture(), [(Region(A, WHOLE), share)])[0, 0].mean())

    assert (pull(0.25) - pull(0.0)) / (pull(1.0) - pull(0.0)) == pytest.approx(0.25, rel=1e-3)


def test_a_layers_norm_rises() -> None:
    before, after = climb(tiny_network(), LAYER, picture())
    assert after > 1.5 * before


def test_a_channel_rises_above_all_others_even_when_it_is_silent() -> None:
    network = tiny_network()
    network.layers.conv2.bias.data[5] = -1.0
    start = picture()
    assert not network.activations(start, ["relu2"])["relu2"][0, 5].any(), "silent at first: after the ReLU it has no gradient"
    x, objective = start, SceneObjective(network)
    for _ in range(30):
        gradient = objective.gradient(x, [(Region(CHANNEL, WHOLE), 1.0)])
        x = (x - 6 * gradient / gradient.square().mean().sqrt()).clamp(0, 255)
    rise = network.activations(x, ["conv2"])["conv2"].mean((0, 2, 3)) - network.activations(start, ["conv2"])["conv2"].mean(
        (0, 2, 3)
    )
    assert int(rise.argmax()) == 5


def test_features_come_to_resemble_the_guides(tmp_path: Path) -> None:
    file = tmp_path / "guide.png"
    stripes = np.zeros((32, 48, 3), np.uint8)
    stripes[:, ::8] = stripes[:, 1::8] = stripes[:, 2::8] = (255, 60, 0)
    Image.fromarray(stripes).save(file)
    before, after = climb(tiny_network(), Target("", "guide", layer="conv2", guide=str(file)), picture(), 20)
    assert after > before + 0.1


def test_a_guide_without_a_layer_takes_the_networks_favourite(tmp_path: Path) -> None:
    file = tmp_path / "guide.png"
    Image.fromarray(np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)).save(file)
    network, x = tiny_network(), picture()
    named, nameless = (Target("", "guide", layer=layer, guide=str(file)) for layer in (network.default_layer, ""))
    objective = SceneObjective(network)
    assert torch.equal(*(objective.gradient(x, [(Region(target, WHOLE), 1.0)]) for target in (named, nameless)))


def test_kinds_share_the_picture_by_their_areas_whatever_their_units() -> None:
    network = tiny_network()
    network.layers.conv3.weight.data *= 1e6  # classes in other units
    above, below = arrange([A, LAYER])
    gradient = SceneObjective(network).gradient(picture(48, 40), [(above, 1.0), (below, 1.0)])
    sizes = gradient[0].square().mean((0, 2)).sqrt()
    assert 0.5 < float(sizes[:16].mean() / sizes[32:].mean()) < 2


def test_kinds_fade_into_each_other() -> None:
    objective, x = SceneObjective(tiny_network()), picture()
    layer, name = Region(LAYER, WHOLE), Region(A, WHOLE)
    pure = {region: objective.gradient(x, [(region, 1.0)]) for region in (layer, name)}

    def similarity(share: float, region: Region) -> float:
        mixed = objective.gradient(x, [(layer, share), (name, 1 - share)])
        return float(torch.nn.functional.cosine_similarity(mixed.flatten(), pure[region].flatten(), dim=0))

    assert similarity(0.9, layer) > 0.9
    assert similarity(0.1, name) > 0.9


def test_what_is_to_go_is_climbed_down_from() -> None:
    objective, x = SceneObjective(tiny_network()), picture()
    layer = Region(LAYER, WHOLE)
    assert torch.allclose(objective.gradient(x, [(layer, 1.0)]), -objective.gradient(x, [(layer, -1.0)]))


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (Target("n00000009", "omega"), r"^tiny does not know 'omega' \(n00000009\)$"),
        (Target("", "x", layer="Conv22"), r"^tiny has no layer 'Conv22'; did you mean conv2"),
        (Target("", "x", layer="zzz"), r"^tiny has no layer 'zzz'; it has conv1, relu1, conv2, relu2, conv3$"),
        (Target("", "x", layer="conv2", channels=(3, 8)), r"^tiny's layer 'conv2' has no channel 8; they run from 0 to 7$"),
        (Target("", "x", layer="conv2", guide="no/such.png"), r"^the guide: there is no picture 'no/such\.png'$"),
        (Target("", "x", guide="no/such.png"), r"^the guide: there is no picture"),
    ],
)
def test_an_invalid_target_is_refused_with_a_hint(target: Target, error: str) -> None:
    with pytest.raises(DreamError, match=error):
        SceneObjective(tiny_network()).check(target)


def test_resampling_keeps_the_shape_and_a_least_size() -> None:
    picture = torch.zeros(1, 3, 27, 48)
    assert resample(picture, 2.0).shape == (1, 3, 54, 96)
    assert resample(picture, 0.1, 32).shape == (1, 3, 32, 32)
    assert resample(picture, 1.0, 1) is picture


@pytest.mark.parametrize("size", [(20, 36), (27, 40), (40, 71), (21, 64), (27, 48)])
@pytest.mark.parametrize(("dtype", "off"), [(torch.float32, 1e-6), (torch.bfloat16, 0.01)])
def test_products_of_matrices_scale_pictures_and_gradients_as_torch_does(
    size: tuple[int, int], dtype: torch.dtype, off: float
) -> None:
    chance = torch.Generator().manual_seed(1)
    picture = (torch.rand(1, 3, 27, 48, generator=chance) * 255).requires_grad_(True)
    slope = torch.randn(1, 3, *size, generator=chance)
    expected = resized(picture, size)
    found = separated(picture, filters(27, size[0], dtype), filters(48, size[1], dtype))
    assert found.dtype == torch.float32
    assert (found - expected).abs().max() < off * 128
    (wanted,), (gradient,) = torch.autograd.grad(expected, picture, slope), torch.autograd.grad(found, picture, slope)
    assert (gradient - wanted).abs().max() < off * wanted.abs().max()


def test_every_kind_has_its_objective_and_others_are_refused_by_name() -> None:
    assert set(OBJECTIVES) == set(Kind)
    refusal = "'loud conv2' has the unknown objective 'loud'; there are class, layer, channels, guide"
    with pytest.raises(DreamError, match=refusal):
        SceneObjective(tiny_network()).check(Target("", "loud conv2", layer="conv2", objective="loud"))
