"""Writes H.264 in MP4, encoded in pieces that are joined at the end, so that finished pieces survive an interruption.

Pieces start at fixed frames, so the video is the same whether or not it was interrupted. The frames of the current piece are
kept as well: after an interruption it is encoded again from its first frame.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamer.media.opening import create_file, open_file
from streamer.video.encoding.h264 import BT709, LIMITED_RANGE, to_yuv
from streamer.video.files.file_format import FileFormat, FilmSound
from streamer.video.files.soundtrack import Soundtrack

X264 = {"crf": "18", "preset": "medium"}
"""Visually almost lossless. x264 does not always encode the same frames to the same bytes: seen at 64x36 and at 320x180, and
never with ``mbtree`` off, which would make all files larger."""
LONGEST_PX = 16_384
"""Longest side that x264 accepts, in pixels."""
TICK = Fraction(1, 90_000)
"""Unit of the times in a video with sound, in seconds."""
PIECE_BYTES = 256e6
"""Most bytes of the frames kept for the current piece."""
PIECE_FRAMES = (12, 250)
"""Least and most frames of a piece; x264 inserts a keyframe after 250 anyway."""
PIECE = re.compile(r"(\d{6,})_(\d+)\.mp4")
"""File name of a finished piece: its number, and its start in the video's time base."""
OPEN, TAIL = ".open", "tail"
"""Suffix of the current piece, and name of the file with its frames."""


class Mp4(FileFormat):
    """Writes H.264, yuv420p, BT.709, with the index at the start."""

    has_sound = True

    def __init__(self, work_folder: Path, size: tuple[int, int], fps: Fraction, *, resumable: bool = False) -> None:
        """Start a video; raises ValueError if H.264 does not support the size."""
        super().__init__(work_folder, size, fps, resumable=resumable)
        if max(size) > LONGEST_PX:
            raise ValueError(f"{size[1]}x{size[0]} is too large for H.264, whose sides are at most {LONGEST_PX} pixels")
        height, width = size
        self._pad = (height % 2, width % 2)
        self._size = height + self._pad[0], width + self._pad[1]
        self._fps, self._time_base, self._plain = fps, 1 / fps, 1
        self._length = piece_frames(self._size)
        self._sound: FilmSound | None = None
        self._done: list[Path] = []
        self._piece: _Piece | None = None
        self._held: VideoFrame | None = None
        self._last_pts = -1
        self._tail = (work_folder / TAIL).open("r+b" if (work_folder / TAIL).exists() else "w+b") if resumable else None
        self._tail_pts: list[int] = []

    def set_sound(self, sound: FilmSound | None) -> None:
        """Add a video's sound; frames then have their own times."""
        if sound is not None:
            self._plain, self._time_base, self._sound = round(self._time_base / TICK), TICK, sound

    def add(self, image: np.ndarray) -> None:
        """Encode the previous frame, whose duration is known now, and hold this one."""
        number = self.frames - 1
        wanted = number if self.time_s is None else round(self.time_s / self._time_base)
        self._last_pts = pts = max(self._last_pts + 1, wanted)
        self._encode_held(pts)
        if number < len(self._done) * self._length:
            return  # encoded before the interruption
        if number % self._length == 0:
            self._end_piece()
            self._tail_pts = []
        if any(self._pad):
            image = cv2.copyMakeBorder(image, 0, self._pad[0], 0, self._pad[1], cv2.BORDER_REPLICATE)
        frame = to_yuv(image)
        if self._tail is not None:
            planes = frame.to_ndarray()
            self._tail.seek(len(self._tail_pts) * planes.nbytes)
            self._tail.write(np.ascontiguousarray(planes).data)
        self._tail_pts.append(pts)
        self._hold(frame, pts)

    def finish(self) -> None:
        """Encode what is left, and join all pieces."""
        self._finish(whole=True)

    def finish_so_far(self) -> None:
        """Join the pieces so far, with the current one as the last."""
        self._encode_held(None)
        pieces = list(self._done)
        if self._piece is not None:
            self._piece.close()
            pieces.append(self._piece.path)
            self._piece = None
        self._join(pieces, whole=True)
        self._let_go()

    def end_trial(self) -> None:
        """Finish with only the first packet of sound."""
        self._finish(whole=False)

    def state(self) -> dict[str, Any]:
        """Return the progress; the frames of the current piece are on disk."""
        assert self._tail is not None, "it is resumable"
        self._tail.flush()
        return {**super().state(), "last_pts": self._last_pts, "tail": self._tail_pts}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state: pieces finished since then are kept, and the current one is encoded again up to there."""
        super().restore(state)
        assert self._tail is not None, "it is resumable"
        for left in self.work_folder.glob(f"*{OPEN}"):
            left.unlink()
        found = {int(match[1]): path for path in self.work_folder.iterdir() if (match := PIECE.fullmatch(path.name))}
        self._done = [found[number] for number in range(len(found)) if number in found]
        current = max(0, self.frames - 1) // self._length
        if len(self._done) < current or len(self._done) != len(found):
            raise OSError("pieces of the video are missing")
        if len(self._done) == current:
            self._encode_again([int(pts) for pts in state["tail"]])
        self._last_pts = int(state["last_pts"])

    def give_up(self) -> None:
        """Close everything; closing writes what is left, which fails again if the disk is full."""
        piece, self._piece = self._piece, None
        if piece is not None:
            with contextlib.suppress(OSError, av.FFmpegError):
                piece.give_up()
        with contextlib.suppress(OSError):
            self._let_go()

    def _finish(self, *, whole: bool) -> None:
        self._encode_held(None if self.ends_s is None else round(self.ends_s / self._time_base))
        self._end_piece()
        self._join(self._done, whole=whole)
        self._let_go()

    def _let_go(self) -> None:
        tail, self._tail = self._tail, None
        if tail is not None:
            tail.close()

    def _hold(self, frame: VideoFrame, pts: int) -> None:
        if self._piece is None:
            self._piece = _Piece(
                self.work_folder / f"{len(self._done):06}_{pts}{OPEN}", pts, self._size, self._fps, self._time_base
            )
        frame.pts, frame.time_base = pts - self._piece.start, self._time_base
        self._held = frame

    def _encode_held(self, until: int | None) -> None:
        """Encode the held frame, whose duration is known once the next one comes."""
        frame, self._held = self._held, None
        if frame is None or frame.pts is None:
            return
        assert self._piece is not None, "a held frame belongs to a piece"
        frame.duration = self._plain if until is None else until - self._piece.start - frame.pts
        self._piece.encode(frame)

    def _end_piece(self) -> None:
        piece, self._piece = self._piece, None
        if piece is not None:
            piece.close()
            self._done.append(piece.path.rename(piece.path.with_suffix(".mp4")))

    def _encode_again(self, tail: Sequence[int]) -> None:
        """Encode the kept frames again, with their times."""
        assert self._tail is not None, "it is resumable"
        self._tail_pts = list(tail)
        shape = (self._size[0] * 3 // 2, self._size[1])
        self._tail.seek(0)
        for pts in tail:
            data = self._tail.read(math.prod(shape))
            if len(data) < math.prod(shape):
                raise OSError("the last pictures are missing")
            frame = VideoFrame.from_ndarray(np.frombuffer(data, np.uint8).reshape(shape), format="yuv420p")
            frame.colorspace = frame.color_primaries = frame.color_trc = BT709
            frame.color_range = LIMITED_RANGE
            self._encode_held(pts)
            self._hold(frame, pts)

    def _join(self, pieces: Sequence[Path], *, whole: bool) -> None:
        """Join the pieces and the sound; unless ``whole``, with only the first packet of sound."""
        with contextlib.ExitStack() as opened:
            into = opened.enter_context(create_file(self.part, "mp4", {"movflags": "faststart"}))
            first = opened.enter_context(open_file(pieces[0]))
            stream = into.add_stream_from_template(first.streams.video[0])
            stream.time_base = self._time_base
            sound = None
            source = self._sound
            if source is not None and not (source.choice is not None and source.choice.track is None):
                sound = Soundtrack(source.film, into, source.until_s, source.begins_s, source.choice)
                opened.callback(sound.close)
                if not whole and sound.next_s is not None:
                    sound.write(sound.next_s)
            last: Fraction | None = None
            for piece in pieces:
                last = self._append(piece, into, stream, sound if whole else None, last)
            if sound is not None and whole:
                sound.write(None)

    def _append(
        self, piece: Path, into: OutputContainer, stream: VideoStream, sound: Soundtrack | None, last: Fraction | None
    ) -> Fraction | None:
        """Copy a piece's pictures; return the decoding time of the last, in seconds."""
        begins = Fraction(int(piece.stem.partition("_")[2])) * self._time_base
        with open_file(piece) as container:
            for packet in _with_durations(container):
                last = _moved(packet, begins, last)
                packet.stream = stream
                if sound is not None:
                    sound.write(float(last))
                into.mux(packet)
        return last


class _Piece:
    """Some seconds of video in a file of their own, starting with a keyframe."""

    def __init__(self, path: Path, start: int, size: tuple[int, int], fps: Fraction, time_base: Fraction) -> None:
        self.path, self.start = path, start
        # The unit of the file's length. The default, milliseconds, fits no NTSC rate.
        self._container = create_file(path, "mp4", {"movie_timescale": str(round(1 / TICK))})
        stream = self._container.add_stream("libx264", rate=fps)
        assert isinstance(stream, VideoStream)
        self._stream = stream
        context = stream.codec_context
        context.height, context.width = size
        context.pix_fmt = "yuv420p"
        context.time_base = time_base
        context.flags |= Flags.frame_duration  # otherwise FFmpeg drops durations, and with them the last picture's
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
        context.options = dict(X264)

    def encode(self, frame: VideoFrame) -> None:
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def give_up(self) -> None:
        self._container.close()


def piece_frames(size: tuple[int, int]) -> int:
    """Return the number of frames per piece for (height, width): as many as fit ``PIECE_BYTES`` in yuv420p."""
    least, most = PIECE_FRAMES
    return int(min(most, max(least, PIECE_BYTES // (1.5 * math.prod(size)))))


def _with_durations(container: InputContainer) -> list[Packet[VideoStream]]:
    """Return all packets of a piece, each with the display duration of its picture.

    MP4 stores the time from decoding one picture to decoding the next, which differs if pictures are unevenly spaced and not in
    decoding order.
    """
    packets = [packet for packet in container.demux(container.streams.video[0]) if packet.pts is not None]
    shown = sorted(packets, key=lambda packet: packet.pts or 0)
    base, begins, lasts_us = shown[0].time_base, shown[0].pts, container.duration
    assert base is not None
    assert begins is not None
    assert lasts_us is not None, "an MP4 has a duration"
    ends = begins + round(Fraction(lasts_us, av.time_base) / base)
    for packet, until in zip(shown, [*(packet.pts for packet in shown[1:]), ends], strict=True):
        assert packet.pts is not None
        assert until is not None
        packet.duration = max(1, until - packet.pts)
    return packets


def _moved(packet: Packet[VideoStream], begins: Fraction, last: Fraction | None) -> Fraction:
    """Shift a packet by the start of its piece, in seconds; return its decoding time.

    With unevenly spaced frames, it is moved later if it would come before the last packet of the previous piece.
    """
    base = packet.time_base
    assert packet.pts is not None
    assert packet.dts is not None
    assert base is not None
    shift = round(begins / base)
    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
    if last is not None and packet.dts * base <= last:
        packet.dts = math.floor(last / base) + 1
    return packet.dts * base
