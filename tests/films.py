"""Small films for tests."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags

from streamer.dream.sources.readers import FilmReader
from streamer.video.files.file_format import FilmSound
from streamer.video.files.film_probe import probe_film
from streamer.video.files.movie import MovieWriter


def picture(shade: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Return a picture in one shade of grey, with a white corner at the top left."""
    image = np.full((*size, 3), shade, np.uint8)
    image[: size[0] // 4, : size[1] // 4] = 255
    return image


def write_film(
    path: Path,
    shades: Sequence[int] = (40, 80, 120, 160),
    times_s: Sequence[float] | None = None,
    size: tuple[int, int] = (48, 64),
    rotation: int = 0,
    shape: Fraction = Fraction(1),
    lasts_s: float | None = None,
) -> Path:
    """Write a film of grey pictures, one per shade.

    Args:
        times_s: When each picture is shown; None: 10 a second.
        rotation: Degrees counter-clockwise noted in the file, a multiple of 90.
        shape: Width of a pixel over its height.
        lasts_s: How long the last picture is shown; None: a tenth of a second.
    """
    times_s = [number / 10 for number in range(len(shades))] if times_s is None else times_s
    odd = size[0] % 2 or size[1] % 2
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264" if not odd else "ffv1", rate=10)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p" if not odd else "bgr0"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.flags |= Flags.frame_duration
        stream.codec_context.sample_aspect_ratio = shape
        stream.sample_aspect_ratio = shape
        if not odd:
            stream.options = {"crf": "10", "tune": "zerolatency"}
        container.start_encoding()  # writes the header even without pictures
        for shade, time_s in zip(shades, times_s, strict=True):
            frame = av.VideoFrame.from_ndarray(picture(shade, size), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            frame.duration = 100 if lasts_s is None or time_s < times_s[-1] else round(lasts_s * 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if rotation:
        _note_rotation(path, rotation)
    return path


def _note_rotation(path: Path, rotation: int) -> None:
    """Write a rotation into the track header of an MP4, as phones do: the 3x3 matrix of ISO 14496-12, section 8.3.2."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # type, version and flags, times to duration, reserved, layer to volume
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[round(rotation / 90) % 4]
    matrix = (cos << 16, -sin << 16, 0, sin << 16, cos << 16, 0, 0, 0, 1 << 30)
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    path.write_bytes(data)


FLASH, DARK = 235, 20
"""Shades of the first picture in each second of a clip, and of the others."""
RATE = 48_000


def write_clip(
    path: Path,
    seconds: float = 3.0,
    fps: int = 25,
    *,
    codec: str = "libx264",
    sound: str | None = "aac",
    begins_s: float = 0.0,
    form: str | None = None,
    size: tuple[int, int] = (48, 64),
    sound_rate: int = RATE,
) -> Path:
    """Write a film that flashes and clicks at the start of every second, with B-frames where the codec has them.

    Args:
        sound: codec of the sound; None for none.
        begins_s: time stamp of the first picture.
        form: FFmpeg's name of the format; None for the suffix's.
    """
    per_picture = sound_rate // fps
    with av.open(str(path), "w", format=form) as container:
        video = container.add_stream(codec, rate=fps)
        video.height, video.width = size
        video.pix_fmt = video.codec_context.codec.video_formats[0].name if codec != "libx264" else "yuv420p"
        video.codec_context.max_b_frames = 2 if codec in ("libx264", "mpeg4", "mpeg2video") else 0
        video.codec_context.gop_size = fps
        heard = None if sound is None else container.add_stream(sound, rate=sound_rate)
        if heard is not None:
            heard.layout = "stereo"
            blocks = av.AudioResampler(heard.format, "stereo", sound_rate, frame_size=heard.codec_context.frame_size or 1024)
        first, sample = round(begins_s * fps), round(begins_s * sound_rate)
        for number in range(round(seconds * fps)):
            image = np.full((*size, 3), DARK if number % fps else FLASH, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = first + number, Fraction(1, fps)
            container.mux(video.encode(frame))
            if heard is not None:
                samples = np.zeros((2, per_picture), np.float32)
                samples[:, : 0 if number % fps else 200] = 0.8
                block = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
                block.sample_rate, block.pts = sound_rate, sample + number * per_picture
                block.time_base = Fraction(1, sound_rate)
                for part in blocks.resample(block):
                    container.mux(heard.encode(part))
        container.mux(video.encode(None))
        if heard is not None:
            for part in blocks.resample(None):
                container.mux(heard.encode(part))
            container.mux(heard.encode(None))
    return path


def flashes(reader: FilmReader) -> list[float]:
    """Read a clip to its end; return the times of its flashes, in seconds from its first picture."""
    found, before = [], False
    try:
        while True:
            image, time_s = reader.read()
            bright = image.mean() > (FLASH + DARK) / 2
            if bright and not before:
                found.append(time_s)
            before = bright
    except EOFError:
        return found


def clicks(path: Path) -> list[float]:
    """Return the times of a file's clicks, in seconds of its own time stamps."""
    found: list[float] = []
    last = -1.0
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.audio[0]):
            samples = frame.to_ndarray().astype(np.float64)
            samples = np.abs(samples if frame.format.is_planar else samples.reshape(-1, len(frame.layout.channels)).T).max(0)
            for at in np.flatnonzero(samples > 0.3 * (2**15 if samples.max() > 2 else 1)):
                moment = float(frame.pts * frame.time_base) + at / frame.sample_rate
                if not found or moment - last > 0.2:
                    found.append(moment)
                last = moment
    return found


def carried_over(film: Path, into: Path) -> Path:
    """Write a copy of a film without a dream, the way ``zoomdream render --video`` writes films."""
    with closing(FilmReader(str(film))) as reader:
        image, time_s = reader.read()
        with MovieWriter(into, image.shape[:2], probe_film(film).fps, FilmSound(film, None, reader.begins_s)) as movie:
            try:
                while True:
                    movie.write(image, time_s)
                    image, time_s = reader.read()
            except EOFError:
                movie.ends(reader.ends_s)
    return into
