"""Switch presets and move sliders during a run: no frame is late or missing, nothing restarts, and every change fades in.

The script applies twenty presets and a hundred slider moves in five minutes, over the API as the control page does. Some
presets use another algorithm and so another worker. Meanwhile a reader of /live.ts must miss no picture, and no picture may
jump from the one before. For comparison, the same stream is first measured without changes.

python -m tests.acceptance.controls [--seconds 300] [--presets 20] [--sliders 100] [--set video.width=640]
"""

from __future__ import annotations

import argparse
import io
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np

from tests.acceptance.reload import pictures, share_late
from tests.acceptance.stream import Json, Stream

QUIET_S = 30.0
OWN = {
    "calm": "zoom: {speed: 1.02, rotation: 0.0}\ndream: {contrast: 30, surge: 1.0}\n",
    "wild": "zoom: {speed: 1.15, rotation: 2.0}\ndream: {contrast: 55, prior_weight: 0.3, step: 6}\n",
    "deep": "dream: {algorithm: deepdream, step: 1.5, octaves: 3, normalisation: laplacian}\n",
    "out": "zoom: {speed: 0.97, rotation: -1.0}\ndream: {momentum: 0.6, views: [3.0, 1.5]}\n",
}
"""The operator's presets; one of them needs another worker."""
SLIDERS = {
    "zoom.speed": (0.95, 1.2),
    "zoom.rotation": (-3.0, 3.0),
    "dream.step": (1.0, 9.0),
    "dream.prior_weight": (0.1, 1.5),
    "dream.contrast": (20.0, 70.0),
    "dream.surge": (0.0, 6.0),
    "dream.chroma": (8.0, 40.0),
    "dream.view_jitter": (0.0, 0.5),
}
CUT = 40.0
"""Mean difference of two successive pictures, in levels of a small grey picture, that counts as a cut. A dream that fades to
another subject reaches a few levels."""
SWITCH_S = 120.0
"""Seconds to wait for a worker to prepare on a busy machine."""


@dataclass
class Result:
    """Result of the run."""

    presets: int = 0
    sliders: int = 0
    switches: int = 0
    """Presets that switched to another worker."""
    slowest_s: float = 0.0
    """Longest time of an API call, in seconds."""
    slowest_switch_s: float = 0.0
    refused: list[str] = field(default_factory=list)
    late: tuple[float, float] = (0.0, 0.0)
    """Share of late frames, before and during the changes."""
    pictures: int = 0
    missing: int = 0
    missing_before: int = 0
    """Pictures that the reader missed before the changes, scaled to the same length of time."""
    largest_step: float = 0.0
    """Largest mean difference of two successive pictures, in levels."""
    exit_code: int = 0
    ending: list[str] = field(default_factory=list)
    """The last lines of the log."""
    told: Json = field(default_factory=dict)


def change(folder: Path, settings: list[str], seconds: float, presets: int, sliders: int, quiet_s: float = QUIET_S) -> Result:
    """Apply these numbers of presets and slider moves to a running stream, and check what it shows."""
    chance, result = random.Random(1), Result()
    own = folder / "presets"
    own.mkdir()
    for name, text in OWN.items():
        (own / f"{name}.yaml").write_text(text)
    with Stream(folder, [f"controls.folder={own}", *settings]) as stream:
        stream.wait_for_picture()
        before = stream.watch("/live.ts", patience_s=30.0)
        frames = [stream.status()["video"]["frames"]]
        time.sleep(quiet_s)
        frames.append(stream.status()["video"]["frames"])
        before.close()
        viewer = stream.watch("/live.ts", patience_s=30.0)
        due = sorted(
            [(seconds * number / presets, "preset") for number in range(presets)]
            + [(seconds * (number + 0.5) / sliders, "slider") for number in range(sliders)]
        )
        began_s = time.monotonic()
        names = list(OWN)
        for at_s, kind in due:
            time.sleep(max(0.0, began_s + at_s - time.monotonic()))
            if kind == "preset":
                _go_over(stream, names[result.presets % len(names)], result)
            else:
                key, (low, high) = chance.choice(list(SLIDERS.items()))
                _call(stream, "PATCH", "/api/controls", {"settings": {key: round(chance.uniform(low, high), 3)}}, result)
                result.sliders += 1
        time.sleep(5.0)
        result.told = stream.status()
        result.told["controls"] = stream.call("GET", "/api/controls")
        result.late = share_late(*frames), share_late(frames[1], result.told["video"]["frames"])
        viewer.close()
        data = bytes(viewer.data)
        result.pictures, result.missing = pictures(data, result.told["video"]["fps"])
        quiet, lost = pictures(bytes(before.data), result.told["video"]["fps"])
        result.missing_before = round(lost * (result.pictures + result.missing) / max(1, quiet + lost))
        result.largest_step = largest_step(data)
        stream.interrupt()
        result.exit_code = stream.process.wait(10)
        log = stream.log()
    errors = [line for line in log.splitlines() if " ERROR " in line]
    assert not errors, "\n".join(errors[:10])
    result.ending = log.splitlines()[-5:]
    return result


def _call(stream: Stream, method: str, path: str, body: Json, result: Result) -> Json:
    began_s = time.monotonic()
    told = stream.call(method, path, body)
    result.slowest_s = max(result.slowest_s, time.monotonic() - began_s)
    if "error" in told:
        result.refused.append(f"{path} {body}: {told['error']['message']}")
    return told


def _go_over(stream: Stream, name: str, result: Result) -> None:
    told = _call(stream, "POST", "/api/controls/preset", {"name": name, "fade_s": 3}, result)
    result.presets += 1
    if "dream.algorithm" not in told.get("changed", ()):
        return
    began_s = time.monotonic()
    while (now := stream.call("GET", "/api/controls"))["switching"]:
        assert time.monotonic() - began_s < SWITCH_S, f"it never went over to {now['switching']}:\n{stream.log()}"
        time.sleep(0.1)
    result.slowest_switch_s = max(result.slowest_switch_s, time.monotonic() - began_s)
    if now["switch_error"]:
        result.refused.append(f"{name}: {now['switch_error']}")
    else:
        result.switches += 1


def largest_step(data: bytes) -> float:
    """Return the largest mean difference of two successive small grey pictures of an MPEG-TS, in levels."""
    largest, before = 0.0, None
    with av.open(io.BytesIO(data), format="mpegts") as container:
        for frame in container.decode(video=0):
            small = cv2.resize(frame.to_ndarray(format="gray"), (64, 36), interpolation=cv2.INTER_AREA).astype(np.float32)
            if before is not None:
                largest = max(largest, float(np.abs(small - before).mean()))
            before = small
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--presets", type=int, default=20)
    parser.add_argument("--sliders", type=int, default=100)
    parser.add_argument("--quiet", type=float, default=QUIET_S)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    settings = ["video.width=640", "video.height=360", "canvas.width=320", "canvas.height=180", *arguments.settings]
    with tempfile.TemporaryDirectory() as folder:
        result = change(Path(folder), settings, arguments.seconds, arguments.presets, arguments.sliders, arguments.quiet)
    frames, renderer = result.told["video"]["frames"], result.told["renderer"]
    print(f"{result.presets} presets, {result.switches} of them with another worker, and {result.sliders} slider moves")
    print(f"the slowest answer of the API took {result.slowest_s:.2f} s, the slowest switch {result.slowest_switch_s:.1f} s")
    print(f"frames: {frames['shown']} shown, {frames['dropped']} dropped, {frames['repeated']} repeated, {frames['late']} late")
    print(f"late before the changes: {result.late[0]:.2%}, during them: {result.late[1]:.2%}")
    print(f"a reader of /live.ts got {result.pictures} pictures, {result.missing} are missing")
    print(f"in as long before the changes {result.missing_before} would be")
    print(f"the largest step from one picture to the next: {result.largest_step:.1f} levels (a cut is {CUT:.0f} or more)")
    print(f"restarts of the renderer: {renderer['restarts']}; last error: {renderer['error'] or 'none'}")
    if result.exit_code:
        print(f"it ended with exit code {result.exit_code}:", *result.ending, sep="\n")
    for refused in result.refused:
        print(f"refused: {refused}")
    missing = result.missing > 1.1 * result.missing_before  # a busy machine loses pictures anyway
    failed = (
        result.refused
        or result.exit_code
        or missing
        or renderer["restarts"]
        or frames["repeated"]
        or result.largest_step >= CUT
    )
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
