"""Send Ctrl+C and SIGTERM at any moment: all ends within 5 s, recordings play, no process or shared memory is left."""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import av

from tests.acceptance.stream import SMALL_DREAM, Stream, eventually, left_in_shared_memory

LIMIT_S = 5.0


@dataclass(frozen=True)
class Ending:
    """How a program ended."""

    code: int
    seconds: float
    processes: list[int]
    shared: set[str]
    limit_s: float = LIMIT_S
    """Seconds that it may take."""

    @property
    def clean(self) -> bool:
        """Return whether the program ended in time and left nothing."""
        return self.code == 0 and self.seconds <= self.limit_s and not self.processes and not self.shared


def end(stream: Stream, number: int = signal.SIGINT, limit_s: float = LIMIT_S) -> Ending:
    """Send a signal to the process group and return how the program ends."""
    start_s = time.monotonic()
    stream.interrupt(number)
    code = stream.process.wait(60)
    eventually(lambda: not stream.processes(), limit_s - (time.monotonic() - start_s))
    seconds = time.monotonic() - start_s
    return Ending(code, seconds, stream.processes(), left_in_shared_memory(stream.shared_before), limit_s)


def playable(folder: Path) -> tuple[int, int]:
    """Return how many pictures of all recordings decode, and how many recordings are broken; delete the recordings."""
    pictures = broken = 0
    for path in sorted(folder.glob("*.mp4")):
        try:
            with av.open(str(path)) as container:
                pictures += sum(1 for _ in container.decode(video=0))
        except (av.FFmpegError, OSError) as error:
            print(f"{path.name}: {error}")
            broken += 1
        path.unlink()
    return pictures, broken


def at_random_moments(folder: Path, times: int, longest_s: float, seed: int) -> bool:
    """Send SIGTERM with a viewer and a recording, ``times`` times; return whether each went well."""
    random, clean, seconds, seen = Random(seed), True, [], 0
    outputs = json.dumps([{"kind": "file", "path": str(folder / "recording.mp4"), "min_free_mb": 0}])
    for turn in range(times):
        moment_s = random.uniform(0.0, longest_s)
        with Stream(folder, [*SMALL_DREAM, f"outputs={outputs}"]) as stream:
            viewer = stream.watch("/live.ts")
            time.sleep(moment_s)
            ending = end(stream, signal.SIGTERM)
            viewer.join(5)
        pictures, broken = playable(folder)
        seconds.append(ending.seconds)
        seen += pictures
        well = ending.clean and not broken and (pictures > 0 or moment_s < 2.0)
        clean &= well
        print(
            f"{'ok ' if well else 'NOT'} SIGTERM {turn + 1} of {times} after {moment_s:.1f} s: code {ending.code} after "
            f"{ending.seconds:.2f} s, {pictures} pictures recorded, recordings broken {broken}, processes left "
            f"{ending.processes}, shared memory left {sorted(ending.shared)}",
            flush=True,
        )
        if not well:
            print(stream.log())
    print(f"{times} times: gone after {min(seconds):.2f} to {max(seconds):.2f} s; {seen} pictures recorded, all decoded")
    return clean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=0, metavar="N", help="only SIGTERM, at so many random moments")
    parser.add_argument("--longest", type=float, default=16.0, metavar="S", help="from a start to its end then")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.random:
        with tempfile.TemporaryDirectory() as folder:
            raise SystemExit(0 if at_random_moments(Path(folder), given.random, given.longest, given.seed) else 1)
    clean = True
    with tempfile.TemporaryDirectory() as folder:
        for when, number in (
            ("at once", signal.SIGINT),
            ("while the network loads", signal.SIGINT),
            ("while dreaming", signal.SIGINT),
            ("with a viewer watching", signal.SIGINT),
            ("while dreaming", signal.SIGTERM),
        ):
            with Stream(Path(folder), []) as stream:
                viewer = None
                if when == "while the network loads":
                    time.sleep(1.5)
                elif when != "at once":
                    stream.wait_for_picture()
                if when == "with a viewer watching":
                    viewer = stream.watch("/live.ts")
                    time.sleep(2)
                ending = end(stream, number)
                if viewer is not None:
                    viewer.join(5)
                clean &= ending.clean
                print(
                    f"{signal.Signals(number).name} {when}: code {ending.code} after {ending.seconds:.2f} s, "
                    f"processes left {ending.processes}, shared memory left {sorted(ending.shared)}"
                )
                if not ending.clean:
                    print(stream.log())
    raise SystemExit(0 if clean else 1)


if __name__ == "__main__":
    main()
