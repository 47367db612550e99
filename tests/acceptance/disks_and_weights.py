"""Test an operator's mistakes and disk faults: damaged weights, a taken port, a read-only cache, full disks.

An error that prevents the start is reported immediately, in one clear line. Other errors are reported while the stream goes on.
When the disk under queue, journal, log and recording fills up, no frame is lost, and all four go on when there is room again.

python -m tests.acceptance.disks_and_weights [--only weights] [--set video.width=640]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from tests.acceptance.figures import Figures, note
from tests.acceptance.queue_faults import SUBJECTS, fill, small_disk
from tests.acceptance.recording import last_picture
from tests.acceptance.slow_viewer import Viewer, missed
from tests.acceptance.stream import ROOT, SMALL_DREAM, Json, Stream, eventually, left_out

SOON_S = 3.0
"""Seconds within which an invalid call is refused, including Python's start, on a machine with other load."""
LOADED_S = 30.0
"""The same when torch has to load to find the error."""
PATIENCE_S = 60.0
DISK_MB = 60
KEY = "classifier.1.weight"
MAKE = """
import sys, torch
from safetensors.torch import save_file
from streamer.dream.networks.squeezenet import SQUEEZENET1_1 as network
torch.manual_seed(1)
tensors = {
    f"{(network.keys or {}).get(name, name)}.{part}": parameter.detach()
    for name, layer in network.build().items() for part, parameter in layer.named_parameters()
}
save_file(tensors, sys.argv[1] + "/whole.safetensors")
torch.save(tensors, sys.argv[1] + "/whole.pth")
save_file({**tensors, "classifier.1.weight": torch.zeros(10, 512, 1, 1)}, sys.argv[1] + "/ten.safetensors")
tensors["classifier.1.bias"][3] = float("nan")
save_file(tensors, sys.argv[1] + "/nan.safetensors")
"""
"""Script that writes files of untrained weights."""


class Evil:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._marker),)


def spoilt_weights(folder: Path) -> dict[str, tuple[Path, str, float]]:
    """Return damaged files by their fault, each with the expected message and the seconds within which it must come."""
    subprocess.run([sys.executable, "-c", MAKE, str(folder)], check=True, cwd=ROOT)
    whole, archive = (folder / "whole.safetensors").read_bytes(), (folder / "whole.pth").read_bytes()

    def put(name: str, data: bytes) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    flipped = bytearray(whole)
    flipped[20] ^= 0xFF
    changed = bytearray(archive)
    changed[len(changed) // 2] ^= 0x10
    wrong = f"squeezenet1_1-a{hashlib.sha256(whole + b'.').hexdigest()[:7]}.safetensors"
    damaged = "damaged or truncated, or not such a file: "
    return {
        "missing": (folder / "none.safetensors", "there is no such file", SOON_S),
        "truncated": (put("cut.safetensors", whole[: len(whole) // 2]), damaged, SOON_S),
        "truncated, .pth": (put("cut.pth", archive[: len(archive) // 2]), damaged, SOON_S),
        "empty": (put("empty.safetensors", b""), damaged, SOON_S),
        "of the wrong hash": (put(wrong, whole), "damaged or another file: its SHA-256 begins with ", SOON_S),
        "with flipped bytes in its header": (put("flipped.safetensors", flipped), damaged, SOON_S),
        "with a flipped byte in its numbers": (put("flipped.pth", changed), "has another checksum than is noted there", SOON_S),
        "pickled, with a call": (
            put("evil.pth", pickle.dumps({"a": Evil(folder / "run")})),
            damaged + "torch.save did not write it",
            SOON_S,
        ),
        "a web page": (put("page.pth", b"<html>404</html>"), damaged + "torch.save did not write it", SOON_S),
        "of the wrong shape": (folder / "ten.safetensors", f"'{KEY}' has shape (10, 512, 1, 1), expected (1000, ", SOON_S),
        "with what is no number": (folder / "nan.safetensors", "holds values that are not finite", LOADED_S),
    }


def refused(figures: Figures, what: str, settings: list[str], said: str, within_s: float, folder: Path) -> None:
    """Start with invalid settings; check the message and how soon it comes."""
    call = [sys.executable, "-m", "streamer", "run", "--set", f"queue.path={folder / 'queue.sqlite3'}"]
    call += [part for setting in settings for part in ("--set", setting)]
    began_s = time.monotonic()
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    took_s = time.monotonic() - began_s
    lines = [line for line in done.stderr.splitlines() if line.startswith("zoomdream: ")]
    last = lines[-1] if lines else done.stderr[-300:]
    clear = done.returncode in (1, 2) and len(lines) == 1 and said in last and "Traceback" not in done.stderr
    figures.holds(f"{what}: one clear line", clear, last.replace(str(folder), "…"))
    figures.at_most(f"{what}: told after", took_s, within_s, "s")


def weights(figures: Figures, folder: Path, settings: list[str]) -> None:
    """Check the messages about damaged files of weights."""
    for what, (path, said, within_s) in spoilt_weights(folder).items():
        chosen = [*settings, "web.port=0", "network.name=squeezenet1_1", f"network.weights={path}"]
        refused(figures, f"weights {what}", chosen, f"{path}: " if "hash" in what else said, within_s, folder)
    figures.holds("weights: nothing in them was run", not (folder / "run").exists())


def port(figures: Figures, folder: Path, settings: list[str]) -> None:
    """Check the message about a port that another program uses."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        said = f"port {taken} on 127.0.0.1 is taken by another program"
        refused(figures, "port taken", [*settings, f"web.port={taken}", "network.name=bundled"], said, LOADED_S, folder)


@contextmanager
def read_only(folder: Path) -> Iterator[list[str]]:
    """Yield a command prefix that makes a folder read-only for the process it starts, even as root."""
    mount = f"mount -t tmpfs -o ro tmpfs {folder} && echo there && exec sleep 3600"
    with subprocess.Popen(["unshare", "-rm", "sh", "-c", mount], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            if holder.stdout.readline() != "there\n":
                sys.exit("nothing can be made read-only here: user namespaces are not allowed")
            yield ["nsenter", "-U", "-m", "--preserve-credentials", "-t", str(holder.pid)]
        finally:
            holder.kill()


def cache(figures: Figures, folder: Path, settings: list[str]) -> None:
    """Test a read-only cache: weights converted at the first start cannot be kept, and downloads cannot be stored."""
    place = folder / "cache"
    place.mkdir()
    with read_only(place) as through:
        environment = {"XDG_CACHE_HOME": str(place)}
        with Stream(folder, settings, network="squeezenet1_1_caffe", environment=environment, through=through) as stream:
            stream.wait_for_picture(180.0)
            lines = [line for line in stream.log().splitlines() if "cannot keep" in line]
            figures.holds(
                "cache read-only: it dreams all the same, and says so", lines, lines[-1] if lines else stream.log()[-500:]
            )


def download(figures: Figures, folder: Path, settings: list[str]) -> None:
    """Test a damaged download when the settings do not choose a network."""
    place = folder / "cache" / "zoomdream" / "weights"
    place.mkdir(parents=True)
    (place / "squeezenet1_1-b8a52dc0.pth").write_bytes(b"half a file")
    environment = {"XDG_CACHE_HOME": str(folder / "cache")}
    with Stream(folder, [*settings, "network.download_s=0"], network="auto", environment=environment) as stream:
        stream.wait_for_picture(180.0)
        network = stream.status()["renderer"]["network"]
        lines = [line for line in stream.log().splitlines() if "squeezenet1_1-b8a52dc0.pth is damaged" in line]
        figures.holds("a damaged download: it dreams with others", network, network)
        figures.holds("and says so", lines, lines[:1])


def snapshot(figures: Figures, folder: Path, settings: list[str]) -> None:
    """Test a disk that is full when the first snapshot is due, and has room later."""
    place = folder / "disk"
    place.mkdir()
    with small_disk(place) as holder:
        through = ["nsenter", "-U", "-m", "--preserve-credentials", "-t", str(holder)]
        disk = Path(f"/proc/{holder}/root{place}")
        chosen = [*settings, f"snapshot.path={place / 'dream.snapshot'}", "journal.enabled=false"]
        filler = fill(disk)
        with Stream(folder, chosen, through=through) as stream:
            told = stream.wait_for(lambda told: any("restart" in one for one in told["health"]["problems"]), 90.0)
            figures.holds("snapshot on a full disk: health tells", told["health"]["problems"], told["health"]["problems"][0])
            shown = told["video"]["frames"]["shown"]
            stream.wait_for(lambda told: told["video"]["frames"]["shown"] > shown + 25, 30.0)
            figures.holds("snapshot on a full disk: the stream goes on", True)
            filler.unlink()
            began_s = time.monotonic()
            stream.wait_for(lambda told: not any("restart" in one for one in told["health"]["problems"]), PATIENCE_S)
            figures.at_most("snapshot written after there was room", time.monotonic() - began_s, 12.0, "s")
            lines = [line for line in stream.log().splitlines() if "a restart would not resume" in line]
            figures.at_most("lines that tell of it", len(lines), 1)
            stream.interrupt()
            figures.at_most("exit code", stream.process.wait(10), 0)
        figures.holds("the snapshot is there", (disk / "dream.snapshot").stat().st_size > 1000)


def rooms(folder: Path, disk: Path) -> list[str]:
    """Return settings that write queue, log and a recording to one disk."""
    outputs = [
        {"kind": "file", "name": "full", "path": str(disk / "full.mp4"), "min_free_mb": 0},
        {"kind": "file", "name": "beside", "path": str(folder / "beside.mp4"), "min_free_mb": 10},
    ]
    return [f"queue.path={disk / 'queue.sqlite3'}", f"log.file={disk / 'stream.log'}", f"outputs={json.dumps(outputs)}"]


def full(figures: Figures, folder: Path, settings: list[str]) -> None:
    """Fill the disk that holds queue, journal, log and recording."""
    place = folder / "disk"
    place.mkdir()
    with small_disk(place, DISK_MB) as holder:
        through = ["nsenter", "-U", "-m", "--preserve-credentials", "-t", str(holder)]
        disk = Path(f"/proc/{holder}/root{place}")
        chosen, config = [*settings, *rooms(folder, place), "queue.hold_s=3"], folder / "live.yaml"
        config.write_text("zoom: {speed: 1.05}\n")
        with Stream(folder, chosen, config=config, through=through) as stream:
            stream.wait_for_picture()
            stream.wait_for(lambda told: all(output["state"] == "live" for output in told["outputs"]), PATIENCE_S)
            viewer, before = Viewer(f"{stream.url}/live.ts"), stream.status()
            numbers = [stream.ask(f"viewer {number}", SUBJECTS[number])["id"] for number in range(2)]
            filler = fill(disk)
            told = stream.wait_for(lambda told: told["unwritten"] and state(told, "full") == "retrying", PATIENCE_S)
            for number in range(40):  # enough lines to fill the log's last disk page
                config.write_text(f"zoom: {{speed: {1.05 + number / 10_000}}}\n")
                stream.call("POST", "/api/reload", {})
                time.sleep(0.2)
            fill_again = fill(disk) if shutil.disk_usage(disk).free else None
            told = stream.status()
            figures.holds(
                "full: status and health tell of the queue", told["unwritten"] in told["health"]["problems"], told["unwritten"]
            )
            (recording,) = (output for output in told["outputs"] if output["name"] == "full")
            figures.holds("full: and of the recording", recording["state"] == "retrying", recording["reason"])
            figures.holds("full: a recording elsewhere runs on", state(told, "beside") == "live")
            figures.at_most("full: errors in the log", stream.log().count(" ERROR "), 1)
            written = (disk / "stream.log").stat().st_size
            lines = [line for line in stream.log().splitlines() if "the log cannot be written" in line]
            seen = f"{len(lines)} times; {written} bytes are there"
            figures.holds("full: the log's file is told of, and hardly more than once", 1 <= len(lines) <= 3, seen)
            filler.unlink()
            if fill_again is not None:
                fill_again.unlink(missing_ok=True)
            began_s = time.monotonic()
            stream.wait_for(lambda told: not told["unwritten"] and state(told, "full") == "live", PATIENCE_S)
            note(f"full: queue and recording went on {time.monotonic() - began_s:.1f} s after there was room")
            stream.ask("viewer 9", SUBJECTS[4])
            again = "the log is written to"
            figures.holds(
                "full: the log's file goes on, and says what is missing", eventually(lambda: again in stream.log(), 30.0)
            )
            stream.wait_for(lambda told: not told["queue"] and told["on_air"] and not told["on_air"]["request_id"], PATIENCE_S)
            states = {stream.call("GET", f"/api/requests/{number}")["state"] for number in numbers}
            figures.holds("full: no request is lost", states == {"done"}, states)
            after = stream.status()
            viewer.stop()
            stream.interrupt()
            stream.process.wait(10)
            counted = left_out(after["video"]["frames"]) - left_out(before["video"]["frames"])
            count, holes = missed(bytes(viewer.data))
            figures.at_most(
                f"full: pictures that a viewer missed of {count}, beyond {counted} counted as left out",
                max(0, holes - counted),
                0,
            )
            for path in sorted(disk.glob("full*.mp4")):
                if path.stat().st_size:
                    figures.holds(f"full: {path.name} plays", plays(path))
            figures.holds(
                "full: the journal is whole", all(json.loads(line) for line in journal(disk)), f"{len(journal(disk))} lines"
            )


def journal(disk: Path) -> list[str]:
    (path,) = (disk / "journals").glob("*.jsonl")
    return path.read_text().splitlines()


def plays(path: Path) -> bool:
    try:
        return last_picture(path)[0] > 0
    except av.FFmpegError:
        return False


def state(told: Json, name: str) -> str:
    return next(str(output["state"]) for output in told["outputs"] if output["name"] == name)


TRIALS = {"weights": weights, "download": download, "port": port, "cache": cache, "snapshot": snapshot, "full": full}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", choices=sorted(TRIALS))
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = arguments.parse_args()
    figures = Figures()
    settings = [*SMALL_DREAM, "device=cpu", "video.width=640", "video.height=360", "video.fps=30", *given.settings]
    for name, trial in TRIALS.items():
        if given.only in (None, name):
            print(f"--- {name}", flush=True)
            with tempfile.TemporaryDirectory() as folder:
                trial(figures, Path(folder), settings)
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
