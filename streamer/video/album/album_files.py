"""Encodes pictures, clips and GIFs as files. Each file is complete when its function returns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.packet import Packet

from streamer.media.fit import resampled
from streamer.media.opening import create_file, open_file
from streamer.video.album.clip_buffer import Cut
from streamer.video.encoding.packet_protocol import VIDEO_RATE
from streamer.video.files.gif import GifSpool

JPEG_QUALITY = 90
SMALL_WIDTH, SMALL_QUALITY = 320, 80
"""Width and JPEG quality of the picture in the page's strip."""
GIF_WIDTH = 320
"""Dreams hardly compress as GIFs: 8 seconds at this width take 3 to 5 MB."""


def jpeg(image: np.ndarray) -> bytes:
    """Return an (h, w, 3) uint8 RGB picture as a JPEG file."""
    return _encoded(image, JPEG_QUALITY)


def small_jpeg(image: np.ndarray) -> bytes:
    """Return an (h, w, 3) uint8 RGB picture as a JPEG file, reduced for the strip."""
    return _encoded(_reduced(image, SMALL_WIDTH), SMALL_QUALITY)


def _reduced(image: np.ndarray, width: int) -> np.ndarray:
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return image if image.shape[1] <= width else resampled(image, (height, width))


def _encoded(image: np.ndarray, quality: int) -> bytes:
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise OSError(f"{image.shape[1]}x{image.shape[0]} is too large for a JPEG file")
    return data.tobytes()


def write_clip(cut: Cut, path: Path) -> None:
    """Mux encoded pictures into an MP4 file that plays while it loads: times from 0, index at the start.

    Raises:
        OSError, av.FFmpegError: it cannot be written.
    """
    info, start = cut.info, cut.pictures[0].pts
    with create_file(path, "mp4", {"movflags": "faststart"}) as container:
        stream = container.add_mux_stream("h264", rate=info.fps, width=info.width, height=info.height)
        for media in cut.pictures:
            packet: Packet[Any] = Packet(media.data)
            packet.time_base = Fraction(1, info.fps)
            packet.pts = packet.dts = round(Fraction(media.pts - start, VIDEO_RATE) * info.fps)
            packet.duration, packet.is_keyframe, packet.stream = 1, media.key, stream
            container.mux(packet)


def write_gif(clip: Path, path: Path, look: Callable[[], None] | None = None) -> None:
    """Convert a clip to an animated GIF; takes some seconds.

    Args:
        look: called repeatedly meanwhile; raise from it to cancel.

    Raises:
        OSError, ValueError, av.FFmpegError: the clip cannot be read or the GIF cannot be written.
    """
    with open_file(clip) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "NONE", 1
        width = min(GIF_WIDTH, stream.width)
        height = max(1, round(stream.height * width / stream.width))
        with tempfile.TemporaryDirectory() as room:
            spool = GifSpool(Path(room), (height, width), Fraction(stream.average_rate or 25), look=look)
            try:
                for frame in container.decode(stream):
                    if look is not None:
                        look()
                    rgb = frame.reformat(
                        width, height, format="rgb24", src_colorspace="ITU709", dst_color_range="JPEG", interpolation="AREA"
                    )
                    spool.add(rgb.to_ndarray(), frame.time)
                spool.save(path)
            finally:
                spool.close()


ERRORS = (OSError, ValueError, av.FFmpegError)
"""The exceptions that these functions raise."""
