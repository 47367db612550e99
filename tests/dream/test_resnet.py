from pathlib import Path

import pytest
import torch
from torch import nn

from streamer.dream.networks.layers import LayerHook
from streamer.dream.networks.network import Network
from streamer.dream.networks.resnet import KEY_SUFFIX, RESNET50, build_resnet50, resnet_tensors
from streamer.dream.networks.torchvision_import import torchvision
from streamer.dream.networks.weights import NetworkError, read_weights

FILE = Path("resnet.pt")


@pytest.fixture(scope="module")
def theirs():
    """Return torchvision's network with random weights and batch statistics like a trained network's."""
    chance = torch.Generator().manual_seed(5)
    with torch.device("meta"):
        model = torchvision().models.resnet50(weights=None)
    model.to_empty(device="cpu")
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.ndim > 1:
                tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=chance)
            elif name.endswith(("running_var", "weight")):
                tensor.uniform_(0.5, 1.5, generator=chance)
            elif tensor.is_floating_point():
                tensor.uniform_(-0.5, 0.5, generator=chance)
            else:
                tensor.zero_()
    return model.eval()


@pytest.fixture(scope="module")
def network(theirs):
    return made(resnet_tensors(theirs.state_dict(), FILE))


def made(tensors):
    with torch.device("meta"):
        layers = build_resnet50()
    nn.Sequential(layers).load_state_dict(tensors, assign=True)
    wnids = ["?"] * 1000
    return Network(
        RESNET50.name,
        layers,
        wnids,
        stride=RESNET50.stride,
        window=RESNET50.window,
        trained_px=RESNET50.trained_px,
        min_size=RESNET50.min_size,
        default_layer=RESNET50.default_layer,
    )


def pictures(height, width):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height)) * 255


@pytest.mark.parametrize("size", [(224, 224), (224, 160), (97, 130)])
def test_it_equals_torchvisions(size, network, theirs):
    x = pictures(*size)
    with torch.no_grad():
        mine, expected = network(x).mean((2, 3)), theirs((x - network.mean) * network.scale)
    assert network.dtype == torch.float32
    assert (mine - expected).abs().max() / expected.abs().max() <= 1e-4


@pytest.mark.parametrize(
    ("size", "expected"),
    [((224, 224), (7, 7)), ((270, 480), (9, 15)), ((33, 64), (2, 2)), ((32, 32), (1, 1)), ((5, 80), (1, 3))],
)
def test_the_map(size, expected, network):
    with torch.no_grad():
        assert network(pictures(*size)).shape == (1, 1000, *expected)


def test_its_layers(network):
    entries = {entry.name: entry for entry in network.layer_entries}
    assert network.default_layer == RESNET50.default_layer == "block3_3"
    assert (entries[RESNET50.default_layer].channels, entries[RESNET50.default_layer].stride) == (1024, 16)
    assert (entries["block3_1.reduce"].stride, entries["block3_1.3x3"].stride, entries["block3_2.reduce"].stride) == (8, 16, 16)
    assert entries["fc"].stride == network.stride == RESNET50.stride
    assert list(entries)[-5:] == ["block4_3.reduce", "block4_3.3x3", "block4_3.expand", "block4_3", "fc"]
    x = pictures(64, 96)
    with torch.no_grad():
        found = network.activations(x, entries)
        logits = network(x)
    for name, value in found.items():
        stride = entries[name].stride
        assert value.shape[1:] == (entries[name].channels, 64 // stride, 96 // stride), name
    assert torch.equal(found["fc"], logits), "looking at it changed it"


def test_a_layer_before_its_relu(network):
    x, name = pictures(64, 64), "block2_2"
    before, after, added, came = (
        LayerHook(name, raw=True),
        LayerHook(name),
        LayerHook(f"{name}.expand", raw=True),
        LayerHook("block2_1"),
    )
    with torch.no_grad():
        found = network.hook_outputs(x, [before, after, added, came])
    assert found[before].min() < 0
    assert torch.equal(found[before].relu(), found[after])
    assert torch.allclose(found[before], found[came] + found[added], atol=1e-4)


def test_every_layer_has_a_gradient(network):
    x = pictures(32, 64).requires_grad_()
    for name, value in network.activations(x, network.layer_names).items():
        (gradient,) = torch.autograd.grad(value.square().mean(), x, retain_graph=True)
        assert gradient.abs().max() > 0, name


class Schedule:
    """A class of the training program."""


def robust(state, prefixes):
    """Return a state like Engstrom et al.'s library saves: the network per prefix, and the input's normalisation."""
    extras = {f"module.normalizer.{key}": torch.zeros(3, 1, 1) for key in ("new_mean", "new_std")}
    return extras | {f"{prefix}{key}": tensor for prefix in prefixes for key, tensor in state.items()}


@pytest.mark.parametrize(
    "prefixes",
    [
        ("module.model.", "module.attacker.model."),
        ("module.attacker.model.", "module.model."),
        ("model.", "attacker.model."),
        ("module.",),
        ("model.",),
        ("",),
    ],
)
def test_keys_may_stand_behind_prefixes(prefixes, theirs, network):
    tensors = resnet_tensors(robust(theirs.state_dict(), prefixes), FILE)
    assert torch.equal(tensors["block3_6.middle.weight"], network.layers.block3_6.middle.weight)
    assert set(tensors) == set(network.layers.state_dict())


def test_the_prefix_behind_which_all_is_there_is_taken(theirs):
    state = theirs.state_dict()
    part = {key: tensor for key, tensor in state.items() if not key.startswith("fc")}
    both = {f"a.{key}": tensor + 1 for key, tensor in part.items()} | {f"longer.{key}": tensor for key, tensor in state.items()}
    assert torch.equal(resnet_tensors(both, FILE)["fc.bias"], state["fc.bias"])


def test_a_robust_checkpoint_from_a_file(theirs, network, tmp_path):
    file = tmp_path / "imagenet_l2_3_0.pt"
    state = robust(theirs.state_dict(), ("module.model.", "module.attacker.model."))
    checkpoint = {"model": state, "epoch": 105, "schedule": Schedule()}
    torch.save(checkpoint, file, _use_new_zipfile_serialization=False)
    again = made(resnet_tensors(read_weights(file)[0], file))
    x = pictures(64, 64)
    with torch.no_grad():
        assert torch.equal(again(x), network(x))


def without(key):
    return lambda state: {each: tensor for each, tensor in state.items() if each != key}


def changed(key, *shape):
    return lambda state: state | {key: torch.zeros(shape)}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without("bn1.running_var"), r"no tensor 'bn1\.running_var' of shape \(64,\); is it for another network\?"),
        (without("fc.bias"), r"no tensor 'fc\.bias' of shape \(1000,\)"),
        (without(KEY_SUFFIX), r"no tensor 'layer3\.5\.conv3\.weight' of shape \(1024, 256, 1, 1\)"),
        (changed("fc.weight", 10, 2048), r"'fc\.weight' has shape \(10, 2048\), expected \(1000, 2048\)"),
        (
            changed("layer1.0.conv2.weight", 128, 128, 3, 3),
            r"'layer1\.0\.conv2\.weight' has shape \(128, 128, 3, 3\), expected",
        ),
        (changed("layer2.0.downsample.1.weight", 2), r"'layer2\.0\.downsample\.1\.weight' has shape \(2,\), expected \(512,\)"),
        (lambda state: {}, r"no tensor 'conv1\.weight' of shape \(64, 3, 7, 7\); is it for another network\?"),
        (lambda state: robust(without("fc.bias")(state), ("module.model.",)), r"no tensor 'module\.model\.fc\.bias'"),
    ],
)
def test_a_file_of_something_else(change, why, theirs):
    with pytest.raises(NetworkError, match=rf"^resnet\.pt: {why}"):
        resnet_tensors(change(theirs.state_dict()), FILE)
