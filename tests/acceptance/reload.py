"""Load hundreds of mutated and half-written configs in a run: the stream survives, uses the last good one, reports mistakes.

The script overwrites the stream's config file at once or in pieces, or replaces it. The stream reads it on an API call, on
SIGHUP, or because it watches the folder. Meanwhile a reader of /live.ts must miss no picture.

python -m tests.acceptance.reload [--count 500] [--set video.width=640]
"""

from __future__ import annotations

import argparse
import io
import os
import random
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av

from streamer.config import Config
from streamer.settings_file import ConfigError, load
from tests.acceptance.stream import Json, Stream

GOOD = """# an evening
zoom:
  speed: 1.07
  rotation: 0.4
queue:
  hold_s: 40
  capacity: 30
  blocked_words: [this, "that one"]
dream: {momentum: 0.8, view_jitter: 0.2, surge: 2.5, wake: off}
video:
  captions: false
  flash_limiter: true
audio: {volume_db: -3}
chat:
  prefix: "!"
  commands:
    queue: {cooldown_s: 3}
"""
SPLINTERS = (
    b"",
    b"[",
    b"}",
    b": ",
    b"\n",
    b"\t",
    b"\xff",
    b"\x00",
    b"- ",
    b"9",
    b"'",
    b'"',
    b"#",
    b"&a ",
    b"*a",
    b"!!x ",
    b"x" * 80,
)
MONSTERS = (
    b"[" * 20_000,
    b"zoom: " + b"[" * 20_000 + b"]" * 20_000 + b"\n",
    b"{a: " * 20_000,
    b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    b"key: 1\n" * 10_000,
    b"zoom: {speed: " + b"9" * 100_000 + b"}\n",
    b"x" * 300_000,
    b"",
)
WAIT_S = 120.0
"""Seconds to wait for the file watcher: it lets a file rest for up to 3 s, and the machine may be busy."""
QUIET_S = 30.0
WAYS = ("api", "api", "api", "api", "api", "api", "api", "signal", "watch", "swap")
"""Ways to make the stream read the file, in turn."""


@dataclass
class Result:
    """Result of a storm of configs."""

    good: int = 0
    refused: int = 0
    mistakes: set[str] = field(default_factory=set)
    untold: list[str] = field(default_factory=list)
    """Mistakes missing from the log."""
    missing: int = 0
    """Pictures that the reader of the video missed."""
    pictures: int = 0
    slowest_s: float = 0.0
    """Longest time of an API call, in seconds."""
    told: Json = field(default_factory=dict)
    """The status at the end."""
    late: tuple[float, float] = (0.0, 0.0)
    """Share of late frames, before and during the storm."""


def mutated(chance: random.Random, good: bytes) -> bytes:
    """Return a damaged config, which by chance may still be valid."""
    data = bytearray(good)
    kind = chance.randrange(10)
    if kind < 3:
        return bytes(data[: chance.randrange(len(data))])
    if kind == 3:
        return chance.choice(MONSTERS)
    for _ in range(chance.randint(1, 4)):
        where = chance.randrange(len(data))
        data[where : where + chance.randint(0, 3)] = chance.choice(SPLINTERS)
    return bytes(data)


def expected(file: Path, overrides: list[str]) -> Config | tuple[str, ...]:
    """Return the config in a file, or its mistakes."""
    if not file.stat().st_size:
        return (f"{file}: is empty, like a half-written file; write {{}} for a config without changes",)
    try:
        return load(file, overrides, {})
    except ConfigError as error:
        return error.problems


def heeded(stream: Stream, status: Json) -> tuple[object, ...]:
    """Return the settings that the stream uses, as far as the API shows them."""
    rules = stream.call("GET", "/api/rules")
    words = rules["blocked"]["words"]
    return status["motion"]["speed"], status["motion"]["rotation"], rules["hold_s"], rules["capacity"], sorted(words)


def asked(config: Config) -> tuple[object, ...]:
    """Return the same settings of a config."""
    words = sorted(" ".join(word.split()).casefold() for word in config.queue.blocked_words)
    return config.zoom.speed, config.zoom.rotation, config.queue.hold_s, config.queue.capacity, words


def storm(folder: Path, settings: list[str], count: int, seed: int = 1, quiet_s: float = 0.0) -> Result:
    """Write ``count`` configs over that of a running stream.

    Args:
        quiet_s: Seconds to measure the stream before, for comparison.

    Raises:
        AssertionError: The stream died, did not use the last good config, or reported other mistakes.
    """
    chance, result = random.Random(seed), Result()
    file = folder / "live.yaml"
    file.write_text(GOOD)
    with Stream(folder, settings, config=file) as stream:
        overrides = [f"queue.path={folder / 'queue.sqlite3'}", "web.port=0", "network.name=bundled", *settings]
        stream.wait_for_picture()
        viewer = stream.watch("/live.ts")
        frames = [stream.status()["video"]["frames"]]
        time.sleep(quiet_s)
        frames.append(stream.status()["video"]["frames"])
        last = asked(load(file, overrides, {}))
        for number in range(count):
            way = "watch" if number == count - 1 else WAYS[number % len(WAYS)]
            data = GOOD.encode() if number == count - 1 else mutated(chance, GOOD.encode())
            if way == "signal":  # a visible change shows that SIGHUP was handled before the next write
                data = GOOD.replace("1.07", f"{1.1 + number / 10_000}").encode()
            before = stream.call("GET", "/api/reload")
            _write(file, data, way, chance)
            due = expected(file, overrides)
            status = _brought(stream, way, due, before, result)
            assert stream.process.poll() is None, f"it died of {data!r}:\n{stream.log()}"
            if isinstance(due, Config):
                last, result.good = asked(due), result.good + 1
            else:
                result.refused, result.mistakes = result.refused + 1, result.mistakes | set(due)
                assert status["settings"]["mistakes"] == len(due), (data, status["settings"], due)
            now = heeded(stream, status)
            assert now == last, f"{now} is not {last} after number {number}, {way}: {data!r}\n{stream.log()}"
        viewer.close()
        result.told, log = stream.status(), stream.log()
        result.late = share_late(*frames), share_late(frames[1], result.told["video"]["frames"])
        result.pictures, result.missing = pictures(bytes(viewer.data), result.told["video"]["fps"])
        stream.interrupt()
        assert stream.process.wait(60) == 0
    result.untold = sorted(mistake for mistake in result.mistakes if mistake not in log)
    errors = [line for line in log.splitlines() if " ERROR " in line]
    assert not errors, "\n".join(errors[:10])
    return result


def _write(file: Path, data: bytes, way: str, chance: random.Random) -> None:
    if way == "swap":
        other = file.with_suffix(".new")
        other.write_bytes(data)
        os.replace(other, file)
        return
    with file.open("wb") as writing:
        cut = chance.randrange(len(data) + 1) if way == "watch" else 0
        writing.write(data[:cut])
        writing.flush()
        if cut:
            time.sleep(0.1)  # shorter than the watcher's rest: it must not read half a file
        writing.write(data[cut:])


def _brought(stream: Stream, way: str, due: Config | tuple[str, ...], before: Json, result: Result) -> Json:
    """Make the stream read the file, compare its report with what is due, and return its status."""
    mistakes = [] if isinstance(due, Config) else list(due)
    if way == "api":
        began_s = time.monotonic()
        told = stream.call("POST", "/api/reload")
        result.slowest_s = max(result.slowest_s, time.monotonic() - began_s)
        if told.get("error", {}).get("code") == "busy":  # a busy machine finishes the reload later
            way = "api, later"
        else:
            assert told.get("error", {}).get("mistakes", []) == mistakes, (str(told)[:500], mistakes[:5])
    elif way == "signal":
        stream.process.send_signal(signal.SIGHUP)
    if way != "api":
        _await(stream, mistakes, asked(due) if isinstance(due, Config) else None)
    return stream.status()


def _await(stream: Stream, mistakes: list[str], goes_by: tuple[object, ...] | None) -> None:
    until_s = time.monotonic() + WAIT_S
    while True:
        told = stream.call("GET", "/api/reload")
        if told["mistakes"] == mistakes and (goes_by is None or heeded(stream, stream.status()) == goes_by):
            return
        assert time.monotonic() < until_s, f"{told['mistakes'][:5]} are not {mistakes[:5]}"
        time.sleep(0.05)


def share_late(before: Json, after: Json) -> float:
    """Return the share of late frames between two counts."""
    return float(after["late"] - before["late"]) / max(1, after["shown"] - before["shown"])


def pictures(data: bytes, fps: float) -> tuple[int, int]:
    """Return the number of pictures in an MPEG-TS, and of those missing between them by their times."""
    with av.open(io.BytesIO(data), format="mpegts") as container:
        video = container.streams.video[0]
        times = sorted(packet.pts * packet.time_base for packet in container.demux(video) if packet.pts is not None)
    missing = 0
    for earlier, later in pairwise(times):
        missing += max(0, round((later - earlier) / Fraction(1, int(fps))) - 1)
    return len(times), missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    settings = ["video.width=640", "video.height=360", "network.name=bundled", *arguments.settings]
    with tempfile.TemporaryDirectory() as folder:
        began_s = time.monotonic()
        result = storm(Path(folder), settings, arguments.count, arguments.seed, quiet_s=QUIET_S)
    frames = result.told["video"]["frames"]
    kinds = Counter(mistake.partition(": ")[2][:24] for mistake in result.mistakes)
    print(f"{arguments.count} configs in {time.monotonic() - began_s:.0f} s: {result.good} applied, {result.refused} refused")
    print(f"{len(result.mistakes)} different mistakes, {len(result.untold)} not in the log")
    print(f"the slowest answer of the API took {result.slowest_s:.2f} s")
    print(f"most frequent: {', '.join(kind for kind, _ in kinds.most_common(4))}")
    print(f"frames: {frames['shown']} shown, {frames['dropped']} dropped, {frames['repeated']} repeated")
    print(f"late before the storm: {result.late[0]:.2%}, in it: {result.late[1]:.2%}")
    print(f"a reader of /live.ts got {result.pictures} pictures, {result.missing} are missing")
    print(f"restarts of the renderer: {result.told['renderer']['restarts']}")
    failed = result.untold or result.missing or result.told["renderer"]["restarts"] or frames["repeated"]
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
