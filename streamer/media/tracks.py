"""Which of a film's tracks are seen and heard."""

from __future__ import annotations

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from streamer.media.codecs import codec_names, has_decoder

COVERS = Disposition.attached_pic | Disposition.timed_thumbnails
"""A picture to know a file by, not to be seen while it plays."""
PARTS = Disposition.still_image | Disposition.dependent
"""A photograph beside a film, or a part of another track: seen where there is nothing else."""
COMPARABLE = 4
"""A track with at least this part of the largest one's pixels may be taken for its flag. Muxers flag the first track where
nobody asked for it, be it a thumbnail."""


class TrackError(ValueError):
    """There is no such track, or none that can be read; the text says so of the film, as in 'has no video track 3; …'."""


def picture_track(container: InputContainer, number: int | None = None) -> VideoStream | None:
    """The track whose pictures are seen: the one flagged as default, else the largest, else the first.

    Args:
        number: which of the film's video tracks, covers among them, counted from 1; None for the best, which no cover is.

    Returns:
        None where there is no picture but a cover.

    Raises:
        TrackError: there is none of that number, or FFmpeg has no decoder for what there is.
    """
    tracks = container.streams.video
    if number is not None:
        if not tracks:
            return None
        if not 1 <= number <= len(tracks):
            raise TrackError(f"has no video track {number}; it has {', '.join(map(_named, enumerate(tracks, 1)))}")
        return _readable([tracks[number - 1]])[0]
    films = [track for track in tracks if not track.disposition & COVERS]
    films = [track for track in films if not track.disposition & PARTS] or films
    if not films:
        return None
    films = _readable(films)
    largest = max(map(_pixels, films))
    films = [track for track in films if _pixels(track) * COMPARABLE >= largest]
    films = [track for track in films if track.disposition & Disposition.default] or films
    return max(films, key=_pixels)


def sound_tracks(container: InputContainer) -> list[AudioStream]:
    """All tracks of sound, the best first: the one that FFmpeg would take, then those marked as default, then as they stand."""
    best = container.streams.best("audio")
    return sorted(
        container.streams.audio, key=lambda one: (one is not best, not one.disposition & Disposition.default, one.index)
    )


def discard_other_tracks(container: InputContainer, kept: VideoStream) -> None:
    """Read one track alone: of a stream that comes in several sizes, each in files of its own, the others are not fetched."""
    for stream in container.streams:
        if stream is not kept:
            stream.discard = Discard.all


def _readable(tracks: list[VideoStream]) -> list[VideoStream]:
    """Those that can be decoded; raises TrackError where there are none."""
    found = [track for track in tracks if has_decoder(track)]
    if not found:
        raise TrackError(f"holds pictures in a format that cannot be decoded: {codec_names(tracks)}")
    return found


def _pixels(track: VideoStream) -> int:
    return 0 if track.codec_context is None else track.width * track.height


def _named(numbered: tuple[int, VideoStream]) -> str:
    number, track = numbered
    size = "unknown" if track.codec_context is None else f"{track.width}x{track.height}"
    return f"{number} ({size}{', a cover' if track.disposition & COVERS else ''})"
