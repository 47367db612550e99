"""Measure what encoding costs: each preset per frame, and outputs that share an encode against outputs with one each.

    python benchmarks/encode.py [--frames 150]

The pictures are those that the program measures presets with: moving detail of every size. Times are CPU time summed over all
threads, including conversion and containers. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import statistics
import time
from itertools import islice

from streamer.config import AudioConfig, VideoConfig
from streamer.messages.keyframes import Frame
from streamer.video.encoding.encoder_selection import EncoderChoice, choose_encoder, noisy_pictures, usable_cpus
from streamer.video.encoding.encoders import Encoders
from streamer.video.encoding.shared_encoder import Encoder
from streamer.video.sound.audio import AudioTrack

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "medium")
SIZES = ((960, 540, 25, 3000), (1280, 720, 30, 3000))
PATIENCE_S = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=150, help="frames encoded for each figure")
    options = parser.parse_args()
    print(f"{usable_cpus()} CPUs\n")
    print_presets(options.frames)
    print()
    print_sharing(options.frames)


def print_presets(frames: int) -> None:
    """Print the cost of a frame with each preset, and which presets five attempts choose."""
    print("| size | rate | " + " | ".join(f"{preset}, ms" for preset in PRESETS) + " | chosen | choosing takes, s |")
    print("|" + "---|" * (len(PRESETS) + 4))
    for width, height, fps, kbps in SIZES:
        video = VideoConfig(width=width, height=height, fps=fps, bitrate_kbps=kbps, encoder="libx264")
        cells = []
        for preset in PRESETS:
            encoders = Encoders(video, choice=EncoderChoice("libx264", preset, "the benchmark"))
            cells.append(f"{cost_s(encoders, [(encoders.main, 'packets')], frames) * 1000:.1f}")
            encoders.close()
        start_s = time.perf_counter()
        chosen = [choose_encoder(video).preset for _ in range(5)]
        took_s = (time.perf_counter() - start_s) / 5
        counts = ", ".join(f"{preset} {chosen.count(preset)} of 5" for preset in dict.fromkeys(chosen))
        print(f"| {width}x{height} | {fps} | {' | '.join(cells)} | {counts} | {took_s:.2f} |", flush=True)


def print_sharing(frames: int) -> None:
    """Print the cost of one output, of two and five that share an encode, and of two with different bit rates."""
    width, height, fps, kbps = SIZES[1]
    video = VideoConfig(width=width, height=height, fps=fps, bitrate_kbps=kbps)
    track = AudioTrack(AudioConfig())
    print("| outputs, 1280x720, superfast | CPU per frame, ms | of one |")
    print("|---|---|---|")
    cases = {
        "one": [(kbps, "packets+audio")],
        "two that share": [(kbps, "packets+audio")] * 2,
        "five that share: two with packets, MPEG-TS, MPEG-TS with sound, MP4": [
            (kbps, kind) for kind in ("packets+audio", "packets+audio", "ts", "ts+audio", "mp4")
        ],
        "two that want other bit rates": [(kbps, "packets+audio"), (kbps - 500, "packets+audio")],
    }
    one_s = 0.0
    for name, wanted in cases.items():
        encoders = Encoders(video, lambda: track, choice=EncoderChoice("libx264", "superfast", "the benchmark"))
        shares = [(encoders.encoder(encoders.spec(bitrate_kbps=rate)), kind) for rate, kind in wanted]
        took_s = cost_s(encoders, shares, frames)
        one_s = one_s or took_s
        print(f"| {name} | {took_s * 1000:.1f} | {took_s / one_s:.2f} |", flush=True)
        encoders.close()
    track.close()


def cost_s(encoders: Encoders, wanted: list[tuple[Encoder, str]], frames: int) -> float:
    """Return the whole process's CPU seconds per frame, from input to output read: the median of 10 stretches."""
    main = encoders.main.spec
    pictures = list(islice(noisy_pictures(main.width, main.height), 32))
    shares = [encoder.subscribe(kind) for encoder, kind in wanted]
    stretch = max(2, frames // 10)
    number, took = 0, []
    for _ in range(11):  # the first warms up
        start_s = time.process_time()
        for _ in range(stretch):
            before = {id(encoder): encoder.status().encoded for encoder, _ in wanted}
            encoders.put(Frame(pictures[number % len(pictures)], number, None))
            number += 1
            for share in shares:
                if share.kind != "mp4" or number > 1:  # MP4 lags one picture behind
                    share.read(PATIENCE_S)
            while any(encoder.status().encoded == before[id(encoder)] for encoder, _ in wanted):
                time.sleep(0.001)
            for share in shares:
                while share.read(0) is not None:
                    pass
        took.append((time.process_time() - start_s) / stretch)
    for share in shares:
        share.close()
    return statistics.median(took[1:])


if __name__ == "__main__":
    main()
