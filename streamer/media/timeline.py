"""Gives all tracks of a video one continuous clock, even if their time stamps jump.

Time stamps jump in concatenated recordings, in playlists with discontinuities and in captures longer than their clock's range.
Here the parts follow each other, pictures and sound alike: all readers of the same tracks agree on every time.
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
"""Broken pictures in a row at which a video counts as unreadable; fewer are skipped."""
PLAIN_FPS = Fraction(25)
"""Frame rate of a video without time stamps."""
MAY_JUMP, WITHOUT_TIMES = 0x0200, 0x0080
"""FFmpeg's AVFMT_TS_DISCONT and AVFMT_NOTIMESTAMPS (libavformat/avformat.h): time stamps may jump, or do not exist."""
COUNTED = ("avi",)
"""Formats that count packets instead of timing them: with reordered pictures, FFmpeg's guess at their times is out of order."""
AHEAD = Fraction(10)
"""Seconds by which a track may run ahead of all others before it counts as a jump; as FFmpeg's ``-dts_delta_threshold``."""
BACK = Fraction(1, 10)
"""Seconds by which a track's times may step back, by bad rounding, before it counts as a jump."""
BACK_REORDERED = Fraction(2)
"""``BACK`` for tracks with presentation times only, which are naturally out of order."""
WRAP = Fraction(2**33, 90_000)
"""Seconds after which the clock of MPEG transport streams wraps around (ISO 13818-1, section 2.4.3.7)."""
REMEMBERED = 4
"""Number of latest parts to which a packet of a late track may still belong."""


Track = VideoStream | AudioStream


_Kind = tuple[int, bool]
"""A track's index, and whether its times are decoding times, which rise, or presentation times, which may not."""


@dataclass(slots=True)
class _Part:
    """A part of a video without a jump. Times are the file's own, in seconds."""

    offset: Fraction
    """What to add to the file's times for those on the common clock."""
    first: Fraction
    latest: Fraction
    """End of the last packet so far, of any track."""
    last: dict[_Kind, Fraction] = field(default_factory=dict)
    """Start of each track's last packet, by kind of time."""
    end: dict[int, Fraction] = field(default_factory=dict)
    """End of each track's last packet."""


class Timeline:
    """Moves packets to one continuous clock. For one pass over a video, from its beginning."""

    def __init__(self, container: InputContainer) -> None:
        self._leaps = bool(container.format.flags & MAY_JUMP)
        self._parts: deque[_Part] = deque(maxlen=REMEMBERED)
        self._within: dict[int, _Part] = {}

    def place(self, packet: Packet[VideoStream] | Packet[AudioStream]) -> None:
        """Adjust a packet's times if needed. Call it for every packet of the followed tracks, in order."""
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
        """Return the part to which a packet belongs; a new one if it fits into none."""
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
        """Return the offset of a part that begins at ``time``, after another part."""
        ends = before.end.get(track, before.latest)
        if self._leaps and abs(time + WRAP - ends) <= AHEAD:
            return before.offset + WRAP
        return before.offset + ends - time


def followed(container: InputContainer) -> tuple[Track, ...]:
    """Return the tracks that define a video's time: all video and sound tracks, without covers."""
    found: tuple[Track, ...] = (*container.streams.video, *container.streams.audio)
    return tuple(one for one in found if not one.disposition & Disposition.attached_pic)


def packets(container: InputContainer, tracks: Sequence[Track]) -> Iterator[Packet[VideoStream] | Packet[AudioStream]]:
    """Yield the packets of some tracks, in file order, on one clock; at the end an empty one without a time for each track.

    Raises:
        av.FFmpegError: the file cannot be read any further.
    """
    timeline = Timeline(container)
    for packet in cast("Iterable[Packet[VideoStream] | Packet[AudioStream]]", container.demux(*tracks)):
        timeline.place(packet)
        yield packet


def pictures(container: InputContainer, stream: VideoStream, tracks: Sequence[Track]) -> Iterator[VideoFrame]:
    """Yield a track's pictures in presentation order, each with its time and, where the file gives it, its duration.

    Args:
        tracks: the followed tracks; ``stream`` is one of them.

    Raises:
        av.FFmpegError: the file cannot be read any further.
    """
    clock = _Clock(container, stream)
    stays: deque[Packet[VideoStream]] = deque()  # empty packets, which repeat the picture, while others are being decoded
    shown: VideoFrame | None = None
    broken = decoding = 0
    for packet in cast("Iterator[Packet[VideoStream]]", packets(container, tracks)):
        if packet.stream.index != stream.index:  # PyAV gives the empty packets at the end the index 0
            continue
        ends = not packet.size and packet.dts is None
        if not packet.size and not ends:
            stays.append(packet)  # FFmpeg's decoders would take it for the end
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
                clock.set_time(frame)
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
    """Return the same picture at the time of an empty packet, with which Theora and AVI repeat a picture."""
    frame.pts, frame.time_base, frame.duration = packet.dts, packet.time_base, packet.duration or 0
    return frame


class _Clock:
    """Gives pictures their times where the format has none, or wrong ones."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._stream = stream
        self._untimed = bool(container.format.flags & WITHOUT_TIMES)
        self._counted = container.format.name in COUNTED
        self._delay = 0
        self._next: int | None = None

    def set_time(self, frame: VideoFrame) -> None:
        """Set a picture's time."""
        if self._counted:
            if self._next is None:
                self._delay = 0 if frame.pts is None or frame.dts is None else frame.dts - frame.pts
            if frame.dts is not None:
                frame.pts = frame.dts - self._delay
            elif self._next is not None:
                frame.pts = self._next  # for the last ones only the order is known
            self._next = None if frame.pts is None else frame.pts + 1
        elif self._untimed and frame.pts is None:
            # The container's rate is a guess; the stream's own is known once a picture is decoded.
            rate = Fraction(self._stream.codec_context.framerate or self._stream.average_rate or PLAIN_FPS)
            frame.pts, frame.time_base, frame.duration = self._next or 0, 1 / rate, 1
            self._next = frame.pts + 1
