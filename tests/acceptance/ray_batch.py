"""Render an atlas and a batch of pictures on a local cluster, with one worker, with two, and with one of two killed.

python -m tests.acceptance.ray_batch            # 60 classes, 20 pictures; about twenty minutes on two idle cores
python -m tests.acceptance.ray_batch --short    # 8 classes, 4 pictures, to check that it works

Each worker is a node with one CPU and one thread. The times are of the whole command, with its start and the workers'.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tests.acceptance.figures import Figures, note
from tests.acceptance.stream import ROOT
from tests.ray_cluster import at_work, ray_environment, started

NETWORK = ["--set", "network.name=bundled", "--set", "device=cpu"]
FASTER = 1.8
"""Least speed of two workers, as a multiple of one."""
KILL_SHARE = 0.4
"""Share of the pictures that exist when a worker is killed."""


class Work:
    """A command that makes many pictures."""

    def __init__(self, name: str, words: list[str], output: str, pictures: int) -> None:
        self.name, self.pictures = name, pictures
        self._words, self._output = words, output

    def run(self, place: Path, *more: str, kill: str = "") -> tuple[float, str]:
        """Make the pictures in a folder; return the seconds it took, and the output.

        Args:
            kill: Address of the cluster of which a worker is killed on the way.
        """
        output = place / self._output
        command = [sys.executable, "-m", "streamer", *self._words, *NETWORK, "-o", str(output), *more]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        begun_s = time.monotonic()
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            if kill:
                threading.Thread(target=self._kill, args=(place, kill), daemon=True).start()
            assert process.stdout is not None
            told = process.stdout.read()
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{told}")
        return time.monotonic() - begun_s, told

    def made(self, place: Path) -> dict[str, bytes]:
        """Return the pictures in a folder, by name."""
        return {file.name: file.read_bytes() for file in place.rglob("*.png") if not file.name.startswith(".")}

    def _kill(self, place: Path, address: str) -> None:
        for _ in range(36_000):
            if len(self.made(place)) >= KILL_SHARE * self.pictures and (found := at_work(address, "dream_")):
                note(f"killing worker {found[0]} with {len(self.made(place))} pictures done")
                os.kill(found[0], signal.SIGKILL)
                return
            time.sleep(0.1)


def classes(count: int) -> list[str]:
    """Return some classes of the bundled networks, by WordNet id."""
    import torch

    from streamer.config import NetworkConfig
    from streamer.dream.networks.loading import load
    from streamer.requests.vocabulary import Vocabulary

    wnids = load(NetworkConfig(name="bundled"), torch.device("cpu")).wnids
    entries = Vocabulary.load().for_network(wnids).search("", len(wnids))
    return [entry.label for entry in entries if entry.available][:count]


def photos(folder: Path, count: int) -> Path:
    """Make a folder of different pictures in soft colours."""
    folder.mkdir()
    for number in range(count):
        coarse = np.random.default_rng(number).integers(40, 220, (5, 7, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC).save(folder / f"{number:02d}.png")
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a few pictures: too few for the ratio to mean something")
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--only", choices=["atlas", "pictures"])
    arguments = parser.parse_args()
    short, figures = arguments.short, Figures()
    iterations = str(8 if short else arguments.iterations)
    with tempfile.TemporaryDirectory() as name, ray_environment():
        folder = Path(name)
        names = classes(8 if short else 60)
        pictures = photos(folder / "photos", 4 if short else 20)
        works = [
            Work("atlas", ["atlas", *names, "--size", "160x160", "--iterations", iterations], "atlas", len(names)),
            Work(
                "pictures",
                ["render", "pictures", str(pictures), "--class", "goldfish", "--iterations", iterations, "--seed", "1"],
                "out",
                4 if short else 20,
            ),
        ]
        for work in [each for each in works if arguments.only in (None, each.name)]:
            note(f"{work.name}: {work.pictures}, {iterations} iterations each")
            here = folder / f"{work.name}-here"
            here.mkdir()
            took_s, _ = work.run(here)
            note(f"here, one thread: {took_s:.1f} s")
            seconds: dict[int, float] = {}
            for workers in (1, 2):
                place = folder / f"{work.name}-{workers}"
                place.mkdir()
                with started((1,) * workers) as cluster:
                    seconds[workers], told = work.run(place, "--ray", cluster.address, "--ray-cpus", "1")
                note(f"{workers} of one thread: {seconds[workers]:.1f} s; it told: {'; '.join(told.splitlines()[:3])}")
                figures.holds(f"{work.name}, {workers}: the same pictures", work.made(place) == work.made(here))
            ratio = seconds[1] / seconds[2]
            if short:
                note(f"{work.name}: {ratio:.2f} times as fast with two")
            else:
                figures.at_least(f"{work.name}: times as fast with two workers", ratio, FASTER)
            place = folder / f"{work.name}-killed"
            place.mkdir()
            with started((1, 1)) as cluster:
                took_s, told = work.run(place, "--ray", cluster.address, "--ray-cpus", "1", kill=cluster.address)
            again = told.count("a task on a node is repeated")
            note(f"a worker killed: {took_s:.1f} s")
            figures.holds(f"{work.name}: tasks done again after a worker was killed", again == 1, again)
            figures.holds(f"{work.name}: the same pictures although a worker was killed", work.made(place) == work.made(here))
    return figures.end()


if __name__ == "__main__":
    sys.exit(main())
