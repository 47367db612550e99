"""Writes the stream as HLS into a folder: a playlist and segments, for any web server."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from datetime import datetime

from streamer.config import HlsOutput
from streamer.video.encoding.encoders import Encoders
from streamer.video.encoding.packet_protocol import VIDEO_RATE, Media
from streamer.video.sinks.container import Container
from streamer.video.sinks.demuxer import PacketDemuxer, PictureWithSound
from streamer.video.sinks.disk import DiskGuard, is_full
from streamer.video.sinks.playlist import Playlist, Segment
from streamer.video.sinks.sink import Sink, Subscribe

INDEX = "index.m3u8"
GRACE_SEGMENTS = 3
"""Number of segments kept after they leave the playlist, for players that are about to fetch them."""
SEGMENT_OPTIONS = {"mpegts_flags": "initial_discontinuity"}
"""Each segment counts its packets from 0, and is marked accordingly."""
MARGIN_MB = 20
"""Megabytes of free space required to resume after the disk was full."""
OURS = re.compile(r"zoomdream-\d+\.ts(\.new)?")
"""Names of the files that this sink writes, and may delete."""


class _Memory:
    """Keeps what a container writes in memory."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


class _OpenSegment:
    """The segment that pictures are being added to."""

    def __init__(self, picture: PictureWithSound, began: datetime, *, discontinuity: bool) -> None:
        self.info = picture.info
        self.start = self.end = picture.video.pts
        self.began = began
        self.discontinuity = discontinuity
        self._memory = _Memory()
        self._container = Container(self._memory, "mpegts", picture.info, SEGMENT_OPTIONS)

    def mux(self, media: Media) -> None:
        self._container.mux(media)
        if not media.audio:
            self.end = media.pts + media.duration

    def close(self) -> bytes:
        self._container.close()
        return bytes(self._memory.data)


class HlsSink(Sink):
    """Writes pieces of the kinds ``packets`` and ``packets+audio`` as MPEG-TS segments and a live playlist.

    FFmpeg makes the segments. Files and playlist are written here, because FFmpeg's HLS writer lists segments that a full disk
    truncated, leaves old ones behind after a restart, and reports the end of the stream to players when it only failed.

    Every file appears complete or not at all. Numbering continues after a restart, so that players continue too.
    """

    def __init__(
        self,
        name: str,
        output: HlsOutput,
        subscribe: Subscribe,
        *,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        """Prepare to write to ``output.folder``, which is created if it is missing."""
        super().__init__(name, subscribe, kind="hls")
        self._folder = output.folder
        self._window, self._segment_s = output.window, output.segment_s
        self._now = now
        self._guard = DiskGuard(output.folder, 0, MARGIN_MB, "the HLS folder")
        self._segment: _OpenSegment | None = None
        self._restart("")

    @classmethod
    def from_settings(cls, name: str, output: HlsOutput, encoders: Encoders) -> HlsSink:
        """Make the sink of a block of ``outputs:``."""
        return cls(name, output, encoders.packets(encoders.spec_of(output), audio=output.audio))

    def open(self) -> None:
        """Create the folder, and continue the numbers of the playlist in it."""
        self._guard.check()
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            earlier = (self._folder / INDEX).read_text(errors="replace")
        except FileNotFoundError:
            earlier = ""
        self._restart(earlier)

    def deliver(self, piece: bytes) -> None:
        """Add a picture and its sound; a segment is written when the next one starts."""
        try:
            for picture in self._demuxer.feed(piece):
                self._take(picture)
        except OSError as error:
            self._gave_up = True
            if is_full(error):
                raise self._guard.full() from error
            raise

    def finish(self) -> None:
        """Write the rest of the last segment and mark the playlist as ended; do nothing after a failure."""
        segment, self._segment = self._segment, None
        if segment is not None and not self._gave_up:
            self._publish(segment, segment.end, ended=True)

    def _restart(self, earlier: str) -> None:
        self._playlist = Playlist(self._window, self._segment_s, earlier)
        self._demuxer = PacketDemuxer()
        self._segment = None
        self._leaving: list[str] = []
        self._gave_up = False

    def _take(self, picture: PictureWithSound) -> None:
        segment = self._segment
        if segment is not None:
            for sound in picture.before:
                segment.mux(sound)
        begins, broken = self._begins(picture)
        if begins:
            if segment is not None:
                self._publish(segment, segment.end if broken else picture.video.pts)
            segment = self._segment = _OpenSegment(picture, self._now(), discontinuity=broken)
        assert segment is not None
        for media in (picture.video, *picture.after):
            segment.mux(media)

    def _begins(self, picture: PictureWithSound) -> tuple[bool, bool]:
        """Return whether a segment starts with this picture, and whether that is a discontinuity."""
        segment = self._segment
        if segment is None or picture.info != segment.info or picture.video.pts < segment.end:
            return True, True
        return picture.video.key and picture.video.pts - segment.start >= self._segment_s * VIDEO_RATE, False

    def _publish(self, segment: _OpenSegment, end: int, *, ended: bool = False) -> None:
        """Write a segment, then the playlist with it, then delete segments that no player needs any more."""
        name = f"zoomdream-{self._playlist.next_number:06}.ts"
        self._replace(name, segment.close())
        length_s = (end - segment.start) / VIDEO_RATE
        self._leaving += self._playlist.add(Segment(name, length_s, segment.began, segment.discontinuity))
        self._replace(INDEX, self._playlist.text(ended=ended).encode())
        self._leaving = self._leaving[-GRACE_SEGMENTS:]
        wanted = {*self._playlist.names, *self._leaving}
        for found in os.listdir(self._folder):
            if OURS.fullmatch(found) and found not in wanted:
                (self._folder / found).unlink(missing_ok=True)

    def _replace(self, name: str, data: bytes) -> None:
        new = self._folder / f"{name}.new"
        try:
            new.write_bytes(data)
            os.replace(new, self._folder / name)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise
