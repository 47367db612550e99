"""Run a stream for long: SqueezeNet at 640x360, 30 frames a second, with requests, a browser, a reader like OBS, a recording.

The reader decodes /live.ts as it comes. Its time stamps must be strictly regular, and only frames may be missing that the
program counted as left out, by the clock or by an encoder. The script monitors late frames, gaps, memory, threads and
descriptors, and checks the recording, which must be one file, at the end.

python -m tests.acceptance.soak --minutes 30 --weights squeezenet1_1.safetensors
python -m tests.acceptance.soak --minutes 2 --busy      as in CI: figures that depend on other load are printed, not judged

Without --weights it uses SqueezeNet's first release, which a package contains.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import os
import queue
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np

from tests.acceptance.figures import Figures, note
from tests.acceptance.live_run import CHROMIUM_ARGS
from tests.acceptance.stream import Json, Stream, busy_s, find_chromium, left_out

FPS, WIDTH, HEIGHT = 30, 640, 360
TICKS = 90_000 // FPS
"""Ticks from one picture to the next in an MPEG-TS."""
LATE = 0.001
GAP_S = 0.1
SLOPE_MB = 1.0
"""Allowed growth of memory per minute, after the warm-up."""
BUSY_MB = {"main": 10.0, "dream": 120.0}
"""Allowed growth of memory in a run too short for a slope: on a busy machine the dream has not yet used all its sizes."""
FLAT = 2
"""Allowed increase of threads and of descriptors."""
WARM_S = 300.0
"""Longest warm-up; a third of shorter runs."""
LOOK_S = 2.0
PAGE_S = 10.0
ASK_S = 12.0
BROWSER_NICE = 10
"""Niceness of the browser: below the stream, above its dream."""
SUBJECTS = ("goldfish", "jellyfish", "school bus", "lion", "monarch", "pizza", "teapot", "orange + banana", "king penguin")


class Reader(threading.Thread):
    """Player of /live.ts that decodes it as it comes and records irregular time stamps.

    A separate thread receives the data immediately, so that late decoding on a busy machine does not make a slow viewer.
    """

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=180.0)
        self._connection.request("GET", parts.path)
        self._answer = self._connection.getresponse()
        self._came: queue.SimpleQueue[bytes] = queue.SimpleQueue()  # holds at most the data of the run
        self._left, self._ending = b"", False
        self.decoded = self.missing = 0
        self.irregular: list[int] = []
        """The first time steps that are not a whole number of pictures, in ticks."""
        self.longest = 0
        """Longest time step, in pictures."""
        self.error = ""
        self._taker = threading.Thread(target=self._take, daemon=True)
        self._taker.start()
        self.start()

    def _take(self) -> None:
        try:
            while not self._ending and (data := self._answer.read1(1 << 16)):
                self._came.put(data)
        except (OSError, http.client.HTTPException) as error:
            self.error = f"{type(error).__name__}: {error}"
        self._came.put(b"")  # the end

    def read(self, size: int) -> bytes:
        """Return received data, for the demuxer."""
        data = self._left or self._came.get()
        if not data:
            self._came.put(data)  # the demuxer may read again after the end
        self._left = data[size:]
        return data[:size]

    def run(self) -> None:
        try:
            with av.open(self, "r", format="mpegts", options={"fflags": "nobuffer"}) as container:
                stream = container.streams.video[0]
                stream.codec_context.thread_count = 1
                before: int | None = None
                for frame in container.decode(stream):
                    assert frame.pts is not None
                    if before is not None:
                        self._step(frame.pts - before)
                    before = frame.pts
                    self.decoded += 1
        except (av.FFmpegError, OSError) as error:
            if not self._ending:
                self.error = f"{type(error).__name__}: {error}"

    def _step(self, ticks: int) -> None:
        pictures, rest = divmod(ticks, TICKS)
        if rest or pictures < 1:
            self.irregular = [*self.irregular, ticks][:10]
            return
        self.missing += pictures - 1
        self.longest = max(self.longest, pictures)

    def stop(self) -> None:
        self._ending = True
        self._taker.join(180.0)
        self._connection.close()
        self.join(180.0)


@dataclass
class Sample:
    """The program's resources at one moment."""

    at_s: float
    memory_mb: dict[str, float]
    threads: int
    descriptors: int


@dataclass
class Watch:
    """All observations of a run."""

    samples: list[Sample] = field(default_factory=list)
    gap_s: float = 0.0
    gap_at_s: float = 0.0
    """Time at which the longest gap was reported; it was within the ten seconds before."""
    problems: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    page_s: list[float] = field(default_factory=list)
    page_errors: list[str] = field(default_factory=list)


def resident_mb(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def sample(stream: Stream, since_s: float) -> Sample:
    """Measure the main process, and the memory of its child that has used most CPU time, which is the one that dreams."""
    main = stream.process.pid
    used = {process: seconds for process, seconds in stream.cpu_s().items() if process != main}
    memory = {"main": resident_mb(main)}
    if used:
        with contextlib.suppress(OSError):
            memory["dream"] = resident_mb(max(used, key=lambda process: used[process]))
    folder = Path(f"/proc/{main}")
    threads, descriptors = (len(list((folder / name).iterdir())) for name in ("task", "fd"))
    return Sample(time.monotonic() - since_s, memory, threads, descriptors)


def yielding(browser: str, folder: Path) -> Path:
    """Return a program that starts the browser so that it never takes CPU time from the stream.

    A viewer's browser runs on another machine. Here it runs on the stream's, and draws without a GPU, for most of a core.
    When root starts it, Chromium also raises the priority of drawing above everything else.
    """
    drop = "setpriv --bounding-set=-sys_nice --inh-caps=-sys_nice " if os.geteuid() == 0 and shutil.which("setpriv") else ""
    script = folder / "browser"
    script.write_text(f'#!/bin/sh\nexec {drop}nice -n {BROWSER_NICE} "{browser}" "$@"\n')
    script.chmod(0o700)
    return script


@contextlib.contextmanager
def page(url: str, wanted: bool, folder: Path) -> Iterator[Any]:
    """Open the page in headless Chromium and yield it, or None without a browser."""
    path = find_chromium()
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        path = None
    if path is None or not wanted:
        note("no browser looks at the page")
        yield None
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=yielding(path, folder), args=CHROMIUM_ARGS)
        opened = browser.new_page(viewport={"width": 1280, "height": 800})
        opened.set_default_timeout(180_000)
        opened.goto(url)
        yield opened
        browser.close()


def soak(stream: Stream, seconds: float, opened: Any, watch: Watch) -> None:
    """Watch the stream for some time, and post requests now and then."""
    began_s = time.monotonic()
    if opened is not None:
        opened.on("pageerror", lambda error: watch.page_errors.append(str(error)))
    asked_s, looked_s, number = began_s, began_s, 0
    while (now_s := time.monotonic()) < began_s + seconds:
        if stream.process.poll() is not None:
            raise SystemExit(f"it ended:\n{stream.log()[-4000:]}")
        watch.samples.append(sample(stream, began_s))
        told = stream.status()
        if (gap_s := told["video"]["longest_gap_s"]) > watch.gap_s:
            watch.gap_s, watch.gap_at_s = gap_s, now_s - began_s
        watch.problems.update(told["health"]["problems"])
        if now_s - asked_s >= ASK_S:
            asked_s, number = now_s, number + 1
            answer = stream.ask(f"viewer {number % 50}", SUBJECTS[number % len(SUBJECTS)])
            watch.asked["taken" if "id" in answer else answer["error"]["code"]] += 1
        if opened is not None and now_s - looked_s >= PAGE_S:
            looked_s = now_s
            shown_s = opened.evaluate(
                "() => { const video = document.querySelector('video'); return video && video.currentTime }"
            )
            watch.page_s.append(shown_s or 0.0)
        time.sleep(LOOK_S)


def judge_held(figures: Figures, watch: Watch, seconds: float, busy: bool) -> None:
    """Judge memory, threads and descriptors after the warm-up."""
    warm_s = min(WARM_S, seconds / 3)
    settled = [each for each in watch.samples if each.at_s >= warm_s]
    share = max(1, len(settled) // 3)
    first, last = settled[:share], settled[-share:]
    for name in ("main", "dream"):
        points = [(each.at_s / 60, each.memory_mb[name]) for each in settled if name in each.memory_mb]
        minutes, held = (np.array(values) for values in zip(*points, strict=True))
        fitted = float(np.polyfit(minutes, held, 1)[0])
        before, after = (
            statistics.median(each.memory_mb[name] for each in part if name in each.memory_mb) for part in (first, last)
        )
        # A step of the dream takes some ten megabytes and frees them, which would disturb a line fitted to all samples.
        slope = (after - before) / max(1e-9, (last[0].at_s - first[0].at_s) / 60)
        note(f"memory of {name}: {before:.1f} MB, then {after:.1f} MB; a line through all samples: {fitted:+.3f} MB a minute")
        if busy:
            figures.at_most(f"memory of {name} grew by", after - before, BUSY_MB[name], "MB")
        else:
            figures.at_most(f"memory of {name}, slope", slope, SLOPE_MB, "MB a minute")
    for name in ("threads", "descriptors"):
        before, after = (statistics.median(getattr(each, name) for each in part) for part in (first, last))
        note(f"{name}: {before:g}, then {after:g}")
        figures.at_most(f"{name} that came", after - before, FLAT)


def judge_frames(figures: Figures, watch: Watch, counts: Json, busy: bool) -> None:
    """Judge late frames and gaps."""
    late = counts["late"] / max(1, counts["shown"])
    note(f"frames: {json.dumps(counts)}; the longest gap was told after {watch.gap_at_s:.0f} s")
    if busy:
        note(f"late frames: {100 * late:.3f} %; longest gap {1000 * watch.gap_s:.0f} ms")
    else:
        figures.at_most("share of frames late", late, LATE)
        figures.at_most("longest gap between frames", watch.gap_s, GAP_S, "s")


def judge_reader(figures: Figures, reader: Reader, counted: int) -> None:
    """Judge the time stamps of the decoded pictures."""
    figures.holds("reader: it read to the end", not reader.error, reader.error or f"{reader.decoded} pictures decoded")
    figures.holds(
        "reader: times are whole steps of 1/30 s, each later than the one before", not reader.irregular, reader.irregular or ""
    )
    figures.at_most(f"reader: pictures missing, beyond the {counted} counted as left out", max(0, reader.missing - counted), 0)
    note(f"reader: {reader.missing} missing in all, at most {1000 * reader.longest / FPS:.0f} ms from one to the next")


def judge_recording(figures: Figures, path: Path, counted: int) -> None:
    """Judge the recording: one file with regular time stamps."""
    steps: Counter[int] = Counter()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        tick = round(1 / (FPS * stream.time_base))
        times = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
    for before, after in itertools.pairwise(times):
        steps[after - before] += 1
    odd = {step: number for step, number in steps.items() if step % tick or step <= 0}
    missing = sum((step // tick - 1) * number for step, number in steps.items())
    figures.holds(
        "recording: times are whole steps of 1/30 s",
        times and not odd,
        odd or f"{len(times)} pictures, {path.stat().st_size / 1e6:.0f} MB",
    )
    figures.at_most(f"recording: pictures missing, beyond the {counted} counted as left out", max(0, missing - counted), 0)


def measure(figures: Figures, folder: Path, given: argparse.Namespace) -> None:
    recording = folder / "soak.mp4"
    outputs = json.dumps([{"kind": "file", "path": str(recording), "min_free_mb": 100}])
    settings = [
        f"video.width={WIDTH}",
        f"video.height={HEIGHT}",
        f"video.fps={FPS}",
        "video.bitrate_kbps=1500",
        "queue.hold_s=10",
    ]
    settings += ["device=cpu", f"outputs={outputs}"]
    network = "squeezenet1_1_caffe" if given.weights is None else "squeezenet1_1"
    if given.weights is not None:
        settings.append(f"network.weights={given.weights.resolve()}")
    seconds, watch = 60 * given.minutes, Watch()
    with Stream(folder, [*settings, *given.settings], network=network) as stream:
        first_s = stream.wait_for_picture(180.0)
        note(f"the first picture after {first_s:.1f} s; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        with page(stream.url, not given.no_browser, folder) as opened:
            time.sleep(5.0)  # the browser starts
            # Counts read before the reader begins and after it ends cover all of its time.
            began = stream.status()["video"]["frames"]
            reader, used, busy = Reader(f"{stream.url}/live.ts"), stream.cpu_s(), busy_s()
            soak(stream, seconds, opened, watch)
            reader.stop()
            ended = stream.status()["video"]["frames"]
            ours_s = sum(seconds - used.get(process, 0.0) for process, seconds in stream.cpu_s().items())
            note(
                f"processor: {ours_s:.0f} s of ours, {busy_s() - busy - ours_s:.0f} s of others; load {os.getloadavg()[0]:.1f}"
            )
        counts = {key: ended[key] - began[key] for key in ended}
        judge_frames(figures, watch, counts, given.busy)
        judge_reader(figures, reader, left_out(counts))
        judge_held(figures, watch, seconds, given.busy)
        note(f"requests: {dict(watch.asked)}; restarts {stream.status()['renderer']['restarts']}")
        figures.holds("requests are taken", watch.asked["taken"])
        if watch.page_s:
            passed_s = PAGE_S * (len(watch.page_s) - 1)
            # The page's time restarts when the page reconnects.
            shown_s = sum(max(0.0, after - before) for before, after in itertools.pairwise(watch.page_s))
            note(f"page: {shown_s:.0f} s of video in about {passed_s:.0f} s")
            figures.holds(
                "page: no error in it, and it plays", not watch.page_errors and shown_s > 0, "; ".join(watch.page_errors) or ""
            )
        for problem, number in watch.problems.most_common(5):
            note(f"unwell in {number} of {len(watch.samples)} looks: {problem}")
        figures.holds("no error in the log", " ERROR " not in stream.log(), stream.log().count(" ERROR "))
        if given.busy:  # end the recording first: frames left out during shutdown could not be read
            stream.call("PATCH", "/api/outputs/file", {"enabled": False})
            stream.wait_for(lambda told: told["outputs"][0]["state"] == "disabled", 60.0)
        dropped, counted = stream.output("file")["dropped"], left_out(stream.status()["video"]["frames"])
        stream.interrupt(signal.SIGINT)
        stream.process.wait(60)
    if given.busy:
        note(f"recording: {dropped} pictures left out, its disk being too slow")
    else:
        figures.at_most("recording: pictures left out, its disk being too slow", dropped, 0)
    counted += dropped
    judge_recording(figures, recording, counted)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--minutes", type=float, default=30.0)
    arguments.add_argument("--weights", type=Path, help="of squeezenet1_1")
    arguments.add_argument(
        "--busy", action="store_true", help="print what depends on other programs' load, and do not judge it"
    )
    arguments.add_argument("--no-browser", action="store_true")
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = arguments.parse_args()
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        measure(figures, Path(folder), given)
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
