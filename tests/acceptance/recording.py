"""Test recordings: kill -9 in the middle of one, and a disk that fills up.

After kill -9 the file must play to within two seconds of the end; the frame's number, drawn into the picture, tells how much is
missing. The small disk is a tmpfs, which root mounts. When it is full, recording must stop with a warning while everything
else runs on; when there is room again, recording must continue.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np

from streamer.video.frames import counter
from tests.acceptance.figures import Figures, note
from tests.acceptance.slow_viewer import Viewer, missed
from tests.acceptance.stream import SMALL_DREAM, Stream, left_out

FPS = 30
LOST_S = 2.0
DISK_MB = 200
"""Size of the small disk: more than is recorded before the first dreamed picture, even on a busy machine."""
LEFT_MB = 6
"""Room left after the filler, above the ``min_free_mb`` of the output."""
VIDEO = ["video.width=640", "video.height=360", f"video.fps={FPS}", "video.frame_counter=true"]


def last_picture(path: Path) -> tuple[int, np.ndarray | None]:
    """Play a file to its end; return the number of its pictures, and the last."""
    count, last = 0, None
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            count, last = count + 1, frame
    return count, None if last is None else last.to_ndarray(format="rgb24")


def kill9(figures: Figures, folder: Path, seconds: float, ending: str, settings: list[str]) -> None:
    """Record, kill the program, and play the file."""
    path = folder / f"recording{ending}"
    output = json.dumps([{"kind": "file", "path": str(path), "min_free_mb": 10}])
    with Stream(folder, [*SMALL_DREAM, *VIDEO, *settings, f"outputs={output}"]) as stream:
        stream.wait_for_picture()
        stream.wait_for(lambda told: told["outputs"][0]["state"] == "live", 30.0)
        time.sleep(seconds)
        last = stream.status()["video"]["frames"]["number"]
        stream.kill()
    count, image = last_picture(path)
    seen = None if image is None else counter.read(image)
    note(f"{ending}: {path.stat().st_size >> 10} KiB, {count} pictures; the last is {seen}, on air was {last}")
    figures.holds(f"{ending} after kill -9: the last picture can be read", seen is not None)
    if seen is not None:
        figures.at_most(f"{ending} after kill -9: lost", counter.frames_between(seen, last) / FPS, LOST_S, "s")


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a tmpfs of this size and yield its folder."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def full_disk(figures: Figures, folder: Path, min_free_mb: int, settings: list[str]) -> None:
    """Record until there is no room; with ``min_free_mb`` 0 the disk is then completely full."""
    name = f"disk full, min_free_mb {min_free_mb}"
    with small_disk(folder, DISK_MB) as disk:
        filler = disk / "filler"
        outputs = [
            {
                "kind": "file",
                "name": "small",
                "path": str(disk / "small.mp4"),
                "min_free_mb": min_free_mb,
                "bitrate_kbps": 6000,
            },
            {"kind": "file", "name": "beside", "path": str(folder / "beside.mp4"), "min_free_mb": 10},
        ]
        with Stream(folder, [*SMALL_DREAM, *VIDEO, *settings, f"outputs={json.dumps(outputs)}"]) as stream:
            stream.wait_for_picture()
            viewer = Viewer(f"{stream.url}/live.ts")
            began = stream.status()["video"]["frames"]
            stream.wait_for(lambda told: told["outputs"][0]["state"] == "live", 30.0)
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - ((LEFT_MB + min_free_mb) << 20))
            told = stream.wait_for(lambda told: told["outputs"][0]["state"] not in ("live", "waiting"), 90.0)
            note(f"{name}: state {told['outputs'][0]['state']}: {told['outputs'][0]['reason']}")
            time.sleep(10.0)
            full = stream.status()
            warned = [line for line in stream.log().splitlines() if "WARNING" in line and "small" in line]
            figures.holds(f"{name}: the log warns", warned, warned[-1] if warned else "")
            figures.at_most(f"{name}: warnings within ten seconds", len(warned), 5)
            figures.holds(f"{name}: health tells", full["health"]["problems"], "; ".join(full["health"]["problems"]))
            count, image = last_picture(disk / "small.mp4")
            figures.holds(f"{name}: what was recorded plays", image is not None, f"{count} pictures")
            figures.holds(f"{name}: the recording beside runs on", full["outputs"][1]["state"] == "live")
            filler.unlink()
            back_s = time.monotonic()
            stream.wait_for(lambda told: told["outputs"][0]["state"] == "live", 60.0)
            note(f"{name}: {time.monotonic() - back_s:.1f} s after there was room again, it recorded again")
            frames = stream.status()["video"]["frames"]
            viewer.stop()
            stream.interrupt()
            stream.process.wait(10)
        count, holes = missed(bytes(viewer.data))
        counted = left_out(frames) - left_out(began)
        figures.at_most(
            f"{name}: pictures that a viewer missed of {count}, beyond {counted} counted as left out", holes - counted, 0
        )
        files = sorted(path.name for path in disk.glob("*.mp4"))
        figures.at_least(f"{name}: recordings", len(files), 2, f"({', '.join(files)})")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=15.0, help="of recording before kill -9")
    arguments.add_argument("--only", choices=("kill", "disk"), default=None)
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = arguments.parse_args()
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        if given.only != "disk":
            for ending in (".mp4", ".mkv"):
                kill9(figures, Path(folder), given.seconds, ending, given.settings)
    if given.only != "kill":
        if os.geteuid() != 0:
            note("the disk that fills up is skipped: only root can mount a small one")
        else:
            for min_free_mb in (4, 0):
                with tempfile.TemporaryDirectory() as folder:
                    full_disk(figures, Path(folder), min_free_mb, given.settings)
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
