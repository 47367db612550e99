"""Pass generated films of every kind through ``zoomdream render --video`` and the live reader, and compare the results.

python -m tests.acceptance.files [-k WORDS]

Each film must keep its length to one picture, its sound to 15 ms, its colours to 4 levels, its size and its orientation.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from typer.testing import CliRunner

from streamer.__main__ import app
from streamer.config import SourceConfig
from streamer.dream.sources.capture import Capture
from streamer.messages.keyframes import SourcePicture
from tests.films import clicks
from tests.media.clips import Clip, Seen, is_flash, look, means
from tests.media.test_clips import CLIPS

DREAM = ("--class", "goldfish", "--iterations", "1", "--seed", "1")
SETTINGS = ("source.mix=0", "network.name=bundled", "canvas.width=64", "video.flash_limiter=false")
"""Settings that mix in no dream, so that the film itself is visible."""
AT_ONCE = 4
"""Films played live at the same time."""
LATE_S = 0.1
"""Seconds that a thread may be late on a busy machine."""


def rendered(clip: Clip, film: Path, into: Path) -> list[str]:
    """Render a film and return what is wrong with the result."""
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    answer = CliRunner().invoke(app, ["render", "film", str(film), *DREAM, *settings, "-o", str(into)])
    if answer.exit_code:
        return [answer.stderr.strip() or repr(answer.exception)]
    if "copied to its end" in answer.stderr:
        return ["it is said to be short"]
    return clip.faults(look(into), None if clip.sound is None else clicks(into))


def played(clip: Clip, film: Path) -> list[str]:
    """Play a film live and return what is wrong."""
    shown: list[SourcePicture] = []
    size, rate = clip.shown or clip.size, float(clip.fps)
    reading = Capture(SourceConfig(kind="video", path=str(film), loop=False), size, rate, shown.append)
    begun = time.monotonic()
    reading.start()
    while reading.status().state != "ended" and time.monotonic() - begun < 10 * clip.seconds * clip.parts + 10:
        time.sleep(0.01)
    ended = time.monotonic()
    reading.stop()
    flashes = [picture.time_s - shown[0].time_s for picture in shown if is_flash(picture.image)]
    first = round(flashes[0] * rate) / rate if flashes else 0.0
    calm = [picture.image for picture in shown if not is_flash(picture.image)]
    if not calm:
        return ["no picture"]
    seen = Seen([first + round((flash - first) / LATE_S) * LATE_S for flash in flashes], size, means(calm[-1]), 0, 0.0)
    late_s = ended - begun - clip.seconds * clip.parts
    faults = [fault for fault in clip.faults(seen, None) if fault.startswith("colours")]
    return faults + ([f"{late_s:+.2f} s"] if abs(late_s) > LATE_S + 1 / rate else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", default="", metavar="WORDS", help="only those whose name holds these words")
    arguments = parser.parse_args()
    chosen = {name: clip for name, clip in CLIPS.items() if arguments.k in name}
    failed = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as threads:
        films = {name: clip.write(Path(folder, f"{number}{clip.suffix}")) for number, (name, clip) in enumerate(chosen.items())}
        for name, clip in chosen.items():
            faults = rendered(clip, films[name], Path(folder, "out.mp4"))
            failed += bool(faults)
            print(f"rendered: {name}: {'; '.join(faults) or 'as it was meant'}", flush=True)
        for name, faults in zip(chosen, threads.map(lambda name: played(chosen[name], films[name]), chosen), strict=True):
            failed += bool(faults)
            print(f"live: {name}: {'; '.join(faults) or 'as it was meant'}", flush=True)
    print(f"{len(chosen)} films, {failed} faults")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
