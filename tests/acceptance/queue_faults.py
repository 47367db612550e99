"""Test the queue under faults while requests wait: a hung dream, a full disk, no folder; ``program_kill`` tests kill -9.

No acknowledged request may be lost, be done without being dreamed, or come on air again after its time. The frames must go on,
and the program must report the fault. The journals of the runs tell what was dreamed.
Linux only; the full disk is a small one in memory, which needs user namespaces.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamer.journal_reader import JournalError, read_journal
from streamer.requests.class_index import ClassIndex
from tests.acceptance.figures import Figures, note
from tests.acceptance.stream import SMALL_DREAM, Json, Stream

SUBJECTS = tuple(entry.label for entry in ClassIndex().entries if entry.tiny)
"""Subjects that every network knows."""
GAP_MS = 500.0
DISK_MB = 6
"""Size of the small disk, in MB."""
TOLD_S = 2.0
"""Seconds within which the status reports a failure to write."""
WRITTEN_S = 8.0
"""Seconds within which all is written once there is room again."""


class Watch(threading.Thread):
    """Thread that reads the status ten times a second and remembers which requests were on air and which ended."""

    def __init__(self, stream: Stream, over: set[int]) -> None:
        """Start watching; ``over`` holds the requests that ended in earlier runs, and grows."""
        super().__init__(daemon=True)
        self._stream, self._over = stream, over
        self._ending = threading.Event()
        self.aired: list[int] = []
        """Requests on air, in order."""
        self.again: set[int] = set()
        """Requests on air again after their time."""
        self.gap_ms = 0.0
        """The longest gap between two frames, in milliseconds."""
        self.start()

    def run(self) -> None:
        while not self._ending.wait(0.1):
            try:
                told = self._stream.status()
            except (OSError, ValueError):  # the program was killed
                return
            self.gap_ms = max(self.gap_ms, 1000 * told["video"]["longest_gap_s"])
            number = told["on_air"] and told["on_air"]["request_id"]
            if self.aired and number != self.aired[-1]:
                self._over.add(self.aired[-1])
            if number and number in self._over:
                self.again.add(number)
            if number and number not in self.aired[-1:]:
                self.aired.append(number)

    def stop(self) -> None:
        self._ending.set()
        self.join(60)


def workers(stream: Stream) -> list[int]:
    """Return the worker processes, including the spare."""
    found = []
    for process in stream.processes():
        with suppress(OSError):  # the process has ended
            if process != stream.process.pid and b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
    return found


def dreamt(folder: Path) -> set[int]:
    """Return the requests that were dreamed, from the journals."""
    found = set()
    for path in folder.glob("*.jsonl"):
        try:
            found |= {scene.request_id for _, scene in read_journal(path).scenes() if scene.request_id is not None}
        except JournalError as error:
            note(f"{error}")
    return found


def states(stream: Stream, numbers: list[int]) -> dict[int, str]:
    return {number: stream.call("GET", f"/api/requests/{number}")["state"] for number in numbers}


def ask(stream: Stream, number: int) -> int:
    """Request one of the subjects; return the request's id."""
    told = stream.ask(f"viewer {number}", SUBJECTS[number % len(SUBJECTS)])
    assert "id" in told, told
    return int(told["id"])


def until_over(stream: Stream, timeout_s: float) -> Json:
    return stream.wait_for(lambda told: not told["queue"] and told["on_air"] and not told["on_air"]["request_id"], timeout_s)


def hung(figures: Figures, folder: Path, settings: list[str], hold_s: float) -> None:
    """Stop the worker, its spare and their replacements for ten hold times."""
    with Stream(folder, settings) as stream:
        stream.wait_for_picture()
        numbers = [ask(stream, number) for number in range(5)]
        stream.wait_for(lambda told: told["on_air"]["request_id"] in numbers and told["on_air"]["since_s"] > 0, 60.0)
        stopped = set[int]()

        def stop_all() -> None:
            for process in set(workers(stream)) - stopped:
                with suppress(ProcessLookupError):  # it was replaced meanwhile
                    os.kill(process, signal.SIGSTOP)
                stopped.add(process)

        stop_all()
        time.sleep(0.5)  # until keyframes under way have arrived
        first, before = stream.status()["on_air"]["request_id"], states(stream, numbers)  # a busy machine may be past the first
        watch, began_s = Watch(stream, set()), time.monotonic()
        while time.monotonic() - began_s < 10 * hold_s:
            stop_all()
            time.sleep(0.1)
        found = states(stream, numbers)
        figures.at_most("hung: requests that came on air meanwhile", len(set(watch.aired)), 2)
        done = [number for number, state in found.items() if state == "done" != before[number]]
        figures.at_most("hung: requests done meanwhile", len(done), 0)
        on_air = stream.status()["on_air"]
        figures.holds("hung: the one on air stays there", on_air["request_id"] == first, f"{on_air['left_s']} s left")
        for process in stopped:
            with suppress(ProcessLookupError):  # it was replaced meanwhile
                os.kill(process, signal.SIGCONT)
        note(f"hung for {time.monotonic() - began_s:.0f} s, {10 * hold_s:g} s of it over {len(stopped)} processes stopped")
        until_over(stream, 60.0 + 10 * hold_s)
        watch.stop()
        found = states(stream, numbers)
        figures.holds("hung: all are done in the end", set(found.values()) == {"done"}, ", ".join(found.values()))
        figures.at_most("hung: longest gap between frames", watch.gap_ms, GAP_MS, "ms")
        stream.interrupt()
        stream.process.wait(60)
    unseen = set(numbers) - dreamt(folder / "journals")
    figures.at_most("hung: requests done that were never rendered", len(unseen), 0)


@contextmanager
def small_disk(folder: Path, megabytes: int = DISK_MB) -> Iterator[int]:
    """Mount a small disk on a folder in a new mount namespace; yield the id of the process that holds it."""
    mount = f"mount -t tmpfs -o size={megabytes}m tmpfs {folder} && echo there && exec sleep 3600"
    with subprocess.Popen(["unshare", "-rm", "sh", "-c", mount], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            if holder.stdout.readline() != "there\n":
                sys.exit("there can be no disk of its own here: user namespaces are not allowed")
            yield holder.pid
        finally:
            holder.kill()


def fill(disk: Path) -> Path:
    """Fill the disk; return the file that takes the room."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return filler


def full(figures: Figures, folder: Path, settings: list[str], hold_s: float) -> None:
    """Fill the disk of queue and journal while requests are dreamed, and free it later."""
    disk_folder = folder / "disk"
    disk_folder.mkdir()
    with small_disk(disk_folder) as holder:
        through = ["nsenter", "-U", "-m", "--preserve-credentials", "-t", str(holder)]
        disk = Path(f"/proc/{holder}/root{disk_folder}")
        settings = [*settings, f"queue.path={disk_folder / 'queue.sqlite3'}"]
        over: set[int] = set()
        with Stream(folder, settings, through=through) as stream:
            stream.wait_for_picture()
            numbers = [ask(stream, number) for number in range(4)]
            watch = Watch(stream, over)
            filler = fill(disk)
            refused = stream.ask("late", SUBJECTS[-1]).get("error") or {"code": "", "message": "it was taken"}
            figures.holds("full: a request is refused", refused["code"] == "closed", refused["message"])
            told = stream.wait_for(lambda told: told["unwritten"], TOLD_S)
            figures.holds("full: status and health tell", told["unwritten"] in told["health"]["problems"], told["unwritten"])
            figures.holds("full: the metric tells", b"zoomdream_queue_written 0.0" in stream.get("/metrics"))
            stream.wait_for(lambda told: len(told["queue"]) <= 1, 60.0 + 3 * hold_s)
            filler.unlink()
            began_s = time.monotonic()
            stream.wait_for(lambda told: not told["unwritten"], 30.0)
            figures.at_most("full: written after there was room", time.monotonic() - began_s, WRITTEN_S, "s")
            numbers.append(ask(stream, 4))
            stream.kill()
            watch.stop()
            errors = [line for line in stream.log().splitlines() if " ERROR " in line]
            figures.at_most("full: lines of the log at ERROR", len(errors), 1)
        with Stream(folder, settings, through=through) as stream:
            again = Watch(stream, over)
            until_over(stream, 120.0)
            again.stop()
            found = states(stream, numbers)
            figures.holds("full: all are done in the end", set(found.values()) == {"done"}, ", ".join(found.values()))
            figures.at_most("full: requests on air again after their time was over", len(again.again), 0)
            figures.at_most("full: longest gap between frames", max(watch.gap_ms, again.gap_ms), GAP_MS, "ms")
            numbers = [ask(stream, number) for number in range(3)]
            filler = fill(disk)
            stream.kill()
        with Stream(folder, settings, through=through) as stream:
            stream.wait_for_picture()
            unwritten = stream.status()["unwritten"]
            figures.holds("full: it starts on a full disk, and tells", unwritten, unwritten)
            stream.wait_for(lambda told: len(told["queue"]) <= 1, 60.0)
            filler.unlink()
            stream.wait_for(lambda told: not told["unwritten"], 30.0)
            numbers.append(ask(stream, 7))
            until_over(stream, 60.0)
            found = states(stream, numbers)
            figures.holds("full: what waited is done, and what came since", set(found.values()) == {"done"}, found)


def nowhere(figures: Figures, folder: Path, settings: list[str]) -> None:
    """Test a queue whose folder is a file."""
    blocked = folder / "file"
    blocked.write_text("")
    settings = [*settings, f"queue.path={blocked / 'queue.sqlite3'}"]
    with Stream(folder, settings) as stream:
        stream.wait_for_picture()
        numbers = [ask(stream, number) for number in range(2)]
        told = stream.status()["unwritten"]
        figures.holds("nowhere: it runs on memory, and tells", "kept in memory only" in told, told)
        stream.wait_for(lambda told: len(told["queue"]) <= 1, 60.0)
        blocked.unlink()
        stream.wait_for(lambda told: not told["unwritten"], 30.0)
        stream.kill()
    with Stream(folder, settings) as stream:
        until_over(stream, 60.0)
        found = states(stream, numbers)
        figures.holds("nowhere: all are kept once there is a place", set(found.values()) == {"done"}, ", ".join(found.values()))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", default="", metavar="NAME", help="one of hung, full, nowhere")
    arguments.add_argument("--hold", type=float, default=3.0, metavar="S", help="seconds each request stays on air")
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = arguments.parse_args()
    figures = Figures()
    settings = [*SMALL_DREAM, "dream.keyframe_s=0.25", f"queue.hold_s={given.hold}", "queue.per_user=5", *given.settings]
    for name, trial in (
        ("hung", lambda folder: hung(figures, folder, settings, given.hold)),
        ("full", lambda folder: full(figures, folder, settings, given.hold)),
        ("nowhere", lambda folder: nowhere(figures, folder, settings)),
    ):
        if given.only in name:
            print(f"--- {name}", flush=True)
            with tempfile.TemporaryDirectory() as folder:
                trial(Path(folder))
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
