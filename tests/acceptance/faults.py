"""Cause network faults one after another while 30 frames a second are streamed to an RTMP server and recorded.

The server (nginx with its RTMP module) is killed for ten seconds; accepts and stays silent; stops reading; resets the
connection in the middle of a picture; refuses the key. For each fault the script measures how soon the state shows it, how
soon the output is live again after the server is back, and the longest gap between two frames, as the program reports it.
It also prints how late the machine woke a process that only sleeps. In the end the recording must hold every picture.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av

from tests.acceptance.figures import Figures, note
from tests.acceptance.pulse import Pulse
from tests.acceptance.relay import Relay, Silent
from tests.acceptance.stream import SMALL_DREAM, Json, Stream
from tests.rtmp_server import KEY, RtmpServer, missing

FPS = 30
GAP_MS = 50.0
STATE_S = 15.0
BACK_S = 5.0
SETTLE_S = 33.0
"""Seconds live before the next fault, so that the pauses between tries start with the shortest again."""
OTHER_KEY = "live_another_key"


class Watch(threading.Thread):
    """Thread that reads the status twice a second and keeps the longest gap between frames."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._worst_ms, self._start = 0.0, 0
        self.start()

    def run(self) -> None:
        while not self._ending.wait(0.5):
            gap_ms = 1000 * self._stream.status()["video"]["longest_gap_s"]
            with self._lock:
                self._worst_ms = max(self._worst_ms, gap_ms)

    def take(self) -> float:
        """Return the longest gap since the last call, in ms; it may include an older one that the program still reports."""
        with self._lock:
            worst_ms, self._worst_ms = self._worst_ms, 0.0
            return worst_ms

    def stop(self) -> None:
        self._ending.set()
        self.join(15)


class Trial:
    """One stream with its faults."""

    def __init__(self, figures: Figures, stream: Stream, watch: Watch, pulse: Pulse) -> None:
        self.figures, self.stream, self.watch, self.pulse = figures, stream, watch, pulse

    def __call__(
        self,
        name: str,
        begin: Callable[[], object],
        end: Callable[[], object],
        *,
        seconds: float,
        output: str = "push",
        tells: str = "",
    ) -> None:
        """Begin a fault, end it after some seconds, and check what the output does.

        Args:
            tells: Text that the reason must contain.
        """
        self.until_live(output, 60.0)
        time.sleep(SETTLE_S)
        delivered = self.stream.output(output)["delivered_bytes"]
        print(f"--- {name}", flush=True)
        began_s = time.monotonic()
        begin()
        told = self._leaves_live(output, began_s)
        left_s = time.monotonic() - began_s
        self.figures.at_most(f"{name}: not shown as live any more after", left_s, STATE_S, "s")
        reasons = {told["reason"]}
        while time.monotonic() - began_s < seconds:
            reasons.add(self.stream.output(output)["reason"])
            time.sleep(0.1)
        reasons.discard("")
        note(f"state {told['state']}; reasons: {'; '.join(sorted(reasons)) or 'none'}")
        self.figures.holds(f"{name}: the reason is told", any(tells in reason for reason in reasons), tells)
        end()
        back_s = time.monotonic()
        self.until_live(output, 60.0)
        self.figures.at_most(f"{name}: live again after the server was back", time.monotonic() - back_s, BACK_S, "s")
        time.sleep(1.0)
        self.figures.holds(f"{name}: bytes flow again", self.stream.output(output)["delivered_bytes"] > delivered)
        self.figures.at_most(f"{name}: longest gap between frames", self.watch.take(), GAP_MS, "ms")
        note(f"meanwhile the machine woke a process that only sleeps at most {self.pulse.take():.1f} ms late")

    def until_live(self, output: str, timeout_s: float) -> Json:
        return self.stream.wait_for(
            lambda told: any(one["name"] == output and one["state"] == "live" for one in told["outputs"]), timeout_s
        )

    def _leaves_live(self, output: str, began_s: float) -> Json:
        while time.monotonic() - began_s < 2 * STATE_S:
            told = self.stream.output(output)
            if told["state"] != "live":
                return told
            time.sleep(0.05)
        return told


def run_faults(trial: Trial, server: RtmpServer, only: str) -> None:
    """Run all faults, or those whose name contains ``only``."""
    stream = trial.stream

    def silent() -> Silent:
        server.kill()
        return Silent(server.port)

    def refuse() -> None:
        server.kill()
        server.keys = (OTHER_KEY,)
        server.start()

    def let_in() -> None:
        server.kill()
        server.keys = (KEY,)
        server.start()

    mute: list[Silent] = []

    def speak() -> None:
        mute.pop().close()
        server.start()

    def reset(relay: Relay) -> None:
        trial("reset in the middle of a picture", relay.reset, lambda: None, seconds=0.0, output="relayed")

    if only in "killed":
        trial("killed for ten seconds", server.kill, server.start, seconds=10.0)
    if only in "silent":
        trial("accepts and stays silent", lambda: mute.append(silent()), speak, seconds=25.0)
    if only in "stalled":
        trial("stops reading", server.pause, server.go_on, seconds=25.0)
    if only in "reset":
        with Relay(server.port) as relay:
            block = {"kind": "rtmp", "name": "relayed", "url": f"rtmp://127.0.0.1:{relay.port}/live", "key": KEY + "2"}
            note(f"an output through a relay is added while it runs: {json.dumps(stream.call('POST', '/api/outputs', block))}")
            reset(relay)
            note(f"and removed: {stream.call('DELETE', '/api/outputs/relayed') or 'done'}")
    if only in "key":
        trial("wrong key", refuse, let_in, seconds=10.0, tells="key")


def judge_recording(figures: Figures, path: Path) -> None:
    """Check that a recording holds every picture."""
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
        pts = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.pts is not None]
    steps = [b - a for a, b in itertools.pairwise(pts)]
    holes = sum(round(step * FPS) - 1 for step in steps)
    note(f"recording: {len(pts)} pictures in {float(pts[-1] - pts[0]):.1f} s, {float(rate or 0):.3f} a second")
    figures.at_most("recording: pictures missing", holes, 0)
    figures.at_most("recording: longest step from picture to picture", float(max(steps)) * 1000, GAP_MS, "ms")
    figures.at_most(
        "recording: times off the grid",
        float(max(abs(step * FPS - round(step * FPS)) for step in steps) / Fraction(FPS)),
        0.001,
        "s",
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", default="", metavar="NAME", help="one of killed, silent, stalled, reset, key")
    arguments.add_argument("--size", default="640x360", metavar="WxH")
    arguments.add_argument("--bitrate", type=int, default=3000, metavar="KBPS")
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = arguments.parse_args()
    if lacking := missing():
        sys.exit(f"{lacking}: tools/install_test_tools.sh installs it")
    width, height = given.size.split("x")
    figures = Figures()
    with tempfile.TemporaryDirectory() as name, RtmpServer(Path(name), keys=(KEY, KEY + "2")) as server:
        folder = Path(name)
        outputs = [
            {"kind": "rtmp", "name": "push", "url": server.url, "cbr": True, "bitrate_kbps": given.bitrate},
            {"kind": "file", "name": "recording", "path": str(folder / "recording.mp4"), "min_free_mb": 50},
        ]
        video = [f"video.width={width}", f"video.height={height}", f"video.fps={FPS}", f"video.bitrate_kbps={given.bitrate}"]
        settings = [*SMALL_DREAM, *video, *given.settings, f"outputs={json.dumps(outputs)}"]
        with Stream(folder, settings, environment={"ZOOMDREAM_STREAM_KEY": KEY}) as stream:
            stream.wait_for_picture()
            watch, pulse = Watch(stream), Pulse()
            trial = Trial(figures, stream, watch, pulse)
            trial.until_live("push", 60.0)
            time.sleep(22.0)  # by then the program has forgotten the gaps of its start
            watch.take()
            pulse.take()
            time.sleep(10.0)
            note(f"undisturbed: longest gap between frames {watch.take():.1f} ms; the machine late by {pulse.take():.1f} ms")
            run_faults(trial, server, given.only)
            watch.stop()
            pulse.stop()
            told = stream.status()
            note(f"at the end: {json.dumps(told['video'])}; {json.dumps(told['outputs'])}")
            recording = next(output for output in told["outputs"] if output["name"] == "recording")
            figures.at_most("recording: failures and pictures dropped", recording["failures"] + recording["dropped"], 0)
            stream.interrupt()
            stream.process.wait(10)
            note(
                "the log's warnings: " + "".join(f"\n        {line}" for line in stream.log().splitlines() if "WARNING" in line)
            )
        judge_recording(figures, folder / "recording.mp4")
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
