"""Attack the server, one kind of attack after another, while the video has viewers: viewers must notice nothing.

Each attack runs in its own process with low priority, so that it takes the server's time, not the machine's. The program has
few file descriptors. For each attack the script prints the results of its calls, the late frames, the time of another client's
status calls, the CPU time, and the growth of memory and log. Before each attack it measures as long without one and compares
the late frames, because other programs may make frames late at any time. In the end it opens 1100 idle connections and kills
the worker, which must come back.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import math
import multiprocessing
import os
import secrets
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from urllib.parse import urlsplit

from tests.acceptance.chat_flood import memory_mb
from tests.acceptance.figures import Figures, note, part
from tests.acceptance.slow_viewer import Viewer, missed
from tests.acceptance.stream import SMALL_DREAM, Json, Stream, eventually, left_out
from tests.web import attacks
from tests.web.attacks import ATTACKS, BAD, Ending, verdict

FPS = 30
LATE = 0.001
STATUS_S = 1.0
MORE = 0.4
"""CPU seconds that an attack may cost per second."""
GROWTH_MB = 40.0
LOG_KB = 100.0
NICENESS = 15

Attack = Callable[[int, Ending], Counter[str]]


def attack(name: str, port: int, ending: Event, outcome: Connection) -> None:
    """Run an attack, as a process of its own."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)
    outcome.send(ATTACKS[name](port, ending))


def many_idle(port: int, ending: Event, outcome: Connection) -> None:
    """Open more idle connections than the program has descriptors, from 100 addresses."""
    attacks.ADDRESSES = 100
    outcome.send(attacks.idle(port, ending, 1100))


class Attacker:
    """An attack that runs until ``stop``."""

    def __init__(self, target: Callable[..., None], *arguments: object) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._told, theirs = spawn.Pipe(duplex=False)
        self._ending = spawn.Event()
        self._process = spawn.Process(target=target, args=(*arguments, self._ending, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def stop(self) -> Counter[str]:
        """End the attack; return the results of its calls."""
        self._ending.set()
        seen: Counter[str] = self._told.recv() if self._told.poll(30.0) else Counter({"hung": 1})
        self._process.join(5.0)
        self._process.kill()
        return seen


def status_s(stream: Stream) -> float:
    """Return the seconds that a status call of an innocent client takes; 10 if it fails."""
    parts = urlsplit(stream.url)
    began_s = time.monotonic()
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10.0)
    try:
        connection.request("GET", "/api/status")
        if connection.getresponse().status != 200:
            return 10.0
    except OSError:
        return 10.0
    finally:
        connection.close()
    return time.monotonic() - began_s


def told(stream: Stream, patience_s: float = 60.0) -> Json:
    """Request the status until there is an answer, and return it."""
    end_s = time.monotonic() + patience_s
    while True:
        try:
            return stream.status()
        except OSError:
            if time.monotonic() > end_s or stream.process.poll() is not None:
                raise
            time.sleep(0.1)


def watch(stream: Stream, seconds: float) -> tuple[Json, list[float]]:
    """Let some time pass; return the counts of its frames, and the seconds of each status call."""
    before, taken = told(stream)["video"]["frames"], []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        taken.append(status_s(stream))
        time.sleep(0.25)
    after = told(stream)["video"]["frames"]
    return {key: after[key] - before[key] for key in ("shown", "late", "repeated", "dropped", "unencoded")}, taken


@dataclass(frozen=True)
class Pair:
    """Shares of late frames, without an attack and with the attack right after."""

    name: str
    quiet: float
    attacked: float


def late(frames: Json) -> float:
    """Return the share of frames that were late, or left out as too late."""
    return (frames["late"] + left_out(frames)) / max(1, frames["shown"] + frames["dropped"])


def compare(figures: Figures, pairs: list[Pair]) -> None:
    """Judge whether attacks make frames late: the mean difference, less two standard errors, must be within the limit."""
    more = [pair.attacked - pair.quiet for pair in pairs]
    mean, chance = statistics.mean(more), statistics.stdev(more) / math.sqrt(len(more)) if len(more) > 1 else 0.0
    quiet, attacked = (statistics.mean(values) for values in zip(*((pair.quiet, pair.attacked) for pair in pairs), strict=True))
    note(f"late frames: {100 * quiet:.3f} % without and {100 * attacked:.3f} % with an attack, over {len(pairs)} pairs")
    note(f"that is {100 * mean:+.3f} % with a standard error of {100 * chance:.3f} %")
    figures.at_most("late frames more than without, beyond what may be chance", max(0.0, mean - 2 * chance), LATE)


def endure(figures: Figures, stream: Stream, viewer: Viewer, name: str, seconds: float, pairs: list[Pair]) -> Json:
    """Run one attack, after the same time without one."""
    quiet_s = stream.cpu_s()[stream.process.pid]
    before, taken = watch(stream, seconds)
    note(f"{name}, before: status {part(taken, 0.5):.3f} s, {max(taken):.3f} s at most")
    quiet_s = stream.cpu_s()[stream.process.pid] - quiet_s
    attacker = Attacker(attack, name, urlsplit(stream.url).port)
    time.sleep(1.0)
    viewer.longest_wait_s()
    logged, memory = len(stream.log()), memory_mb(stream.process.pid)
    used_s = stream.cpu_s()[stream.process.pid]
    frames, taken = watch(stream, seconds)
    used_s = stream.cpu_s()[stream.process.pid] - used_s
    wait_s = viewer.longest_wait_s()
    seen = attacker.stop()
    note(f"{name}: {dict(seen)}")
    note(f"frames {json.dumps(frames)}; viewer waited {wait_s:.2f} s; processor {1000 * used_s / seconds:.0f} ms a second")
    note(f"status {part(taken, 0.5):.3f} s, {max(taken):.3f} s at most")
    pairs.append(Pair(name, late(before), late(frames)))
    note(f"late: {100 * pairs[-1].quiet:.3f} % without, {100 * pairs[-1].attacked:.3f} % with it")
    if pairs[-1].quiet <= LATE / 2:  # the machine is otherwise idle
        figures.at_most(f"{name}: late frames", pairs[-1].attacked, LATE)
    figures.at_most(f"{name}: processor more than without", (used_s - quiet_s) / seconds, MORE, "s a second")
    figures.at_most(f"{name}: status for others", max(taken), STATUS_S, "s")
    figures.at_most(f"{name}: memory grew by", memory_mb(stream.process.pid) - memory, GROWTH_MB, "MB")
    figures.at_most(f"{name}: the log grew by", (len(stream.log()) - logged) / 1000, LOG_KB, "kB")
    for outcome in ("silence", "taken whole", "hung"):
        figures.at_most(f"{name}: {outcome}", seen[outcome], 0)
    time.sleep(1.0)
    return frames


def endure_idle(figures: Figures, stream: Stream) -> None:
    """Kill the worker while all available connections are taken."""
    attacker = Attacker(many_idle, urlsplit(stream.url).port)
    folder, descriptors = Path(f"/proc/{stream.process.pid}/fd"), -1
    while (found := len(list(folder.iterdir()))) > descriptors + 5:  # until the program accepts no more
        descriptors = found
        time.sleep(3.0)
    note(f"{descriptors} descriptors are taken")
    restarts = told(stream)["renderer"]["restarts"]
    workers = [pid for pid in stream.processes() if pid != stream.process.pid]
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    killed_s = time.monotonic()

    def dreams() -> bool:
        renderer = told(stream)["renderer"]
        return bool(renderer["restarts"] > restarts and renderer["keyframe_s"] is not None)

    back = eventually(lambda: stream.process.poll() is not None or dreams(), 60.0)
    figures.holds("1100 idle connections: the program lives", stream.process.poll() is None)
    figures.holds("1100 idle connections: the worker comes back", back, f"after {time.monotonic() - killed_s:.1f} s")
    figures.at_most("1100 idle connections: status for others", max(status_s(stream) for _ in range(10)), STATUS_S, "s")
    note(f"1100 idle connections: {dict(attacker.stop())}")


def measure(figures: Figures, stream: Stream, seconds: float, chosen: list[str], rounds: int) -> None:
    port = urlsplit(stream.url).port or 0
    for what, call in BAD.items():
        seen = verdict(port, call)
        figures.holds(what, seen in ("4xx", "dropped"), seen)
    viewer = Viewer(f"{stream.url}/live.ts")
    time.sleep(5.0)
    viewer.data.clear()
    total: Counter[str] = Counter()
    pairs: list[Pair] = []
    for _ in range(rounds):
        for name in chosen:
            total.update(endure(figures, stream, viewer, name, seconds, pairs))
    compare(figures, pairs)
    counted = left_out(stream.status()["video"]["frames"])
    viewer.stop()
    number, holes = missed(bytes(viewer.data))
    figures.at_most(f"pictures of {number} that a viewer missed, beyond those counted as left out", max(0, holes - counted), 0)
    endure_idle(figures, stream)
    figures.at_most("the log, all of it", len(stream.log()) / 1000, 10 * LOG_KB, "kB")
    figures.holds("no error in the log", " ERROR " not in stream.log(), stream.log().count(" ERROR "))
    note(f"attacked, all together: {json.dumps(total)}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=20.0, help="of each attack, and of the time before it")
    arguments.add_argument("--rounds", type=int, default=1, help="how often each attack is made")
    arguments.add_argument("--descriptors", type=int, default=1024, help="that the program may have, on Linux")
    arguments.add_argument("--attack", action="append", choices=sorted(ATTACKS), help="only this one, or these")
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = arguments.parse_args()
    figures = Figures()
    video = ["video.width=640", "video.height=360", f"video.fps={FPS}", "video.bitrate_kbps=1000"]
    settings, token = [*SMALL_DREAM, *video, *given.settings], {"ZOOMDREAM_WEB_TOKEN": secrets.token_hex(16)}
    with tempfile.TemporaryDirectory() as folder, Stream(Path(folder), settings, environment=token) as stream:
        if sys.platform == "linux":
            import resource

            resource.prlimit(stream.process.pid, resource.RLIMIT_NOFILE, (given.descriptors, given.descriptors))
        stream.wait_for_picture()
        measure(figures, stream, given.seconds, given.attack or list(ATTACKS), given.rounds)
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
