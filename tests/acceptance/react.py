"""Test a stream that reacts to its sound: a click track moves the zoom on each beat, silence does not, and nothing flashes.

The script runs the real program three times: with clicks at 120 beats a minute, with silence, and with clicks but without the
reaction. The journal tells when the zoom moved. The script also checks what viewers get: it looks for the clicks in the sound
of /live.ts?audio=1, and for the moments at which its pictures zoom in.

python -m tests.acceptance.react [--seconds 30] [--bpm 120] [--set KEY=VALUE]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np

from tests.acceptance.stream import SMALL_DREAM, Stream
from tests.sounds import RATE, beats_at, click, strokes, write_sound

FILE_S = 120.0
NEAR_S = 0.03
"""Allowed error of a beat's time in the journal, in seconds."""
SHARE = 0.95
"""Share of clicks that must be visible in time where no picture is missing: corner tracking sometimes fails."""
FRAMES = 2
"""Frames within which a click must be visible."""


@dataclass(frozen=True)
class Run:
    """Result of a run."""

    heard_s: tuple[float, ...]
    """Times at which the zoom moved to a beat, in seconds since the start, from the journal."""
    video: bytes
    """MPEG-TS with sound, as a viewer got it."""
    beats: int
    limited: int
    """Frames that the flash limiter changed."""
    dropped: int
    """Dropped frames; beats in them are invisible."""
    late: float
    """Share of late frames."""
    cores: float
    """Cores that the main process used, without the dream."""


def run(sound: Path, seconds: float, settings: list[str], *, reacts: bool = True) -> Run:
    """Run the program, and watch it for some seconds."""
    settings = [
        *SMALL_DREAM,
        "video.width=640",
        "video.height=360",
        "video.captions=false",
        "zoom.speed=1.0",  # no motion of its own, so that only the reaction moves
        "zoom.rotation=0.0",
        "seed=5",
        "audio.source=music",
        f"audio.path={sound}",
        f"audio.react.enabled={'true' if reacts else 'false'}",
        *settings,
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Stream(folder, settings) as stream:
            stream.wait_for_picture()
            viewer = stream.watch("/live.ts?audio=1")
            stream.wait_for(lambda told: told["sound"]["state"] == "playing", 20)
            before, used_s = stream.status(), stream.cpu_s()[stream.process.pid]
            told = stream.wait_for(lambda told: told["uptime_s"] >= before["uptime_s"] + seconds, seconds + 60, every_s=0.5)
            used_s = stream.cpu_s()[stream.process.pid] - used_s
            viewer.close()
            stream.interrupt()
            stream.process.wait(20)
        (path,) = (folder / "journals").glob("*.jsonl")
        events = [json.loads(line) for line in path.read_text().splitlines()]
        frames = [told["video"]["frames"][key] for key in ("late", "shown", "limited", "dropped")]
        took_s = told["uptime_s"] - before["uptime_s"]
        return Run(
            tuple(event["pulse"]["heard"] for event in events if "pulse" in event),
            bytes(viewer.data),
            told["sound"]["beats"],
            frames[2],
            frames[3],
            frames[0] / frames[1],
            used_s / took_s,
        )


def clicks(video: bytes) -> list[float]:
    """Return the times of the clicks in the sound, in seconds of the video's time."""
    parts, start_s = [], None
    with av.open(io.BytesIO(video), format="mpegts") as container:
        for frame in container.decode(audio=0):
            start_s = frame.time if start_s is None else start_s
            parts.append(np.abs(frame.to_ndarray()[0]))
    loud = np.flatnonzero(np.concatenate(parts) > 0.3)
    assert start_s is not None
    first = np.flatnonzero(np.diff(loud, prepend=-RATE) > RATE / 5)
    return [start_s + float(at) / RATE for at in loud[first]]


def closeness(video: bytes) -> tuple[list[float], list[float | None]]:
    """Return each picture's time, and by how many octaves it is closer than the one before; None if it is a repeat.

    A busy machine repeats a picture in place of a dropped one.
    """
    times: list[float] = []
    moved: list[float | None] = []
    before = None
    with av.open(io.BytesIO(video), format="mpegts") as container:
        for frame in container.decode(video=0):
            grey = frame.to_ndarray(format="gray")
            if before is not None:
                times.append(float(frame.time))
                moved.append(None if np.array_equal(before, grey) else enlarged(before, grey))
            before = grey
    return times, moved


def enlarged(before: np.ndarray, now: np.ndarray) -> float:
    """Return by how many octaves the second picture is enlarged, from the motion of corners."""
    corners = cv2.goodFeaturesToTrack(before, 200, 0.01, 8)
    if corners is None:
        return 0.0
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, now, corners, None, winSize=(31, 31))
    kept = found[:, 0] == 1
    if kept.sum() < 8:
        return 0.0
    matrix, _ = cv2.estimateAffinePartial2D(corners[kept], moved[kept])
    return 0.0 if matrix is None else float(np.log2(np.hypot(matrix[0, 0], matrix[1, 0])))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--bpm", type=float, default=120.0)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    failed = False

    def judge(good: bool, what: str) -> None:
        nonlocal failed
        failed |= not good
        print(f"{'ok  ' if good else 'FAIL'} {what}", flush=True)

    with tempfile.TemporaryDirectory() as name:
        beat_s, folder = 60 / arguments.bpm, Path(name)
        struck = strokes(FILE_S, beats_at(FILE_S, arguments.bpm), click())
        song = write_sound(folder / "clicks.wav", struck)
        quiet = write_sound(folder / "quiet.wav", np.zeros((round(10 * RATE), 2), np.float32))
        on = run(song, arguments.seconds, arguments.settings)
        still = run(quiet, arguments.seconds / 2, arguments.settings)
        off = run(song, arguments.seconds / 2, arguments.settings, reacts=False)

    apart = [(b - a) / beat_s for a, b in pairwise(on.heard_s)]
    worst_s = max((abs(each - round(each)) * beat_s for each in apart), default=9.0)
    missing = sum(round(each) - 1 for each in apart)
    least = int((arguments.seconds - 2) / beat_s)
    judge(len(on.heard_s) + missing >= least, f"{len(on.heard_s)} pulses of the zoom in the journal")
    judge(worst_s <= NEAR_S, f"at beats of {beat_s:.3f} s: {1000 * worst_s:.0f} ms off at most")
    left_out = f"{missing} beats passed over; {on.dropped} frames left out, for want of a machine"
    judge(missing * beat_s <= on.dropped / 25 + NEAR_S, left_out)
    judge(0 <= len(on.heard_s) - on.beats <= 5, f"the status counted {on.beats} a moment before")

    heard = clicks(on.video)
    times, moved = closeness(on.video)
    late = []
    for at_s in heard[1:-1]:
        near = [number for number, time_s in enumerate(times) if abs(time_s - at_s) < beat_s / 2]
        if near and all(moved[number] is not None for number in near):
            late.append((times[max(near, key=lambda number: moved[number] or 0.0)] - at_s) * 25)
    judge(len(heard) >= least - 2, f"{len(heard)} clicks in the sound that viewers get, {len(late)} of them with every picture")
    inside = sum(abs(frames) <= FRAMES for frames in late)
    span = f"{min(late):+.1f} to {max(late):+.1f}" if late else "none"
    judge(
        bool(late) and inside >= SHARE * len(late),
        f"{inside} seen within {FRAMES} frames: the zoom rises {span} frames after the click",
    )

    judge(still.heard_s == () and still.beats == 0, f"silence: {len(still.heard_s)} pulses")
    most = max((abs(each) for each in closeness(still.video)[1] if each is not None), default=0.0)
    judge(most < 0.01, f"silence: the picture comes no closer than {most:.4f} octaves from frame to frame")
    judge(off.heard_s == (), f"not reacting: {len(off.heard_s)} pulses")
    judge(
        on.limited == still.limited == off.limited == 0, f"flash limiter: {on.limited}, {still.limited}, {off.limited} frames"
    )
    print(f"     late frames: {on.late:.1%} reacting, {off.late:.1%} not; cores used: {on.cores:.3f} and {off.cores:.3f}")
    print(f"     load of the machine: {os.getloadavg()[0]:.1f}")
    print("FAILED" if failed else "passed")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
