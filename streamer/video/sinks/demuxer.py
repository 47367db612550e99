"""Splits pieces of the kinds ``packets`` and ``packets+audio`` into pictures, for sinks that start files at pictures."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamer.video.encoding.packet_protocol import VIDEO_RATE, Media, MediaInfo, PacketUnpacker
from streamer.video.sinks.sink import SinkError


@dataclass(frozen=True, slots=True)
class PictureWithSound:
    """One encoded picture and the sound that came with it."""

    info: MediaInfo
    video: Media
    before: list[Media] = field(default_factory=list)
    """Sound that begins before the picture; it belongs to the previous file if a new one starts here."""
    after: list[Media] = field(default_factory=list)
    """Sound that begins with the picture or later."""

    @property
    def end(self) -> int:
        """End of the picture, in 1/90000 s."""
        return self.video.pts + self.video.duration


class PacketDemuxer:
    """Demuxes pieces, in order."""

    def __init__(self) -> None:
        self._unpacker = PacketUnpacker()
        self._info: MediaInfo | None = None

    def feed(self, piece: bytes) -> list[PictureWithSound]:
        """Take a piece and return the pictures in it, usually one.

        Raises:
            SinkError: a picture comes before any info about it.
        """
        found: list[PictureWithSound] = []
        for media in self._unpacker.feed(piece):
            if isinstance(media, MediaInfo):
                self._info = media
            elif self._info is None:
                raise SinkError("the encoder sent a picture without its info")
            elif not media.audio:
                found.append(PictureWithSound(self._info, media))
            elif found:
                early = media.pts * VIDEO_RATE < found[-1].video.pts * self._info.audio_rate
                (found[-1].before if early else found[-1].after).append(media)
        return found
