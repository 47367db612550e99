"""Writes animated GIFs that look good and stay small: one palette for all frames; limited width, rate and length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamer.media.opening import create_file

SPOOL = "frames"
"""Name of the file with the frames."""
MAX_WIDTH = 480
"""Largest width in pixels; wider frames are reduced."""
MAX_FPS = 12.5
"""Most frames per second; faster videos are thinned out."""
MAX_FRAMES = 300
"""Most frames; beyond it, every other frame is dropped, and the rest are shown twice as long."""
DITHER = "bayer"
"""Ordered dithering does not flicker from frame to frame as error diffusion does, and compresses better."""
BAYER_SCALE = 3
TICK = Fraction(1, 100)
"""Unit of a GIF's delays, in seconds."""
MOST_TICKS = 65_535
"""Longest delay in a GIF."""
ROUNDING = Fraction(1, 1000)
"""Seconds by which a frame may be too early for the rate, because containers round times."""


class GifSpool:
    """Keeps reduced frames on disk until the common palette can be made."""

    def __init__(
        self,
        work_folder: Path,
        size: tuple[int, int],
        fps: Fraction,
        *,
        resumable: bool = False,
        look: Callable[[], None] | None = None,
    ) -> None:
        """Start empty.

        Args:
            work_folder: folder for the frames.
            size: (height, width) of the frames that are added.
            fps: frame rate for frames without a time.
            resumable: whether ``state`` may be called. Frames it refers to are then never overwritten, so the file grows a
                little with every doubling of their number.
            look: called for each frame during ``save``; raise from it to cancel.
        """
        self._look = look
        height, width = size
        scale = min(1.0, MAX_WIDTH / width)
        self._size = (max(1, round(height * scale)), max(1, round(width * scale)))
        self._fps = fps
        self._gap = 1 / Fraction(MAX_FPS)
        self._seen = 0
        self._slots: list[int] = []
        self._times: list[Fraction] = []
        self._free: list[int] = []
        self._left_out: np.ndarray | None = None
        self._last = self._lasts = Fraction(0)
        self._resumable, self._used = resumable, 0
        self._path = work_folder / SPOOL
        self._file = self._path.open("r+b" if resumable and self._path.exists() else "w+b")

    def add(self, image: np.ndarray, time_s: float | None = None) -> None:
        """Take an (h, w, 3) uint8 frame, or drop it to keep the rate.

        Args:
            time_s: its time in seconds, later than the one before; None: by the frame rate.
        """
        time = self._seen / self._fps if time_s is None else Fraction(time_s).limit_denominator(90_000)
        self._seen += 1
        self._last, self._lasts = time, time - self._last if self._seen > 1 else 1 / self._fps
        self._keep_left_out(time)
        self._left_out = None
        if self._times and time < self._times[-1] + self._gap - ROUNDING:
            self._left_out = image.copy()
        else:
            self._keep(image, time)

    def save(self, path: Path, ends_s: float | None = None) -> None:
        """Write the GIF, which loops endlessly.

        Args:
            ends_s: end of its last frame in seconds; None: it lasts as long as the one before.
        """
        end = self._last + self._lasts if ends_s is None else Fraction(ends_s).limit_denominator(90_000)
        self._keep_left_out(end)
        palette = self._palette()
        starts = [round((time - self._times[0]) / TICK) for time in self._times]
        final = max(round(self._gap / TICK), round((end - self._times[0]) / TICK) - starts[-1])
        options = {"loop": "0", "final_delay": str(min(final, MOST_TICKS))}
        with create_file(path, "gif", options) as container:
            stream = container.add_stream("gif", rate=1 / TICK)
            assert isinstance(stream, VideoStream)
            stream.codec_context.height, stream.codec_context.width = self._size
            stream.codec_context.pix_fmt = "pal8"
            stream.codec_context.time_base = TICK
            graph = Graph()
            frames, colours = (
                graph.add_buffer(width=f.width, height=f.height, format=f.format, time_base=TICK)
                for f in (next(self._frames()), palette)
            )
            use = graph.add("paletteuse", f"dither={DITHER}:bayer_scale={BAYER_SCALE}:diff_mode=rectangle")
            sink = graph.add("buffersink")
            frames.link_to(use, 0, 0)
            colours.link_to(use, 0, 1)
            use.link_to(sink)
            graph.configure()
            palette.pts, palette.time_base = 0, TICK
            colours.push(palette)
            colours.push(None)
            for start, frame in zip(starts, self._frames(), strict=True):
                frame.pts, frame.time_base = start, TICK
                frames.push(frame)
                container.mux(stream.encode(_pull(graph)))
            container.mux(stream.encode(None))

    def _keep_left_out(self, until: Fraction) -> None:
        """Keep the frame that was left out if it lasts long enough to be shown after all."""
        if self._left_out is not None and until >= self._times[-1] + 2 * self._gap:
            self._keep(self._left_out, self._times[-1] + self._gap)

    def _keep(self, image: np.ndarray, time: Fraction) -> None:
        if len(self._slots) >= MAX_FRAMES:
            self._free += [] if self._resumable else self._slots[1::2]
            del self._slots[1::2], self._times[1::2]
            self._gap *= 2
            if time < self._times[-1] + self._gap - ROUNDING:
                self._left_out = image.copy()
                return
        slot = self._free.pop() if self._free else self._used
        self._used = max(self._used, slot + 1)
        self._put(slot, image)
        self._slots.append(slot)
        self._times.append(time)

    def state(self) -> dict[str, Any]:
        """Return the progress as JSON values; the frames are on disk."""
        self._file.flush()
        left_out = None
        if self._left_out is not None:  # it may still be kept, so it is stored after the others
            slot, self._used = self._used, self._used + 1
            self._put(slot, self._left_out)
            self._file.flush()
            left_out = slot
        return {
            "seen": self._seen,
            "used": self._used,
            "slots": self._slots,
            "times": [str(time) for time in self._times],
            "gap": str(self._gap),
            "last": str(self._last),
            "lasts": str(self._lasts),
            "left_out": left_out,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        self._seen, self._used, self._slots = int(state["seen"]), int(state["used"]), list(state["slots"])
        self._times = [Fraction(time) for time in state["times"]]
        self._gap, self._last, self._lasts = (Fraction(state[name]) for name in ("gap", "last", "lasts"))
        self._left_out = None if state["left_out"] is None else self._frame(int(state["left_out"])).copy()

    def close(self) -> None:
        """Close the file of frames."""
        self._file.close()

    def _put(self, slot: int, image: np.ndarray) -> None:
        """Reduce a frame if needed, and write it to its place in the file."""
        if image.shape[:2] != self._size:
            image = cv2.resize(image, self._size[::-1], interpolation=cv2.INTER_AREA)
        self._file.seek(slot * image.nbytes)
        self._file.write(np.ascontiguousarray(image).data)

    def _frame(self, slot: int) -> np.ndarray:
        height, width = self._size
        self._file.seek(slot * height * width * 3)
        return np.frombuffer(self._file.read(height * width * 3), np.uint8).reshape(height, width, 3)

    def _frames(self) -> Iterator[VideoFrame]:
        for slot in self._slots:
            if self._look is not None:
                self._look()
            yield VideoFrame.from_ndarray(self._frame(slot), format="rgb24")

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
