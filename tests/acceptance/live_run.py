"""Measure a live run: first picture, frame rate, two screenshots of the page, and requests that appear in the picture."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import cv2
import numpy as np

from tests.acceptance.stream import Json, Stream, busy_s, find_chromium
from tests.web.browser import ARGS

CHROMIUM_ARGS = [*ARGS, "--autoplay-policy=no-user-gesture-required"]
FIRST_PICTURE_S = 15.0
RATE_ERROR = 0.001


def measure_rate(stream: Stream, seconds: float) -> Json:
    """Measure frames a second over some time, from the counters, read the moment they change."""

    def edge() -> tuple[float, Json]:
        before = stream.status()["video"]["frames"]["shown"]
        while True:
            told = stream.status()
            now_s = time.monotonic()
            if told["video"]["frames"]["shown"] != before:
                return now_s, told

    first_s, first = edge()
    used, busy = stream.cpu_s(), busy_s()
    time.sleep(seconds)
    used_s = {process: round(now - used.get(process, 0.0), 1) for process, now in stream.cpu_s().items()}
    others_s = busy_s() - busy - sum(used_s.values())
    last_s, last = edge()
    print(f"CPU seconds in {last_s - first_s:.0f} s: by process {list(used_s.values())}, by other programs {others_s:.0f}")
    counters = {key: last["video"]["frames"][key] - first["video"]["frames"][key] for key in first["video"]["frames"]}
    # Dropped frames take time too, so only shown frames count towards the rate.
    rate = counters["shown"] / (last_s - first_s)
    return {"fps": rate, "error": rate / last["video"]["fps"] - 1, "seconds": last_s - first_s, **counters}


def packets(data: bytes) -> tuple[int, float]:
    """Return how many pictures an MPEG-TS holds, and the seconds from the first to the last."""
    with av.open(io.BytesIO(data), "r", format="mpegts") as container:
        times = [float(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.pts is not None]
    return len(times), max(times) - min(times)


def look(stream: Stream) -> np.ndarray:
    """Return the frame on air, (h, w, 3) BGR."""
    image = cv2.imdecode(np.frombuffer(stream.get("/frame.jpg"), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def screenshots(url: str, folder: Path, apart_s: float) -> float:
    """Open the page in a browser and save two screenshots; return the mean change of the video between them, in levels."""
    from playwright.sync_api import sync_playwright

    browser_path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=CHROMIUM_ARGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(url)
        page.wait_for_timeout(6000)
        first, second = folder / "screenshot_1.png", folder / "screenshot_2.png"
        page.screenshot(path=str(first))
        page.wait_for_timeout(apart_s * 1000)
        page.screenshot(path=str(second))
        video = page.evaluate(
            "() => { const v = document.querySelector('video');"
            " return v && {time: v.currentTime, width: v.videoWidth, paused: v.paused, ready: v.readyState} }"
        )
        browser.close()
    print(f"page: video element {video}; console errors: {problems or 'none'}")
    return float(cv2.absdiff(_read(first), _read(second)).mean())


def _read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    return image


def watch_a_request(stream: Stream, name: str, subject: str, said: bool, folder: Path) -> None:
    """Request a subject and save the pictures before it and in the seconds after, side by side."""
    seen = [look(stream)]
    if said:
        call = [sys.executable, "-m", "streamer", "say", f"!dream {subject}", "--user", "anna", "--url", stream.url]
        done = subprocess.run(call, capture_output=True, text=True, timeout=30, check=False)
        asked_s = time.monotonic()
        print(f"say: code {done.returncode}: {done.stdout.strip()}{done.stderr.strip()}")
    else:
        asked_s = time.monotonic()
        print(f"API: {json.dumps(stream.ask('ben', subject))[:160]}")
    stream.wait_for(lambda told: told["on_air"] and subject in told["on_air"]["title"], 40)
    aired_s = time.monotonic()
    for after_s in (1.0, 2.0, 3.0, 6.0, 10.0):
        time.sleep(max(0.0, aired_s + after_s - time.monotonic()))
        seen.append(look(stream))
    half = [cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for image in seen]
    path = folder / f"{name}_{subject.replace(' ', '_')}.png"
    cv2.imwrite(str(path), np.vstack([np.hstack(half[:3]), np.hstack(half[3:])]))
    print(f"{subject}: on air {aired_s - asked_s:.1f} s after the request; before, 1, 2, 3, 6 and 10 s after: {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="over which the rate is measured")
    parser.add_argument("--out", type=Path, default=None, help="folder for the pictures; a new one if not given")
    parser.add_argument("--network", default="bundled")
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp(prefix="zoomdream-"))
    out.mkdir(parents=True, exist_ok=True)
    name = arguments.network
    settings = ["queue.hold_s=14", *arguments.settings]
    with tempfile.TemporaryDirectory() as folder, Stream(Path(folder), settings, network=name) as stream:
        print(f"page answered after {stream.answered_s:.1f} s")
        first_s = stream.wait_for_picture()
        print(f"first picture after {first_s:.1f} s ({'ok' if first_s <= FIRST_PICTURE_S else 'TOO LATE'})")
        viewer = stream.watch("/live.ts")
        rate = measure_rate(stream, arguments.seconds)
        data = bytes(viewer.data)
        verdict = "ok" if abs(rate["error"]) <= RATE_ERROR else "OFF"
        print(f"rate with one viewer: {json.dumps(rate)} ({verdict})")
        print(f"meanwhile the renderer: {json.dumps(stream.status()['renderer'])}")
        count, span_s = packets(data)
        print(f"the viewer received {count} pictures spanning {span_s:.2f} s: {(count - 1) / span_s:.3f} a second")
        watch_a_request(stream, name, "goldfish", said=False, folder=out)
        watch_a_request(stream, name, "school bus", said=True, folder=out)
        viewer.close()
        if not arguments.no_browser:
            print(f"screenshots differ by {screenshots(stream.url, out, 5.0):.1f} levels on average; in {out}")
        told = stream.status()
        print(f"renderer: {json.dumps(told['renderer'])}; health: {json.dumps(told['health'])}")
        print(f"video: {json.dumps(told['video'])}")


if __name__ == "__main__":
    main()
