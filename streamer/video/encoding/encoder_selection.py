"""Chooses the encoder and its preset at start, by encoding a few pictures.

For x264 it takes the slowest preset from ``veryfast`` to ``ultrafast`` that needs at most ``SHARE`` of the machine's CPU time
for one encode at the video's size and rate; ``ultrafast`` if none does. It measures the CPU time of its own thread, so a
machine that is busy with other things gives the same answer.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice

import av
import cv2
import numpy as np

from streamer.config import VideoConfig
from streamer.video.encoding.h264 import open_codec, to_yuv
from streamer.video.encoding.shared_encoder import EncoderError
from streamer.video.encoding.spec import GPU_PRESET, Codec, EncodeSpec

PRESETS = ("veryfast", "superfast", "ultrafast")
"""Presets to choose from, slowest first. The last is the fallback and is not measured."""
SHARE = 0.25
"""Largest share of the machine's CPU time for the encode; the rest is for the dream."""
PROBE_S = 0.25
"""Most seconds for measuring one preset, apart from the least number of pictures…"""
PROBE_FRAMES = (3, 12)
"""…and the least and most pictures to encode; the first, a keyframe, does not count."""
GPU_FRAMES = 5
"""Pictures that the GPU encodes as a test."""
NO_DRIVER = "Cannot load"
"""Beginning of FFmpeg's message that NVIDIA's libraries (libcuda, nvcuda.dll, libnvidia-encode) are missing."""


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """The encoder that all encodes of a stream use."""

    encoder: Codec
    preset: str
    reason: str
    """Why, in one line."""
    no_gpu: str = ""
    """Why no GPU encodes, if there is simply no NVIDIA driver; empty otherwise."""


def choose_encoder(
    video: VideoConfig,
    cpus: int | None = None,
    clock: Callable[[], float] = time.thread_time,
    wall_clock: Callable[[], float] = time.perf_counter,
) -> EncoderChoice:
    """Choose the encoder for a video; takes 0.6 s at most unless the machine is very slow.

    Args:
        video: The settings; only those that are ``auto`` are tested.
        cpus: CPUs that this process may use; None asks the system.
        clock: Returns the CPU time of the calling thread, in seconds.
        wall_clock: Returns the time that limits probing, in seconds.

    Raises:
        EncoderError: the encoder that the settings name does not work here.
    """
    gpu = ""
    if video.encoder != "libx264":
        try:
            try_gpu(video)
            return EncoderChoice("h264_nvenc", GPU_PRESET, "the GPU encoded the test pictures")
        except (av.FFmpegError, EncoderError) as error:
            gpu = reason(error)
        if video.encoder == "h264_nvenc":
            raise EncoderError(f"h264_nvenc does not work here: {gpu}; 'video.encoder: auto' uses the CPU instead")
    # Most machines have no NVIDIA GPU, which needs no mention. A driver that is there and does not encode does.
    absent = gpu if NO_DRIVER in gpu else ""
    gpu_note = f"; no h264_nvenc: {gpu}" if gpu and not absent else ""
    if video.preset != "auto":
        return EncoderChoice("libx264", video.preset, f"set by 'video.preset'{gpu_note}", absent)
    preset, why = _slowest_affordable(EncodeSpec.of(video), cpus or usable_cpus(), clock, wall_clock)
    return EncoderChoice("libx264", preset, f"{why}{gpu_note}", absent)


def try_gpu(video: VideoConfig) -> None:
    """Encode a few pictures of the wanted size on the GPU.

    Raises:
        av.FFmpegError: it does not work here.
        EncoderError: it returned no packets.
    """
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)  # the error then has FFmpeg's own reason
    try:
        with av.logging.Capture():
            codec = open_codec(EncodeSpec.of(video, "h264_nvenc", GPU_PRESET))
            packets = 0
            for number, image in enumerate(islice(noisy_pictures(video.width, video.height), GPU_FRAMES)):
                frame = to_yuv(image)
                frame.pts = number
                packets += len(codec.encode(frame))
    finally:
        av.logging.set_level(level)
    if not packets:
        raise EncoderError(f"it encoded nothing of {GPU_FRAMES} pictures")


def _slowest_affordable(
    spec: EncodeSpec, cpus: int, clock: Callable[[], float], wall_clock: Callable[[], float]
) -> tuple[str, str]:
    """Return the slowest preset that the machine can afford, and why."""
    shares = {}
    for preset in PRESETS[:-1]:
        frame_s = measure(replace(spec, preset=preset), clock, wall_clock)
        shares[preset] = frame_s * spec.fps / cpus
        if shares[preset] <= SHARE:
            break
    measured = ", ".join(f"{preset} takes {share:.0%}" for preset, share in shares.items())
    fits = shares[preset] <= SHARE
    why = f"{measured} of the {cpus} CPUs for {spec.width}x{spec.height} at {spec.fps} a second; the limit is {SHARE:.0%}"
    return (preset if fits else PRESETS[-1]), why


def measure(
    spec: EncodeSpec,
    clock: Callable[[], float] = time.thread_time,
    wall_clock: Callable[[], float] = time.perf_counter,
    seconds: float = PROBE_S,
    frames: tuple[int, int] = PROBE_FRAMES,
) -> float:
    """Return the CPU seconds that x264 takes per picture, conversion from RGB included: the median of a few."""
    codec = open_codec(spec, threads=1)
    least, most = frames
    until_s = wall_clock() + seconds
    took: list[float] = []
    for number, image in enumerate(islice(noisy_pictures(spec.width, spec.height), most)):
        start_s = clock()
        frame = to_yuv(image)
        frame.pts = number
        codec.encode(frame)
        took.append(clock() - start_s)
        if len(took) >= least and wall_clock() >= until_s:
            break
    return statistics.median(took[1:])


def noisy_pictures(width: int, height: int) -> Iterator[np.ndarray]:
    """Yield pictures, (height, width, 3) uint8, with steadily moving detail of every size: as hard to encode as a dream."""
    margin = 64
    rng = np.random.default_rng(1)
    large = np.full((height + margin, width + margin, 3), 128, np.float32)
    for cell, strength in ((2, 25.0), (8, 30.0), (32, 35.0)):
        shape = ((height + margin) // cell + 2, (width + margin) // cell + 2, 3)
        noise = rng.standard_normal(shape, np.float32) * np.float32(strength)
        large += cv2.resize(noise, (width + margin, height + margin), interpolation=cv2.INTER_LINEAR)
    picture = large.clip(0, 255).astype(np.uint8)
    for number in count():
        top, left = 2 * number % margin, 3 * number % margin
        yield np.ascontiguousarray(picture[top : top + height, left : left + width])


def usable_cpus() -> int:
    """Return the number of CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def reason(error: Exception) -> str:
    """Return the reason of an encoder's failure, in one line."""
    line: object = getattr(error, "log", None)
    text = line[2] if isinstance(line, tuple) else getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split()) or type(error).__name__
