"""Render a live stream's dream on a cluster, and kill and cut off nodes while a viewer watches.

The head is here and has no CPUs for tasks; one node is on the far side of an emulated link, another one here. The script counts
late frames and frames that a reader of ``/live.ts`` misses, and measures how soon the next dreamed picture comes. Needs root
and Linux.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import re
import sys
import tempfile
import time
from pathlib import Path

import av

from tests.acceptance.figures import Figures, note
from tests.acceptance.link import Condition, Link, missing
from tests.acceptance.ray_nodes import RayNodes, cluster_over
from tests.acceptance.stream import Json, Stream, Viewer, left_out

FPS = 25
SETTINGS = (
    *("video.width=640", "video.height=360", f"video.fps={FPS}", "video.captions=false", "video.residual_flow=false"),
    *("canvas.width=160", "dream.steps_per_keyframe=1", "dream.keyframe_s=0.04", "device=cpu", "queue.wander_s=3600"),
    *("renderer.where=ray", "renderer.gpus=0"),
)
LATE, AGAIN_S, CUT_S = 0.001, 3.0, 20.0
DEADLINE_S = 120.0
GOES_ON = re.compile(r"the dream continues after ([\d.]+) s")


def gaps(viewer: Viewer) -> tuple[int, int]:
    """Return how many frames a reader got and how many it missed, by their time stamps."""
    with av.open(io.BytesIO(bytes(viewer.data)), "r", format="mpegts") as container:
        found = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.pts is not None]
    missed = sum(round((after - before) * FPS) - 1 for before, after in itertools.pairwise(found))
    return len(found), missed


class Trial:
    """A stream, and faults of the node that dreams for it."""

    def __init__(self, stream: Stream, link: Link, cluster: RayNodes) -> None:
        self.stream, self.link, self.cluster = stream, link, cluster
        self.again_s: list[float] = []

    @property
    def node(self) -> str:
        """Return the node that dreams; empty while the dream is local."""
        return str(self.stream.status()["renderer"]["link"]["node"])

    @property
    def is_far(self) -> bool:
        return self.node.startswith(self.link.far)

    def settle(self, seconds: float) -> None:
        """Wait until the cluster dreams, then for ``seconds``, then until there is a spare."""
        self.stream.wait_for(lambda told: told["renderer"]["link"]["node"] and not told["renderer"]["error"], DEADLINE_S)
        time.sleep(seconds)
        told = self.stream.wait_for(lambda told: told["renderer"]["link"]["spare"], DEADLINE_S)
        note(f"a spare waits {told['renderer']['link']['spare']}")

    def survive(self, what: str, since_s: float, before: int) -> None:
        """Wait for the next dreamed picture after a fault."""
        told = self.stream.wait_for(
            lambda told: told["renderer"]["restarts"] > before and not told["renderer"]["error"], DEADLINE_S, 0.02
        )
        again_s = float(GOES_ON.findall(self.stream.log())[-1])
        self.again_s.append(again_s)
        note(f"{what}: {time.monotonic() - since_s:.2f} s to the next picture, {again_s:.2f} s of them after it was noticed")
        note(f"  it dreams {self._place(told)}")

    def _place(self, told: Json) -> str:
        link = told["renderer"]["link"]
        return f"on {link['node']}, {link['coding']}" if link["node"] else f"here: {link['why']}"

    def kill(self) -> None:
        """Kill the node that dreams, and start another in its place."""
        far, before = self.is_far, self.stream.status()["renderer"]["restarts"]
        began_s = time.monotonic()
        (self.cluster.far if far else self.cluster.near)[-1].kill()
        self.survive("a node killed", began_s, before)
        (self.cluster.add_far if far else self.cluster.add_near)(1)

    def cut(self) -> None:
        """Cut the far node off while it dreams."""
        if not self.is_far:
            self.kill()
            self.settle(5.0)
        before, began_s = self.stream.status()["renderer"]["restarts"], time.monotonic()
        self.link.cut()
        self.survive(f"cut off for {CUT_S:g} s", began_s, before)
        time.sleep(max(0.0, began_s + CUT_S - time.monotonic()))
        self.link.mend()
        if self.cluster.far[-1].ended or not self._far_is_back():
            note("  the node did not come back by itself: another one is started")
            self.cluster.far[-1].kill()
            self.cluster.add_far(1)

    def _far_is_back(self) -> bool:
        time.sleep(5.0)
        return not self.cluster.far[-1].ended


def run(figures: Figures, folder: Path, given: argparse.Namespace) -> None:
    condition = Condition(rate_mbit=given.mbit, delay_s=given.delay_ms / 1000, loss=given.loss)
    with Link(condition) as link, cluster_over(link, head_cpus=0) as cluster:
        settings = [*SETTINGS, f"renderer.address={cluster.address}", *given.settings]
        with Stream(folder, settings, environment=cluster.environment) as stream:
            trial = Trial(stream, link, cluster)
            trial.settle(10.0)
            first = stream.status()
            note(f"{json.dumps(first['renderer'])}")
            figures.holds("the dream is on the second node", trial.is_far, trial.node)
            viewer = stream.watch("/live.ts")
            time.sleep(given.seconds)
            calm = stream.status()
            counted = {key: calm["video"]["frames"][key] - first["video"]["frames"][key] for key in ("shown", "late")}
            note(
                f"{calm['video']['fps_measured']} frames a second, {1 / calm['renderer']['keyframe_s']:.1f} keyframes a second"
            )
            figures.at_most(f"late of {counted['shown']} frames", counted["late"] / counted["shown"], LATE)
            cluster.add_near(1)
            stream.wait_for(lambda told: told["renderer"]["link"]["spare"] == "cluster", DEADLINE_S)
            for _ in range(given.kills):
                trial.settle(given.pause_s)
                trial.kill()
            for _ in range(given.cuts):
                trial.settle(given.pause_s)
                trial.cut()
            trial.settle(5.0)
            told = stream.status()
            viewer.close()
            got, missed = gaps(viewer)
            figures.at_most(f"missing of {got} frames at a reader", missed, 0)
            frames = {key: told["video"]["frames"][key] - first["video"]["frames"][key] for key in told["video"]["frames"]}
            note(f"frames all the while: {json.dumps(frames)}, left out {left_out(frames)}")
            figures.at_most("late of all frames", frames["late"] / frames["shown"], LATE)
            if trial.again_s:
                figures.at_most("seconds until it rendered again", max(trial.again_s), AGAIN_S, "s")
            figures.holds("the cluster dreams in the end", trial.node, trial.node)
            for line in stream.log().splitlines():
                if "WARNING" in line or "takes over" in line or "continues" in line:
                    note(line)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--cuts", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=30.0, help="without faults, before")
    parser.add_argument("--pause-s", type=float, default=15.0, help="between faults")
    parser.add_argument("--mbit", type=float, default=None, help="millions of bits a second of the link; no limit if not given")
    parser.add_argument("--delay-ms", type=float, default=1.0, help="each way")
    parser.add_argument("--loss", type=float, default=0.0, help="share of packets")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = parser.parse_args()
    if lacking := missing():
        print(lacking)
        return 2
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="zd", dir="/tmp") as folder:
        run(figures, Path(folder), given)
    return figures.end()


if __name__ == "__main__":
    sys.exit(main())
