"""Deinterlaces pictures whose two fields are a fiftieth of a second apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import av
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamer.media.filter_graphs import buffer_for

PARITIES = {2: "tff", 3: "bff", 4: "bff", 5: "tff"}
"""FFmpeg's AVFieldOrder values for interlaced video, and the field that comes first."""
SAY_IT_THEMSELVES = ("h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "vc1", "wmv3")
"""Codecs that flag each picture as interlaced or not; the file's own flag is then only the default."""
STAND_STILL = ("png", "apng", "gif")
"""Codecs where 'interlaced' means the order in which lines are loaded."""


def deinterlaced(frames: Iterable[VideoFrame], stream: VideoStream) -> Iterator[VideoFrame]:
    """Yield the pictures of a track; interlaced ones are deinterlaced by ``bwdif``, the others pass unchanged.

    Each picture in gives one picture out, with its time, its duration and its side data. From the first interlaced picture on,
    each waits for the next.

    Raises:
        av.FFmpegError: the track cannot be read any further, or the pictures cannot be converted.
    """
    name = stream.codec_context.name
    if name in STAND_STILL:
        yield from frames
        return
    said = getattr(stream.codec_context, "field_order", 0)  # PyAV has it from 18.1 on
    parity = None if name in SAY_IT_THEMSELVES else PARITIES.get(said)
    fields: _Fields | None = None
    try:
        for frame in frames:
            if fields is not None and not fields.fit(frame):
                yield from fields.rest()
                fields = None
            if fields is None and parity is None and not frame.interlaced_frame:
                yield frame
                continue
            fields = fields or _Fields(frame, parity)
            yield from fields.put(frame)
    except (OSError, ValueError, av.FFmpegError):  # the pictures before the error are still shown
        if fields is not None:
            yield from fields.rest()
        raise
    if fields is not None:
        yield from fields.rest()


class _Fields:
    """The deinterlacing filter for pictures of one size, layout and tagging."""

    def __init__(self, like: VideoFrame, parity: str | None) -> None:
        self._kind = _kind(like)
        self._waiting: deque[VideoFrame] = deque()
        self._graph = Graph()
        chain = [buffer_for(self._graph, like)]
        if parity is not None:
            chain.append(self._graph.add("setfield", f"mode={parity}"))
        chain += [self._graph.add("bwdif", "mode=send_frame:deint=interlaced"), self._graph.add("buffersink")]
        self._graph.link_nodes(*chain)
        self._graph.configure()

    def fit(self, frame: VideoFrame) -> bool:
        """Return whether the filter takes a picture: same size, layout and colours."""
        return _kind(frame) == self._kind

    def put(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """Take a picture and yield those that are done."""
        self._waiting.append(frame)
        self._graph.vpush(frame)
        yield from self._done()

    def rest(self) -> Iterator[VideoFrame]:
        """Yield the pictures that waited for a next one, at the end."""
        self._graph.vpush(None)
        yield from self._done()

    def _done(self) -> Iterator[VideoFrame]:
        while True:
            try:
                whole = self._graph.vpull()
            except (BlockingIOError, EOFError):
                return
            woven = self._waiting.popleft()
            whole.pts, whole.time_base, whole.duration = woven.pts, woven.time_base, woven.duration
            whole.colorspace, whole.color_range = woven.colorspace, woven.color_range
            yield whole


def _kind(frame: VideoFrame) -> tuple[int, int, str, int, int]:
    return frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range
