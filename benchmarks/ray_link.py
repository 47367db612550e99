"""Measure the link between a stream and its remote dream at several rates and round trips: the chosen coding, keyframes a
second, and the time from a request to its pixels.

A light dream, as detailed as a real one, makes 25 keyframes a second at any size. The remote side is a network namespace behind
an emulated link. Needs root, on Linux.

    python benchmarks/ray_link.py --seconds 10
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait

from streamer.config import CanvasConfig, Config, DreamConfig, RendererConfig, VideoConfig, ZoomConfig
from streamer.dream.worker.desired_state import DesiredState
from streamer.dream.worker.process import WorkerProcess
from streamer.dream.worker.protocol import ClusterPlacement, Failed, KeyframeReady, LinkReport
from streamer.messages.motion import Motion
from streamer.messages.renderer_status import LinkStatus
from streamer.messages.scenes import Scene, Target, arrange
from tests.acceptance.light_dream import make_zooming
from tests.acceptance.link import Condition, Link, missing
from tests.acceptance.ray_nodes import cluster_over

RATES_MBIT, TRIPS_MS = (1000.0, 100.0, 20.0), (2.0, 20.0, 80.0)
SIZES = ((512, 288), (1280, 720))
FPS = 25
ASKS = 6
"""Requests whose lag is measured."""
SETTLE_S = 8.0
"""Not measured: the stream picks a better coding after a while."""
START_S = 120.0


class Reader:
    """Reads what a remote worker sends."""

    def __init__(self, worker: WorkerProcess) -> None:
        self._worker = worker
        self.desired = DesiredState(Motion(1.05, 0.0), Scene(1, arrange([Target("n09472597", "volcano")])))
        self.link = LinkStatus("")
        self.came: list[tuple[float, float, int]] = []
        """Arrival time, age and scene number of each keyframe."""
        worker.begin(self.desired, None)

    def read(self, until_s: float) -> Iterator[None]:
        """Listen until ``until_s``; yield at each report."""
        while (left_s := until_s - time.monotonic()) > 0:
            self._worker.tell(self.desired)
            if not wait([self._worker.connection], min(left_s, 0.1)):
                continue
            report, _ = self._worker.receive()
            now_s = time.monotonic()
            assert not isinstance(report, Failed), report
            if isinstance(report, LinkReport):
                self.link = report.status
            elif isinstance(report, KeyframeReady):
                self._worker.kept(report)
                self.came.append((now_s, now_s - self._worker.time_s(report), report.scene.id))
            yield

    def ask(self, number: int) -> float:
        """Request another scene; return the seconds to its first keyframe."""
        self.desired = DesiredState(self.desired.motion, Scene(number, arrange([Target("n09472597", "volcano")])))
        asked_s = time.monotonic()
        for _ in self.read(asked_s + 20.0):
            if self.came and self.came[-1][2] == number:
                return self.came[-1][0] - asked_s
        return float("inf")


@contextmanager
def reading(address: str, size: tuple[int, int], compress: str) -> Iterator[Reader]:
    width, height = size
    renderer = RendererConfig(where="ray", address=address, gpus=0.0, compress=compress)  # type: ignore[arg-type]
    config = Config(
        canvas=CanvasConfig(width=width, height=height),
        video=VideoConfig(width=width, height=height, fps=FPS),
        dream=DreamConfig(keyframe_s=1 / FPS, steps_per_keyframe=1),
        zoom=ZoomConfig(speed=1.05),
        renderer=renderer,
    )
    worker = WorkerProcess(config, 1, make_zooming, cluster_placement=ClusterPlacement(renderer))
    try:
        yield Reader(worker)
    finally:
        worker.dismiss(3.0)


def measure(reader: Reader, seconds: float) -> str:
    """Return one line of the table."""
    for _ in reader.read(time.monotonic() + START_S):
        if reader.came:
            break
    for _ in reader.read(time.monotonic() + SETTLE_S):
        pass
    reader.came.clear()
    began_s = time.monotonic()
    for _ in reader.read(began_s + seconds):
        pass
    rate = len(reader.came) / seconds
    ages = sorted(age for _, age, _ in reader.came) or [float("nan")]
    lags = [reader.ask(number) for number in range(2, 2 + ASKS)]
    link = reader.link
    return (
        f"{link.coding} | {link.keyframe_bytes / 1000:.0f} | {rate:.1f} | {1000 * statistics.median(ages):.0f} | "
        f"{1000 * statistics.median(lags):.0f} | {8e-6 * link.bytes_per_s:.0f} | {1000 * link.round_trip_s:.1f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="over which keyframes are counted")
    parser.add_argument("--rates", type=float, nargs="*", default=RATES_MBIT, help="millions of bits a second")
    parser.add_argument("--trips", type=float, nargs="*", default=TRIPS_MS, help="round trips in ms")
    parser.add_argument("--compress", default="auto")
    parser.add_argument("--small", action="store_true", help="512x288 only")
    parser.add_argument("--client", action="store_true", help="through the head's port for clients")
    given = parser.parse_args()
    if lacking := missing():
        print(lacking)
        return 2
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    columns = ["canvas", "link, Mbit/s", "round trip, ms", "chosen", "kB a keyframe", "keyframes a second", "age, ms"]
    columns += ["lag, ms", "measured, Mbit/s", "and ms"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for rate in given.rates:
        first = Condition(rate_mbit=rate, delay_s=given.trips[0] / 2000)
        with Link(first) as link, cluster_over(link, head_cpus=0) as cluster:
            os.environ.update(cluster.environment)
            address = cluster.client_address if given.client else cluster.address
            for trip in given.trips:
                link.set(Condition(rate_mbit=rate, delay_s=trip / 2000))
                for size in SIZES[: 1 if given.small else None]:
                    with reading(address, size, given.compress) as reader:
                        line = measure(reader, given.seconds)
                    print(f"| {size[0]}x{size[1]} | {rate:g} | {trip:g} | {line}", flush=True)
    print(f"\nload {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
