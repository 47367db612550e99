"""Run Ray nodes on both sides of an emulated link: this machine is the head, and "far" nodes join over the link.

    with Link(Condition(rate_mbit=100, delay_s=0.010)) as link, cluster_over(link) as cluster:
        subprocess.run([…, "--ray", cluster.address], env={**os.environ, **cluster.environment})
        cluster.far[0].kill()
        cluster.add_far()

Each node has its own namespace of process ids, so that killing it ends all its processes at the same moment, as a power cut
does. Nodes run only on the last CPU, so that their start slows the streamer down less: real nodes are other machines.
Ray's token authentication is on; ``cluster.environment`` holds the credentials of a program.

python -m tests.acceptance.ray_nodes          how soon nodes join, and how soon the head detects that one is gone
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.acceptance.figures import Figures, note
from tests.acceptance.link import ROOT, Condition, Link, missing
from tests.acceptance.stream import eventually

STORE_BYTES = 200 * 2**20
"""Size of a node's object store, which holds arguments and results of tasks."""
START_S, END_S = 90.0, 15.0
STARTED = "Ray runtime started."
RAY = (sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats")
OWN_IDS = ("unshare", "--pid", "--kill-child", "--mount-proc", "--")
"""Command prefix that starts a program in a new namespace of process ids; all its processes end with ``unshare``."""
LAST_CPU = ("taskset", "--cpu-list", str(max(os.sched_getaffinity(0))))
"""Command prefix that confines a program and its children to one CPU."""
SIGNS = {"RAY_USAGE_STATS_ENABLED": "0", "GRPC_ENABLE_FORK_SUPPORT": "0"}
"""Environment variables; without the second, the process that a head forks for a client may crash in gRPC."""
AUTH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"


class RayNodeError(Exception):
    """A node did not start; the message contains its output."""


class RayNode:
    """One ``ray start --block`` and all its child processes."""

    def __init__(self, call: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Start the node and wait until it has joined its cluster."""
        self.log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                call, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        if not eventually(lambda: STARTED in log.read_text() or self.process.poll() is not None, START_S) or self.ended:
            self.kill()
            raise RayNodeError(f"a node did not start: {' '.join(call)}\n{log.read_text()}")

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        """Kill all its processes immediately, without a shutdown."""
        self._end(signal.SIGKILL)

    def end(self) -> None:
        """Let the node leave its cluster, then kill remaining processes."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        family = descendants(self.process.pid)
        if number == signal.SIGKILL:
            _kill(family)
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_S)
        self.process.kill()
        self.process.wait(END_S)
        _kill(family)


class RayNodes:
    """A cluster: a head here, and nodes on both sides of a link."""

    def __init__(self, link: Link, folder: Path, *, head_cpus: int, system: Mapping[str, object]) -> None:
        self._link, self._folder = link, folder
        self._count = 0
        self.far: list[RayNode] = []
        """Far nodes in the order they were added, including ended ones."""
        self.near: list[RayNode] = []
        self.environment = dict(zip(AUTH, ("token", secrets.token_hex(32)), strict=True))
        """Environment variables with a program's credentials; set them before it imports Ray."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        path = os.pathsep.join([str(ROOT), *filter(None, [inherited.get("PYTHONPATH")])])
        self._environment = {**inherited, **self.environment, **SIGNS, "PYTHONPATH": path}
        port, client_port = free_ports(link.near, 2)
        self.address = f"{link.near}:{port}"
        """Address for programs here, which use this machine as their node."""
        self.client_address = f"ray://{link.near}:{client_port}"
        """Address for programs on either side that are not part of the cluster."""
        options = [f"--port={port}", f"--ray-client-server-port={client_port}", "--include-dashboard=false"]
        self.head = self._start(
            [], ["--head", *options, *([f"--system-config={json.dumps(system)}"] if system else [])], head_cpus
        )

    def add_far(self, cpus: int = 1, resources: Mapping[str, float] | None = None) -> RayNode:
        """Start another node on the far side."""
        node = self._start(
            [*self._link.inside, *LAST_CPU, *OWN_IDS], [f"--address={self.address}"], cpus, resources, self._link.far
        )
        self.far.append(node)
        return node

    def add_near(self, cpus: int = 1, resources: Mapping[str, float] | None = None) -> RayNode:
        """Start another node on this side, besides the head."""
        node = self._start([*LAST_CPU, *OWN_IDS], [f"--address={self.address}"], cpus, resources)
        self.near.append(node)
        return node

    def _start(
        self,
        through: Sequence[str],
        options: Sequence[str],
        cpus: int,
        resources: Mapping[str, float] | None = None,
        address: str | None = None,
    ) -> RayNode:
        self._count += 1
        folder = self._folder / str(self._count)  # short: paths of sockets have at most 107 characters
        folder.mkdir()
        call = [*through, *RAY, *options, f"--node-ip-address={address or self._link.near}", f"--temp-dir={folder}"]
        call += [
            f"--num-cpus={cpus}",
            "--num-gpus=0",
            f"--object-store-memory={STORE_BYTES}",
            "--dashboard-agent-listen-port=0",
        ]
        call += [f"--resources={json.dumps(resources)}"] if resources else []
        return RayNode(call, self._environment, folder / "start.log")

    def close(self) -> None:
        """End all nodes, the head last."""
        for node in (*self.far, *self.near):
            node.kill()
        self.head.end()


@contextlib.contextmanager
def cluster_over(
    link: Link,
    *,
    head_cpus: int = 1,
    far_cpus: int = 1,
    resources: Mapping[str, float] | None = None,
    system: Mapping[str, object] | None = None,
) -> Iterator[RayNodes]:
    """Start a head here and one node on the far side; remove all their processes and files afterwards.

    Args:
        resources: Resources of the far node besides CPUs, such as ``{"dream": 1}``, to place tasks there.
        system: Ray's system settings, such as ``{"health_check_period_ms": 500}``; Ray's defaults if not given.

    Raises:
        RayNodeError: A node did not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="zd", dir="/tmp"))
    try:
        cluster = RayNodes(link, folder, head_cpus=head_cpus, system=system or {})
        try:
            cluster.add_far(far_cpus, resources)
            yield cluster
        finally:
            cluster.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_ports(address: str, count: int) -> list[int]:
    """Return free ports of an address."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((address, 0))
        return [int(each.getsockname()[1]) for each in sockets]


def descendants(process_id: int) -> dict[int, str]:
    """Return all direct and indirect child processes of a process: the start time of each, by id."""
    parents: dict[int, int] = {}
    began: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if fields := _fields(int(folder.name)):
            parents[int(folder.name)], began[int(folder.name)] = int(fields[1]), fields[19]
    found: dict[int, str] = {}
    new = {process_id}
    while new:
        new = {child for child, parent in parents.items() if parent in new and child not in found}
        found |= {child: began[child] for child in new}
    return found


def _kill(processes: Mapping[int, str]) -> None:
    """Kill the processes whose start time is unchanged."""
    for process_id, began in processes.items():
        fields = _fields(process_id)
        if fields and fields[19] == began:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)


def _fields(process_id: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` from the state on; empty if the process is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return []


def main() -> None:
    if lacking := missing():
        sys.exit(f"{lacking}; nothing was measured")
    figures = Figures()
    began_s = time.monotonic()
    with Link(Condition(rate_mbit=100, delay_s=0.010)) as link, cluster_over(link, resources={"dream": 1}) as cluster:
        note(f"a head and a far node are there after {time.monotonic() - began_s:.1f} s, {cluster.address}")
        os.environ.update(cluster.environment)
        from streamer.cluster import connect

        with connect(cluster.address) as reached:
            names = [node.name for node in reached.nodes() if node.alive]
            figures.holds("both nodes are there", sorted(names) == sorted([link.near, link.far]), ", ".join(names))
            where = reached.ray.remote(ray_address).options(resources={"dream": 1}).remote()
            figures.holds("what needs its resource runs on the far one", reached.ray.get(where, timeout=START_S) == link.far)
            cluster.far[0].kill()
            killed_s = time.monotonic()
            figures.holds("a killed node is known to be gone", eventually(lambda: len(_alive(reached.ray)) == 1, 60.0))
            note(f"after {time.monotonic() - killed_s:.1f} s")
            began_s = time.monotonic()
            cluster.add_far()
            figures.holds("another one takes its place", len(_alive(reached.ray)) == 2)
            note(f"after {time.monotonic() - began_s:.1f} s")
            link.cut()
            cut_s = time.monotonic()
            figures.holds("a node behind a cut is known to be gone", eventually(lambda: len(_alive(reached.ray)) == 1, 90.0))
            note(f"after {time.monotonic() - cut_s:.1f} s")
        family = descendants(cluster.head.process.pid)
    figures.holds(
        "no process of the head is left", not [each for each, began in family.items() if _fields(each)[19:20] == [began]]
    )
    sys.exit(figures.end())


def ray_address() -> str:
    """Return the address of the node that runs this task."""
    import ray

    return str(ray.util.get_node_ip_address())


def _alive(ray: object) -> list[object]:
    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
