import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from streamer.config import NetworkConfig
from streamer.dream.networks import bundled, loading
from streamer.dream.networks.architecture import CLASSES, MEAN, STD, fill
from streamer.dream.networks.fused import conv_relu, conv_relu_pool, fast_avg_pool
from streamer.dream.networks.googlenet import build_googlenet
from streamer.dream.networks.layers import MEAN as MEAN_OF_ALL
from streamer.dream.networks.layers import LayerHook, PadToSize
from streamer.dream.networks.loading import NetworkError, load
from streamer.dream.networks.network import Network, compute_dtype
from streamer.dream.networks.squeezenet import SQUEEZENET1_1, Fire, build_squeezenet
from streamer.dream.networks.torchvision_import import torchvision
from streamer.dream.networks.vgg import DENSE, VGG16, WIDTHS, build_vgg
from tests.fakes import tiny_network

CPU = torch.device("cpu")
WNIDS = tuple(f"n{i:08}" for i in range(4))


def pictures(height, width, n=1):
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(height)) * 255


def bundled_tensors(**changes):
    """Return a slimmer version of the bundled tensors."""
    layers = build_vgg((3, 4, 5, 6, 7), 8, len(WNIDS), window=64, average=True)
    tensors = {k: v.detach().half() for k, v in nn.Sequential(layers).state_dict().items()}
    return tensors | changes


@pytest.fixture
def bundled_file(tmp_path):
    file = tmp_path / "bundled.safetensors"
    save_file(bundled_tensors(), file, {"classes": json.dumps(WNIDS)})
    return file


def torchvision_normalised(x):
    return (x / 255 - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def test_vgg_as_convolutions_equals_the_dense_network():
    models = torchvision().models
    with torch.device("meta"):
        dense = models.VGG(models.vgg.make_layers(models.vgg.cfgs["D"]), init_weights=False).eval()
        layers = build_vgg(WIDTHS, DENSE, CLASSES, window=224)
    dense.to_empty(device=CPU)
    chance = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in dense.parameters():
            bound = (6 / parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 0.1
            parameter.uniform_(-bound, bound, generator=chance)
    fill(layers, dense.state_dict(), "random", VGG16.keys)
    network = Network("vgg16", layers, ["?"] * CLASSES, stride=32, window=224, trained_px=224, min_size=32)
    x = pictures(224, 224)
    with torch.no_grad():
        mine, theirs = network(x), dense(torchvision_normalised(x))
    assert mine.shape == (1, CLASSES, 1, 1)
    assert (mine.flatten(1) - theirs).abs().max() / theirs.abs().max() <= 1e-4


def test_squeezenet_before_its_last_relu_equals_torchvisions():
    dense = torchvision().models.squeezenet1_1().eval()
    layers = build_squeezenet()
    fill(layers, dense.state_dict(), "random", SQUEEZENET1_1.keys)
    network = Network("squeezenet1_1", layers, ["?"] * CLASSES, stride=16, window=32, trained_px=224, min_size=17)
    x = pictures(224, 192)
    with torch.no_grad():
        mine, theirs = network(x).relu().mean((2, 3)), dense(torchvision_normalised(x))
    assert (mine - theirs).abs().max() / theirs.abs().max() <= 1e-4


@pytest.mark.parametrize(("precision", "apart"), [("float32", 1e-4), ("bfloat16", 2e-2)], indirect=["precision"])
def test_googlenet_equals_torchvisions(tmp_path, precision, apart):
    dense = torchvision().models.googlenet(weights=None, aux_logits=False, transform_input=True, init_weights=False).eval()
    chance = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, tensor in dense.state_dict().items():  # batch statistics like those of a trained network
            if ".bn." in name and tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5, generator=chance)
    file = tmp_path / "googlenet.pth"
    torch.save(dense.state_dict(), file)
    network = load(NetworkConfig(weights=file), CPU).first
    assert network.dtype is precision
    assert (network.name, network.stride, network.default_layer) == ("googlenet", 32, "inception4c")
    x = pictures(224, 192)
    with torch.no_grad():
        mine, theirs = network(x).mean((2, 3)), dense(torchvision_normalised(x))
    assert network(pictures(270, 480)).shape == (1, CLASSES, 8, 15)
    assert network(pictures(5, 80)).shape == (1, CLASSES, 1, 3)
    assert (mine - theirs).abs().max() / theirs.abs().max() <= apart


def test_inner_layers_of_googlenet():
    network = Network("googlenet", build_googlenet(5), ["?"] * 5, stride=32, window=32, trained_px=224, min_size=32)
    entries = {entry.name: entry for entry in network.layer_entries}
    assert (entries["inception4c"].channels, entries["inception4c"].stride, entries["fc"].stride) == (512, 16, network.stride)
    x = pictures(64, 96)
    found = network.activations(x, entries)
    for name, value in found.items():
        assert value.shape[1:] == (entries[name].channels, 64 / entries[name].stride, 96 / entries[name].stride)
    assert torch.equal(found["inception3a"][:, 64:192], found["inception3a.3x3"])
    assert torch.equal(found["fc"], network(x))


def test_a_googlenet_file_of_something_else(tmp_path):
    file = tmp_path / "odd.pth"
    torch.save({"inception4c.branch1.conv.weight": torch.zeros(1)}, file)
    with pytest.raises(NetworkError, match=r"odd\.pth: no tensor 'conv1\.conv\.weight'; is it for another network\?"):
        load(NetworkConfig(weights=file), CPU)


SIZES = [(224, 224), (472, 840), (270, 480), (32, 32), (1, 1), (5, 300)]


@pytest.mark.parametrize(("size", "expected"), list(zip(SIZES, [(1, 1), (8, 20), (2, 9), (1, 1), (1, 1), (1, 3)], strict=True)))
def test_map_of_vgg(size, expected):
    layers = build_vgg((2, 2, 2, 2, 2), 4, 3, window=224)
    network = Network("vgg", layers, WNIDS[:3], stride=32, window=224, trained_px=224, min_size=32)
    assert network(pictures(*size)).shape == (1, 3, *expected)


@pytest.mark.parametrize(
    ("size", "expected"), list(zip(SIZES, [(6, 6), (13, 25), (7, 14), (1, 1), (1, 1), (1, 8)], strict=True))
)
def test_map_of_the_bundled_network(size, expected, bundled_file):
    network = load(NetworkConfig(name="bundled", weights=bundled_file), CPU).first
    assert network(pictures(*size, n=2)).shape == (2, 4, *expected)


@pytest.mark.parametrize(
    ("size", "expected"), list(zip(SIZES, [(13, 13), (29, 52), (16, 29), (1, 1), (1, 1), (1, 18)], strict=True))
)
def test_map_of_squeezenet(size, expected):
    network = Network("squeezenet1_1", build_squeezenet(5), ["?"] * 5, stride=16, window=32, trained_px=224, min_size=17)
    assert network(pictures(*size)).shape == (1, 5, *expected)


def test_classes_of_imagenet_are_in_order():
    wnids = loading.imagenet_wnids()
    assert (len(set(wnids)), wnids[0], wnids[980]) == (CLASSES, "n01440764", "n09472597")


def test_squeezenet_from_a_file(tmp_path):
    file = tmp_path / "squeezenet.pth"
    torch.save(torchvision().models.squeezenet1_1().state_dict(), file)
    network = load(NetworkConfig(name="squeezenet1_1", weights=file), CPU).first
    assert (network.name, network.stride, network.trained_px) == ("squeezenet1_1", 16, 224)
    assert network.wnids == loading.imagenet_wnids()


def test_a_small_map_is_widened_by_its_border():
    x = torch.arange(6.0).view(1, 1, 2, 3)
    wide = PadToSize(5)(x)
    assert wide.shape == (1, 1, 5, 5)
    assert torch.equal(wide, nn.functional.pad(x, (1, 1, 1, 2), mode="replicate"))
    assert PadToSize(2)(x) is x


@pytest.mark.usefixtures("precision")
def test_frozen_and_gradients_reach_the_picture():
    network = tiny_network()
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    x = pictures(9, 13).requires_grad_()
    network(x).mean().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


@pytest.mark.usefixtures("precision")
def test_activations_are_those_of_the_forward_pass_and_leave_no_hooks():
    network = tiny_network()
    x = pictures(8, 12)
    found = network.activations(x, ["conv1", "relu1", "conv3"])
    assert list(found) == ["conv1", "relu1", "conv3"]
    assert found["conv1"].min() < 0, "not overwritten by the ReLU in place"
    assert torch.equal(found["relu1"], found["conv1"].relu())
    assert torch.equal(found["conv3"], network(x))
    assert not any(m._forward_hooks for m in network.modules())


@pytest.mark.usefixtures("precision")
def test_a_layer_before_its_relu():
    network = tiny_network()
    x = pictures(8, 12)
    found = network.hook_outputs(
        x, [LayerHook("relu1", raw=True), LayerHook("relu1"), LayerHook("conv2", raw=True), LayerHook("conv2")]
    )
    assert torch.equal(found[LayerHook("relu1")], found[LayerHook("relu1", raw=True)].relu())
    assert found[LayerHook("relu1", raw=True)].min() < 0
    assert torch.equal(found[LayerHook("conv2")], found[LayerHook("conv2", raw=True)])


def test_inner_layers_of_squeezenet():
    network = Network("squeezenet1_1", build_squeezenet(5), ["?"] * 5, stride=16, window=32, trained_px=224, min_size=17)
    entries = {entry.name: entry for entry in network.layer_entries}
    assert list(entries)[:8] == [
        "conv1",
        "relu1",
        "pool1",
        "fire2.squeeze",
        "fire2.expand1",
        "fire2.expand3",
        "fire2",
        "fire3.squeeze",
    ]
    assert (entries["fire5"].channels, entries["fire5"].stride, entries["fire5.expand3"].channels) == (256, 8, 128)
    assert (network.classes_layer, entries["conv10"].stride) == ("conv10", network.stride)
    x = pictures(64, 48)
    found = network.activations(x, entries)
    for name, value in found.items():
        assert value.shape[1] == entries[name].channels
        assert abs(value.shape[2] - 64 / entries[name].stride) <= 1
    assert torch.equal(torch.cat([found["fire5.expand1"], found["fire5.expand3"]], 1), found["fire5"])
    assert found["fire5"].min() == 0
    assert network.hook_outputs(x, [LayerHook("fire5", raw=True)])[LayerHook("fire5", raw=True)].min() < 0
    assert torch.equal(found["conv10"], network(x))


def test_a_look_goes_no_further_than_it_must():
    network = tiny_network()
    calls = []
    handle = network.layers.conv2.register_forward_hook(lambda *_: calls.append(1))
    network.activations(pictures(8, 8), ["relu1"])
    handle.remove()
    assert not calls


def test_an_unknown_layer_is_named():
    with pytest.raises(NetworkError, match=r"^tiny has no layer 'mixed4c'; it has conv1, relu1, conv2, relu2, conv3$"):
        tiny_network().activations(pictures(4, 4), ["mixed4c"])


def test_bfloat16_inside_float32_outside():
    network = tiny_network(dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.bfloat16}
    x = pictures(8, 12).requires_grad_()
    logits = network(x)
    logits.mean().backward()
    assert (logits.dtype, x.grad.dtype) == (torch.float32, torch.float32)


def test_dtype_follows_what_the_cpu_can(monkeypatch):
    for name, answer in (("_is_avx512_bf16_supported", False), ("_is_amx_tile_supported", False)):
        monkeypatch.setattr(torch.cpu, name, lambda answer=answer: answer)
    assert compute_dtype(CPU) is torch.float32
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert compute_dtype(CPU) is torch.bfloat16


def test_the_precision_of_a_test_is_that_of_the_processes_it_starts(precision):
    code = "import torch; from streamer.dream.networks.network import compute_dtype; print(compute_dtype(torch.device('cpu')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == str(precision) == str(compute_dtype(CPU))


def test_auto_knows_a_weights_file_by_its_tensors(bundled_file):
    network = load(NetworkConfig(weights=bundled_file), CPU).first
    assert (network.name, network.wnids, network.window) == ("bundled", WNIDS, 64)


def test_a_missing_bundled_file_is_a_network_error(monkeypatch):
    def missing(name):
        raise FileNotFoundError(f"no '{name}'")

    monkeypatch.setattr(bundled, "asset", missing)
    with pytest.raises(NetworkError, match=r"no 'bundled_net.safetensors'"):
        load(NetworkConfig(name="bundled"), CPU)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"conv3_2.bias": None}, r"no tensor 'conv3_2\.bias' of shape \(5,\); is it for another network\?"),
        ({"conv3_2.bias": torch.zeros(9)}, r"'conv3_2\.bias' has shape \(9,\), expected \(5,\); is it for another network\?"),
        (
            {"fc6.weight": torch.zeros(8, 7)},
            r"'fc6\.weight' has shape \(8, 7\), expected 4 dimensions; is it for another network\?",
        ),
        ({"fc8.weight": torch.zeros(3, 8, 1, 1)}, r"'fc8\.weight' has shape \(3, 8, 1, 1\), expected \(4, 8, 1, 1\);"),
        ({"fc7.bias": torch.full((8,), torch.nan)}, r"'fc7\.bias' holds values that are not finite; the file is damaged"),
        ({"conv1_1.weight": None}, r"'conv1_1\.weight' has shape \(\), expected 4 dimensions;"),
    ],
)
def test_the_first_wrong_key_is_named(changes, expected, tmp_path):
    file = tmp_path / "odd.safetensors"
    tensors = {k: v for k, v in bundled_tensors(**changes).items() if v is not None}
    save_file(tensors, file, {"classes": json.dumps(WNIDS)})
    with pytest.raises(NetworkError, match=rf"odd\.safetensors: {expected}"):
        load(NetworkConfig(name="bundled", weights=file), CPU)


def test_a_file_for_another_network(bundled_file, tmp_path):
    with pytest.raises(NetworkError, match=r"no tensor 'features\.0\.weight' of shape \(64, 3, 3, 3\)"):
        load(NetworkConfig(name="squeezenet1_1", weights=bundled_file), CPU)
    plain = tmp_path / "plain.safetensors"
    save_file(bundled_tensors(), plain)
    with pytest.raises(NetworkError, match=r"its metadata names no 'classes'"):
        load(NetworkConfig(name="bundled", weights=plain), CPU)
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, other)
    with pytest.raises(NetworkError, match=r"its first tensor is 'x'"):
        load(NetworkConfig(weights=other), CPU)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 0), (1, 1, 0), (2, 1, 0)])
def test_a_convolution_and_its_relu_in_one_are_the_same_numbers(kernel: int, stride: int, padding: int) -> None:
    torch.manual_seed(1)
    layer = torch.nn.Conv2d(3, 8, kernel, stride=stride, padding=padding).bfloat16().requires_grad_(False)
    layer.to(memory_format=torch.channels_last)
    x = torch.randn(1, 3, 13, 22).bfloat16().contiguous(memory_format=torch.channels_last).requires_grad_(True)
    joined, apart = conv_relu(layer, x), layer(x).relu()
    slope = torch.randn_like(apart)
    assert torch.equal(joined, apart)
    (found,), (expected,) = torch.autograd.grad(joined, x, slope), torch.autograd.grad(apart, x, slope)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("ceil", [True, False])
def test_a_convolution_its_relu_and_its_pooling_in_one_are_the_same_numbers(ceil: bool) -> None:
    torch.manual_seed(1)
    layer = torch.nn.Conv2d(3, 8, 3, padding=1).bfloat16().requires_grad_(False)
    layer.to(memory_format=torch.channels_last)
    pool = torch.nn.MaxPool2d(3, stride=2, ceil_mode=ceil)
    x = torch.randn(1, 3, 14, 22).bfloat16().contiguous(memory_format=torch.channels_last).requires_grad_(True)
    joined, apart = conv_relu_pool(layer, pool, x), pool(layer(x).relu())
    slope = torch.randn_like(apart)
    assert torch.equal(joined, apart)
    (found,), (expected,) = torch.autograd.grad(joined, x, slope), torch.autograd.grad(apart, x, slope)
    assert torch.equal(found, expected)


@pytest.mark.usefixtures("precision")
def test_what_is_joined_gives_what_the_layers_give_one_by_one() -> None:
    network = Network("squeezenet1_1", build_squeezenet(5), ["?"] * 5, stride=16, window=32, trained_px=224, min_size=17)
    x = pictures(64, 48)
    one_by_one = network.activations(x, network.layer_names)
    for name in ("pool1", "pool3", "fire4", "conv10"):
        assert torch.allclose(network.activations(x, [name])[name], one_by_one[name], atol=0.02, rtol=0.02), name


@pytest.mark.usefixtures("precision")
def test_a_channel_is_looked_at_alone_or_among_all() -> None:
    network = tiny_network()
    x = pictures(8, 12)
    logits, third, mean = LayerHook("conv3"), LayerHook("conv3", channel=2), LayerHook("conv3", channel=MEAN_OF_ALL)
    alone, among = network.hook_outputs(x, [third, mean]), network.hook_outputs(x, [third, logits, mean])
    assert torch.equal(among[third], among[logits][:, 2:3])
    assert torch.allclose(among[mean], among[logits].mean(1, keepdim=True), atol=1e-2)
    for hook in (third, mean):
        assert alone[hook].shape == (1, 1, *among[logits].shape[-2:])
        assert torch.allclose(alone[hook], among[hook], atol=0.02)
    early = network.hook_outputs(x, [LayerHook("relu1", channel=1), third])
    assert torch.equal(early[LayerHook("relu1", channel=1)], network.activations(x, ["relu1"])["relu1"][:, 1:2])


@pytest.mark.parametrize("size", [(12, 20), (13, 21), (13, 20), (3, 2)])
def test_means_of_squares_have_the_gradient_that_torch_gives_them(size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    layer = torch.nn.AvgPool2d(2)
    x = torch.randn(1, 4, *size).bfloat16().contiguous(memory_format=torch.channels_last).requires_grad_(True)
    quick, slow = fast_avg_pool(layer, x), layer(x)
    slope = torch.randn_like(slow)
    assert torch.equal(quick, slow)
    assert torch.equal(torch.autograd.grad(quick, x, slope)[0], torch.autograd.grad(slow, x, slope)[0])


def test_a_fire_whose_expansions_are_one_convolution_gives_the_same() -> None:
    torch.manual_seed(1)
    fire = Fire(16, 4, 8).bfloat16().requires_grad_(False).to(memory_format=torch.channels_last)
    x = torch.randn(1, 16, 9, 14).bfloat16().contiguous(memory_format=torch.channels_last)
    joined, apart = fire(x), fire.raw(x)[0].relu()
    assert torch.allclose(joined.float(), apart.float(), atol=0.01, rtol=0.01)
    assert len(fire.state_dict()) == 6
