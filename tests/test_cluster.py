"""Reaching a cluster: addresses, errors when there is none, and what its nodes have."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from streamer import cluster
from streamer.cluster import KINDS, ClusterError, connect, one_line
from streamer.cluster_nodes import Node, Versions, compare, fitting

OURS = Versions(zoomdream="0.2.0", python="3.11.2", torch="2.13.0+cpu", ray="2.60.0")


def node(name: str = "10.0.0.2", versions: Versions | None = OURS, *, alive: bool = True, problem: str = "") -> Node:
    return Node(name, name, name, alive=alive, cpus=2, gpus=0, versions=versions, problem=problem)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.mark.parametrize("address", ["", "here", "ray:/there:1", "http://there:1", "a b:1", "there:port", "ray://"])
def test_what_is_no_address(address):
    with pytest.raises(ClusterError) as told:
        connect(address)
    assert str(told.value) == f"'{address}' is not the address of a cluster; must be {KINDS}"


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"a cluster needs Ray, which is not installed: pip install 'zoomdream\[ray\]'"):
        connect("auto")


def test_without_grpcio_a_client_cannot_be(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(ClusterError, match=r"an address with ray:// needs grpcio, which is not installed: pip install"):
        connect("ray://127.0.0.1:10001")


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_where_nobody_listens(scheme):
    pytest.importorskip("ray")
    if scheme:
        pytest.importorskip("grpc")
    address = f"{scheme}127.0.0.1:{free_port()}"
    with pytest.raises(ClusterError) as told:
        connect(address)
    assert str(told.value).startswith(f"no cluster at '{address}': Connection refused (127.0.0.1:")
    assert "ray start --head" in str(told.value)


def test_another_version_of_ray_is_reported_in_one_line():
    error = RuntimeError(
        "Version mismatch: The cluster was started with:\n    Ray: 2.52.0\n    Python: 3.12.1\n"
        "This process on node 10.0.0.1 was started with:\n    Ray: 2.60.0\n    Python: 3.11.2\n"
    )
    assert cluster._reason(error, "10.0.0.1:6379") == (
        "the cluster at '10.0.0.1:6379' has Ray 2.52.0 with Python 3.12.1, this is Ray 2.60.0 with Python 3.11.2: "
        "use the same on both"
    )


def test_a_refused_token_is_reported_with_where_it_belongs():
    told = cluster._reason(ConnectionError("StatusCode.UNAUTHENTICATED: Invalid token"), "10.0.0.1:6379")
    assert "refuses this program" in told
    assert "RAY_AUTH_MODE=token" in told
    assert "RAY_AUTH_TOKEN_PATH" in told
    told = cluster._reason(ConnectionError("ray client connection timeout"), "ray://10.0.0.1:10001")
    assert told.startswith("the server at 'ray://10.0.0.1:10001' is not the head of a cluster, is overloaded, or refuses ")


def test_a_client_without_a_process_is_reported_with_a_likely_cause():
    error = ConnectionAbortedError(
        "Initialization failure from server:\nTraceback (most recent call last):\nRuntimeError: no port"
    )
    told = cluster._reason(error, "ray://10.0.0.1:10001")
    assert told.endswith("has no process for this program: RuntimeError: no port; is its head overloaded?")


def test_an_error_of_many_lines_becomes_one():
    assert one_line(ValueError("first\n  second")) == "first"
    assert one_line(ValueError("\x1b[36mray::answer()\x1b[39m (pid=1)\n  File\nModuleNotFoundError: streamer")) == (
        "ModuleNotFoundError: streamer"
    )
    assert one_line(ValueError("")) == "ValueError"
    assert len(one_line(ValueError("x" * 1000))) == 300


@pytest.mark.parametrize(
    ("versions", "text", "fits"),
    [
        (replace(OURS, zoomdream="0.1.0"), "has zoomdream 0.1.0, this is 0.2.0: install the same on both", False),
        (replace(OURS, zoomdream=""), "has no zoomdream; install 0.2.0 there", False),
        (replace(OURS, torch=""), "has no torch; the installation of zoomdream there is incomplete", False),
        (replace(OURS, torch="2.12.1"), "has torch 2.12.1, this is 2.13.0+cpu: its pixels may differ", True),
        (replace(OURS, python="3.12.2"), "has Python 3.12.2, this is 3.11.2: use the same on both", False),
        (replace(OURS, ray="2.59.0"), "has Ray 2.59.0, this is 2.60.0: install the same on both", False),
        (None, "does not report its versions: no answer", False),
    ],
)
def test_what_differs_is_said_in_words(versions, text, fits):
    odd, same = node(versions=versions), node("10.0.0.3")
    (found,) = compare([odd, same], OURS)
    assert (found.node, found.text, found.fits) == (odd, f"node 10.0.0.2 {text}", fits)
    assert fitting([odd, same], [found]) == ((odd, same) if fits else (same,))


def test_what_makes_no_difference_is_not_said():
    cuda, patched = replace(OURS, torch="2.13.0+cu130"), replace(OURS, python="3.11.9")
    dead = node("10.0.0.4", None, alive=False)
    nodes = [node(), node("10.0.0.5", cuda), node("10.0.0.6", patched), dead]
    assert compare(nodes, OURS) == ()
    assert fitting(nodes, ()) == tuple(nodes[:3])


def test_nothing_imports_ray_that_does_not_want_a_cluster():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import streamer.cluster, sys; print([name for name in ('ray', 'grpc') if name in sys.modules])",
        ],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "[]"
