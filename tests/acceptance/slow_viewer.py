"""Add a viewer that reads 1 kB a second to twenty normal ones: the others must miss nothing, and memory must not grow.

All watch /live.ts. First the twenty are alone, then the slow one joins them for the same time. For each normal viewer the
script finds the pictures that it missed, as gaps in their times beyond those that the program left out, and the longest wait
for data.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import itertools
import json
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import av

from tests.acceptance.chat_flood import memory_mb
from tests.acceptance.figures import Figures, note, part
from tests.acceptance.stream import SMALL_DREAM, Json, Stream, left_out

FPS = 30
GROWTH_MB = 20.0
WAIT_MORE_S = 0.1
"""Seconds by which a normal viewer's longest wait may increase."""


class Viewer(threading.Thread):
    """Normal viewer until ``stop``; records the longest wait for data."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20.0)
        self._connection.request("GET", parts.path)
        self._answer = self._connection.getresponse()
        self._ending = False
        self.data = bytearray()
        self._last_s = time.monotonic()
        self._longest_s = 0.0
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            while not self._ending and (piece := self._answer.read1(65536)):
                self.data += piece
                now_s = time.monotonic()
                self._longest_s, self._last_s = max(self._longest_s, now_s - self._last_s), now_s

    def longest_wait_s(self) -> float:
        """Return the longest time without data since the last call."""
        longest_s, self._longest_s = max(self._longest_s, time.monotonic() - self._last_s), 0.0
        return longest_s

    def stop(self) -> None:
        self._ending = True
        self.join(20)
        self._connection.close()


class SlowViewer(threading.Thread):
    """Viewer that reads ``rate`` bytes a second, with a small receive buffer."""

    def __init__(self, url: str, rate: int) -> None:
        super().__init__(daemon=True)
        parts = urlsplit(url)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(20.0)
        self._socket.connect((parts.hostname, parts.port))
        self._socket.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        self._rate = rate
        self._ending = threading.Event()
        self.received = 0
        self.closed_by_server = False
        self.start()

    def run(self) -> None:
        try:
            while not self._ending.wait(0.1):
                piece = self._socket.recv(self._rate // 10)
                if not piece:
                    self.closed_by_server = True
                    return
                self.received += len(piece)
        except OSError:
            self.closed_by_server = True

    def stop(self) -> None:
        self._ending.set()
        self.join(25)
        self._socket.close()


def missed(data: bytes) -> tuple[int, int]:
    """Return how many pictures an MPEG-TS holds, and how many are missing between them by their times."""
    with av.open(io.BytesIO(data), "r", format="mpegts") as container:
        times = sorted(float(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.pts is not None)
    return len(times), sum(round((b - a) * FPS) - 1 for a, b in itertools.pairwise(times))


def phase(stream: Stream, viewers: list[Viewer], seconds: float) -> tuple[list[float], list[float], Json]:
    """Let some time pass; return each viewer's longest wait, the memory in MB each second, and the counts of frames."""
    before = stream.status()["video"]["frames"]
    for viewer in viewers:
        viewer.longest_wait_s()
    memory, end_s = [memory_mb(stream.process.pid)], time.monotonic() + seconds
    while time.monotonic() < end_s:
        time.sleep(1.0)
        memory.append(memory_mb(stream.process.pid))
    waits = [viewer.longest_wait_s() for viewer in viewers]
    after = stream.status()["video"]["frames"]
    return (
        waits,
        memory,
        {key: after[key] - before[key] for key in ("number", "shown", "late", "repeated", "dropped", "unencoded")},
    )


def measure(figures: Figures, stream: Stream, count: int, seconds: float, rate: int) -> None:
    viewers = [Viewer(f"{stream.url}/live.ts") for _ in range(count)]
    time.sleep(10.0)  # until the encoder and twenty connections have settled
    quiet, memory, frames = phase(stream, viewers, seconds)
    note(f"{count} alone: longest wait {max(quiet):.3f} s (median {part(quiet, 0.5):.3f}); frames {json.dumps(frames)}")
    alone_mb = max(memory)
    for viewer in viewers:
        viewer.data.clear()  # the data so far starts inside a packet or a group; count from here on
    slow = SlowViewer(f"{stream.url}/live.ts", rate)
    beside, memory, frames = phase(stream, viewers, seconds)
    note(f"beside the slow one: longest wait {max(beside):.3f} s (median {part(beside, 0.5):.3f}); frames {json.dumps(frames)}")
    told = stream.status()
    for viewer in viewers:
        viewer.stop()
    slow.stop()
    note(f"the slow one read {slow.received} bytes in {seconds:.0f} s{' and was cut off' if slow.closed_by_server else ''}")
    note(f"{told['video']['viewers']} viewers; MB: {alone_mb:.1f} at most before, then {memory[0]:.1f} to {max(memory):.1f}")
    counts = [missed(bytes(viewer.data)) for viewer in viewers]
    holes = max(lost for _, lost in counts)
    note(f"pictures that came: {min(number for number, _ in counts)} to {max(number for number, _ in counts)}")
    figures.at_most("pictures that a normal viewer missed, beyond those counted as left out", holes - left_out(frames), 0)
    figures.at_most("longest wait of a normal viewer, more than before", max(beside) - max(quiet), WAIT_MORE_S, "s")
    figures.at_most("memory grew by", max(memory) - alone_mb, GROWTH_MB, "MB")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--viewers", type=int, default=20)
    arguments.add_argument("--seconds", type=float, default=30.0, help="of each of the two parts")
    arguments.add_argument("--rate", type=int, default=1000, help="bytes a second that the slow one reads")
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = arguments.parse_args()
    figures = Figures()
    video = ["video.width=640", "video.height=360", f"video.fps={FPS}", "video.bitrate_kbps=1000"]
    with tempfile.TemporaryDirectory() as folder, Stream(Path(folder), [*SMALL_DREAM, *video, *given.settings]) as stream:
        stream.wait_for_picture()
        measure(figures, stream, given.viewers, given.seconds, given.rate)
        lines = [line for line in stream.log().splitlines() if "too slow" in line]
        note(f"the log says: {lines[-1] if lines else 'nothing of slow viewers'}")
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
