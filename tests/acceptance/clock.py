"""Disturb time: move the wall clock by an hour, and stop all processes for a minute.

A preloaded library moves the wall clock for all of the program's processes while they run. It is compiled here
(``shifted_clock.c``; needs a C compiler) and leaves monotonic time alone, as the kernel does. libfaketime 0.9.10 is unsuitable:
it makes ``time.sleep`` of Python 3.11 fail (``findings/libfaketime_fails_clock_nanosleep.sh``). Then all processes get
SIGSTOP, and SIGCONT after a minute: no burst may follow, and the frames not shown meanwhile count as stopped. Suspending the
machine is an easier case, because Linux's monotonic clock stops with it.

python -m tests.acceptance.clock [--seconds 10] [--stop 60] [--set KEY=VALUE]
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av

from tests.acceptance.figures import Figures, note
from tests.acceptance.stream import SMALL_DREAM, Json, Stream, Viewer

MOVES_H = (1, -1, 0)
"""Successive offsets of the wall clock from the true time, in hours."""
FPS = 25
LOST = 0.02
"""Share of frames that a busy machine may lose in these few seconds."""
LOOK_S = 0.05
WINDOW_S = 0.5
"""Window over which frames are counted after SIGCONT."""


class ShiftedClock:
    """A wall clock that can be moved, for programs started with ``environment``."""

    def __init__(self, folder: Path) -> None:
        """Compile the library.

        Raises:
            OSError, subprocess.CalledProcessError: The C compiler is missing, or it fails.
        """
        source, library = Path(__file__).with_name("shifted_clock.c"), folder / "shifted_clock.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"], check=True, timeout=60)
        self._shift = folder / "shift"
        self._shift.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(self._shift)}

    def move(self, hours: int) -> None:
        """Set the offset from the true time, for all processes, from now on."""
        with self._shift.open("r+b") as file:  # all processes have this page mapped: keep the file
            file.write((3600 * hours).to_bytes(8, sys.byteorder, signed=True))


def frames(stream: Stream) -> Json:
    """Return the counts of frames so far, by outcome."""
    told: Json = stream.status()["video"]["frames"]
    return told


def since(stream: Stream, before: Json) -> Json:
    """Return the counts of frames since ``before``, by outcome."""
    now = frames(stream)
    return {key: now[key] - before[key] for key in ("shown", "late", "dropped", "stopped")}


def times(viewer: Viewer) -> list[int]:
    """Return the numbers of the pictures that a reader of ``/live.ts`` got, counted from the first."""
    with av.open(io.BytesIO(bytes(viewer.data)), "r", format="mpegts") as container:
        stamps = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.pts is not None]
    return [round(float(stamp - stamps[0]) * FPS) for stamp in stamps]


def move_clock(figures: Figures, folder: Path, settings: list[str], network: str, seconds: float) -> None:
    """Move the wall clock back and forth while the program streams."""
    clock = ShiftedClock(folder)
    with Stream(folder, ["queue.hold_s=3", *settings], network=network, environment=clock.environment) as stream:
        stream.wait_for_picture()
        viewer = stream.watch("/live.ts")
        time.sleep(5.0)
        asked: list[int] = []
        restarts = stream.status()["renderer"]["restarts"]
        for hours in MOVES_H:
            before, dated = frames(stream), last_date(stream)
            clock.move(hours)
            began_s = time.monotonic()
            asked.append(stream.ask("ann", "goldfish" if hours > 0 else "umbrella" if hours else "pizza")["id"])
            time.sleep(seconds)
            seen, took_s = since(stream, before), time.monotonic() - began_s
            note(f"clock at {hours:+d} h: {json.dumps(seen)} in {took_s:.1f} s; log {dated} -> {last_date(stream)}")
            figures.within(f"frames with the clock at {hours:+d} h", seen["shown"], FPS * took_s, LOST)
            figures.at_most(f"dropped with the clock at {hours:+d} h", seen["dropped"], LOST * FPS * took_s)
            figures.at_most(f"taken for stopped with the clock at {hours:+d} h", seen["stopped"], 0)
        done = within(30.0, lambda: all(stream.call("GET", f"/api/requests/{each}").get("state") == "done" for each in asked))
        figures.holds("requests made meanwhile were rendered", done)
        figures.holds("the worker is the same", stream.status()["renderer"]["restarts"] == restarts)
        figures.holds("the log noticed the clock", len(set(dates(stream))) >= 2, " ".join(sorted(set(dates(stream)))))
        viewer.close()
        steps = {b - a for a, b in itertools.pairwise(times(viewer))}
        figures.holds("time stamps at a reader rise", min(steps) >= 1, f"by {sorted(steps)} frames")


def dates(stream: Stream) -> list[str]:
    """Return the date and hour of each log line."""
    return [line[:13] for line in stream.log().splitlines() if line[:2] == "20" and line[13:14] == ":"]


def last_date(stream: Stream) -> str:
    """Return the date and hour of the latest log line."""
    return (dates(stream) or ["none"])[-1]


def within(seconds: float, so: Callable[[], bool]) -> bool:
    """Return whether a condition becomes true in time."""
    end_s = time.monotonic() + seconds
    while not so():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.2)
    return True


def stop_all(figures: Figures, folder: Path, settings: list[str], network: str, stop_s: float) -> None:
    """Stop every process of the program, then continue them."""
    with Stream(folder, ["queue.hold_s=20", *settings], network=network) as stream:
        stream.wait_for_picture()
        viewer = stream.watch("/live.ts", patience_s=10.0 + stop_s)
        stream.ask("ann", "goldfish")
        stream.wait_for(lambda told: told["on_air"] and told["on_air"]["user"] == "ann" and told["on_air"]["since_s"] > 3, 60)
        told = stream.status()
        before, on_air, restarts = told["video"]["frames"], told["on_air"], told["renderer"]["restarts"]
        stream.interrupt(signal.SIGSTOP)
        time.sleep(stop_s)
        stream.interrupt(signal.SIGCONT)
        began_s, looks = time.monotonic(), []
        while time.monotonic() - began_s < 3.0:
            looks.append((time.monotonic() - began_s, frames(stream)["shown"]))
            time.sleep(LOOK_S)
        burst = most_beyond(looks)
        after = since(stream, before)
        note(f"stopped for {stop_s:.0f} s, and 3 s later: {json.dumps(after)}; load {os.getloadavg()[0]:.1f}")
        figures.at_most(f"frames beyond the rate in any {WINDOW_S} s after SIGCONT", burst, 2)
        figures.within("frames counted as stopped", after["stopped"], FPS * stop_s, 0.02)
        figures.at_most("frames counted as dropped", after["dropped"], 5)
        going = within(10.0, lambda: stream.status()["renderer"]["steps_per_s"] > 0)
        time.sleep(5.0)
        told = stream.status()
        figures.holds("the worker is the same and dreams", told["renderer"]["restarts"] == restarts and going)
        same = told["on_air"]["request_id"] == on_air["request_id"]
        figures.holds("the request on air is seen for the rest of its time", same, json.dumps(told["on_air"]))
        figures.holds("health", told["health"]["ok"], json.dumps(told["health"]))
        figures.holds("nothing is given up for it", not told["video"]["given_up"] or told["video"]["frames"]["late"] > 50)
        viewer.close()
        numbers = times(viewer)
        steps = sorted(b - a for a, b in itertools.pairwise(numbers))
        one_gap = steps[0] >= 1 and steps[-2] < FPS
        figures.holds("time stamps at a reader rise, with one gap", one_gap, f"the longest {steps[-3:]}")
        figures.within("that gap, in frames", steps[-1], FPS * stop_s, 0.02)


def most_beyond(looks: list[tuple[float, int]]) -> float:
    """Return the most frames beyond the frame rate that were shown within any window."""
    return max(
        (later[1] - earlier[1] - FPS * (later[0] - earlier[0]))
        for earlier, later in itertools.combinations(looks, 2)
        if later[0] - earlier[0] <= WINDOW_S
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="at each setting of the clock")
    parser.add_argument("--stop", type=float, default=60.0, help="seconds")
    parser.add_argument("--network", default="bundled")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    figures = Figures()
    settings = ["video.width=320", "video.height=180", f"video.fps={FPS}", *SMALL_DREAM, *arguments.settings]
    for number, part in enumerate((move_clock, stop_all)):
        with tempfile.TemporaryDirectory() as folder:
            length_s = arguments.seconds if number == 0 else arguments.stop
            part(figures, Path(folder), settings, arguments.network, length_s)
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
