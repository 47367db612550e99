"""What ``zoomdream check`` reports about a cluster, its nodes and the link to it."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamer.__main__ import app
from streamer.cluster import ClusterError
from streamer.cluster_nodes import Node, Versions
from streamer.cluster_nodes import here as here_
from streamer.commands import check_ray
from streamer.commands.check_ray import look_at_stream, look_for_room
from streamer.commands.finding import Finding, Level
from streamer.config import Config
from streamer.link_probe import LinkFigures
from streamer.settings_file import load

GOOD, WARNING, BLOCKER = Level


def config(*overrides: str) -> Config:
    return load(None, overrides, {})


def node(name: str = "10.0.0.2", *, cpus: float = 8, gpus: float = 1, free_cpus: float = 8, free_gpus: float = 1) -> Node:
    return Node(
        name, name, name, alive=True, cpus=cpus, gpus=gpus, accelerator="H200", free_cpus=free_cpus, free_gpus=free_gpus,
        versions=here_(),
    )  # fmt: skip


def link(mbit: float, round_trip_s: float = 0.02) -> LinkFigures:
    return LinkFigures(round_trip_s, mbit, mbit)


@pytest.mark.parametrize(
    ("overrides", "nodes", "level", "text"),
    [
        ((), [node()], GOOD, "for 1 stream with 1 GPU and 1 CPU each"),
        (
            ("renderer.gpus=0.5",),
            [node(), node("10.0.0.3", gpus=2, free_gpus=1.5)],
            GOOD,
            "for 5 streams with 0.5 GPU and 1 CPU each",
        ),
        (("renderer.gpus=0.25",), [node(free_cpus=3)], GOOD, "for 3 streams with 0.25 GPU and 1 CPU each"),
        (("renderer.gpus=0", "renderer.cpus=3"), [node()], GOOD, "for 2 streams with 3 CPUs each"),
        (
            (),
            [node(free_gpus=0.5)],
            WARNING,
            "the cluster is busy: a stream waits until a node has 1 GPU and 1 CPU free, and",
        ),
        (("renderer.fallback=none",), [node(free_gpus=0)], WARNING, "CPU free, and does not start before"),
        (
            (),
            [node(gpus=0)],
            BLOCKER,
            "no node has the 1 GPU and 1 CPU that 'renderer' asks for; with 'renderer.gpus: 0' it dreams",
        ),
        (("renderer.gpus=0", "renderer.cpus=9"), [node()], BLOCKER, "no node has the 9 CPUs that 'renderer' asks for"),
    ],
)
def test_room(overrides: tuple[str, ...], nodes: Sequence[Node], level: Level, text: str) -> None:
    found = look_for_room(nodes, config(*overrides))
    assert (found.level, text in found.text) == (level, True), found.text


@pytest.mark.parametrize(
    ("overrides", "found", "level", "text"),
    [
        ((), link(5000, 0.001), GOOD, "10.0.0.2 can send them uncompressed"),
        ((), link(1000, 0.08), GOOD, "can send them as jpeg 95"),
        ((), link(100), GOOD, "can send them as jpeg 95"),
        ((), link(5), GOOD, "can send them as h264"),
        ((), link(0.2), WARNING, "a smaller canvas or a longer dream.keyframe_s needs less"),
        (
            ("renderer.compress=none",),
            link(20),
            WARNING,
            "a second uncompressed: with 'renderer.compress: auto' they may be more",
        ),
        (("renderer.compress=none",), link(5000), GOOD, "can send them uncompressed"),
        (("renderer.compress=h264",), link(20), GOOD, "can send them as h264"),
    ],
)
def test_the_stream(overrides: tuple[str, ...], found: LinkFigures, level: Level, text: str) -> None:
    told = look_at_stream(node(), found, config("canvas.width=640", "dream.keyframe_s=0.1", *overrides))
    assert (told.level, text in told.text) == (level, True), told.text
    assert told.text.startswith("up to 10 keyframes of 640x360 a second take about 55.3 Mbit/s uncompressed, ")


def test_a_slow_link_is_reported_with_the_rate_it_carries() -> None:
    """10 pictures a second take 55.3 Mbit/s: 20 Mbit/s carry 3.6, and a part of that is left for other traffic."""
    told = look_at_stream(node(), link(20), config("canvas.width=640", "dream.keyframe_s=0.1", "renderer.compress=none"))
    assert "10.0.0.2 can send 2.5 a second uncompressed" in told.text


def test_a_source_picture_comes_along() -> None:
    rides = ("source.kind=video", "source.path=rtsp://camera.example.org/1")
    told = look_at_stream(node(), link(1000), config("canvas.width=640", "dream.keyframe_s=0.1", *rides))
    assert "keyframes of 640x360 a second, each with its source picture, take about 111 Mbit/s uncompressed" in told.text


def test_the_canvas_is_that_of_the_nodes_device() -> None:
    for gpus, size in ((1, "960x540"), (0, "480x270")):
        assert f"keyframes of {size} a second" in look_at_stream(node(), link(100), config(f"renderer.gpus={gpus}")).text


@pytest.mark.torch  # nodes without torch are not used
def test_what_differs_stops_only_where_no_node_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reached:
        home = "10.0.0.3"

        def __init__(self, nodes: Sequence[Node]) -> None:
            self.found = nodes

        def __enter__(self) -> Reached:
            return self

        def __exit__(self, *ended: object) -> None:
            pass

        def nodes(self) -> Sequence[Node]:
            return self.found

    ours = here_()
    old = Versions("0.0.1", ours.python, ours.torch, ours.ray)
    good = node("10.0.0.3", gpus=0)
    bad = Node("10.0.0.2", "10.0.0.2", "10.0.0.2", alive=True, cpus=2, gpus=0, versions=old)
    gone = Node("10.0.0.4", "10.0.0.4", "10.0.0.4", alive=False, cpus=2, gpus=0)
    monkeypatch.setattr(check_ray, "connect", lambda address: Reached([bad, gone]))
    (_, cluster), (topic, found) = check_ray.look_at_cluster(config(), "auto")
    assert cluster.text.startswith("auto: 1 node (1 more is gone) with 0 GPUs and 2 CPUs; here are zoomdream ")
    assert (topic, found.level) == ("node", BLOCKER)
    assert f"has zoomdream 0.0.1, this is {ours.zoomdream}: install the same on both" in found.text
    monkeypatch.setattr(check_ray, "connect", lambda address: Reached([bad, good]))
    told = list(check_ray.look_at_cluster(config("renderer.gpus=0"), "auto"))
    assert [(topic, found.level) for topic, found in told] == [
        ("cluster", GOOD),
        ("node", GOOD),
        ("node", WARNING),
        ("room", GOOD),
        ("link", GOOD),
    ]
    assert "10.0.0.3 is this machine: nothing has to cross a network" in told[-1][1].text


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})


@pytest.mark.parametrize(
    ("call", "address"),
    [
        (["check", "--ray"], "auto"),
        (["check", "--ray", "--set", "zoom.speed=1.1"], "auto"),
        (["check", "--ray", "{config}"], "10.0.0.9:1"),
        (["check", "{config}", "--ray"], "10.0.0.9:1"),
        (["check", "{config}", "--ray", "ray://10.0.0.1:10001"], "ray://10.0.0.1:10001"),
        (["check", "--ray", "10.0.0.1:6379"], "10.0.0.1:6379"),
    ],
)
def test_the_address_may_be_left_to_the_config(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: list[str], address: str
) -> None:
    file = tmp_path / "live.yaml"
    file.write_text("renderer:\n  address: 10.0.0.9:1\n")
    asked: list[str] = []
    monkeypatch.setattr(check_ray, "look_at_cluster", lambda config, address: asked.append(address) or iter(()))
    answer = runner.invoke(app, [part.replace("{config}", str(file)) for part in call])
    assert answer.exit_code == 0, answer.output
    assert asked == [address]


def test_without_a_cluster_it_is_one_line_and_exit_code_2(runner: CliRunner) -> None:
    pytest.importorskip("ray")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        answer = runner.invoke(app, ["check", "--ray", address])
    assert answer.exit_code == 2
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"zoomdream: no cluster at '{address}': Connection refused")


@pytest.mark.parametrize(
    ("fallback", "meanwhile"), [("local", "the stream dreams here until then"), ("none", "the stream does not start before")]
)
def test_a_stream_that_is_to_dream_on_a_cluster_needs_one(
    monkeypatch: pytest.MonkeyPatch, fallback: str, meanwhile: str
) -> None:
    wants = config("renderer.where=ray", "renderer.address=10.0.0.1:6379", f"renderer.fallback={fallback}")

    def nowhere(address: str) -> None:
        raise ClusterError(f"no cluster at '{address}'")

    monkeypatch.setattr(check_ray, "connect", nowhere)
    text = f"no cluster at '10.0.0.1:6379'; {meanwhile}"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert list(check_ray.look_at_renderer(wants)) == [Finding(WARNING, text)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert list(check_ray.look_at_renderer(wants)) == [Finding(BLOCKER, text)]
    assert list(check_ray.look_at_renderer(config())) == []
