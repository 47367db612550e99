"""Post five requests, ``kill -9`` the whole program, restart it: all five are kept, and each is dreamed once."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.acceptance.stream import Stream

SUBJECTS = ("goldfish", "umbrella", "pizza", "lemon", "school bus")


def kill9(folder: Path, settings: list[str], hold_s: float, timeout_s: float) -> list[str]:
    """Run the test; return the titles dreamed after the restart, in order.

    Raises:
        AssertionError: A request was lost, or dreamed twice.
    """
    settings = [*settings, f"queue.hold_s={hold_s}", "queue.per_user=5"]
    with Stream(folder, settings) as stream:
        for subject in SUBJECTS:
            told = stream.ask(f"viewer of {subject}", subject)
            assert "id" in told, told
        stream.kill()
    with Stream(folder, settings) as stream:
        told = stream.status()
        kept = [entry["text"] for entry in told["queue"]]
        if told["on_air"] and told["on_air"]["request_id"]:
            kept.insert(0, told["on_air"]["title"])
        assert kept == list(SUBJECTS), f"kept over the kill: {kept}"
        dreamt: list[tuple[int, str]] = []
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            told = stream.status()
            on_air = told["on_air"]
            if on_air and on_air["request_id"] and (on_air["request_id"], on_air["title"]) not in dreamt:
                dreamt.append((on_air["request_id"], on_air["title"]))
            if len(dreamt) >= len(SUBJECTS) and not told["queue"] and not on_air["request_id"]:
                break
            time.sleep(0.1)
        stream.interrupt()
        stream.process.wait(60)
    with Stream(folder, settings) as stream:  # finished requests must not come back
        left = stream.status()["queue"]
        assert not left, f"waiting again after all were rendered: {left}"
    titles = [title for _, title in dreamt]
    assert sorted(titles) == sorted(SUBJECTS), f"rendered after the kill: {titles}"
    return titles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hold", type=float, default=3.0, help="seconds each stays on air")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start_s = time.monotonic()
        titles = kill9(Path(folder), [], arguments.hold, timeout_s=60 + 5 * arguments.hold)
        print(f"five requests survived kill -9 and were rendered once each: {', '.join(titles)}")
        print(f"took {time.monotonic() - start_s:.0f} s")


if __name__ == "__main__":
    main()
