"""Make the renderer fail while a viewer watches: killed, stopped, out of memory, CUDA error, spoilt picture, exit.

Each fault waits for a prepared spare, which an idle machine of two cores has within the ten seconds between two faults.

For each fault the script measures the time to the next dreamed picture, its difference from the one before (mean absolute
difference in levels, without the zoom) compared with ordinary neighbours a second apart, and the frames that a reader of
``/live.ts`` missed. Linux only.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from tests.acceptance.faulty_program import FAULTS, FOLDER, LIGHT, apart, difference, next_seen, seen
from tests.acceptance.figures import Figures, note, part
from tests.acceptance.pulse import Pulse
from tests.acceptance.stream import SMALL_DREAM, Stream, Viewer, cpu_s

FPS = 25
BACK_S = 1.0
SILENT_S = 5.0
"""Seconds of silence after which a worker is killed."""
DEADLINE_S = 180.0
NEAR_S = 2.0
"""Seconds after a fault in which it may be the cause of missed frames."""
NOISE = 1.25
"""Factor by which the share of missed frames may exceed that of other times."""


def workers(stream: Stream) -> list[int]:
    """Return the worker processes; the one that dreams is older than its spare."""
    others = [process for process in stream.processes() if process != stream.process.pid]
    return sorted(process for process in others if b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes())


@dataclass
class Missed:
    """Frames that a reader missed, by the frames' time stamps and their positions in the stream."""

    near: int = 0
    """Frames missed within ``NEAR_S`` after a fault."""
    near_of: int = 0
    far: int = 0
    """Frames missed at other times, because of other load."""
    far_of: int = 0

    @classmethod
    def by(cls, viewer: Viewer, faults: Sequence[tuple[int, int]], begin: int, end: int) -> Missed:
        """Count from byte ``begin`` to ``end`` of the stream; ``faults`` are the bytes at each fault and ``NEAR_S`` later."""
        with av.open(io.BytesIO(bytes(viewer.data)), "r", format="mpegts") as container:
            found = [(p.pos, p.pts * p.time_base) for p in container.demux(video=0) if p.pts is not None]
        missed = cls()
        for (_, before), (place, after) in itertools.pairwise(found):
            if not begin <= place < end:
                continue
            frames = round((after - before) * FPS)
            if any(first <= place < last for first, last in faults):
                missed.near, missed.near_of = missed.near + frames - 1, missed.near_of + frames
            else:
                missed.far, missed.far_of = missed.far + frames - 1, missed.far_of + frames
        return missed

    def __str__(self) -> str:
        return f"{self.near} of {self.near_of} within {NEAR_S:g} s after one, {self.far} of {self.far_of} at other times"


def taken_s(process: int) -> float:
    """Return the CPU seconds that a process has used; 0 if it is gone."""
    try:
        return cpu_s(process)
    except OSError:
        return 0.0


class Trial:
    """A stream, and faults of its renderer."""

    def __init__(self, figures: Figures, stream: Stream, folder: Path) -> None:
        self.figures, self.stream, self.folder = figures, stream, folder
        self.viewer = stream.watch("/live.ts")
        self.places: list[tuple[int, int]] = []
        """Bytes of the stream at each fault and ``NEAR_S`` later."""
        self.least_s = 1.0
        """Least CPU seconds that preparing a spare takes."""
        self.waited_s: list[float] = []
        self.changed: list[float] = []
        self.between: list[float] = []
        """Seconds between keyframes, undisturbed."""
        self.usual: list[float] = []

    def until_spare(self) -> float:
        """Wait until a spare is fully prepared, which takes longer on a busy machine; return the seconds it took."""
        began_s = time.monotonic()
        while time.monotonic() < began_s + DEADLINE_S:
            spare = (workers(self.stream) or [0])[-1]
            used_s = taken_s(spare)
            time.sleep(1.0)
            if len(workers(self.stream)) > 1 and used_s > self.least_s and taken_s(spare) - used_s < 0.02:
                break
        return time.monotonic() - began_s

    def __call__(self, fault: Callable[[], None], *, every_s: float) -> float:
        """Cause a fault; return the seconds to the next dreamed picture. The call takes at least ``every_s``."""
        began_s = time.monotonic()
        self.waited_s.append(self.until_spare())
        before = seen(self.folder, time.monotonic() - 8.0)
        self.usual += apart(before, 1.0)
        self.between += [later.at_s - earlier.at_s for earlier, later in itertools.pairwise(before[-8:])]
        fault()
        faulted_s, place = time.monotonic(), len(self.viewer.data)
        after = next_seen(self.folder, faulted_s, DEADLINE_S)
        time.sleep(max(0.0, faulted_s + NEAR_S - time.monotonic()))
        self.places.append((place, len(self.viewer.data)))
        if before:
            self.changed.append(difference(before[-1].image, before[-1].pose, after.image, after.pose))
        time.sleep(max(0.0, began_s + every_s - time.monotonic()))
        return after.at_s - faulted_s

    def inject(self, fault: str) -> None:
        """Make the next step fail; return once the fault was read."""
        file = self.folder / "fault"
        (self.folder / "fault.new").write_text(fault)
        (self.folder / "fault.new").rename(file)
        end_s = time.monotonic() + DEADLINE_S
        while file.exists() and time.monotonic() < end_s:
            time.sleep(0.005)


def run(figures: Figures, folder: Path, given: argparse.Namespace) -> None:
    video = ["video.width=640", "video.height=360", f"video.fps={FPS}", "video.captions=false", "queue.wander_s=3600"]
    environment = {FOLDER: str(folder)} | ({LIGHT: "1"} if given.light else {})
    settings = [*SMALL_DREAM, "dream.keyframe_s=0.2", *video, *given.settings]
    program = "tests.acceptance.faulty_program"
    with Stream(folder, settings, program=program, environment=environment) as stream:
        note(f"first picture after {stream.wait_for_picture():.1f} s")
        trial, pulse = Trial(figures, stream, folder), Pulse()
        trial.least_s = 0.3 if given.light else 1.0
        time.sleep(12.0)
        begin = len(trial.viewer.data)
        time.sleep(10.0)
        calm = stream.status()["video"]["frames"]

        def kill() -> None:
            os.kill(workers(stream)[0], signal.SIGKILL)

        def stop() -> None:
            os.kill(workers(stream)[0], signal.SIGSTOP)

        killed = [trial(kill, every_s=given.every) for _ in range(given.kills)]
        note(f"undisturbed keyframes came every {statistics.median(trial.between):.2f} s; load {os.getloadavg()[0]:.0f}")
        note(f"a spare was waited for {statistics.median(trial.waited_s):.0f} s, {max(trial.waited_s):.0f} s at most")
        told = ", ".join(f"{seconds:.2f}" for seconds in killed)
        note(f"killed {len(killed)} times: dreaming again after {told} s")
        figures.at_most(f"killed {len(killed)} times: dreaming again, median", statistics.median(killed), BACK_S, "s")
        figures.at_most(f"killed {len(killed)} times: dreaming again, longest", max(killed), BACK_S, "s")
        end = len(trial.viewer.data)
        missed = Missed.by(trial.viewer, trial.places, begin, end)
        note(f"killed: frames that a reader missed: {missed}")
        limit = NOISE * missed.far / max(1, missed.far_of)
        figures.at_most("killed: share of the frames after that a reader missed", missed.near / max(1, missed.near_of), limit)
        figures.at_most(
            "killed: the picture after, median difference from the one before",
            statistics.median(trial.changed),
            part(trial.usual, 0.95),
        )
        note(f"ordinary neighbours a second apart: median {statistics.median(trial.usual):.1f}, most {max(trial.usual):.1f}")
        note(f"the pictures after: {', '.join(f'{changed:.1f}' for changed in trial.changed)}")
        stopped = [trial(stop, every_s=given.every + SILENT_S) for _ in range(given.stops)]
        note(f"stopped {len(stopped)} times: dreaming again after {', '.join(f'{seconds:.2f}' for seconds in stopped)} s")
        figures.at_most("stopped: dreaming again, longest", max(stopped, default=0.0), SILENT_S + 2 * BACK_S, "s")
        for fault in FAULTS:
            restarts = stream.status()["renderer"]["restarts"]
            seconds = trial(lambda fault=fault: trial.inject(fault), every_s=given.every)
            told_now = stream.status()["renderer"]
            told = f"{told_now['restarts'] - restarts} restarts, {told_now['spoilt']} spoilt, error '{told_now['error']}'"
            note(f"{fault}: {told}{', reduced: ' + told_now['reduced'] if told_now['reduced'] else ''}")
            figures.at_most(f"{fault}: dreaming again", seconds, 2 * BACK_S, "s")
        missed = Missed.by(trial.viewer, trial.places, end, len(trial.viewer.data))
        note(f"stopped and failing: frames that a reader missed: {missed}")
        frames = stream.status()["video"]["frames"]
        note(
            f"the machine woke a process that only sleeps at most {pulse.take():.0f} ms late; the video's own frames since: "
            + ", ".join(f"{frames[kind] - calm[kind]} {kind}" for kind in ("shown", "late", "repeated", "dropped", "unencoded"))
        )
        pulse.stop()
        left = stream.processes()
        figures.at_most("processes", len(left), 4)
        stream.interrupt()
        stream.process.wait(10)
        warnings = [line for line in stream.log().splitlines() if "WARNING" in line and "SIGKILL" not in line]
        note(
            "the log's warnings, without the kills: "
            + "".join(f"\n        {line}" for line in warnings if "SIGKILL" not in line)
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=20, metavar="N")
    arguments.add_argument("--stops", type=int, default=5, metavar="N")
    arguments.add_argument("--light", action="store_true", help="with a light dream, on machines with no time for the real one")
    arguments.add_argument("--every", type=float, default=10.0, metavar="S", help="seconds from one fault to the next")
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        run(figures, Path(folder), arguments.parse_args())
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
