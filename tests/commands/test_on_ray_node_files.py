"""Which files are sent to nodes, and which of them nodes keep."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

from streamer.commands.on_ray import node_files
from streamer.commands.on_ray.node_files import dream_settings, pictures, received, sent_guides, weights
from streamer.commands.on_ray.node_pool import NodePool
from streamer.config import Config
from streamer.dream.networks.weight_checks import NetworkError
from streamer.messages.scenes import Scene, Target, arrange


class Sender:
    """Sends nothing: the reference to a value is the value itself."""

    device = "cpu"

    def put(self, value: object) -> object:
        return value


CREW = cast(NodePool, Sender())


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create the caches of the sender and of a node; ``on_node`` switches from the first to the second."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(node_files, "fetched", lambda content: content)
    monkeypatch.setattr(node_files, "cache_folder", lambda: tmp_path / "here")
    monkeypatch.setattr("streamer.dream.networks.weights.weight_folders", lambda: (node_files.cache_folder(),))


def on_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(node_files, "cache_folder", lambda: tmp_path / "there")
    return tmp_path / "there"


def cached(folder: Path, content: bytes = b"as downloaded") -> Path:
    file = folder / f"squeezenet1_1-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    file.write_bytes(content)
    return file


def settings(**network: Any) -> Config:
    return Config.model_validate_json(json.dumps({"network": network}))


def test_weights_that_are_here_are_kept_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = cached(tmp_path / "here")
    sent = weights(settings(name="squeezenet1_1"), CREW)
    assert [(parcel.network, parcel.file, parcel.given) for parcel in sent] == [("squeezenet1_1", file.name, False)]
    there = on_node(tmp_path, monkeypatch)
    assert received(sent) is None, "it is found where downloads are"
    assert [each.name for each in there.iterdir()] == [file.name]
    assert (there / file.name).read_bytes() == b"as downloaded"


def test_a_node_that_has_them_is_sent_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached(tmp_path / "here")
    sent = weights(settings(name="squeezenet1_1"), CREW)
    cached(on_node(tmp_path, monkeypatch), b"its own")
    monkeypatch.setattr(node_files, "fetched", lambda content: pytest.fail("sent"))
    assert received(sent) is None


def test_what_is_not_here_is_left_to_the_nodes() -> None:
    assert weights(settings(name=["squeezenet1_1", "bundled"]), CREW) == ()


def test_a_file_that_the_settings_name_is_sent_always_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamer.dream.networks.bundled import shipped

    sent = weights(settings(name="bundled", weights=str(shipped())), CREW)
    there = on_node(tmp_path, monkeypatch)
    place = received(sent)
    assert place == there / sent[0].file
    assert place.read_bytes() == shipped().read_bytes()
    monkeypatch.setattr(node_files, "fetched", lambda content: pytest.fail("sent again"))
    assert received(sent) == place


def test_files_by_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamer.dream.networks.bundled import shipped

    config = settings(name=["squeezenet1_1", "bundled"], weights={"bundled": str(shipped())})
    sent = weights(config, CREW)
    there = on_node(tmp_path, monkeypatch)
    assert received(sent) == {"bundled": there / sent[0].file}


def test_a_missing_weights_file_is_reported_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="there is no such file"):
        weights(settings(name="bundled", weights=str(tmp_path / "none.safetensors")), CREW)


def test_a_node_is_sent_no_file_paths_no_addresses_and_no_secrets(tmp_path: Path) -> None:
    source = {"kind": "camera", "path": "rtsp://ann:secret@camera/1", "mix": 0.6}
    told = {"web": {"token": "a secret of some length"}, "network": {"weights": str(tmp_path)}, "source": source}
    sent = dream_settings(Config.model_validate_json(json.dumps(told)), "cpu")
    assert "secret" not in json.dumps(sent)
    assert str(tmp_path) not in json.dumps(sent)
    assert sent["source"]["mix"] == 0.6
    assert Config.model_validate_json(json.dumps(sent)).source.mix == 0.6


def test_guides_are_sent_as_pictures_by_the_name_that_the_scene_has(tmp_path: Path) -> None:
    file = tmp_path / "guide.png"
    Image.new("RGB", (6, 4), (1, 2, 3)).save(file)
    guide = Target("", "guide", layer="conv2", guide=str(file))
    sent = sent_guides((Scene(1, arrange([guide])), Scene(2, arrange([guide, Target("n1", "one")]))), CREW)
    (found,) = pictures(sent).items()
    assert found[0] == str(file)
    assert np.array_equal(found[1], np.full((4, 6, 3), (1, 2, 3)))
    assert found[1].flags.writeable, "torch warns of pictures that cannot be written to"
