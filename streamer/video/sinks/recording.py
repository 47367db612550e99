"""One file of a recording, written so that it plays up to the last write, whatever happens."""

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
"""Bytes after which the file is synced to disk, so that a power cut loses no more."""
FRAGMENT_MS = 500
"""Milliseconds of the recording that a crash costs at most."""
FORMATS: dict[str, tuple[str, dict[str, str]]] = {
    ".mp4": (
        "mp4",
        {
            # delay_moov: the header waits for the first fragment, for the offset between sound and picture.
            # skip_trailer: no list of all fragments at the end; it would be kept in memory, 27 MB a day. To seek, players
            # go from fragment to fragment, as they have to after a crash.
            "movflags": "empty_moov+default_base_moof+frag_keyframe+delay_moov+skip_trailer",
            "frag_duration": str(FRAGMENT_MS * 1000),
        },
    ),
    ".mkv": ("matroska", {"cluster_time_limit": str(FRAGMENT_MS)}),
}
"""FFmpeg's format name and options by file suffix."""
LONGEST_S = {".mkv": 604_800.0}
"""Seconds after which a new file starts by default, by suffix: Matroska's index for seeking is kept in memory until it is
written at the end, 5 MB a day."""


class _Disk:
    """The file that a container writes to; after a failure it discards everything."""

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
    """Writes one file; its times start at 0 with the first picture."""

    def __init__(self, file: io.FileIO, path: Path, info: MediaInfo, start: int) -> None:
        """Write to ``file``, which is new and empty; ``start`` is the time of its first picture, in 1/90000 s."""
        self.path = path
        self.info = info
        self.start = start
        self._disk = _Disk(file)
        format_name, options = FORMATS[path.suffix.lower()]
        self._container = Container(self._disk, format_name, info, options, start=start)
        self._header: int | None = None
        self._complete = self._synced = 0
        self._last: int | None = None

    def takes(self, picture: PictureWithSound) -> bool:
        """Return whether a picture can be added to this file."""
        return picture.info == self.info and (self._last is None or picture.video.pts > self._last)

    def check_exists(self) -> None:
        """Raise SinkError if somebody deleted the file: everything written later would be lost."""
        if os.fstat(self._disk.file.fileno()).st_nlink == 0:
            raise SinkError(f"{self.path} was deleted while it was written")

    def mux(self, media: Media) -> None:
        """Add a picture or sound. Raises OSError if it cannot be written; the file then ends with a complete picture."""
        try:
            self._container.mux(media)
        except OSError:
            self._give_up()
            raise
        if not media.audio:
            self._last = media.pts
        self._complete = self._disk.end
        if self._header is None:
            self._header = self._complete  # no fragment is written with the first picture
        if self._complete - self._synced >= SYNC_BYTES:
            os.fsync(self._disk.file.fileno())
            self._synced = self._complete

    def close(self) -> None:
        """Finish and close the file; one without a picture is deleted. Raises OSError; a second call does nothing."""
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
            if self._last is None or (self._disk.broken and self._complete <= (self._header or 0)):
                self.path.unlink(missing_ok=True)

    def _give_up(self) -> None:
        """Truncate the file after the last complete picture, which also frees space."""
        self._disk.broken = True
        with contextlib.suppress(OSError):
            self._disk.file.truncate(self._complete)
