"""Show /live.ts, or /live.mjpg with ``--mjpeg``, in real OBS: measure its delay, and check that it reconnects.

The streamer is killed and restarted in between.

The frame's number is drawn into the picture and read from OBS's screenshot of its Media Source. OBS takes the screenshot
between the call and its answer, so the script reads the status before and after. The two give the range of the delay; the
limit applies to its upper end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from streamer.video.frames import counter
from tests.acceptance.figures import Figures, note, part
from tests.acceptance.obs_studio import MEDIA_SOURCE, SOURCE, Obs, missing
from tests.acceptance.stream import SMALL_DREAM, Stream
from tests.rtmp_server import free_port

LAG_S = 0.5
BACK_S = 15.0
"""Seconds from the restarted page's first answer to a fresh picture in OBS, mostly spent loading the network."""
MJPEG = {
    "input_format": "mpjpeg",
    "ffmpeg_options": MEDIA_SOURCE["ffmpeg_options"] + " use_wallclock_as_timestamps=1",
}
"""Further settings of a Media Source, from docs/obs.md."""
FPS = 30
SIZE = 640, 360


def look(obs: Obs, stream: Stream) -> tuple[int, int] | None:
    """Return the least and the most frames that OBS's picture can be behind; None if its number is unreadable."""
    before = stream.status()["video"]["frames"]["number"]
    picture = obs.picture()
    after = stream.status()["video"]["frames"]["number"]
    number = None if picture is None else counter.read(picture)
    if number is None or before is None or after is None:
        return None
    return counter.frames_between(number, before), counter.frames_between(number, after)


def wait_for_fresh(obs: Obs, stream: Stream, timeout_s: float) -> float:
    """Return the seconds until OBS shows a picture that is at most ``LAG_S`` behind.

    Raises:
        TimeoutError: OBS showed none in time.
    """
    start_s = time.monotonic()
    while (passed_s := time.monotonic() - start_s) < timeout_s:
        seen = look(obs, stream)
        if seen is not None and -1 <= seen[0] <= LAG_S * FPS:
            return passed_s
        time.sleep(0.1)
    raise TimeoutError(f"no fresh picture in OBS within {timeout_s:.0f} s; its source is {obs.media()}\n{stream.log()[-2000:]}")


def measure(figures: Figures, obs: Obs, stream: Stream, seconds: float, when: str) -> None:
    """Measure the delay repeatedly."""
    seen, unread, end_s = [], 0, time.monotonic() + seconds
    while time.monotonic() < end_s:
        lag = look(obs, stream)
        if lag is None:
            unread += 1
        else:
            seen.append(lag)
        time.sleep(0.15)
    if not seen:
        figures.holds(f"{when}: the number can be read", False)
        return
    lower, upper = ([lag[end] / FPS for lag in seen] for end in (0, 1))
    video = stream.status()["video"]
    note(f"{when}: {len(seen)} screenshots read, {unread} not; {video['fps_measured']} frames a second, {video['frames']}")
    note(f"{when}: lag between {median(lower):.2f} and {median(upper):.2f} s (medians); 95 %: {part(upper, 0.95):.2f} s")
    figures.at_most(f"{when}: lag in OBS, median of the upper ends", median(upper), LAG_S, "s")
    figures.at_most(f"{when}: share of screenshots without a readable number", unread / (unread + len(seen)), 0.2)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=30.0, help="of looking, before the restart and after it")
    arguments.add_argument("--mjpeg", action="store_true", help="look at /live.mjpg")
    arguments.add_argument("--port", type=int, default=0, help="the streamer's; a free one if not given")
    arguments.add_argument(
        "--shots", type=Path, default=None, help="save screenshots of OBS in this folder, and measure nothing"
    )
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = arguments.parse_args()
    if lacking := missing():
        sys.exit(f"{' and '.join(lacking)} missing: tools/install_test_tools.sh --obs installs them")
    figures = Figures()
    width, height = SIZE
    video = [f"video.width={width}", f"video.height={height}", f"video.fps={FPS}", "video.frame_counter=true"]
    port = given.port or free_port()
    settings = [*SMALL_DREAM, *video, *given.settings, f"web.port={port}"]
    with tempfile.TemporaryDirectory() as folder, Obs(Path(folder), width=width, height=height, fps=FPS) as obs:
        note(f"OBS {obs.version}")
        if given.shots is not None:
            photograph(obs, Path(folder), port, given.settings, given.shots)
            return
        with Stream(Path(folder), settings) as stream:
            stream.wait_for_picture()
            path, options = ("/live.mjpg", MJPEG) if given.mjpeg else ("/live.ts", {})
            obs.show(stream.url + path, **options)
            note(f"the first fresh picture was in OBS {wait_for_fresh(obs, stream, 30.0):.1f} s after the source was made")
            measure(figures, obs, stream, given.seconds, "before")
            stream.kill()
        note(f"streamer killed; two seconds later the source is {(time.sleep(2.0), obs.media())[1]}")
        with Stream(Path(folder), settings) as stream:
            answered_s = time.monotonic()
            wait_for_fresh(obs, stream, 60.0)
            figures.at_most("restarted: fresh in OBS after the page answered", time.monotonic() - answered_s, BACK_S, "s")
            stream.wait_for_picture()
            measure(figures, obs, stream, given.seconds, "after the restart")
    sys.exit(figures.end())


def photograph(obs: Obs, folder: Path, port: int, settings: list[str], shots: Path) -> None:
    """Save two screenshots of OBS with an ordinary dream: its window, and the window with the source's settings open."""
    shots.mkdir(parents=True, exist_ok=True)
    width, height = SIZE
    video = [f"video.width={width}", f"video.height={height}", f"video.fps={FPS}"]
    with Stream(folder, [*video, *settings, f"web.port={port}"]) as stream:
        stream.wait_for_picture()
        obs.show(f"{stream.url}/live.ts")
        time.sleep(30.0)  # until the dream shows something
        obs.photograph(shots / "obs_window.png")
        obs.client.open_input_properties_dialog(SOURCE)
        time.sleep(8.0)
        obs.photograph(shots / "obs_media_source.png")
    note(f"screenshots are in {shots}")


if __name__ == "__main__":
    main()
