"""How much memory does an unsplit recording take? Muxes a day of video and sound as fast as possible.

    python benchmarks/recording.py --hours 24
    python benchmarks/recording.py --hours 6 --ending .mkv

The stream is real H.264 and AAC: two seconds over and over, with the times of 30 frames a second and a keyframe each second.
The file takes no disk space: it is a hole as long as the recording. Prints the process's memory hour by hour, and its growth a
day after the first hour.
"""

from __future__ import annotations

import argparse
import gc
import io
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from streamer.video.encoding.packet_protocol import VIDEO_RATE, Media, MediaInfo
from streamer.video.sinks.recording import FORMATS, Recording

FPS, RATE, SAMPLES = 30, 48_000, 1024
LOOP = 2 * FPS
"""Frames that are encoded; the rest repeats them."""
HOUR = 3600 * FPS


class Hole(io.FileIO):
    """A file that grows with each write but keeps no data."""

    def write(self, data: object) -> int:
        size = memoryview(data).nbytes  # type: ignore[arg-type]
        self.seek(size, os.SEEK_CUR)
        return size


def resident() -> float:
    """Return this process's resident megabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def encoded() -> tuple[MediaInfo, list[bytes], bytes]:
    """Encode two seconds of video, a keyframe each second, and a packet of silence."""
    video = av.CodecContext.create("libx264", "w")
    video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"  # type: ignore[attr-defined]
    video.framerate, video.time_base = Fraction(FPS), Fraction(1, FPS)  # type: ignore[attr-defined]
    video.gop_size, video.max_b_frames = FPS, 0  # type: ignore[attr-defined]
    video.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0:threads=1"}
    rng, pictures = np.random.default_rng(1), []
    for number in range(LOOP):
        image = rng.integers(0, 60, (96, 160, 3), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
        frame.pts = number
        pictures += [bytes(packet) for packet in video.encode(frame)]  # type: ignore[attr-defined]
    sound = av.CodecContext.create("aac", "w")
    sound.sample_rate, sound.layout, sound.format = RATE, "stereo", "fltp"  # type: ignore[attr-defined]
    sound.time_base = Fraction(1, RATE)
    sound.open()
    packets: list[bytes] = []
    while len(packets) < 3:
        silence = av.AudioFrame.from_ndarray(np.zeros((2, SAMPLES), np.float32), format="fltp", layout="stereo")
        silence.sample_rate = RATE
        packets += [bytes(packet) for packet in sound.encode(silence)]  # type: ignore[attr-defined]
    sets = pictures[0][: pictures[0].index(b"\0\0\1\x65")]
    return MediaInfo(160, 96, FPS, sets, 400, RATE, bytes(sound.extradata or b""), 128), pictures, packets[-1]


def media(pictures: list[bytes], sound: bytes) -> Iterator[Media]:
    """Yield an endless stream, video and sound in the order of their times."""
    ticks, samples = VIDEO_RATE // FPS, 0
    for number in itertools.count():
        yield Media(False, pictures[number % LOOP], number * ticks, ticks, number % FPS == 0)
        while samples * FPS < (number + 1) * RATE:
            yield Media(True, sound, samples, SAMPLES, True)
            samples += SAMPLES


def measure(ending: str, hours: int, movflags: str | None) -> None:
    """Record so many hours and print the memory used."""
    if movflags is not None:
        format_name, options = FORMATS[ending]
        FORMATS[ending] = format_name, replace_flags(options, movflags)
    info, pictures, sound = encoded()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"recording{ending}"
        hole = Hole(path, "xb")
        recording = Recording(hole, path, info, 0)
        began_s, held, count = time.monotonic(), [], 0
        for each in media(pictures, sound):
            if not each.audio:
                if count % HOUR == 0:
                    gc.collect()
                    held.append(resident())
                if count == hours * HOUR:
                    break
                count += 1
            recording.mux(each)
        size = hole.tell()
        recording.close()
    took_s = time.monotonic() - began_s
    rest = held[1:]
    print(
        f"{ending}: {hours} h of {size / 1e9:.1f} GB in {took_s:.0f} s; MB by hour {', '.join(f'{each:.1f}' for each in held)}"
    )
    print(f"{ending}: {24 * (rest[-1] - rest[0]) / (len(rest) - 1):+.2f} MB a day after the first hour")


def replace_flags(options: dict[str, str], movflags: str) -> dict[str, str]:
    """Return the muxer's options with other flags."""
    return {**options, "movflags": movflags}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--ending", action="append", choices=sorted(FORMATS), help="only this one, or these")
    parser.add_argument("--movflags", help="instead of the program's own, for comparison")
    options = parser.parse_args()
    for ending in options.ending or FORMATS:
        measure(ending, options.hours, options.movflags if ending == ".mp4" else None)


if __name__ == "__main__":
    main()
