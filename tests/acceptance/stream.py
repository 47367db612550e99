"""A running streamer, started as users start it and controlled over its API."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

from tests.precision.sitecustomize import VARIABLE

ROOT = Path(__file__).resolve().parents[2]
SHM = Path("/dev/shm")
START_S = 180.0
ANSWER_S = 60.0
"""Seconds to wait for an answer of the API, on a busy machine."""
SMALL_DREAM = ("canvas.width=160", "dream.steps_per_keyframe=1", "dream.keyframe_s=0.5", "video.residual_flow=false")
"""Settings of a dream that leaves the CPU to what is measured: the worker rests most of the time."""
SMALL_PICTURE = ("canvas.width=64", "canvas.height=36", "video.width=64", "video.height=36", "device=cpu", "dream.views=[0.6]")
"""Settings of the smallest picture; its network sees it in its own size, not enlarged to that of its classes."""
RESTING = ("dream.steps_per_keyframe=1", "dream.keyframe_s=0.25")
"""Settings with which the worker rests most of the time."""
WITHOUT_SPARE = ("renderer.spare=false",)
"""Settings of a stream whose worker is not expected to fail: a spare takes 3 s of CPU time to prepare."""
Json = dict[str, Any]

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def left_out(frames: dict[str, int]) -> int:
    """Return how many frames a viewer may miss, from ``video.frames``: never made, or too many for the encoder."""
    return frames["dropped"] + frames["unencoded"]


class Stream:
    """``zoomdream run`` in a process group of its own, on a free port."""

    def __init__(
        self,
        folder: Path,
        settings: list[str],
        *,
        network: str = "bundled",
        config: Path | None = None,
        environment: Mapping[str, str] | None = None,
        log_level: str = "info",
        checkout: Path = ROOT,
        through: Sequence[str] = (),
        program: str = "streamer",
    ) -> None:
        """Start the program and wait until its page answers; it keeps requests in ``folder``.

        Args:
            config: A config file; ``settings`` override it.
            environment: Variables added to those of this process, without the program's own settings.
            checkout: The checkout whose code runs.
            program: The module to run instead of ``streamer``, with the same arguments.
            through: A command prefix that execs the program, such as ``nsenter`` with its options.
        """
        self.shared_before = shared_memory()
        settings = [f"queue.path={folder / 'queue.sqlite3'}", "web.port=0", f"network.name={network}", *settings]
        call = [*through, sys.executable, "-m", program, "run", *([str(config)] if config else []), "--log-level", log_level]
        call += [part for setting in settings for part in ("--set", setting)]
        self.started_s = time.monotonic()
        self._log = (folder / "stream.log").open("a+")
        inherited = {key: os.environ[key] for key in os.environ if key == VARIABLE or not key.startswith("ZOOMDREAM_")}
        path = os.pathsep.join([str(checkout), *filter(None, [inherited.get("PYTHONPATH")])])  # nsenter changes folder
        environment = {**inherited, "PYTHONPATH": path, **(environment or {})}
        self.process = subprocess.Popen(
            call, cwd=checkout, env=environment, stdout=subprocess.PIPE, stderr=self._log, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if "http://" not in line:
            self.kill()
            raise RuntimeError(f"it did not start: {line}{self.log()}")
        self.url = "http://" + line.partition("http://")[2].split()[0].rstrip("/")
        self.answered_s = time.monotonic() - self.started_s
        # Read all output, or the program could block on it.
        self._reader = Thread(target=self.process.stdout.read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def get(self, path: str, timeout_s: float = ANSWER_S) -> bytes:
        """Return the body of the answer to GET."""
        with _opener.open(self.url + path, timeout=timeout_s) as answer:
            return bytes(answer.read())

    def status(self) -> Json:
        """Return ``/api/status``."""
        told: Json = json.loads(self.get("/api/status"))
        return told

    def ask(self, user: str, text: str) -> Json:
        """Post a request; return the answer, or the error's body."""
        return self.call("POST", "/api/requests", {"user": user, "text": text})

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """Call the API; return the answer, or the error's body; empty if there is none."""
        data = None if body is None else json.dumps(body).encode()
        call = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with _opener.open(call, timeout=ANSWER_S) as answer:
                told = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                told = error.read()
        return dict(json.loads(told)) if told else {}

    def output(self, name: str) -> Json:
        """Return one of the outputs in the status.

        Raises:
            KeyError: No output has that name.
        """
        for output in self.status()["outputs"]:
            if output["name"] == name:
                return dict(output)
        raise KeyError(name)

    def wait_for(self, condition: Callable[[Json], object], timeout_s: float, every_s: float = 0.05) -> Json:
        """Read the status until it meets a condition, and return it.

        Raises:
            TimeoutError: The condition was not met in time, or the program ended.
        """
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s and self.process.poll() is None:
            told = self.status()
            if condition(told):
                return told
            time.sleep(every_s)
        raise TimeoutError(f"not within {timeout_s:.0f} s:\n{self.log()}")

    def wait_for_picture(self, timeout_s: float = START_S) -> float:
        """Wait for the first keyframe; return the seconds since the start of the program."""
        self.wait_for(lambda told: told["renderer"]["network"] and told["renderer"]["keyframe_s"] is not None, timeout_s)
        return time.monotonic() - self.started_s

    def watch(self, path: str, patience_s: float = 10.0) -> Viewer:
        """Start watching live video, such as ``/live.ts``; the viewer leaves after ``patience_s`` without data."""
        return Viewer(self.url + path, patience_s)

    def processes(self) -> list[int]:
        """Return the ids of the program's living processes."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    state, _, group = entry.joinpath("stat").read_text().rpartition(")")[2].split()[:3]
                except OSError:  # the process has ended
                    continue
                if int(group) == self.process.pid and state != "Z":
                    found.append(int(entry.name))
        return found

    def cpu_s(self) -> dict[int, float]:
        """Return the CPU seconds that each process has used so far, by id."""
        used = {}
        for process in self.processes():
            with contextlib.suppress(OSError):
                used[process] = cpu_s(process)
        return used

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Send a signal to every process of the group, as Ctrl+C in a terminal does."""
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """Kill all of its processes immediately, as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(ANSWER_S)
        if self.process.stdout is not None:
            if hasattr(self, "_reader"):
                self._reader.join(10)
            self.process.stdout.close()
        self._log.close()

    def log(self) -> str:
        """Return the log so far."""
        return Path(self._log.name).read_text()


class Viewer(Thread):
    """Reader of live video, until the stream ends or ``close`` is called."""

    def __init__(self, url: str, patience_s: float = 10.0) -> None:
        super().__init__(daemon=True)
        self._answer: http.client.HTTPResponse = _opener.open(url, timeout=patience_s)
        self._closed = False
        self.data = bytearray()
        """All received bytes."""
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError), self._answer:
            while not self._closed and (piece := self._answer.read1(65536)):
                self.data += piece

    def close(self) -> None:
        """Stop watching."""
        self._closed = True
        self.join(10)


def shared_memory() -> set[str]:
    """Return the names of all shared memory on this machine."""
    return {entry.name for entry in SHM.iterdir()} if SHM.is_dir() else set()


def left_in_shared_memory(before: set[str]) -> set[str]:
    """Return the names of newer shared memory that no process uses; other programs, such as other tests, may use theirs."""
    new = shared_memory() - before
    if new:
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # the process has ended, or is another user's
                used = (process / "maps").read_text()
                new = {name for name in new if f"{SHM}/{name}" not in used}
    return new & shared_memory()


def cpu_s(process: int) -> float:
    """Return the CPU seconds that a process has used; raise OSError if it is gone."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def find_chromium() -> str | None:
    """Return the path of Chromium or Chrome; None if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
    return next(filter(None, map(shutil.which, names)), None)


def busy_s() -> float:
    """Return the CPU seconds that all programs on this machine have used since its start."""
    fields = Path("/proc/stat").read_text().split()
    return sum(map(int, (*fields[1:4], *fields[6:9]))) / os.sysconf("SC_CLK_TCK")


def eventually(condition: Callable[[], object], timeout_s: float) -> bool:
    """Return whether a condition becomes true in time."""
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())
