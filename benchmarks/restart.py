"""How soon does a dream start, and resume after its worker is killed? Runs the program as ``zoomdream run`` does.

    python benchmarks/restart.py [--kills 10] [--every 15] [--set KEY=VALUE]

Prints the seconds from the start of this process to the first keyframe with dream steps. Then it kills the dreaming worker
again and again, and prints each time the seconds to the next such keyframe; how far that is from the last one before (mean
absolute difference in levels, with the zoom undone and the border excluded), and the same for ordinary keyframes about a
second apart; and how many frames a reader of ``/live.ts`` missed for any reason. Linux only. It stops everything it started.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import signal
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # heavy imports wait until the start is measured
    from streamer.messages.keyframes import Keyframe

SETTLE_S = 8.0
"""Seconds from the first picture to the first kill."""
DEADLINE_S = 90.0
"""Longest wait for a keyframe."""
BORDER_PX = 8


def running_s() -> float:
    """Return the seconds since this process started."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


class Watch:
    """Collects the renderer's keyframes as they arrive."""

    def __init__(self) -> None:
        self.start_s: float | None = None
        self._came = threading.Condition()
        self._keyframes: list[tuple[float, Keyframe]] = []

    def __call__(self, keyframe: Keyframe) -> None:
        """Add a keyframe."""
        if keyframe.steps and self.start_s is None:
            self.start_s = running_s()
        with self._came:
            self._keyframes.append((time.monotonic(), keyframe))
            self._came.notify_all()

    def since(self, moment_s: float) -> list[tuple[float, Keyframe]]:
        """Return keyframes with steps since a moment, with their arrival times."""
        with self._came:
            return [(at_s, keyframe) for at_s, keyframe in self._keyframes if at_s > moment_s and keyframe.steps]

    def pace(self, moment_s: float) -> float:
        """Return the steps a second from a moment to the latest keyframe."""
        found = self.since(moment_s)
        return sum(keyframe.steps for _, keyframe in found[1:]) / max(1e-9, found[-1][0] - found[0][0]) if found else 0.0

    def last(self) -> Keyframe:
        """Return the latest keyframe; forget those older than half a minute."""
        with self._came:
            self._keyframes = [each for each in self._keyframes if each[0] > time.monotonic() - 30]
            return self._keyframes[-1][1]

    def next(self, moment_s: float) -> tuple[float, Keyframe]:
        """Wait for the first keyframe with steps after a moment."""
        with self._came:
            if not self._came.wait_for(lambda: bool(self.since(moment_s)), DEADLINE_S):
                raise TimeoutError(f"no picture within {DEADLINE_S:g} s")
        return self.since(moment_s)[0]


class Reader:
    """Counts the frames that a reader of the live video misses."""

    def __init__(self, url: str, fps: float) -> None:
        self.missing = self.seen = 0
        self._url, self._fps = url, fps
        threading.Thread(target=self._read, name="reader", daemon=True).start()

    def _read(self) -> None:
        import urllib.request

        import av

        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        before: float | None = None
        try:
            with opener.open(self._url, timeout=30) as answer, av.open(answer, "r", format="mpegts") as container:
                for packet in container.demux(video=0):
                    if packet.pts is None:
                        continue
                    at = float(packet.pts * packet.time_base) * self._fps
                    if before is not None:
                        self.missing += max(0, round(at - before) - 1)
                    before, self.seen = at, self.seen + 1
        except (OSError, av.FFmpegError):  # the program ends
            pass


def difference(before: Keyframe, after: Keyframe) -> float:
    """Return the mean absolute difference in levels, the zoom undone."""
    import cv2
    import numpy as np

    from streamer import zoom

    height, width = before.image.shape[:2]
    matrix = zoom.sampling_matrix(before.pose, after.pose, (height, width), after.image.shape[:2])
    size = after.image.shape[1::-1]
    moved = cv2.warpAffine(before.image.astype(np.float32), matrix, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    inside = slice(BORDER_PX, -BORDER_PX)
    return float(np.abs(moved - after.image)[inside, inside].mean())


def ordinary(keyframes: list[tuple[float, Keyframe]]) -> list[float]:
    """Return differences between keyframes about a second apart."""
    found = []
    for _, before in keyframes:
        later = [keyframe for _, keyframe in keyframes if keyframe.time_s >= before.time_s + 1]
        if later and before.scene.id == later[0].scene.id:
            found.append(difference(before, later[0]))
    return found


def memory_mb(pid: int) -> int:
    """Return a process's own memory plus its share of shared memory."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) // 1024


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def workers() -> list[int]:
    """Return the worker processes' ids; the dreaming one is older than its spare."""
    return sorted(child.pid or 0 for child in multiprocessing.active_children() if child.name in ("dream", "spare"))


def kill_and_watch(watch: Watch, url: list[str], kills: int, every_s: float) -> None:
    """Run the benchmark once the first keyframe arrives, then end the program."""
    try:
        watch.next(0.0)
        print(f"first dreamed picture {watch.start_s:.2f} s after the start", flush=True)
        if not kills:
            return
        reader = Reader(url[0] + "live.ts", 25.0)
        time.sleep(SETTLE_S)
        times = []
        for number in range(1, kills + 1):
            time.sleep(max(0.0, every_s - (SETTLE_S if number == 1 else 0.0)))
            usual = ordinary(watch.since(time.monotonic() - min(every_s, 8.0)))
            processes, missing, before = workers(), reader.missing, watch.last()
            told = ", ".join(f"{pid}: {memory_mb(pid)} MB, {cpu_s(pid):.1f} CPU s" for pid in processes)
            pace = watch.pace(time.monotonic() - 5)
            killed_s = time.monotonic()
            os.kill(processes[0], signal.SIGKILL)
            at_s, after = watch.next(killed_s)
            times.append(at_s - killed_s)
            changed = difference(before, after)
            time.sleep(1.0)
            print(
                f"kill {number}: {times[-1]:.2f} s to the next picture, which differs by {changed:.1f} (ordinary neighbours: "
                f"median {statistics.median(usual):.1f}, most {max(usual):.1f}); frames missed: {reader.missing - missing}; "
                f"{pace:.1f} steps a second before; workers: {told}",
                flush=True,
            )
        missed = f"{reader.missing} of {reader.missing + reader.seen} frames missed"
        print(f"median {statistics.median(times):.2f} s, longest {max(times):.2f} s; {missed}")
    except Exception:
        logging.getLogger(__name__).exception("the benchmark failed")
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--every", type=float, default=15.0, metavar="SECONDS", help="from one picture to the next kill")
    parser.add_argument("--log-level", default="error")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from streamer import __main__ as program
    from streamer.dream.worker import renderer

    watch, url = Watch(), ["http://127.0.0.1:18240/"]

    class Watched(renderer.Renderer):
        def __init__(self, config: Any, seed: int, on_keyframe: Any, **others: Any) -> None:
            def both(keyframe: Keyframe) -> None:
                watch(keyframe)
                on_keyframe(keyframe)

            super().__init__(config, seed, both, **others)

    renderer.Renderer = Watched  # type: ignore[misc]
    operator = threading.Thread(target=kill_and_watch, args=(watch, url, options.kills, options.every), daemon=True)
    with tempfile.TemporaryDirectory() as folder:
        settings = ["network.name=bundled", "web.port=18240", f"queue.path={folder}/queue.sqlite3", *options.set]
        operator.start()
        call = ["run", "--log-level", options.log_level, *(part for setting in settings for part in ("--set", setting))]
        program.app(call, standalone_mode=False)
        operator.join()


if __name__ == "__main__":
    main()
