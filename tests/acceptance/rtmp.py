"""Push a minute to nginx with its RTMP module and read it back: rate, keyframes, bit rate, sound and times.

The server records the stream, and a reader pulls it while it runs, as Twitch's viewers would. All figures are from the
recording, except the reader's own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av

from tests.acceptance.figures import Figures, note
from tests.acceptance.stream import SMALL_DREAM, Stream
from tests.rtmp_server import KEY, RtmpServer, missing

FPS, GOP_S = 30, 2
RATE_ERROR = 0.001
BITRATE_SHARE = 0.05
AUDIO_S = 0.1
"""Smallest audible difference between the lengths of picture and sound, in seconds."""


@dataclass
class Track:
    """The packets of one medium, in order of arrival."""

    pts_s: list[Fraction] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    keys: list[bool] = field(default_factory=list)

    @property
    def span_s(self) -> float:
        """Return the seconds from the first packet to the last."""
        return float(self.pts_s[-1] - self.pts_s[0]) if self.pts_s else 0.0


@dataclass
class Recorded:
    """Contents of an FLV stream."""

    video: Track
    audio: Track
    about: str


def read(source: str, *, until: threading.Event | None = None) -> Recorded:
    """Read packets to the end, or until the event is set."""
    tracks = {"video": Track(), "audio": Track()}
    with av.open(source, "r", format="flv", timeout=(20.0, 20.0), options={"analyzeduration": "5000000"}) as container:
        video = container.streams.video[0].codec_context
        about = f"{video.name} {video.profile} {video.width}x{video.height}"
        if container.streams.audio:
            audio = container.streams.audio[0].codec_context
            about += f", {audio.name} {audio.profile} {audio.sample_rate} Hz {audio.layout.name}"
        for packet in container.demux():
            if packet.pts is not None and (track := tracks.get(packet.stream.type)) is not None:
                track.pts_s.append(packet.pts * packet.time_base)
                track.sizes.append(packet.size)
                track.keys.append(packet.is_keyframe)
            if until is not None and until.is_set():
                break
    return Recorded(tracks["video"], tracks["audio"], about)


class Reader(threading.Thread):
    """Pulls the stream while it runs."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url, self._until = url, threading.Event()
        self.read: Recorded | None = None
        self.error = ""
        self.start()

    def run(self) -> None:
        try:
            self.read = read(self._url, until=self._until)
        except av.FFmpegError as error:
            self.error = str(error)

    def stop(self) -> Recorded | None:
        """Stop reading; return what was read, or None if it failed."""
        self._until.set()
        self.join(30)
        return self.read


def newest(record: Recorded, seconds: float) -> Recorded:
    """Return the last ``seconds`` of a recording, from a keyframe on."""
    video, audio = record.video, record.audio
    from_s = next(
        (pts for pts, key in zip(video.pts_s, video.keys, strict=True) if key and pts >= video.pts_s[-1] - seconds), 0
    )

    def cut(track: Track) -> Track:
        first = next((number for number, pts in enumerate(track.pts_s) if pts >= from_s), len(track.pts_s))
        return Track(track.pts_s[first:], track.sizes[first:], track.keys[first:])

    return Recorded(cut(video), cut(audio), record.about)


def judge(figures: Figures, video: Track, audio: Track, bitrate_kbps: int) -> None:
    """Compare a recording with what Twitch requires."""
    figures.within("frames a second", (len(video.pts_s) - 1) / video.span_s, FPS, RATE_ERROR)
    start = video.pts_s[0]
    off = [pts - start - Fraction(number, FPS) for number, pts in enumerate(video.pts_s)]
    figures.at_most("a picture's time off the regular grid, at most", float(max(map(abs, off))) * 1000, 1.0, "ms")
    steps = {int(1000 * (b - a)) for a, b in itertools.pairwise(video.pts_s)}
    note(f"steps from picture to picture, ms: {sorted(steps)}; FLV counts whole milliseconds")
    keys = [number for number, key in enumerate(video.keys) if key]
    apart = {b - a for a, b in itertools.pairwise(keys)}
    figures.holds("pictures from keyframe to keyframe", apart == {FPS * GOP_S}, sorted(apart))
    times = {round(1000 * float(video.pts_s[b] - video.pts_s[a])) for a, b in itertools.pairwise(keys)}
    figures.holds("milliseconds from keyframe to keyframe", times == {1000 * GOP_S}, sorted(times))
    groups = [sum(video.sizes[a:b]) * 8 / 1000 / GOP_S for a, b in itertools.pairwise(keys)]
    if groups:
        figures.within("bit rate of the picture", sum(groups) / len(groups), bitrate_kbps, BITRATE_SHARE, "kbit/s")
        note(f"of single keyframe intervals: {min(groups):.0f} to {max(groups):.0f} kbit/s")
    figures.at_least("packets of sound", len(audio.pts_s), 1)
    if audio.pts_s:
        figures.at_most("sound's length off the picture's", abs(audio.span_s - video.span_s), AUDIO_S, "s")
        off = [pts - audio.pts_s[0] for pts in audio.pts_s]
        step = Fraction(1024, 48000)
        figures.at_most(
            "a sound packet's time off the regular grid, at most",
            float(max(abs(pts - number * step) for number, pts in enumerate(off))) * 1000,
            1.0,
            "ms",
        )
        note(f"sound: {8 * sum(audio.sizes) / 1000 / audio.span_s:.0f} kbit/s")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--kind", choices=("rtmp", "twitch_ingest"), default="twitch_ingest")
    arguments.add_argument("--bitrate", type=int, default=3000, metavar="KBPS")
    arguments.add_argument("--size", default="1280x720", metavar="WxH")
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = arguments.parse_args()
    if lacking := missing():
        sys.exit(f"{lacking}: tools/install_test_tools.sh installs it")
    width, height = given.size.split("x")
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder, RtmpServer(Path(folder), record=True) as server:
        key_file = Path(folder) / "key"
        key_file.touch(0o600)
        key_file.write_text(KEY)
        output = {"kind": given.kind, "name": "push", "key_file": str(key_file), "bitrate_kbps": given.bitrate}
        if given.kind == "rtmp":
            output |= {"url": server.url, "cbr": True, "gop_s": float(GOP_S)}
        else:
            output |= {"server": server.url}
        video = [f"video.width={width}", f"video.height={height}", f"video.fps={FPS}"]
        settings = [*SMALL_DREAM, *video, *given.settings, f"outputs={json.dumps([output])}"]
        with Stream(Path(folder), settings) as stream:
            stream.wait_for_picture()
            stream.wait_for(lambda told: told["outputs"][0]["state"] == "live", 60.0)
            reader = Reader(server.stream())
            before = stream.status()
            time.sleep(given.seconds)
            told = stream.status()
            pulled = reader.stop()
            frames = {
                key: told["video"]["frames"][key] - before["video"]["frames"][key] for key in ("shown", "late", "dropped")
            }
            note(f"meanwhile at the clock: {json.dumps(frames)}; output: {json.dumps(told['outputs'][0])}")
            stream.interrupt()
            stream.process.wait(10)
        server.stop()
        whole = read(str(server.recordings()[-1]))
    record = newest(whole, given.seconds + 2 * GOP_S)  # the part before is the program's start
    note(f"recorded by the server: {record.about}; {len(whole.video.pts_s)} pictures in {whole.video.span_s:.2f} s")
    note(f"looked at: the last {record.video.span_s:.2f} s")
    judge(figures, record.video, record.audio, given.bitrate)
    if pulled is None:
        figures.holds("a reader could pull the stream", False, reader.error)
    else:
        rate = (len(pulled.video.pts_s) - 1) / pulled.video.span_s if pulled.video.span_s else 0.0
        figures.within("frames a second that a reader pulled", rate, FPS, RATE_ERROR)
        figures.holds("it pulled sound, too", pulled.audio.pts_s, f"{len(pulled.audio.pts_s)} packets")
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
