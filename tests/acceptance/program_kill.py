"""``kill -9`` the whole program at random moments, while requests come and a viewer watches.

No acknowledged request may be lost, come on air again after its time, or be done without being dreamed. The dream must go on
from its snapshot: the first dreamed picture of each start differs from the snapshot no more than keyframes two seconds apart
differ from each other (mean absolute difference in levels, without the camera's motion). The journals of the runs tell what
was dreamed. Linux only.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from streamer.snapshot import Snapshot, read
from tests.acceptance.faulty_program import FOLDER, LIGHT, apart, difference, next_seen, seen
from tests.acceptance.figures import Figures, note
from tests.acceptance.queue_faults import Watch, ask, dreamt, states, until_over
from tests.acceptance.stream import SMALL_DREAM, Stream

NEIGHBOURS_S = 2.0
DEADLINE_S = 180.0


class Runs:
    """Successive starts of the program in one folder."""

    def __init__(self, folder: Path, settings: list[str], *, light: bool) -> None:
        self.folder, self._settings = folder, settings
        self._environment = {FOLDER: str(folder)} | ({LIGHT: "1"} if light else {})
        self.changed: list[float] = []
        self.usual: list[float] = []
        self.went_on = 0

    def start(self) -> Stream:
        program = "tests.acceptance.faulty_program"
        return Stream(self.folder, self._settings, program=program, environment=self._environment)

    def left(self) -> Snapshot | None:
        return read(self.folder / "queue.snapshot")

    def look(self, began_s: float, before: Snapshot | None) -> None:
        """Compare the first keyframe of the run that began at ``began_s`` with the snapshot ``before``."""
        found = seen(self.folder, began_s)
        self.usual += apart(found, NEIGHBOURS_S)
        if before is not None and found:
            self.went_on += 1
            self.changed.append(difference(before.picture, before.pose, found[0].image, found[0].pose))


def killed(figures: Figures, runs: Runs, times: int, seed: int, longest_s: float) -> None:
    random, numbers, over, again, snapshots = Random(seed), [], set[int](), set[int](), 0
    for turn in range(times):
        before, began_s = runs.left(), time.monotonic()
        with runs.start() as stream:
            watch, viewer = Watch(stream, over), stream.watch("/live.ts")
            for _ in range(2):
                numbers.append(ask(stream, len(numbers)))
            if not turn:  # the first run needs time to write a snapshot
                next_seen(runs.folder, began_s, DEADLINE_S)
                time.sleep(8.0)
            time.sleep(random.uniform(0.0, longest_s))
            stream.kill()
            viewer.close()
            watch.stop()
            again |= watch.again
        runs.look(began_s, before)
        after = runs.left()
        snapshots += after is not None and (before is None or after.taken_s > before.taken_s)
        changed = f"{runs.changed[-1]:.1f} from its snapshot" if runs.changed else "no picture yet"
        note(
            f"killed {turn + 1} of {times} after {time.monotonic() - began_s:.1f} s: {len(numbers)} asked, {len(over)} over; "
            f"last start that rendered: {changed}"
        )
    before, began_s = runs.left(), time.monotonic()
    with runs.start() as stream:
        watch = Watch(stream, over)
        until_over(stream, 120.0 + 10.0 * len(numbers))
        watch.stop()
        again |= watch.again
        found = states(stream, numbers)
        stream.interrupt()
        stream.process.wait(10)
    runs.look(began_s, before)
    note(f"{runs.went_on} of {times} starts after a kill rendered before the next, from {snapshots} snapshots")
    lost = [number for number, state in found.items() if state != "done"]
    figures.at_most(f"killed {times} times: of {len(numbers)} requests acknowledged are lost", len(lost), 0)
    figures.at_most("requests on air again after their time was over", len(again), 0)
    figures.at_most("requests done that were never rendered", len(set(numbers) - dreamt(runs.folder / "journals")), 0)
    figures.at_least("starts that rendered", runs.went_on, times / 4)
    figures.at_most(
        "mean difference of the first rendered picture from the snapshot",
        statistics.mean(runs.changed),
        statistics.mean(runs.usual),
    )
    note(f"from their snapshots: {', '.join(f'{changed:.1f}' for changed in runs.changed)}")
    note(f"{len(runs.usual)} keyframes {NEIGHBOURS_S:g} s apart: median {statistics.median(runs.usual):.1f}")
    log = (runs.folder / "stream.log").read_text()
    figures.at_most("lines of the log about a snapshot that could not be used", log.count("starts over"), 0)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--hold", type=float, default=3.0, metavar="S", help="seconds each request stays on air")
    arguments.add_argument("--kills", type=int, default=20, metavar="N")
    arguments.add_argument("--longest", type=float, default=16.0, metavar="S", help="from a start to its kill")
    arguments.add_argument("--light", action="store_true", help="with a light dream, on machines with no time for the real one")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = arguments.parse_args()
    figures = Figures()
    settings = [*SMALL_DREAM, "dream.keyframe_s=0.25", f"queue.hold_s={given.hold}", "queue.per_user=5", *given.settings]
    with tempfile.TemporaryDirectory() as folder:
        killed(figures, Runs(Path(folder), settings, light=given.light), given.kills, given.seed, given.longest)
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
