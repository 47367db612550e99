"""Ctrl+C at any moment: everything ends within 5 s, and no process or shared memory is left."""

from __future__ import annotations

import argparse
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.stream import Stream, eventually, shared_memory

LIMIT_S = 5.0


@dataclass(frozen=True)
class Ending:
    """How a program ended."""

    code: int
    seconds: float
    processes: list[int]
    shared: set[str]

    @property
    def clean(self) -> bool:
        """Whether it ended in time and left nothing."""
        return self.code == 0 and self.seconds <= LIMIT_S and not self.processes and not self.shared


def end(stream: Stream, number: int = signal.SIGINT) -> Ending:
    """Send a signal to the process group and see what comes of it."""
    start_s = time.monotonic()
    stream.interrupt(number)
    code = stream.process.wait(15)
    eventually(lambda: not stream.processes(), LIMIT_S - (time.monotonic() - start_s))
    seconds = time.monotonic() - start_s
    return Ending(code, seconds, stream.processes(), shared_memory() - stream.shared_before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
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
