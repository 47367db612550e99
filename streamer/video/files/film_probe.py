"""Reads frame rate and length of a video from its metadata."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.media.animated_webp import is_animated_webp, picture_durations
from streamer.media.opening import open_file
from streamer.media.timeline import MAY_JUMP, PLAIN_FPS, WITHOUT_TIMES, followed, packets
from streamer.media.tracks import picture_track

LEAST_FPS, MOST_FPS = 1.0, 240.0
"""Range of plausible frame rates."""


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What a video's container says; it may be wrong."""

    fps: float
    """Average frame rate."""
    seconds: float | None
    """Length in seconds from the first picture on; None if unknown."""
    begins_s: float = 0.0
    """Time of its first picture on the video's own clock, if that picture can be decoded."""

    def pictures(self, until_s: float | None = None) -> int | None:
        """Return the approximate number of pictures, up to ``until_s`` if given; None if unknown."""
        known = [length for length in (self.seconds, until_s) if length is not None]
        return max(1, round(min(known) * self.fps)) if known else None


def probe_film(film: Path, track: int | None = None) -> FilmFacts:
    """Read a video's header, or all its packets if times may jump. An unreadable video gives default values.

    Args:
        track: which of its video tracks, counted from 1; None for the best.
    """
    try:
        if is_animated_webp(film):
            lasts_s = picture_durations(film)
            return FilmFacts(_believed(Fraction(len(lasts_s) / sum(lasts_s))), sum(lasts_s))
        with open_file(film) as container:
            video = picture_track(container, track)
            if video is None:
                return FilmFacts(float(PLAIN_FPS), None)
            if container.format.flags & (MAY_JUMP | WITHOUT_TIMES):
                return _read_through(container, video)
            seconds = None
            if video.duration is not None and video.time_base is not None:
                seconds = float(video.duration * video.time_base)
            elif container.duration is not None:
                seconds = container.duration / av.time_base
            begins_s = float((video.start_time or 0) * (video.time_base or 0))
            return FilmFacts(_believed(video.average_rate or PLAIN_FPS), seconds, begins_s)
    except (OSError, ValueError, EOFError, SyntaxError, av.FFmpegError):
        return FilmFacts(float(PLAIN_FPS), None)


def _read_through(container: InputContainer, video: VideoStream) -> FilmFacts:
    """Read all packets, because time stamps may jump or be missing."""
    count, first, last = 0, None, Fraction(0)
    for packet in packets(container, followed(container)):
        if packet.stream.index != video.index or not packet.size:
            continue
        count += 1
        if packet.pts is not None and packet.time_base is not None:
            first = packet.pts * packet.time_base if first is None else min(first, packet.pts * packet.time_base)
            last = max(last, (packet.pts + (packet.duration or 0)) * packet.time_base)
    if first is None:  # a raw stream without times
        rate = Fraction(video.codec_context.framerate or video.average_rate or PLAIN_FPS)
        return FilmFacts(_believed(rate), float(count / rate) or None)
    seconds = last - first
    return FilmFacts(_believed(count / seconds if seconds else PLAIN_FPS), float(seconds) or None, float(first))


def _believed(rate: Fraction) -> float:
    return min(MOST_FPS, max(LEAST_FPS, float(rate)))
