import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from streamer.config import NetworkConfig
from streamer.dream.networks.googlenet import build_googlenet
from streamer.dream.networks.layers import LayerHook
from streamer.dream.networks.loading import load
from streamer.dream.networks.network import Network
from streamer.dream.networks.squeezenet import build_squeezenet
from streamer.dream.objectives.masks import region_mask
from streamer.dream.objectives.scene import SceneObjective
from streamer.dream.objectives.tiling import MapArea, Tiling
from streamer.dream.objectives.views import resample
from streamer.messages.scenes import Target, arrange
from tests.fakes import tiny_network

EXACT = torch.float64
"""In single precision, a value that rounds across a ReLU or a maximum changes what deep networks answer."""
BOXES = [(0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0)]


def deep_network() -> nn.Sequential:
    """Return a network with strides, padding, pooling that rounds up and a last layer that loses positions at the border."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 5, 3),
    )


def see_deep(network: nn.Sequential):
    def see(picture: Tensor) -> dict[str, Tensor]:
        early = network[:3]((picture - 128) / 64)
        return {"early": early, "late": network[3:](early)}

    return see


def parts(pieces: dict[str, Tensor], places: dict[str, MapArea]) -> list[Tensor]:
    """Return two losses: classes by region minus the mean of all, and the L2 norm of an early layer over the left half."""
    classes = norm = torch.zeros(())
    if "late" in pieces:
        piece, place = pieces["late"], places["late"]
        count = place.whole[0] * place.whole[1]
        classes = piece.sum() / (count * piece.shape[1])
        for number, box in enumerate(BOXES):
            classes = classes - (place.cut(region_mask(box, place.whole), piece) * piece[0, number]).sum() / count
    if "early" in pieces:
        piece, place = pieces["early"], places["early"]
        norm = -0.5 * (place.cut(region_mask((0, 0, 0.5, 1), place.whole), piece) * piece[0].square()).sum()
    return [classes, norm]


def whole_gradients(see, picture: Tensor) -> list[Tensor]:
    picture = picture.clone().requires_grad_(True)
    maps = see(picture)
    places = {key: MapArea(0, 0, (found.shape[-2], found.shape[-1])) for key, found in maps.items()}
    return [torch.autograd.grad(loss, picture, retain_graph=True)[0] for loss in parts(maps, places)]


@pytest.mark.parametrize("size", [(150, 217), (96, 131), (64, 300)])
@pytest.mark.parametrize("tile_px", [1, 56, 90, 10_000])
def test_the_gradient_is_that_of_the_whole_picture(size: tuple[int, int], tile_px: int) -> None:
    see = see_deep(deep_network())
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1)) * 255
    tiling = Tiling(see, {"early": 4, "late": 8}, tile_px, least_px=40)
    assert (tiling.count(size) > 1) == (tile_px < 10_000)
    for found, wanted in zip(tiling.gradients(picture, parts), whole_gradients(see, picture), strict=True):
        assert wanted.abs().max() > 0
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-6 * float(wanted.abs().max()))


def test_a_network_of_the_project_is_taken_apart_as_well() -> None:
    network = tiny_network(dtype=torch.float32)

    def see(picture: Tensor) -> dict[str, Tensor]:
        return {"late": network(picture)}

    picture = torch.rand(1, 3, 75, 110, generator=torch.Generator().manual_seed(1)) * 255
    tiling = Tiling(see, {"late": 4}, 40, least_px=8)
    (found, _), (wanted, _) = (
        tiling.gradients(picture, parts),
        whole_gradients(lambda p: {**see(p), "early": see(p)["late"]}, picture),
    )
    assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-6 * float(wanted.abs().max()))


def test_without_enough_around_it_a_tile_would_not_do() -> None:
    """The comparison above can fail: half of the receptive field is too little."""
    see = see_deep(deep_network())
    picture = torch.rand(1, 3, 150, 217, generator=torch.Generator().manual_seed(1)) * 255
    tiling = Tiling(see, {"early": 4, "late": 8}, 56, least_px=40)
    tiling._receptive_field = type(tiling.receptive_field)(
        tiling.receptive_field.before // 2, tiling.receptive_field.after // 2
    )
    (found, _), (wanted, _) = tiling.gradients(picture, parts), whole_gradients(see, picture)
    assert not torch.allclose(found, wanted, rtol=1e-2, atol=1e-3 * float(wanted.abs().max()))


def test_it_knows_how_far_a_position_sees() -> None:
    network = nn.Conv2d(3, 1, 5, stride=2, padding=1)
    receptive_field = Tiling(lambda picture: {"map": network(picture)}, {"map": 2}, 64, least_px=5).receptive_field
    assert 1 <= receptive_field.before <= 1 + 2
    assert 3 <= receptive_field.after - 1 <= 3 + 2


def test_a_network_that_sees_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="sees the whole picture"):
        Tiling(lambda picture: {"map": F.avg_pool2d(picture, 8) - picture.mean()}, {"map": 8}, 64, least_px=8)


def test_no_tile_is_shown_more_than_allowed() -> None:
    shown = []

    def see(picture: Tensor) -> dict[str, Tensor]:
        shown.append(max(picture.shape[-2:]))
        return {"late": F.avg_pool2d(picture, 4)}

    tiling = Tiling(see, {"late": 4}, 64, least_px=8)
    shown.clear()
    tiling.gradients(torch.zeros(1, 3, 203, 301), lambda pieces, places: [pieces["late"].sum()])
    assert max(shown) <= tiling.shown_px <= 64 + 4


def tiny() -> Network:
    return tiny_network(dtype=EXACT)


def squeezenet() -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        layers = build_squeezenet(4)
    return Network(
        "squeezenet1_1", layers, ["n1", "n2", "n3", "n4"], stride=16, window=32, trained_px=224, min_size=17, dtype=EXACT
    )


def googlenet() -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        layers = build_googlenet(4)
        for part in nn.ModuleList(layers.values()).modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)  # smaller weights would leave only rounding errors
    return Network(
        "googlenet", layers, ["n1", "n2", "n3", "n4"], stride=32, window=32, trained_px=224, min_size=32, dtype=EXACT
    )


@pytest.mark.parametrize(
    ("network", "layer"),
    [(squeezenet, "fire5"), (googlenet, "inception4c"), (tiny, "relu1")],
    ids=["squeezenet", "googlenet", "tiny"],
)
def test_tiles_give_the_same_gradient_for_every_kind_of_scene(network, layer: str, tmp_path) -> None:
    """Gradients as in a dream: mixed by region, shifted, resampled, with some objectives descended."""
    net = network()
    guide = tmp_path / "guide.png"
    Image.fromarray((torch.rand(40, 50, 3, generator=torch.Generator().manual_seed(2)) * 255).byte().numpy()).save(guide)
    targets = [
        Target(net.wnids[1], "a class"),
        Target("", "a layer", layer),
        Target("", "channels", layer, (0, 3)),
        Target("", "a guide", layer, (), str(guide)),
    ]
    picture = torch.rand(1, 3, 170, 230, generator=torch.Generator().manual_seed(1)) * 255

    def see(picture: Tensor) -> Tensor:
        return resample(torch.roll(picture, (7, -11), (2, 3)), 1.3)

    for chosen in (targets[:1], targets):
        weighted = [(region, 0.7) for region in arrange(chosen)] + [(arrange(targets[:1])[0], -0.4)]
        found, wanted = (SceneObjective(net, tile_px).gradient(picture, weighted, see) for tile_px in (64, 4000))
        scale = float(wanted.square().mean().sqrt())
        assert scale > 0
        assert float((found - wanted).square().mean().sqrt()) < 1e-4 * scale


def test_how_far_a_network_sees_is_found_in_whichever_precision_the_cpu_is_fastest():
    network = load(NetworkConfig(name="bundled"), torch.device("cpu")).first
    hook = LayerHook(network.classes_layer)
    tiling = Tiling(lambda shown: network.hook_outputs(shown, [hook]), {hook: network.stride}, 256, network.min_size)
    assert 60 < tiling.receptive_field.before + tiling.receptive_field.after < 300
