"""Replay a live run of the real program: the same scenes at the same times, and with fixed steps the same pixels.

python -m tests.acceptance.replay --seconds 60
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from streamer.journal_reader import read_journal
from tests.acceptance.stream import ROOT, Stream

ASKED = ((4.0, "goldfish"), (20.0, "pizza"), (36.0, "goldfish + umbrella"), (48.0, "umbrella"))
"""Seconds after the first picture, and the request made then."""


def live(folder: Path, settings: list[str], network: str, seconds: float, kill: bool) -> list[tuple[float, str]]:
    """Run live, ask, bump, twist and move the camera.

    Returns:
        The titles that the status showed on air, each with its time in seconds since the start of the program.
    """
    seen: list[tuple[float, str]] = []
    with Stream(folder, ["queue.hold_s=10", "queue.wander_s=12", *settings], network=network) as stream:
        print(f"first picture after {stream.wait_for_picture():.1f} s")
        began_s, asked, done = time.monotonic(), 0, 0
        others = (
            (10.0, lambda: stream.call("POST", "/api/bump", {})),
            (26.0, lambda: stream.call("POST", "/api/twist", {})),
            (30.0, lambda: stream.call("POST", "/api/motion", {"speed": 1.12, "rotation": -1.5})),
            (44.0, lambda: stream.call("POST", "/api/motion", {"speed": 1.0, "rotation": 0.0})),
        )
        while (passed_s := time.monotonic() - began_s) < seconds:
            if asked < len(ASKED) and passed_s >= ASKED[asked][0]:
                print(f"{passed_s:5.1f} s: {stream.ask('ann', ASKED[asked][1])}")
                asked += 1
            if done < len(others) and passed_s >= others[done][0]:
                print(f"{passed_s:5.1f} s: {others[done][1]()}")
                done += 1
            told = stream.status()
            title = told["on_air"]["title"] if told["on_air"] else ""
            if title and (not seen or seen[-1][1] != title):
                seen.append((told["uptime_s"] - told["on_air"]["since_s"], title))
            time.sleep(0.1)
        print(f"renderer: {stream.status()['renderer']}")
        if not kill:
            stream.interrupt()
            stream.process.wait(20)
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--network", default="bundled")
    parser.add_argument("--steps", default="2", help="dream.steps_per_keyframe; auto is as good")
    parser.add_argument("--kill", action="store_true", help="end the live run by SIGKILL")
    parser.add_argument("--output", type=Path, help="keep the replay's video; a file in a folder that is removed otherwise")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    settings = ["canvas.width=320", "video.width=640", "video.height=360", *arguments.settings]
    settings.append(f"dream.steps_per_keyframe={arguments.steps}")
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seen = live(folder, settings, arguments.network, arguments.seconds, arguments.kill)
        (path,) = (folder / "journals").iterdir()
        run = read_journal(path)
        first_ms, last_ms = run.span_ms
        print(f"journal: {path.stat().st_size} bytes, {len(run.keyframes)} keyframes over {(last_ms - first_ms) / 1000:.1f} s")
        scenes = {scene.title: at_ms / 1000 for at_ms, scene in run.scenes()}
        for at_s, title in seen:
            if title not in scenes:
                print(f"NOT in the journal: {title}, on air after {at_s:.1f} s")
                failed |= at_s < last_ms / 1000 - 3  # a scene at the very end has no keyframe
                continue
            apart_s = scenes[title] - at_s
            print(f"{title}: on air after {at_s:.1f} s, in the journal {apart_s:+.2f} s")
            failed |= abs(apart_s) > 2.0
        output = arguments.output or folder / "again.mp4"
        call = [sys.executable, "-m", "streamer", "render", "journal", str(path), "-o", str(output)]
        began_s = time.monotonic()
        done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
        print(f"replayed in {time.monotonic() - began_s:.0f} s: {done.stdout.strip()}{done.stderr.strip()}")
        found = re.search(r"(\d+) of (\d+) pictures compared have the same pixels", done.stdout)
        failed |= done.returncode != 0 or found is None or found[1] != found[2] or int(found[2]) < 0.5 * arguments.seconds
    print("FAILED" if failed else "ok")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
