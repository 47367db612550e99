"""How long does one step of the dream take, and how close is that to what the machine can do?

    python benchmarks/step.py                                                       # the bundled network, 840x472
    python benchmarks/step.py --network vgg16 --network squeezenet1_1 --algorithm default --algorithm ink --size 480x270
    python benchmarks/step.py --against ../yesterday --network bundled              # beside another checkout, in turn
    python benchmarks/step.py --network squeezenet1_1 --peers                       # beside lucent and pytorch-deepdream
    python benchmarks/step.py --compile                                             # beside itself through torch.compile

Networks without given weights get random ones, which take as long. A step is the median over rounds, a round the mean over
steps in which the network sees the picture at each of its sizes. The network alone goes forward and back at these sizes. Its
floor is the time of these multiplications at the rate of a large matrix product in the same precision and the same second.
Builds of one case are measured in turn, round by round, each in its own process; "times this build's" is the median ratio over
these pairs of rounds. Our steps follow two classes, lucent's one, pytorch-deepdream's a layer. Two of ours make a keyframe, and
the camera moves at the first, as live; peers have no camera.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from stepping import Facts, Job, Round, median, random_weights, round_steps, serve

HERE = Path(__file__).resolve().parent
NETWORKS = ("bundled", "squeezenet1_1", "vgg16", "googlenet", "resnet50", "squeezenet1_1_caffe")
ALGORITHMS = ("default", "deepdream", "original_2015", "ink")
PEERS_NETWORKS = ("squeezenet1_1", "vgg16")
"""Networks that are measured beside peers."""
ANSWER_S, COMPILED_S = 150.0, 600.0
"""Longest wait for an answer, and for an answer of a compiled build."""
COLUMNS = (
    "build",
    "network, algorithm, size",
    "a step",
    "times this build's",
    "network alone",
    "its floor",
    "floor / step",
    "picture",
    "first step",
    "memory",
)


class Silent(Exception):
    """Something cannot be measured; the text says why."""


class Worker:
    """A process that measures one thing; ``close`` ends it."""

    def __init__(self, job: Job, path: Sequence[Path]) -> None:
        """Set up; ``prepare`` starts it.

        Args:
            job: what it measures.
            path: folders from which it imports.
        """
        self._job, self._path = job, path
        self._process: subprocess.Popen[str] | None = None
        self.facts: Facts | None = None
        self.rounds: list[Round] = []

    def prepare(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            Silent: it cannot be measured.
        """
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, self._path))}
        if self._job.threads:
            environment["OMP_NUM_THREADS"] = str(self._job.threads)
        if self._job.device == "cpu":
            environment["CUDA_VISIBLE_DEVICES"] = ""  # lucent would use it
        command = [sys.executable, str(HERE / "step.py"), "--job", json.dumps(dataclasses.asdict(self._job))]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, env=environment, cwd=self._path[-1], text=True, stdin=pipe, stdout=pipe)
        self.facts = Facts(**self._answer("facts"))

    def round(self) -> None:
        """Measure another round.

        Raises:
            Silent: it has ended.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            print(file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise Silent("it ended") from None
        self.rounds.append(Round(**self._answer("round")))

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _answer(self, what: str) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        limit_s = COMPILED_S if self._job.compiled else ANSWER_S
        late = threading.Timer(limit_s, self._process.kill)
        late.start()
        try:
            line = self._process.stdout.readline()
        finally:
            late.cancel()
        told = json.loads(line) if line else {"cannot": f"it ended without an answer, or took more than {limit_s:g} s"}
        if what not in told:
            raise Silent(told["cannot"])
        return told[what]  # type: ignore[no-any-return]


def measure(workers: dict[str, Worker], steps: int, until_s: float) -> Iterator[str]:
    """Measure workers in turn; drop those that cannot be measured.

    Args:
        workers: by title.
        steps: least number for the first one.
        until_s: latest end, by ``time.monotonic``; each gets at least one round.

    Yields:
        What cannot be measured, and why.
    """

    def each(call: str, titles: Sequence[str]) -> Iterator[str]:
        for title in titles:
            try:
                getattr(workers[title], call)()
            except Silent as error:
                workers.pop(title).close()
                yield f"{title}: cannot be measured: {error}"

    yield from each("prepare", list(workers))
    taken = 0
    while workers and (taken < steps) and (taken == 0 or time.monotonic() < until_s):
        titles = list(workers)
        yield from each("round", titles if taken % 2 == 0 else titles[::-1])
        facts = [worker.facts for worker in workers.values() if worker.facts is not None]
        taken += round_steps(facts[0].cycle) if facts else steps


def rows(workers: dict[str, Worker], what: str, this: str) -> list[str]:
    """Return lines of the table.

    Args:
        workers: by title, measured.
        what: the dream.
        this: title of the one to compare the others with.
    """
    found = []
    for title, worker in workers.items():
        pairs = zip(worker.rounds, workers[this].rounds, strict=False) if this in workers else ()
        times = [theirs.step_s / ours.step_s for theirs, ours in pairs]
        assert worker.facts is not None
        found.append(row(title, what, worker.facts, worker.rounds, times))
    return found


def row(title: str, what: str, facts: Facts, rounds: Sequence[Round], times: Sequence[float]) -> str:
    """Return a line of the table; ``times`` are the rounds' ratios to this build's."""

    def milliseconds(name: str) -> str:
        values = [getattr(each, name) for each in rounds if getattr(each, name) is not None]
        return f"{1000 * median(values):.2f} ms" if values else "-"

    floors = [facts.flops / each.flop_per_s for each in rounds if facts.flops and each.flop_per_s]
    shares = [floor / each.step_s for floor, each in zip(floors, rounds, strict=False)]
    cells = [
        title,
        what,
        milliseconds("step_s"),
        f"{median(list(times)):.2f}" if times else "-",
        milliseconds("alone_s"),
        f"{1000 * median(floors):.2f} ms" if floors else "-",
        f"{median(shares):.1%}" if shares else "-",
        milliseconds("picture_s"),
        f"{1000 * facts.first_s:.0f} ms",
        f"{facts.memory / 1e6:.0f} MB",
    ]
    return f"| {' | '.join(cells)} |"


def heading() -> str:
    """Return the table's first two lines."""
    return f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def size(text: str) -> tuple[int, int]:
    """Parse ``840x472`` as (height, width)."""
    width, _, height = text.partition("x")
    return int(height), int(width)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", action="append", choices=NETWORKS, help="bundled if not given; may be repeated")
    parser.add_argument("--algorithm", action="append", choices=ALGORITHMS, help="default if not given; may be repeated")
    parser.add_argument("--size", action="append", type=size, metavar="WxH", help="840x472 if not given; may be repeated")
    parser.add_argument("--weights", action="append", default=[], metavar="NETWORK=FILE", help="random ones if not given")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, default=0, help="as many as torch takes if not given")
    parser.add_argument("--busy", action="store_true", help="count processor time, where others use the machine; --threads 1")
    parser.add_argument("--steps", type=int, default=24, help="of each, at least")
    parser.add_argument("--seconds", type=float, default=600.0, help="of all together; what comes later is left out")
    parser.add_argument("--against", type=Path, help="another checkout, measured in turn")
    parser.add_argument("--compile", action="store_true", help="this build through torch.compile, measured in turn")
    parser.add_argument("--peers", action="store_true", help="lucent and pytorch-deepdream, measured in turn")
    parser.add_argument("--peers-in", type=Path, metavar="FOLDER", help="where lucent is, or is put")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        told = json.loads(options.job)
        serve(Job(**told | {"size": tuple(told["size"])}))
        return
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        print("there is no CUDA here, so that nothing can be measured on it", file=sys.stderr)
        sys.exit(2)
    device = "cuda" if options.device != "cpu" and torch.cuda.is_available() else "cpu"
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sys.exit(compare(options, device, scratch))


def compare(options: argparse.Namespace, device: str, scratch: Path) -> int:
    """Measure all that was requested and print each result.

    Args:
        options: from the command line.
        device: ``cpu`` or ``cuda``.
        scratch: a folder for weights and peers.

    Returns:
        0, or 1 if nothing could be measured.
    """
    begun = time.monotonic()
    silent: list[str] = []
    peers: dict[str, str] = {}
    beside = options.peers_in or scratch / "peers"
    if options.peers:
        from peers import KINDS, install

        peers = dict(KINDS)
        if why := install(beside):
            silent.append(f"lucent cannot be installed: {why}")
            peers.pop("lucent"), peers.pop("lucent frozen")
    given = dict(text.split("=", 1) for text in options.weights)
    networks, algorithms, sizes = options.network or ["bundled"], options.algorithm or ["default"], options.size or [(472, 840)]
    jobs = list(itertools.product(networks, algorithms, sizes))
    printed = False
    for number, (network, algorithm, (height, width)) in enumerate(jobs):
        what = f"{network}, {algorithm}, {width}x{height}"
        left_s = options.seconds - (time.monotonic() - begun)
        if left_s <= 0:
            silent.append(f"{what}: left out, for the time is up")
            continue
        weights = weights_of(network, given, scratch)
        job = Job(network, algorithm, (height, width), device, options.threads, weights, options.busy and device == "cpu")
        workers = {"this build": Worker(job, [HERE.parent])}
        try:
            if options.against:
                workers["the other"] = Worker(job, [options.against.resolve()])
            if options.compile:
                workers["this build, compiled"] = Worker(dataclasses.replace(job, compiled=True), [HERE.parent])
            for kind, title in peers.items() if network in PEERS_NETWORKS else ():
                workers[title] = Worker(dataclasses.replace(job, kind=kind), [beside.resolve(), HERE.parent])
            until_s = time.monotonic() + left_s / (len(jobs) - number)
            silent += [f"{what}, {line}" for line in measure(workers, options.steps, until_s)]
            lines = rows(workers, what, "this build")
            if lines and not printed:
                facts = next(iter(workers.values())).facts
                assert facts is not None
                print(f"{facts.machine}\n\n{heading()}")
                printed = True
            for line in lines:
                print(line, flush=True)
        finally:
            for worker in workers.values():
                worker.close()
    for line in silent:
        print(f"\n{line}")
    return 0 if printed else 1


def weights_of(network: str, given: dict[str, str], scratch: Path) -> str | None:
    """Return a network's file: the given one or random weights; None for the bundled network's own."""
    if network in given or network == "bundled":
        return str(Path(given[network]).resolve()) if network in given else None
    file = scratch / f"{network}.safetensors"
    if not file.exists():
        from safetensors.torch import save_file

        save_file(random_weights(network), file)
    return str(file)


if __name__ == "__main__":
    main()
