"""Checks of weight files without torch; torch only makes the files here."""

from __future__ import annotations

import hashlib
import math
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from streamer.dream.networks.registry import ARCHITECTURES
from streamer.dream.networks.weight_checks import CLASSIFIERS, NetworkError, check_weights, intact
from streamer.dream.networks.weights import fetch, read_weights

KEY, SHAPE = CLASSIFIERS["squeezenet1_1"]
TENSORS = {KEY: torch.arange(1.0, 1.0 + math.prod(SHAPE)).reshape(SHAPE), "bias": torch.ones(1000)}


@pytest.fixture(params=["safetensors", "zip", "legacy", "legacy in protocol 4"])
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Write a valid file in each format."""
    file = tmp_path / ("whole.safetensors" if request.param == "safetensors" else "whole.pth")
    if request.param == "safetensors":
        save_file(TENSORS, file)
    else:
        protocol = 4 if request.param.endswith("4") else 2
        torch.save(TENSORS, file, _use_new_zipfile_serialization=request.param == "zip", pickle_protocol=protocol)
    return file


def test_a_whole_file_is_whole(whole: Path) -> None:
    check_weights(whole, "squeezenet1_1", tensors=True)
    check_weights(whole, tensors=True)


def refused(file: Path, why: str, name: str | None = "squeezenet1_1") -> None:
    with pytest.raises(NetworkError, match=why) as caught:
        check_weights(file, name, tensors=True)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def spoilt(whole: Path, change: Callable[[bytearray], object]) -> Path:
    data = bytearray(whole.read_bytes())
    file = whole.with_stem("spoilt")
    file.write_bytes(data if (other := change(data)) is None else bytes(other))  # type: ignore[call-overload]
    return file


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_refused(whole: Path, share: float) -> None:
    file = spoilt(whole, lambda data: data[: int(share * len(data))])
    if whole.suffix == ".pth" and not whole.read_bytes().startswith(b"PK"):  # its length is in its pickles
        with pytest.raises(NetworkError, match="damaged or truncated"):
            read_weights(file)
    else:
        refused(file, "damaged or truncated")


def test_a_changed_byte_is_reported_where_there_is_a_checksum(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "whole.pth")
    file = spoilt(tmp_path / "whole.pth", lambda data: data.__setitem__(len(data) // 2, data[len(data) // 2] ^ 0x10))
    assert not torch.equal(torch.load(file, weights_only=True)[KEY], TENSORS[KEY])  # torch does not notice
    refused(file, "'whole/data/0' in it has another checksum than is noted there")
    with pytest.raises(NetworkError, match="checksum"):
        check_weights(file)
    check_weights(file, most_bytes=1000)  # too large to read completely


def test_a_file_without_checksums_is_taken(tmp_path: Path) -> None:
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(TENSORS, tmp_path / "whole.pth")
    finally:
        torch.serialization.set_crc32_options(before)
    check_weights(tmp_path / "whole.pth", "squeezenet1_1", tensors=True)


def test_the_hash_in_a_name_counts(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "a.safetensors")
    digits = hashlib.sha256((tmp_path / "a.safetensors").read_bytes()).hexdigest()
    other = f"{'0' if digits[0] != '0' else '1'}{digits[1:8]}"
    for name, good in {
        f"net-{digits[:8]}a.safetensors": digits[8] == "a",
        f"net-a{digits[:7]}.safetensors": digits[:8] == f"a{digits[:7]}",
        f"net-f{other}.safetensors": False,
        "net-20260401.safetensors": True,  # a date
        "net-v2.safetensors": True,
    }.items():
        file = (tmp_path / "a.safetensors").rename(tmp_path / name)
        assert intact(file) == good
        if good:
            check_weights(file)
        else:
            refused(file, f"damaged or another file: its SHA-256 starts with {digits[:8]}, unlike its name")
        file.rename(tmp_path / "a.safetensors")


def test_a_network_for_other_classes_is_refused(tmp_path: Path) -> None:
    save_file({KEY: torch.zeros(10, 512, 1, 1)}, tmp_path / "ten.safetensors")
    why = r"'classifier.1.weight' has shape \(10, 512, 1, 1\), expected \(1000, 512, 1, 1\); is it for another network\?"
    refused(tmp_path / "ten.safetensors", why)
    check_weights(tmp_path / "ten.safetensors", "resnet50")  # has no such layer; the reader reports that


@pytest.mark.parametrize("name", sorted(CLASSIFIERS))
def test_the_last_layers_are_those_of_the_networks(name: str) -> None:
    with torch.device("meta"):
        layers = ARCHITECTURES[name].build()
    shape = next(parameter for layer in reversed(layers.values()) for parameter in layer.parameters()).shape
    key, expected = CLASSIFIERS[name]
    assert (shape[0], shape.numel()) == (expected[0], math.prod(expected))
    assert key == "fc.weight" or key.endswith(ARCHITECTURES[name].key_suffix)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run from a weights file",)


def test_pickles_are_not_run_and_files_without_weights_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"a": Evil()}))
    torch.save({"a": Evil()}, tmp_path / "evil.pth")
    torch.save([Evil()], tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "text.pth").write_text("<html>not found</html>")
    (tmp_path / "text.safetensors").write_text("<html>not found</html>")
    (tmp_path / "weights.h5").touch()
    (tmp_path / "folder.pth").mkdir()
    save_file({}, tmp_path / "empty.safetensors")
    for name, why in {
        "plain.pth": "torch.save did not write it",
        "evil.pth": "holds no named tensors",
        "old.pt": "holds no named tensors",
        "text.pth": "torch.save did not write it",
        "text.safetensors": "damaged",
        "weights.h5": r"weights come as \.safetensors, \.pth, \.pt or \.ckpt",
        "none.pth": "there is no such file",
        "folder.pth": "cannot be read: Is a directory",
        "empty.safetensors": "holds no named tensors",
    }.items():
        refused(tmp_path / name, why)
    assert capsys.readouterr().out == ""


def test_no_torch_is_loaded_for_it() -> None:
    code = "import sys, streamer.dream.networks.weight_checks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=300, check=False).returncode == 0


def test_a_damaged_download_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "vgg16-0123abcd.pth").write_bytes(b"cut")
    with pytest.raises(NetworkError, match=r"'network\.download_s' is 0"):
        fetch("vgg16", "VGG16_Weights", cache=tmp_path, limit_s=0)
    assert "vgg16-0123abcd.pth is damaged: its hash is not the one in its name; it is ignored" in caplog.text


@pytest.mark.torch
def test_the_stream_says_so_before_torch_is_there(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes(b"cut")
    call = [sys.executable, "-X", "importtime", "-m", "streamer", "run", "--set", "network.name=squeezenet1_1"]
    call += ["--set", f"network.weights={tmp_path / 'net.safetensors'}", "--set", f"queue.path={tmp_path / 'q.sqlite3'}"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=300, check=False)
    (last,) = (line for line in done.stderr.splitlines() if line.startswith("zoomdream: "))
    assert done.returncode == 1
    assert last.startswith(f"zoomdream: {tmp_path / 'net.safetensors'}: damaged or truncated, or not such a file: ")
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "streamer.commands.run" in imported
    assert not imported & {"torch", "streamer.pipeline"}
