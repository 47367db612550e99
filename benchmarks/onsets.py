"""Measure how reliably, and at what cost, clicks and drums at known times are heard: alone, in noise and in music.

    python benchmarks/onsets.py [--seconds 30] [--peers]

A stroke counts as found if an onset is within 30 ms of it; an onset with no stroke within 30 ms is invented, except where
noise begins. With --peers, the detectors of aubio and librosa hear the same, if they are installed (pip install
aubio-ledfx librosa).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from streamer.video.sound.onsets import Onsets
from streamer.video.sound.sound_analysis import SoundAnalyser
from tests.sounds import RATE, beats_at, click, hat, kick, pad, pink, strokes

NEAR_S = 0.03
BPM = (60, 90, 120, 150, 180)
PIECE = RATE // 4
"""Samples per call, as when music is decoded."""
AUBIO = ("hfc", "specflux", "complex", "mkl")
AUBIO_WINDOW, AUBIO_HOP, AUBIO_SILENCE_DB = 1024, 256, -50
APART_S = 0.3
BEGUN_S = 0.5
"""Earlier onsets do not count: noise and chord begin there."""

Detector = Callable[[np.ndarray], list[float]]
"""Maps (n, 2) float32 samples at ``RATE`` to the onsets' seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each track")
    parser.add_argument("--peers", action="store_true", help="let aubio and librosa hear the same")
    options = parser.parse_args()
    detectors: dict[str, Detector] = {"ours": ours}
    if options.peers:
        detectors |= peers()
    beds = {
        "alone": lambda seconds: np.zeros((round(seconds * RATE), 2), np.float32),
        "in pink noise of -26 dB": lambda seconds: pink(seconds, -26),
        "in a chord with vibrato, and noise of -32 dB": lambda seconds: pad(seconds) + pink(seconds, -32),
    }
    print(f"Tracks of {options.seconds:g} s at {', '.join(map(str, BPM))} beats a minute.\n")
    print("| detector | sound | strokes | found | invented | error, median | error, largest | CPU |\n" + "|---" * 8 + "|")
    for name, detector in detectors.items():
        for sound in (click, kick):
            for bed, made in beds.items():
                tracks = []
                for bpm in BPM:
                    struck = beats_at(options.seconds, bpm)
                    tracks.append((made(options.seconds) + strokes(options.seconds, struck, sound()), struck))
                print(row(name, f"{sound.__name__}s {bed}", detector, tracks))
        still = [(np.zeros((round(options.seconds * RATE), 2), np.float32), [])]
        print(row(name, "digital silence", detector, still))
        print(
            row(
                name, "pink noise of -60, -40 and -20 dB", detector, [(pink(options.seconds, db), []) for db in (-60, -40, -20)]
            )
        )
    beats(options.seconds)


def row(name: str, what: str, detector: Detector, tracks: Sequence[tuple[np.ndarray, list[float]]]) -> str:
    """Return a detector's table row for some tracks."""
    errors: list[float] = []
    strokes_in_all = invented = 0
    began_s = time.process_time()
    heard = [detector(samples) for samples, _ in tracks]
    share = (time.process_time() - began_s) / sum(len(samples) / RATE for samples, _ in tracks)
    for found, (_, struck) in zip(heard, tracks, strict=True):
        strokes_in_all += len(struck)
        nearest = [min((abs(onset - stroke) for onset in found), default=9.0) for stroke in struck]
        errors += [error for error in nearest if error <= NEAR_S]
        invented += sum(all(abs(onset - stroke) > NEAR_S for stroke in struck) for onset in found if onset > BEGUN_S)
    told = (f"{1000 * statistics.median(errors):.1f} ms", f"{1000 * max(errors):.1f} ms") if errors else ("", "")
    return f"| {name} | {what} | {strokes_in_all} | {len(errors)} | {invented} | {told[0]} | {told[1]} | {share:.2%} |"


def beats(seconds: float) -> None:
    """Print how many kicks and hi-hats count as beats, and what the whole analysis costs."""
    print(
        "\n| kicks, hi-hats half way between, noise of -32 dB | kicks | beats on kicks | elsewhere | CPU |\n" + "|---" * 5 + "|"
    )
    for bpm in BPM:
        struck = beats_at(seconds, bpm)
        between = [at + 30 / bpm for at in struck]
        track = strokes(seconds, struck, kick()) + strokes(seconds, between, hat()) + pink(seconds, -32)
        analyser = SoundAnalyser(RATE)
        analyser.listen(True)
        began_s = time.process_time()
        found = []
        for at in range(0, len(track), PIECE):
            analyser.analyse(at, track[at : at + PIECE])
            found += analyser.beats(at - 2 * PIECE, at - PIECE, APART_S * RATE)  # a little late, as in the stream
        share = (time.process_time() - began_s) / seconds
        found += analyser.beats(at - PIECE, len(track), APART_S * RATE)
        on = sum(any(abs(beat.at / RATE - stroke) <= NEAR_S for stroke in struck) for beat in found)
        print(f"| {bpm} a minute | {len(struck)} | {on} | {len(found) - on} | {share:.2%} |")


def ours(samples: np.ndarray) -> list[float]:
    """Find onsets piece by piece, as the stream does."""
    onsets = Onsets(RATE)
    return [onset.at / RATE for at in range(0, len(samples), PIECE) for onset in onsets.find(samples[at : at + PIECE])]


def peers() -> dict[str, Detector]:
    """Return the installed peers' detectors."""
    found: dict[str, Detector] = {}
    try:
        import aubio
    except ImportError as error:
        print(f"no aubio: {error}")
    else:

        def with_aubio(method: str) -> Detector:
            def detect(samples: np.ndarray) -> list[float]:
                onset = aubio.onset(method, AUBIO_WINDOW, AUBIO_HOP, RATE)
                onset.set_silence(AUBIO_SILENCE_DB)
                mono = np.ascontiguousarray(samples.mean(axis=1))
                hops = range(0, len(mono) - AUBIO_HOP, AUBIO_HOP)
                return [float(onset.get_last_s()) for at in hops if onset(mono[at : at + AUBIO_HOP])[0]]

            return detect

        found |= {f"aubio {aubio.version}, {method}": with_aubio(method) for method in AUBIO}
    try:
        import librosa
    except ImportError as error:
        print(f"no librosa: {error}")
    else:

        def with_librosa(samples: np.ndarray) -> list[float]:
            if not samples.any():  # librosa divides by the peak
                return []
            return [float(at) for at in librosa.onset.onset_detect(y=samples.mean(axis=1), sr=RATE, units="time")]

        found[f"librosa {librosa.__version__}"] = with_librosa
    return found


if __name__ == "__main__":
    main()
