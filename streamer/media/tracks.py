"""Chooses which tracks of a video are shown and played."""

from __future__ import annotations

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from streamer.media.codecs import codec_names, has_decoder

COVERS = Disposition.attached_pic | Disposition.timed_thumbnails
"""Cover art, which is not part of the video."""
PARTS = Disposition.still_image | Disposition.dependent
"""A still image beside a video, or a part of another track: used only if there is nothing else."""
COMPARABLE = 4
"""A track flagged as default is preferred if it has at least 1/COMPARABLE of the largest track's pixels. Muxers flag the first
track unasked, even a thumbnail."""


class TrackError(ValueError):
    """The track does not exist or cannot be read; the text continues a sentence about the file: 'has no video track 3; …'."""


def picture_track(container: InputContainer, number: int | None = None) -> VideoStream | None:
    """Return the video track to show: the one flagged as default, else the largest, else the first.

    Args:
        number: which video track, counted from 1, covers included; None for the best, which is never a cover.

    Returns:
        The track; None if there is no video except a cover.

    Raises:
        TrackError: there is no track of that number, or FFmpeg has no decoder for any of them.
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
    """Return all sound tracks, best first: the one that FFmpeg would take, then the default ones, then in file order."""
    best = container.streams.best("audio")
    return sorted(
        container.streams.audio, key=lambda one: (one is not best, not one.disposition & Disposition.default, one.index)
    )


def discard_other_tracks(container: InputContainer, kept: VideoStream) -> None:
    """Read only one track, so that the other sizes of an adaptive stream are not downloaded."""
    for stream in container.streams:
        if stream is not kept:
            stream.discard = Discard.all


def _readable(tracks: list[VideoStream]) -> list[VideoStream]:
    """Return the tracks that can be decoded; raise TrackError if there are none."""
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
