"""Animated GIFs that look good and stay small: one palette made from all frames; bounded width, rate and length."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

MAX_WIDTH = 480
"""Pixels; wider frames are reduced."""
MAX_FPS = 12.5
"""Frames a second; of faster videos only every second, third… frame is kept."""
MAX_FRAMES = 300
"""When there are more, every other one is left out, and the rest are shown twice as long."""
DITHER = "bayer"
"""An ordered pattern does not crawl from frame to frame as error diffusion does, and compresses better."""
BAYER_SCALE = 3


class GifSpool:
    """Keeps reduced frames on disk until the palette for all of them can be made."""

    def __init__(self, size: tuple[int, int], fps: Fraction) -> None:
        height, width = size
        scale = min(1.0, MAX_WIDTH / width)
        self._size = (max(1, round(height * scale)), max(1, round(width * scale)))
        self._fps = fps
        self._step = max(1, math.ceil(fps / Fraction(MAX_FPS)))
        self._seen = 0
        self._slots: list[int] = []
        self._free: list[int] = []
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 open until close

    def add(self, image: np.ndarray) -> None:
        """Take an (h, w, 3) uint8 frame, or leave it out to keep the rate."""
        number, self._seen = self._seen, self._seen + 1
        if number % self._step:
            return
        if len(self._slots) >= MAX_FRAMES:
            self._free += self._slots[1::2]
            del self._slots[1::2]
            self._step *= 2
            if number % self._step:
                return
        if image.shape[:2] != self._size:
            image = cv2.resize(image, self._size[::-1], interpolation=cv2.INTER_AREA)
        slot = self._free.pop() if self._free else len(self._slots)
        self._file.seek(slot * image.nbytes)
        self._file.write(np.ascontiguousarray(image).data)
        self._slots.append(slot)

    def save(self, path: Path) -> None:
        """Write the GIF; it loops for ever."""
        palette = self._palette()
        rate = self._fps / self._step
        with av.open(str(path), "w", format="gif", options={"loop": "0"}) as container:
            stream = container.add_stream("gif", rate=rate)
            assert isinstance(stream, VideoStream)
            stream.codec_context.height, stream.codec_context.width = self._size
            stream.codec_context.pix_fmt = "pal8"
            graph = Graph()
            frames, colours = (
                graph.add_buffer(width=f.width, height=f.height, format=f.format, time_base=1 / rate)
                for f in (next(self._frames()), palette)
            )
            use = graph.add("paletteuse", f"dither={DITHER}:bayer_scale={BAYER_SCALE}:diff_mode=rectangle")
            sink = graph.add("buffersink")
            frames.link_to(use, 0, 0)
            colours.link_to(use, 0, 1)
            use.link_to(sink)
            graph.configure()
            palette.pts, palette.time_base = 0, 1 / rate
            colours.push(palette)
            colours.push(None)
            for number, frame in enumerate(self._frames()):
                frame.pts, frame.time_base = number, 1 / rate
                frames.push(frame)
                container.mux(stream.encode(_pull(graph)))
            container.mux(stream.encode(None))

    def close(self) -> None:
        """Free the disk."""
        self._file.close()

    def _frames(self) -> Iterator[VideoFrame]:
        height, width = self._size
        for slot in self._slots:
            self._file.seek(slot * height * width * 3)
            data = self._file.read(height * width * 3)
            yield VideoFrame.from_ndarray(np.frombuffer(data, np.uint8).reshape(height, width, 3), format="rgb24")

    def _palette(self) -> VideoFrame:
        graph = Graph()
        height, width = self._size
        source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=Fraction(1, 100))
        make = graph.add("palettegen", "stats_mode=full:reserve_transparent=0")
        graph.link_nodes(source, make, graph.add("buffersink")).configure()
        for number, frame in enumerate(self._frames()):
            frame.pts, frame.time_base = number, Fraction(1, 100)
            graph.push(frame)
        graph.push(None)
        return _pull(graph)


def _pull(graph: Graph) -> VideoFrame:
    frame = graph.pull()
    assert isinstance(frame, VideoFrame)
    return frame
