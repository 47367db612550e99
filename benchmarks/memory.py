"""Does the dream's memory stay constant? Watches the live worker's resident memory for minutes while subjects change.

    python benchmarks/memory.py --minutes 22 --set network.name=bundled
    python benchmarks/memory.py --minutes 5 --every 10 --against ../yesterday

Prints the median of each minute and the growth after the first two: the last quarter's median minus the first's, because a
step takes some ten megabytes and gives them back. Another checkout runs after this one, for as long.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from streamer.dream.worker.renderer import Renderer
from streamer.messages.scenes import Scene, arrange
from streamer.requests.vocabulary import Vocabulary
from streamer.settings_file import load as load_config

SUBJECTS = (
    "goldfish + orange",
    "jellyfish",
    "school bus + banana",
    "lion",
    "monarch + mushroom",
    "pizza",
    "tarantula + teapot",
)
"""Subjects that every network knows."""
SETTLED_S = 120.0
"""Seconds after which memory should stop growing."""


def resident(process_id: int) -> float:
    """Return a process's resident megabytes."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def watch(minutes: float, every_s: float, overrides: list[str]) -> None:
    """Run the real worker and print its memory."""
    words, numbers = Vocabulary.load(), itertools.count()
    renderer = Renderer(load_config(None, overrides), 1)
    renderer.start()
    begun, held = time.monotonic(), []
    try:
        while (passed_s := time.monotonic() - begun) < 60 * minutes:
            if renderer.failure:
                raise SystemExit(renderer.failure)
            number = next(numbers)
            renderer.scene(Scene(number, arrange(words.match(SUBJECTS[number % len(SUBJECTS)], peek=True).targets)))
            time.sleep(min(every_s, max(0.0, 60 * minutes - passed_s)))
            worker = next((child for child in multiprocessing.active_children() if child.name == "dream"), None)
            if worker is not None and worker.pid is not None and renderer.latest() is not None:
                held.append((time.monotonic() - begun, resident(worker.pid)))
    finally:
        status = renderer.status()
        renderer.stop()
    for minute, group in itertools.groupby(held, lambda each: int(each[0] // 60)):
        print(f"minute {minute}: {statistics.median(megabytes for _, megabytes in group):.1f} MB")
    settled = [megabytes for at_s, megabytes in held if at_s > SETTLED_S]
    share = max(1, len(settled) // 4)
    if len(settled) > 1:
        grown = statistics.median(settled[-share:]) - statistics.median(settled[:share])
        print(f"{status.network}, {status.steps_per_s:.1f} steps a second at the end: {grown:+.1f} MB after {SETTLED_S:g} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=22.0)
    parser.add_argument("--every", type=float, default=15.0, metavar="SECONDS", help="from one subject to the next")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--against", type=Path, help="another checkout, which runs afterwards")
    options = parser.parse_args()
    watch(options.minutes, options.every, options.set)
    if options.against:
        command = [sys.executable, __file__, "--minutes", str(options.minutes), "--every", str(options.every)]
        command += [part for override in options.set for part in ("--set", override)]
        print(f"{options.against}:", flush=True)
        environment = os.environ | {"PYTHONPATH": str(options.against.resolve())}
        subprocess.run(command, check=True, env=environment, cwd=options.against)


if __name__ == "__main__":
    main()
