"""The compute formats of networks on a CPU: measuring, saving and using them."""

import json
from importlib.metadata import version

import pytest
import torch

from streamer.config import Config, NetworkConfig
from streamer.dream.compute_formats import (
    COMPUTE_FORMATS,
    ComputeFormat,
    FormatCache,
    fastest_format,
    format_key,
    with_measured_format,
)
from streamer.dream.networks.format_benchmark import ROUNDS, find_fastest_format, measure
from streamer.dream.networks.loading import dtype_for, memory_format_for
from tests.fakes import tiny_network

USUAL, FLAT, WIDE, OTHER = (
    ComputeFormat("bfloat16", "channels_last"),
    ComputeFormat("bfloat16", "channels_first"),
    ComputeFormat("float32", "channels_last"),
    ComputeFormat("float32", "channels_first"),
)
CONFIG = Config(device="cpu", network=NetworkConfig(name="bundled"))


@pytest.fixture
def network():
    return tiny_network(seed=1, dtype=torch.bfloat16)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({USUAL: [10, 10, 10], FLAT: [8, 8, 8], WIDE: [7, 7, 7]}, WIDE),
        ({USUAL: [10, 10, 10], FLAT: [9, 9, 9]}, USUAL),
        ({USUAL: [10, 10, 10], FLAT: [5, 5]}, USUAL),
        ({USUAL: [10, 10], FLAT: [5, 5]}, USUAL),
        ({USUAL: [30, 30, 30, 10, 30], FLAT: [20, 20, 20, 10, 20]}, USUAL),  # its best round is no faster
        ({USUAL: [10, 40, 10, 10, 10], FLAT: [9, 9, 30, 9, 9]}, USUAL),  # one slow round of the usual format
        ({USUAL: [10, 40, 90, 10, 20], FLAT: [6, 30, 50, 6, 80]}, FLAT),  # a busy machine
    ],
)
def test_another_form_is_taken_only_by_a_clear_margin(times, expected):
    assert fastest_format(times, USUAL) == expected


def test_all_forms_are_timed_in_turn_and_the_network_stays_as_it_was(network):
    before = {name: (tensor.clone(), tensor.data_ptr()) for name, tensor in network.state_dict().items()}
    picture = torch.rand(1, 3, 48, 64) * 255
    seen = network(picture)
    times = measure(network, (48, 64))
    assert set(times) == set(COMPUTE_FORMATS)
    assert len(times[network.form]) == ROUNDS
    assert network.form == USUAL
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name][0])
        assert tensor.data_ptr() == before[name][1]
    assert torch.equal(network(picture), seen)


@pytest.mark.parametrize("form", COMPUTE_FORMATS, ids=str)
def test_a_network_computes_alike_in_every_form(form):
    network = tiny_network(seed=1, dtype=torch.float32)
    picture = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(1)) * 255

    def slope():
        x = picture.clone().requires_grad_(True)
        logits = network(x)
        return logits.detach(), torch.autograd.grad(logits[0, 0].mean(), x)[0]

    logits, gradient = slope()
    with network.trial() as take:
        take(form)
        assert network.form == form
        others = slope()
    for one, other in zip((logits, gradient), others, strict=True):
        assert torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0) > 0.99


def test_measuring_stops_when_asked_and_when_its_time_is_up(network):
    asked = iter([False] * 5)
    times = measure(network, (48, 64), stop=lambda: next(asked, True))
    assert sum(map(len, times.values())) == 1
    clock = iter(float(second) for second in range(1000))
    times = measure(network, (48, 64), clock=lambda: next(clock))
    assert max(map(len, times.values())) < ROUNDS
    assert network.form == USUAL


def test_what_was_found_counts_from_the_next_start_on(tmp_path, network, monkeypatch):
    cache = FormatCache(tmp_path / "cache" / "forms.json")
    assert with_measured_format(CONFIG, 1, cache) is CONFIG
    monkeypatch.setattr("streamer.dream.networks.format_benchmark.measure", lambda *_: {USUAL: [10, 10, 10], WIDE: [5, 5, 5]})
    find_fastest_format(CONFIG, network, (48, 64), 1, cache=cache)
    assert cache.get(format_key(CONFIG, 1)) == WIDE
    network_config = with_measured_format(CONFIG, 1, cache).network
    assert (network_config.precision, network_config.layout) == ("float32", "channels_last")
    assert dtype_for(network_config, torch.device("cpu")) == torch.float32
    assert memory_format_for(network_config) == torch.channels_last
    assert with_measured_format(CONFIG, 2, cache) is CONFIG, "with other threads other things are fast"
    elsewhere = Config(device="cpu", network=NetworkConfig(name="vgg16"))
    assert with_measured_format(elsewhere, 1, cache) is elsewhere
    on_gpu = Config(device="cuda", network=NetworkConfig(name="bundled"))
    assert with_measured_format(on_gpu, 1, cache) is on_gpu
    monkeypatch.setattr("streamer.dream.networks.format_benchmark.measure", lambda *_: pytest.fail("it is known"))
    find_fastest_format(CONFIG, network, (48, 64), 1, cache=cache)


def test_settings_go_before_what_was_measured(tmp_path, network, monkeypatch):
    cache = FormatCache(tmp_path / "forms.json")
    cache.put(format_key(CONFIG, 1), OTHER)

    def of(**asked):
        config = CONFIG.model_copy(update={"network": CONFIG.network.model_copy(update=asked)})
        return with_measured_format(config, 1, cache).network

    assert of(precision="bfloat16").precision == "bfloat16"
    assert of(precision="bfloat16").layout == "auto", "of that precision nothing is known"
    assert of(precision="float32").layout == "channels_first"
    assert (of(layout="channels_last").precision, of(layout="channels_last").layout) == ("float32", "channels_last")
    monkeypatch.setattr("streamer.dream.networks.format_benchmark.measure", lambda *_: pytest.fail("it is not asked"))
    asked = CONFIG.model_copy(update={"network": NetworkConfig(name="bundled", precision="float32")})
    find_fastest_format(asked, network, (48, 64), 1, cache=FormatCache(tmp_path / "other.json"))


def test_nothing_is_kept_of_a_machine_too_busy_to_tell(tmp_path, network, monkeypatch):
    cache = FormatCache(tmp_path / "forms.json")
    monkeypatch.setattr("streamer.dream.networks.format_benchmark.measure", lambda *_: {USUAL: [10, 10], WIDE: [5, 5]})
    find_fastest_format(CONFIG, network, (48, 64), 1, cache=cache)
    find_fastest_format(CONFIG, network, (48, 64), 1, stop=lambda: True, cache=cache)
    assert cache.get(format_key(CONFIG, 1)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"KEY": 3}', '{"KEY": "float16, upside_down"}', "\udcff"])
def test_a_damaged_cache_is_ignored_and_rewritten(tmp_path, text):
    file = tmp_path / "forms.json"
    file.write_bytes(text.replace("KEY", format_key(CONFIG, 1)).encode("utf-8", "surrogateescape"))
    cache = FormatCache(file)
    assert cache.get(format_key(CONFIG, 1)) is None
    cache.put(format_key(CONFIG, 1), FLAT)
    assert cache.get(format_key(CONFIG, 1)) == FLAT
    assert json.loads(file.read_text())[format_key(CONFIG, 1)] == "bfloat16, channels_first"


def test_a_cache_that_cannot_be_written_is_only_logged(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level("INFO", "streamer.dream.compute_formats"):
        FormatCache(tmp_path / "file" / "forms.json").put("key", FLAT)
    (record,) = caplog.records
    assert "cannot be kept in" in record.getMessage()


def test_the_cpu_is_part_of_the_key(tmp_path):
    described = tmp_path / "cpuinfo"
    described.write_text("processor\t: 0\nmodel name\t: Cray X-MP\n")
    assert format_key(CONFIG, 3, str(described)) == f"Cray X-MP | torch {version('torch')} | 3 | bundled"
    assert format_key(CONFIG, 3, str(tmp_path / "none")) != format_key(CONFIG, 3, str(described))
