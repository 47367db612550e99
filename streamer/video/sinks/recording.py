"""One file of a recording, written so that whatever happens, what was written so far plays."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from streamer.video.encoding.packet_protocol import Media, MediaInfo
from streamer.video.sinks.container import Container
from streamer.video.sinks.demuxer import PictureWithSound
from streamer.video.sinks.sink import SinkError

SYNC_BYTES = 8 << 20
"""Bytes after which the disk is told to keep them, so that a power cut costs no more."""
FRAGMENT_MS = 500
"""How much of the recording a crash costs at most."""
FORMATS: dict[str, tuple[str, dict[str, str]]] = {
    ".mp4": (
        "mp4",
        {
            # delay_moov: the header waits for the first fragment, to tell by how much sound begins after the picture.
            # skip_trailer: no list of all fragments at the end, which is kept in memory till then, 27 MB a day. Players that
            # look for a moment go from fragment to fragment, as they have to after a crash.
            "movflags": "empty_moov+default_base_moof+frag_keyframe+delay_moov+skip_trailer",
            "frag_duration": str(FRAGMENT_MS * 1000),
        },
    ),
    ".mkv": ("matroska", {"cluster_time_limit": str(FRAGMENT_MS)}),
}
"""FFmpeg's name and options for each ending of a file."""
LONGEST_S = {".mkv": 604_800.0}
"""Seconds after which a new file begins if nobody wants one sooner, by ending: Matroska's list of keyframes, by which players
find a moment, is in memory until it is written at the end, 5 MB a day."""


class _Disk:
    """The file that a container writes to; after a failure it takes everything and keeps nothing."""

    def __init__(self, file: io.FileIO) -> None:
        self.file = file
        self.end = 0
        self.broken = False

    def write(self, data: bytes) -> int:
        if not self.broken:
            rest = memoryview(data)
            while rest:
                rest = rest[self.file.write(rest) :]
            self.end = max(self.end, self.file.tell())
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()


class Recording:
    """Writes one file; its times begin at 0 with its first picture."""

    def __init__(self, file: io.FileIO, path: Path, info: MediaInfo, start: int) -> None:
        """Write to ``file``, which is new and empty; ``start`` is the time of its first picture, in 1/90000 s."""
        self.path = path
        self.info = info
        self.start = start
        self._disk = _Disk(file)
        format_name, options = FORMATS[path.suffix.lower()]
        self._container = Container(self._disk, format_name, info, options, start=start)
        self._header: int | None = None
        self._whole = self._synced = 0
        self._last: int | None = None

    def takes(self, picture: PictureWithSound) -> bool:
        """Whether a picture can be added to those that are in it."""
        return picture.info == self.info and (self._last is None or picture.video.pts > self._last)

    def look(self) -> None:
        """Raise SinkError when somebody deleted the file: it would be written on to the end, and lost."""
        if os.fstat(self._disk.file.fileno()).st_nlink == 0:
            raise SinkError(f"{self.path} was deleted while it was written")

    def mux(self, media: Media) -> None:
        """Add a picture or sound. Raises OSError when it cannot be written; what is on disk then ends in a whole picture."""
        try:
            self._container.mux(media)
        except OSError:
            self._give_up()
            raise
        if not media.audio:
            self._last = media.pts
        self._whole = self._disk.end
        if self._header is None:
            self._header = self._whole  # no fragment is written with the first picture
        if self._whole - self._synced >= SYNC_BYTES:
            os.fsync(self._disk.file.fileno())
            self._synced = self._whole

    def close(self) -> None:
        """Write the end and close; a file without a picture is removed. Raises OSError; a second call does nothing."""
        file = self._disk.file
        if file.closed:
            return
        try:
            if not self._disk.broken:
                try:
                    self._container.close()
                    os.fsync(file.fileno())
                except OSError:
                    self._give_up()
                    raise
        finally:
            with contextlib.suppress(OSError):
                self._container.close()  # frees it, if writing the end failed
            file.close()
            if self._last is None or (self._disk.broken and self._whole <= (self._header or 0)):
                self.path.unlink(missing_ok=True)

    def _give_up(self) -> None:
        """Cut off what is torn, which also gives back the room that it takes."""
        self._disk.broken = True
        with contextlib.suppress(OSError):
            self._disk.file.truncate(self._whole)
