"""Records the stream to files, fragmented MP4 or Matroska, optionally split, while the disk has space."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from streamer.config import FileOutput
from streamer.video.encoding.encoders import Encoders
from streamer.video.encoding.packet_protocol import VIDEO_RATE
from streamer.video.sinks.backoff import BackOff
from streamer.video.sinks.demuxer import PacketDemuxer, PictureWithSound
from streamer.video.sinks.disk import DiskGuard, is_full
from streamer.video.sinks.recording import LONGEST_S, Recording
from streamer.video.sinks.recording_files import RecordingFiles
from streamer.video.sinks.sink import Sink, SinkStatus, Subscribe

log = logging.getLogger(__name__)

MARGIN_S = 10.0
"""Seconds of recording that must fit above the minimum before it resumes after the disk was full."""


class FileSink(Sink):
    """Records pieces of the kinds ``packets`` and ``packets+audio``.

    A new file starts with the sink, after a failure, when the encoder changes, and every ``split_s`` seconds if set; always at
    a video keyframe, and without losing a picture or sound in between.
    """

    def __init__(
        self,
        name: str,
        output: FileOutput,
        bitrate_kbps: int,
        subscribe: Subscribe,
        *,
        back_off: BackOff | None = None,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Prepare to record to ``output.path``; ``bitrate_kbps`` determines how long the disk's space lasts."""
        super().__init__(name, subscribe, kind="file", back_off=back_off)
        self._files = RecordingFiles(output.path, output.keep)
        self._split = round((output.split_s or LONGEST_S.get(output.path.suffix.lower(), 0.0)) * VIDEO_RATE)
        self._now = now
        margin_mb = max(1, round(bitrate_kbps * MARGIN_S / 8000))
        self._guard = DiskGuard(self._files.folder, output.min_free_mb, margin_mb, "recording")
        self._demuxer = PacketDemuxer()
        self._recording: Recording | None = None
        self._checked: int | None = None
        self.current: Path | None = None
        """The file being written, or written last."""

    @classmethod
    def from_settings(cls, name: str, output: FileOutput, encoders: Encoders) -> FileSink:
        """Make the sink of a block of ``outputs:``."""
        spec = encoders.spec_of(output)
        return cls(name, output, spec.bitrate_kbps, encoders.packets(spec, audio=output.audio))

    def status(self) -> SinkStatus:
        """Return the status of ``Sink``, with the file."""
        return replace(super().status(), file=self.current)

    def open(self) -> None:
        """Create the folder; the file waits for its first picture."""
        self._guard.check()
        self._files.folder.mkdir(parents=True, exist_ok=True)
        self._demuxer = PacketDemuxer()
        self._checked = None

    def deliver(self, piece: bytes) -> None:
        """Write a picture and its sound."""
        try:
            for picture in self._demuxer.feed(piece):
                self._check_disk(picture.video.pts)
                self._write(picture)
        except OSError as error:
            if is_full(error):
                raise self._guard.full() from error
            raise

    def finish(self) -> None:
        """Close the file."""
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()

    def _write(self, picture: PictureWithSound) -> None:
        recording = self._recording
        if recording is not None:
            for sound in picture.before:
                recording.mux(sound)
        if recording is None or self._splits(recording, picture):
            recording = self._begin(picture)
        for media in (picture.video, *picture.after):
            recording.mux(media)

    def _splits(self, recording: Recording, picture: PictureWithSound) -> bool:
        """Return whether a new file starts with this picture."""
        if not recording.takes(picture):
            return True
        return bool(self._split) and picture.video.key and picture.video.pts - recording.start >= self._split

    def _begin(self, picture: PictureWithSound) -> Recording:
        self.finish()
        file, path = self._files.create(self._now())
        self._recording = Recording(file, path, picture.info, picture.video.pts)
        self.current = path
        log.info("recording to %s", path)
        return self._recording

    def _check_disk(self, pts: int) -> None:
        """Check once a second that there is space left and the file still exists."""
        if self._checked is None or not 0 <= pts - self._checked < VIDEO_RATE:
            self._checked = pts
            self._guard.check()
            if self._recording is not None:
                self._recording.check_exists()
