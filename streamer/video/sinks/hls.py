"""Writes the stream as HLS into a folder: a playlist and segments, for any web server to hand out."""

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
"""Segments kept after they left the playlist, for players that are about to fetch them."""
SEGMENT_OPTIONS = {"mpegts_flags": "initial_discontinuity"}
"""Each segment counts its packets from 0, and says so."""
MARGIN_MB = 20
"""Room that it takes to go on after the disk was full."""
OURS = re.compile(r"zoomdream-\d+\.ts(\.new)?")
"""Files in the folder that were written here and may be deleted."""


class _Memory:
    """Keeps what a container writes."""

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

    FFmpeg makes the segments; files and playlist are written here, because its own HLS writer lists segments that a full disk
    cut short, forgets old ones over a restart, and tells players that the stream has ended when it only failed.

    Every file appears whole or not at all. After a restart the numbers go on, so that players do too.
    """

    def __init__(
        self,
        name: str,
        output: HlsOutput,
        subscribe: Subscribe,
        *,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        """Prepare to write into the folder that ``output`` names; it is made when it is missing."""
        super().__init__(name, subscribe, kind="hls")
        self._folder = output.folder
        self._window, self._segment_s = output.window, output.segment_s
        self._now = now
        self._guard = DiskGuard(output.folder, 0, MARGIN_MB, "the HLS folder")
        self._segment: _OpenSegment | None = None
        self._begin_anew("")

    @classmethod
    def from_settings(cls, name: str, output: HlsOutput, encoders: Encoders) -> HlsSink:
        """Make the sink of a block of ``outputs:``."""
        spec = encoders.spec(width=output.width, height=output.height, bitrate_kbps=output.bitrate_kbps)
        return cls(name, output, encoders.packets(spec, audio=output.audio))

    def open(self) -> None:
        """Make the folder, and go on with the numbers of the playlist in it."""
        self._guard.check()
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            earlier = (self._folder / INDEX).read_text(errors="replace")
        except FileNotFoundError:
            earlier = ""
        self._begin_anew(earlier)

    def deliver(self, piece: bytes) -> None:
        """Take a picture and its sound; a segment is written when the next begins."""
        try:
            for picture in self._demuxer.feed(piece):
                self._take(picture)
        except OSError as error:
            self._gave_up = True
            if is_full(error):
                raise self._guard.full() from error
            raise

    def finish(self) -> None:
        """Write what there is of the last segment and tell players that it was the last; nothing after a failure."""
        segment, self._segment = self._segment, None
        if segment is not None and not self._gave_up:
            self._publish(segment, segment.end, ended=True)

    def _begin_anew(self, earlier: str) -> None:
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
        """Whether a segment begins with this picture, and whether its time or kind does not go on from the one before."""
        segment = self._segment
        if segment is None or picture.info != segment.info or picture.video.pts < segment.end:
            return True, True
        return picture.video.key and picture.video.pts - segment.start >= self._segment_s * VIDEO_RATE, False

    def _publish(self, segment: _OpenSegment, end: int, *, ended: bool = False) -> None:
        """Write a segment, then the playlist with it, then delete what nobody will fetch any more."""
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
