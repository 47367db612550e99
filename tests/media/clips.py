"""Make videos of every kind: four colour fields that flash white at each full second, with a click at each flash."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from streamer.dream.sources.readers import FilmReader
from tests.shapes import COLOURS, EXIF, quad

SIZE = (120, 160)
"""Default (height, width) of a clip."""
SECONDS, FPS = 2.0, 25
APART_S = 0.015
"""Largest accepted distance of a click from its flash, in seconds."""


def means(image: np.ndarray) -> np.ndarray:
    """Return the mean colours inside a picture's four fields, (4, 3) float: top left, top right, bottom left, bottom right."""
    height, width = image.shape[:2]
    inner = [
        image[top + height // 8 : top + 3 * height // 8, left + width // 8 : left + 3 * width // 8]
        for top in (0, height // 2)
        for left in (0, width // 2)
    ]
    return np.array([part.reshape(-1, 3).mean(0) for part in inner])


@dataclass(frozen=True, slots=True)
class Seen:
    """Flashes, colours and size of a film, as read."""

    flashes: list[float]
    """Times of its flashes, in seconds."""
    size: tuple[int, int]
    fields: np.ndarray
    """Colours of the four fields in its last picture that is not a flash; see ``means``."""
    count: int
    seconds: float


def look(path: Path) -> Seen:
    """Read a clip to its end, and return its properties."""
    flashes, count, shown = [], 0, np.zeros((*SIZE, 3), np.uint8)
    with closing(FilmReader(str(path))) as reader, suppress(EOFError):
        while True:
            image, time_s = reader.read()
            count += 1
            if is_flash(image):
                flashes.append(time_s)
            else:
                shown = image
    return Seen(flashes, (shown.shape[0], shown.shape[1]), means(shown), count, reader.ends_s)


def near(found: Sequence[float], wanted: Sequence[float], apart: float) -> bool:
    """Return whether two series of times differ by at most ``apart``."""
    return len(found) == len(wanted) and all(abs(one - other) <= apart for one, other in zip(found, wanted, strict=True))


def is_flash(image: np.ndarray) -> bool:
    """Return whether a picture is white all over."""
    return bool(means(image).min() > 170)


@dataclass(frozen=True, slots=True)
class Clip:
    """A video to make, with the expected result of reading it."""

    suffix: str
    codec: str = "libx264"
    sound: str | None = "aac"
    form: str | None = None
    """FFmpeg's name of the format, if the suffix does not imply it."""
    pixels: str | None = None
    """FFmpeg's name of the pixel format; None for the encoder's first."""
    size: tuple[int, int] = SIZE
    fps: Fraction = Fraction(FPS)
    seconds: float = SECONDS
    rate: int = 48_000
    layout: str = "stereo"
    begins_s: float = 0.0
    sound_late_s: float = 0.0
    """Seconds from each flash to its click."""
    swallowed_s: float = 0.0
    """Seconds that the sound's codec drops at the beginning."""
    matrix: Colorspace | None = None
    """Matrix from RGB to YUV; None for BT.601."""
    tags: Mapping[str, int] = field(default_factory=dict)
    """Colour tags: attributes of PyAV's codec context."""
    full_range: bool = False
    shape: Fraction = Fraction(1)
    """Width of a pixel over its height."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the encoder."""
    container: Mapping[str, str] = field(default_factory=dict)
    """Options of the container format."""
    shown: tuple[int, int] | None = None
    """Expected (height, width); None for its own size."""
    shows: str = EXIF[1]
    """Its fields as a player shows them, as letters of ``tests.shapes.COLOURS``."""
    levels: float = 4.0
    """Tolerance of a field's mean colour."""
    parts: int = 1
    """How often the file's bytes are repeated."""
    change: Callable[[Path], object] | None = None
    """A change to the finished file."""

    def faults(self, seen: Seen, heard: list[float] | None) -> list[str]:
        """Return the faults of a video made from this one.

        Args:
            heard: Times of its clicks, in seconds; None to ignore the sound.
        """
        rate = float(self.fps)
        seconds = self.seconds * self.parts
        flashes = [round(second * rate) / rate for second in range(int(seconds))]
        clicks = [second + self.sound_late_s for second in range(int(self.seconds))]
        clicks = [moment for moment in clicks if moment >= self.swallowed_s]
        wanted = np.array([COLOURS[letter] for letter in self.shows.replace("/", "")])
        off = np.abs(seen.fields - wanted).max()
        found = [
            (seen.count == round(seconds * self.fps), f"{seen.count} pictures"),
            (abs(seen.seconds - seconds) <= 1 / rate, f"{seen.seconds:.3f} s for {seconds}"),
            (seen.size == (self.shown or self.size), f"{seen.size[1]}x{seen.size[0]}"),
            (off <= self.levels, f"colours off by {off:.1f}: {seen.fields.round().astype(int).tolist()}"),
            (near(seen.flashes, flashes, 0.002), f"flashes at {seen.flashes}"),
            (self.sound is None or heard is None or near(heard, clicks, APART_S), f"clicks at {heard}"),
        ]
        return [fault for right, fault in found if not right]

    def write(self, path: Path) -> Path:
        """Write the video and return its path."""
        with av.open(str(path), "w", format=self.form, options=dict(self.container)) as container:
            self._fill(container)
        path.write_bytes(path.read_bytes() * self.parts)
        if self.change is not None:
            self.change(path)
        return path

    def _fill(self, container: av.container.OutputContainer) -> None:
        video = container.add_stream(self.codec, rate=self.fps, options=dict(self.options))
        assert isinstance(video, av.VideoStream)
        context = video.codec_context
        context.height, context.width = self.size
        known = context.codec.video_formats
        context.pix_fmt = self.pixels or ("yuv420p" if known is None else known[0].name)
        context.gop_size = round(self.fps)
        context.sample_aspect_ratio = video.sample_aspect_ratio = self.shape
        for name, value in self.tags.items():
            setattr(context, name, value)
        context.time_base = 1 / self.fps
        sound = self._sound(container)
        container.start_encoding()
        for number in range(round(self.seconds * self.fps)):
            container.mux(video.encode(self._picture(number, context.pix_fmt)))
            for packet in next(sound, ()):
                container.mux(packet)
        container.mux(video.encode(None))
        for packets in sound:
            for packet in packets:
                container.mux(packet)

    def _picture(self, number: int, pixels: str) -> av.VideoFrame:
        image = quad(self.size)
        if number % round(self.fps) == 0:
            image[...] = 235
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        if pixels.startswith(("yuv", "nv", "p0", "gray")):
            frame = frame.reformat(
                format=pixels,
                dst_colorspace=self.matrix or Colorspace.ITU601,
                dst_color_range=ColorRange.JPEG if self.full_range else ColorRange.MPEG,
            )
            frame.colorspace = self.tags.get("colorspace", 2)
            frame.color_range = ColorRange.JPEG if self.full_range else ColorRange.MPEG
        elif pixels != "rgb24":
            frame = frame.reformat(format=pixels)
        frame.pts, frame.time_base = number + round(self.begins_s * self.fps), 1 / self.fps
        return frame

    def _sound(self, container: av.container.OutputContainer) -> Iterator[list[av.Packet]]:
        """Yield the packets of the sound, one list per picture."""
        if self.sound is None:
            return iter(())
        stream = container.add_stream(self.sound, rate=self.rate, options={"strict": "experimental"})
        assert isinstance(stream, av.AudioStream)
        stream.layout = self.layout
        stream.codec_context.time_base = Fraction(1, self.rate)
        if self.sound.startswith("wma"):
            stream.codec_context.bit_rate = 128_000  # its encoder has no default
        return self._sounding(stream)

    def _sounding(self, stream: av.AudioStream) -> Iterator[list[av.Packet]]:
        context = stream.codec_context
        channels = len(context.layout.channels)
        samples = np.zeros((channels, round((self.seconds + max(0.0, self.sound_late_s)) * self.rate)), np.float32)
        for second in range(int(self.seconds)):
            at = round((second + self.sound_late_s) * self.rate)
            if at >= 0:
                samples[:, at : at + self.rate // 200] = 0.8
        step = round(self.rate / self.fps)
        blocks: av.AudioResampler | None = None
        for begin in range(0, samples.shape[1], step):
            part = np.ascontiguousarray(samples[:, begin : begin + step])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=self.layout)
            frame.sample_rate, frame.time_base = self.rate, Fraction(1, self.rate)
            frame.pts = begin + round(self.begins_s * self.rate)
            if blocks is None:
                size = context.frame_size or 1024
                blocks = av.AudioResampler(context.format, self.layout, self.rate, frame_size=size)
            yield [packet for block in blocks.resample(frame) for packet in stream.encode(block)]
        assert blocks is not None
        yield [packet for block in blocks.resample(None) for packet in stream.encode(block)]
        yield list(stream.encode(None))
