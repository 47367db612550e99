"""Check that stream keys appear nowhere: not in the debug log, command lines, API, pages, metrics or errors.

Each way to pass a key has its own canary: the environment, a 0600 file, the address itself, the config, and the API.
The outputs meet a server that accepts the keys, one that refuses them, one that is unreachable, and a name that does not
resolve. The script also tries invalid configs and calls, because error texts tend to quote their input.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
from pathlib import Path

import yaml

from tests.acceptance.figures import Figures, note
from tests.acceptance.stream import ROOT, Json, Stream
from tests.rtmp_server import RtmpServer, free_port, missing

CANARIES = {
    "environment": "live_canaryenv_1qAz2",
    "file": "live_canaryfile_2wSx3",
    "address": "live_canaryurl_3eDc4",
    "config": "live_canarycfg_4rFv5",
    "API": "live_canaryapi_5tGb6",
    "Twitch": "live_canarytw_6yHn7",
    "odd": "live_canary odd&key=ü?7",
}
PAGES = ("/", "/control", "/overlay", "/api/status", "/api/outputs", "/api/rules", "/metrics", "/healthz")


def forms(key: str) -> set[str]:
    """Return the forms in which a key may be written."""
    quoted = {urllib.parse.quote(key), urllib.parse.quote(key, safe=""), urllib.parse.quote_plus(key)}
    return {key, json.dumps(key)[1:-1], repr(key)[1:-1], *quoted}


class Search:
    """Searches texts for canaries."""

    def __init__(self) -> None:
        self.found: dict[str, set[str]] = {}
        self.looked: dict[str, int] = {}

    def __call__(self, place: str, text: str) -> None:
        """Search a text."""
        self.looked[place] = self.looked.get(place, 0) + len(text)
        for name, key in CANARIES.items():
            if any(form in text for form in forms(key)):
                self.found.setdefault(place, set()).add(name)

    def judge(self, figures: Figures) -> None:
        """Print one line for each kind of place."""
        for place, count in self.looked.items():
            seen = (
                f"the canaries of: {', '.join(sorted(self.found[place]))}"
                if place in self.found
                else f"none in {count} characters"
            )
            figures.holds(f"keys in {place}", place not in self.found, seen)


class Processes(threading.Thread):
    """Thread that repeatedly searches the command lines of all processes, and the environments of those that stream."""

    def __init__(self, search: Search) -> None:
        super().__init__(daemon=True)
        self._search = search
        self._ending = threading.Event()
        self.stream: Stream | None = None
        self.start()

    def run(self) -> None:
        while not self._ending.wait(0.02):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    with contextlib.suppress(OSError):
                        self._search("/proc/*/cmdline", entry.joinpath("cmdline").read_text(errors="replace"))
            stream = self.stream
            for process in stream.processes() if stream is not None else ():
                if stream is not None and process != stream.process.pid:
                    with contextlib.suppress(OSError):
                        words = Path(f"/proc/{process}/cmdline").read_text(errors="replace")
                        if "carrier" in words:
                            text = Path(f"/proc/{process}/environ").read_text(errors="replace")
                            self._search("the environment of the processes that stream", text)

    def stop(self) -> None:
        self._ending.set()
        self.join(10)


def outputs(server: RtmpServer, folder: Path) -> list[Json]:
    """Return one output for each way to pass a key and each way to fail."""
    nowhere = f"rtmp://127.0.0.1:{free_port()}/live"
    key_file = folder / "key"
    key_file.touch(0o600)
    key_file.write_text(CANARIES["file"] + "\n")
    return [
        {"kind": "rtmp", "name": "taken", "url": server.url, "key_env": "ZOOMDREAM_STREAM_KEY"},
        {"kind": "rtmp", "name": "refused", "url": server.url, "key_file": str(key_file)},
        {"kind": "rtmp", "name": "in-address", "url": f"{nowhere}/{CANARIES['address']}"},
        {"kind": "rtmp", "name": "no-name", "url": "rtmp://no-such-host.invalid/live", "key": CANARIES["config"]},
        {"kind": "rtmp", "name": "no-tls", "url": f"rtmps://127.0.0.1:{server.port}/live", "key": CANARIES["odd"]},
        {"kind": "twitch_ingest", "name": "twitch", "server": server.url, "key": CANARIES["Twitch"], "bandwidth_test": True},
    ]


def broken_configs(server: RtmpServer) -> list[str]:
    """Return configs with mistakes beside keys."""
    url, key = f"rtmp://127.0.0.1:{server.port}", CANARIES["address"]
    return [
        f"outputs: [{{kind: rtmp, url: '{url}/live/{key}', gop_s: 99}}]",
        f"outputs: [{{kind: rtmp, url: 'http://127.0.0.1/live/{key}'}}]",
        f"outputs: [{{kind: rtmp, url: '{url}/live', key: {key}, colour: red}}]",
        f"outputs: [{{kind: rtmp, url: '{url}/live', key: [{key}]}}]",
        f"outputs: [{{kind: rtmp, url: ['{url}/live/{key}']}}]",
        f"outputs: [{{kind: twitch_ingest, server: 'tcp://127.0.0.1/{key}'}}]",
        f"outputs: [{{kind: twitch_ingest, key: {key}, stream_key: {key}}}]",
        f"outputs: {{kind: rtmp, url: '{url}/live/{key}'}}",
    ]


def call(arguments: list[str]) -> str:
    """Run a command; return its stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "streamer", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout + done.stderr


def events(stream: Stream, seconds: float) -> str:
    """Return what ``/api/events`` sends in this time."""
    parts = urllib.parse.urlsplit(stream.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    said = b""
    with contextlib.suppress(OSError):
        connection.request("GET", "/api/events")
        answer = connection.getresponse()
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and (piece := answer.read1(65536)):
            said += piece
    connection.close()
    return said.decode(errors="replace")


def ask(search: Search, stream: Stream) -> None:
    """Search the answers of ``PAGES``."""
    for path in PAGES:
        try:
            search(f"GET {path}", stream.get(path).decode(errors="replace"))
        except urllib.error.HTTPError as error:
            with error:
                search(f"GET {path}", error.read().decode(errors="replace"))


def provoke(search: Search, stream: Stream, server: RtmpServer) -> None:
    """Add and switch outputs over the API, some of them with mistakes."""
    key, url = CANARIES["API"], server.url
    for body in (
        {"kind": "rtmp", "name": "added", "url": url, "key": key},
        {"kind": "rtmp", "name": "added", "url": url, "key": key},
        {"kind": "rtmp", "url": url, "key": key, "colour": "red"},
        {"kind": "rtmp", "url": f"http://127.0.0.1/live/{key}"},
        {"kind": "rtmp", "name": "two", "url": f"{url}/{key}", "gop_s": 99},
        {"kind": "rtmp", "name": "three", "url": [f"{url}/{key}"]},
        {"kind": "rtmp", "name": "four", "url": url, "key": {"a": key}},
        {"kind": "rtmp", "name": key, "url": url},
        {"kind": key},
        {"kind": "rtmp", "name": "five", "url": url, "key_file": f"/etc/{key}"},
    ):
        search("answers of POST /api/outputs", json.dumps(stream.call("POST", "/api/outputs", body)))
    for enabled in (False, True):
        search("answers of PATCH /api/outputs", json.dumps(stream.call("PATCH", "/api/outputs/added", {"enabled": enabled})))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=20.0, help="that the outputs are left to their failures")
    given = arguments.parse_args()
    if lacking := missing():
        sys.exit(f"{lacking}: tools/install_test_tools.sh installs it")
    figures, search = Figures(), Search()
    taken = (CANARIES["environment"], CANARIES["API"], CANARIES["Twitch"])
    with tempfile.TemporaryDirectory() as name, RtmpServer(Path(name), keys=taken) as server:
        folder = Path(name)
        state = folder / "state"
        state.mkdir()
        processes = Processes(search)
        config = folder / "config.yaml"
        config.write_text(
            yaml.safe_dump(
                {
                    "video": {"width": 320, "height": 180, "fps": 15, "bitrate_kbps": 500},
                    "canvas": {"width": 160},
                    "outputs": outputs(server, folder),
                },
                allow_unicode=True,
            )
        )
        key = {"ZOOMDREAM_STREAM_KEY": CANARIES["environment"]}
        with Stream(state, [], config=config, environment=key, log_level="debug") as stream:
            processes.stream = stream
            stream.wait_for_picture()
            stream.wait_for(lambda told: told["outputs"][0]["state"] == "live", 60.0)
            provoke(search, stream, server)
            ask(search, stream)
            search("GET /api/events", events(stream, given.seconds / 2))
            server.kill()
            time.sleep(given.seconds / 2)
            ask(search, stream)
            for output in stream.status()["outputs"]:
                note(f"{output['name']}: {output['state']}, {output['target']}: {output['reason']}")
            processes.stream = None
            stream.interrupt()
            stream.process.wait(10)
            search("the log at debug level", stream.log())
        search("zoomdream check", call(["check", str(config), "--set", "web.port=0"]))
        for number, text in enumerate(broken_configs(server)):
            path = folder / f"broken{number}.yaml"
            path.write_text(text)
            said = call(["check", str(path)])
            search("errors of configs with mistakes", said)
            note(said.strip().replace(str(folder), "…").splitlines()[0][:150] if said.strip() else "no error at all")
        for path in state.rglob("*"):
            if path.is_file() and path.name != "stream.log":
                search("files in the state folder", path.read_bytes().decode("latin1"))
        processes.stop()
    search.judge(figures)
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
