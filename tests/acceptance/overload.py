"""Load the machine with other programs: a burner on every core for three minutes, at the stream's own niceness.

The video must keep its rate by giving up other features, one at a time, each reported once. They must come back afterwards.
With ``--place same`` the burners share the stream's session; with ``other`` they have their own (see ``burners``).

python -m tests.acceptance.overload [--seconds 180] [--place other] [--set KEY=VALUE]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import os
import sys
import tempfile
import time
import urllib.error
from dataclasses import dataclass, field
from pathlib import Path

import av

from tests.acceptance.burners import Burners, beside
from tests.acceptance.figures import Figures, note
from tests.acceptance.stream import Json, Stream, busy_s

RATE = 0.99
"""Share of frames that must be made."""
BACK_S = 420.0
"""Seconds within which all features must come back."""
SETTLE_S = 90.0
"""Seconds for the stream to get all features before the burners start; other programs cause what is missing then."""


@dataclass
class Watch:
    """Observer of the frames and of what the program reports."""

    stream: Stream
    words: set[str] = field(default_factory=set)
    """Problems that ``/healthz`` reported, joined for each answer."""
    steps: list[float] = field(default_factory=list)
    gap_s: float = 0.0
    without: list[str] = field(default_factory=list)
    """Features given up at the latest look."""

    def run(self, seconds: float, *, until_back: bool = False) -> Json:
        """Observe for some time; return its counts."""
        before, used, busy, began_s = self._told(), self.stream.cpu_s(), busy_s(), time.monotonic()
        while (took_s := time.monotonic() - began_s) < seconds:
            time.sleep(min(1.0, seconds - took_s))
            told = self._told()
            self.steps.append(told["renderer"]["steps_per_s"])
            self.gap_s = max(self.gap_s, told["video"]["longest_gap_s"])
            if told["video"]["given_up"] != self.without:
                self.without = told["video"]["given_up"]
                note(f"after {time.monotonic() - began_s:5.1f} s without: {', '.join(self.without) or 'nothing'}")
            self.words.add(" and ".join(self._problems()))
            if until_back and not self.without:
                break
        after, took_s = self._told(), time.monotonic() - began_s
        ours = sum(now - used.get(pid, 0.0) for pid, now in self.stream.cpu_s().items())
        frames = {
            key: after["video"]["frames"][key] - before["video"]["frames"][key]
            for key in ("shown", "late", "dropped", "unencoded")
        }
        return {
            **frames,
            "seconds": took_s,
            "rate": (frames["shown"] - frames["unencoded"]) / took_s / after["video"]["fps"],
            "cores": ours / took_s,
            "others": (busy_s() - busy - ours) / took_s,
        }

    def _told(self) -> Json:
        for _ in range(30):
            with contextlib.suppress(OSError):
                return self.stream.status()
        return self.stream.status()

    def _problems(self) -> list[str]:
        try:
            return list(json.loads(self.stream.get("/healthz"))["problems"])
        except urllib.error.HTTPError as error:
            with error:
                return list(json.loads(error.read())["problems"])


def report(what: str, watch: Watch, seen: Json) -> None:
    """Print what became of the frames in a span of time."""
    steps = sum(watch.steps) / max(1, len(watch.steps))
    note(
        f"{what}: {seen['seconds']:.0f} s, {seen['rate']:.2%} of the rate, {seen['late'] / max(1, seen['shown']):.1%} late, "
        f"{seen['dropped']} dropped, {seen['unencoded']} not encoded, longest gap {1000 * watch.gap_s:.0f} ms, "
        f"{steps:.2f} steps a second; cores: the stream {seen['cores']:.2f}, "
        f"others {seen['others']:.2f}; load {os.getloadavg()[0]:.1f}"
    )
    watch.steps, watch.gap_s = [], 0.0


def times(data: bytes) -> list[float]:
    """Return the times of the pictures in an MPEG-TS, in seconds."""
    with av.open(io.BytesIO(data), "r", format="mpegts") as container:
        return [float(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.pts is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--place", choices=("other", "same"), default="other", help="whose session the burners are in")
    parser.add_argument("--network", default="bundled")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    figures = Figures()
    settings = ["video.width=640", "video.height=360", "video.fps=25", *arguments.settings]
    with tempfile.TemporaryDirectory() as folder:
        switch = Path(folder, "burn")
        through = beside(switch) if arguments.place == "same" else []
        with Stream(Path(folder), settings, network=arguments.network, through=through) as stream:
            stream.wait_for_picture()
            viewer = stream.watch("/live.ts")
            watch = Watch(stream)
            report("at first", watch, watch.run(20.0))
            watch.run(SETTLE_S, until_back=True)
            report("before", watch, watch.run(20.0))
            at_first = len(watch.without)
            began, logged = len(viewer.data), len(stream.log())
            burners = Burners() if arguments.place == "other" else None
            if burners is None:
                switch.touch()
            note(f"burners start; without: {', '.join(watch.without) or 'nothing'}")
            try:
                seen = watch.run(arguments.seconds)
            finally:
                if burners is not None:
                    burners.stop()
            switch.unlink(missing_ok=True)
            report("with a burner on every core", watch, seen)
            most = len(watch.without)
            seen_by_reader = times(bytes(viewer.data[:188]) + bytes(viewer.data[began - began % 188 :]))
            note("burners end")
            after = watch.run(BACK_S, until_back=True)
            report("until all is back", watch, after)
            back = not watch.without
            report("afterwards", watch, watch.run(20.0))
            viewer.close()
            lines = stream.log()[logged:].splitlines()
            told = [line for line in lines if "given up, because" in line or ": restored, now" in line]
        for line in told:
            note(line)
        figures.at_least("frames made of those due", seen["rate"], RATE)
        span_s = seen_by_reader[-1] - seen_by_reader[0]
        figures.at_least("pictures at a reader of those due", (len(seen_by_reader) - 1) / (25 * span_s), RATE)
        gaps = {round(25 * (b - a)) for a, b in itertools.pairwise(seen_by_reader)}
        figures.holds("time stamps at a reader rise", min(gaps) >= 1, f"by {sorted(gaps)} frames")
        figures.holds("something was given up", most > at_first or most > 0, f"{most} things")
        figures.holds("all came back", back, f"after {after['seconds']:.0f} s")
        figures.at_most("lines in the log about it", len(told), 40)
        figures.at_most("different words of /healthz", len(watch.words), 4)
        note(f"/healthz: {sorted(watch.words)}")
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
