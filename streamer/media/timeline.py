"""When a film's pictures are seen and its sound is heard: one clock for all its tracks, whatever its time stamps do.

Recordings that were put together, playlists with discontinuities and captures longer than their clock reaches have time stamps
that jump. Here parts follow each other, pictures and sound alike: all that read the same tracks of a film agree on every time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

BROKEN = 30
"""Broken pictures one after the other at which a film counts as unreadable; a few are passed over."""
PLAIN_FPS = Fraction(25)
"""Rate of a film that does not tell the times of its pictures."""
MAY_JUMP, WITHOUT_TIMES = 0x0200, 0x0080
"""FFmpeg's AVFMT_TS_DISCONT and AVFMT_NOTIMESTAMPS (libavformat/avformat.h): what a format says of its time stamps."""
COUNTED = ("avi",)
"""Formats whose packets are counted, not timed: where pictures are reordered, FFmpeg's guess at their times is out of order."""
AHEAD = Fraction(10)
"""Seconds by which a track may run ahead of all others before it counts as a jump; as FFmpeg's ``-dts_delta_threshold``."""
BACK = Fraction(1, 10)
"""Seconds by which a track's times may step back, being badly rounded, before it counts as a jump."""
BACK_REORDERED = Fraction(2)
"""The same, where only times of display are known, which are out of order by nature."""
WRAP = Fraction(2**33, 90_000)
"""Seconds after which the clock of MPEG's transport streams begins anew (ISO 13818-1, section 2.4.3.7)."""
REMEMBERED = 4
"""Parts to which a track that is late may still belong."""


Track = VideoStream | AudioStream


_Kind = tuple[int, bool]
"""A track, and whether its times are those of decoding, which rise, or of display, which may not."""


@dataclass(slots=True)
class _Part:
    """A stretch of a film without a jump. Times are the file's own, in seconds."""

    offset: Fraction
    """From the file's times to those that are shown."""
    first: Fraction
    latest: Fraction
    """When the last packet so far, of any track, is over."""
    last: dict[_Kind, Fraction] = field(default_factory=dict)
    """When each track's last packet begins, by each kind of time that it tells."""
    end: dict[int, Fraction] = field(default_factory=dict)
    """When each track's last packet is over."""


class Timeline:
    """Moves packets to where they belong on one clock. For one reading of a film, from its beginning."""

    def __init__(self, container: InputContainer) -> None:
        self._leaps = bool(container.format.flags & MAY_JUMP)
        self._parts: deque[_Part] = deque(maxlen=REMEMBERED)
        self._within: dict[int, _Part] = {}

    def place(self, packet: Packet[VideoStream] | Packet[AudioStream]) -> None:
        """Change a packet's times, if need be; every packet of the tracks that are followed has to come by, in order."""
        at = packet.pts if packet.dts is None else packet.dts
        if at is None or packet.time_base is None:
            return
        base = packet.time_base
        offset = self._offset((packet.stream_index, packet.dts is not None), at * base, (packet.duration or 0) * base)
        if offset:
            ticks = round(offset / base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks

    def _offset(self, kind: _Kind, time: Fraction, lasts: Fraction) -> Fraction:
        track = kind[0]
        part = self._part(kind, time)
        self._within[track] = part
        part.last[kind] = time
        part.end[track] = max(time + lasts, part.end.get(track, time))
        part.latest = max(part.latest, time + lasts)
        return part.offset

    def _part(self, kind: _Kind, time: Fraction) -> _Part:
        """The part to which a packet belongs; a new one if it fits into none."""
        if not self._parts:
            self._parts.append(_Part(Fraction(0), time, time))
        own = self._within.get(kind[0], self._parts[-1])
        for part in (own, *(other for other in reversed(self._parts) if other is not own)):
            if self._fits(part, kind, time):
                return part
        new = _Part(self._following(own, kind[0], time), time, time)
        self._parts.append(new)
        return new

    def _fits(self, part: _Part, kind: _Kind, time: Fraction) -> bool:
        last, back = part.last.get(kind), BACK if kind[1] else BACK_REORDERED
        if last is not None and time < last - back:
            return False
        if not self._leaps and (last is not None or len(self._parts) == 1):
            return True
        return part.first - AHEAD <= time <= part.latest + AHEAD

    def _following(self, before: _Part, track: int, time: Fraction) -> Fraction:
        """The offset of a part that begins at a time, after another one."""
        ends = before.end.get(track, before.latest)
        if self._leaps and abs(time + WRAP - ends) <= AHEAD:
            return before.offset + WRAP
        return before.offset + ends - time


def followed(container: InputContainer) -> tuple[Track, ...]:
    """The tracks that tell a film's time: all that are seen or heard."""
    found: tuple[Track, ...] = (*container.streams.video, *container.streams.audio)
    return tuple(one for one in found if not one.disposition & Disposition.attached_pic)


def packets(container: InputContainer, tracks: Sequence[Track]) -> Iterator[Packet[VideoStream] | Packet[AudioStream]]:
    """The packets of some tracks, in the file's order, on one clock; at the end an empty one without a time for each track.

    Raises:
        av.FFmpegError: it cannot be read any further.
    """
    timeline = Timeline(container)
    for packet in cast("Iterable[Packet[VideoStream] | Packet[AudioStream]]", container.demux(*tracks)):
        timeline.place(packet)
        yield packet


def pictures(container: InputContainer, stream: VideoStream, tracks: Sequence[Track]) -> Iterator[VideoFrame]:
    """A track's pictures in the order in which they are seen, each with its time and how long it is shown, as far as it tells.

    Args:
        tracks: whose packets are followed; ``stream`` is one of them.

    Raises:
        av.FFmpegError: it cannot be read any further.
    """
    clock = _Clock(container, stream)
    stays: deque[Packet[VideoStream]] = deque()  # what says that the picture stays as it is, while others are being decoded
    shown: VideoFrame | None = None
    broken = decoding = 0
    for packet in cast("Iterator[Packet[VideoStream]]", packets(container, tracks)):
        if packet.stream.index != stream.index:  # PyAV gives the empty ones at the end the index 0
            continue
        ends = not packet.size and packet.dts is None
        if not packet.size and not ends:
            stays.append(packet)  # to FFmpeg's decoders it would be the end
        else:
            decoding += 1
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                broken += 1
                if broken >= BROKEN:
                    raise
                continue
            for frame in frames:
                broken, decoding = 0, decoding - 1
                clock.tell(frame)
                while shown is not None and stays and _before(stays[0], frame):
                    yield _again(shown, stays.popleft())
                shown = frame
                yield shown
        while shown is not None and stays and (ends or decoding <= 0):
            yield _again(shown, stays.popleft())


def _before(packet: Packet[VideoStream], frame: VideoFrame) -> bool:
    assert packet.dts is not None
    return frame.time is None or packet.dts * packet.time_base < frame.time


def _again(frame: VideoFrame, packet: Packet[VideoStream]) -> VideoFrame:
    """The same picture at the time of an empty packet, by which Theora and AVI say that it stays as it is."""
    frame.pts, frame.time_base, frame.duration = packet.dts, packet.time_base, packet.duration or 0
    return frame


class _Clock:
    """Gives pictures their times where the format does not, or tells them wrong."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._stream = stream
        self._untimed = bool(container.format.flags & WITHOUT_TIMES)
        self._counted = container.format.name in COUNTED
        self._delay = 0
        self._next: int | None = None

    def tell(self, frame: VideoFrame) -> None:
        """Put a picture's time right."""
        if self._counted:
            if self._next is None:
                self._delay = 0 if frame.pts is None or frame.dts is None else frame.dts - frame.pts
            if frame.dts is not None:
                frame.pts = frame.dts - self._delay
            elif self._next is not None:
                frame.pts = self._next  # of the last ones only the order is known
            self._next = None if frame.pts is None else frame.pts + 1
        elif self._untimed and frame.pts is None:
            # The rate that the format claims is a guess; what the stream says of itself is known once a picture is decoded.
            rate = Fraction(self._stream.codec_context.framerate or self._stream.average_rate or PLAIN_FPS)
            frame.pts, frame.time_base, frame.duration = self._next or 0, 1 / rate, 1
            self._next = frame.pts + 1
