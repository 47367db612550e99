"""Films with several sound tracks for tests, and films in codecs that nothing can decode, made without their encoders."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 48_000
SIZE = (36, 64)
_CONFIG = b"\x05\x80\x80\x80"
"""The bytes before the length of AAC's AudioSpecificConfig in an MP4 (ISO 14496-1, DecSpecificInfoTag)."""


def film_of_tones(
    path: Path, tones_hz: Sequence[float], seconds: float = 1.0, codec: str = "aac", *, sound_first: bool = False
) -> Path:
    """Write a film of grey pictures, 10 a second, with a sound track for each tone; the first is the default."""
    with av.open(str(path), "w") as container:
        sounds = [container.add_stream(codec, rate=RATE, layout="stereo") for _ in tones_hz if sound_first]
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        sounds = sounds or [container.add_stream(codec, rate=RATE, layout="stereo") for _ in tones_hz]
        for number in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(np.full((*SIZE, 3), 60 + 9 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for sound, hz in zip(sounds, tones_hz, strict=True):
            wave = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
            frame = av.AudioFrame.from_ndarray(np.tile(wave.astype(np.float32), (2, 1)), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            size = sound.codec_context.frame_size or 1024
            resampler = av.AudioResampler(format=sound.codec_context.format, layout="stereo", rate=RATE, frame_size=size)
            for block in (*resampler.resample(frame), *resampler.resample(None)):
                container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return path


def tone(path: Path) -> float:
    """Return the strongest frequency of a film's only sound track, in Hz."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        plain = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        wave = np.concatenate([block.to_ndarray()[0] for frame in container.decode(stream) for block in plain.resample(frame)])
    wave = wave[RATE // 5 : RATE // 5 + RATE // 2]
    return float(np.fft.rfftfreq(len(wave), 1 / RATE)[np.abs(np.fft.rfft(wave * np.hanning(len(wave)))).argmax()])


def renamed(path: Path, letters: str, track: int = 0) -> Path:
    """Make an MP4 declare another codec for an AAC track: change the codec's four letters and hide its description."""
    data = path.read_bytes()
    at = [where for where in range(len(data)) if data.startswith(b"mp4a", where)][track]
    described = data.index(b"esds", at)
    path.write_bytes(data[:at] + letters.encode("latin-1") + data[at + 4 : described] + b"skip" + data[described + 4 :])
    return path


def retyped(path: Path, kind: int) -> Path:
    """Make an MP4 declare another audio object type (ISO 14496-3, 1.5.1), below 31, for its AAC."""
    data = bytearray(path.read_bytes())
    at = data.index(_CONFIG, data.index(b"esds")) + len(_CONFIG) + 1
    data[at] = kind << 3 | data[at] & 7
    path.write_bytes(data)
    return path


def unseen(path: Path) -> Path:
    """Make an MP4 declare an unknown codec for its pictures."""
    path.write_bytes(path.read_bytes().replace(b"avc1", b"xyz1").replace(b"avcC", b"skip"))
    return path
