"""Chooses the sound track of a video for an MP4, and tests whether it can be copied or needs re-encoding."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from streamer.media.codecs import codec_name, codec_names, has_decoder
from streamer.media.opening import open_file
from streamer.media.timeline import MAY_JUMP
from streamer.media.tracks import sound_tracks

COPIED = ("aac", "mp3", "ac3", "eac3", "alac")
"""Codecs that players expect in an MP4; copied if the muxer accepts them."""
AAC_PROFILES = ("LC", "HE-AAC", "HE-AACv2")
"""AAC profiles that every player supports."""
ENOUGH, MOST = 8, 500
"""Packets to test: ENOUGH if some decode, and up to MOST, about 10 s, until some do."""


@dataclass(frozen=True, slots=True)
class SoundChoice:
    """Which sound of a video goes into an MP4, and how."""

    track: int | None
    """Index of its stream in the video; None for no sound."""
    copied: bool = False
    """Whether its packets are copied."""
    codec: str = ""
    """Its codec in the video."""
    told: str = ""
    """One line about sound that is unavailable; empty otherwise."""


def choose_sound_track(film: Path) -> SoundChoice:
    """Find the best decodable sound track, and whether an MP4 can take it unchanged.

    Raises:
        OSError, av.FFmpegError: the video cannot be read.
    """
    undecodable: list[AudioStream] = []
    with open_file(film) as first:
        for track in sound_tracks(first):
            with open_file(film) as container:
                found = container.streams[track.index]
                assert isinstance(found, AudioStream)
                packets = _beginning(container, found) if has_decoder(found) else None
                if packets is None:
                    undecodable.append(track)
                elif packets:
                    codec = codec_name(found)
                    copied = _is_copied(found, packets) and _has_one_format(film, found)
                    return SoundChoice(found.index, copied, codec, _note(undecodable, codec))
        return SoundChoice(None, told=_note(undecodable))


def _beginning(film: InputContainer, track: AudioStream) -> list[Packet[AudioStream]] | None:
    """Return a track's first packets; None if none of them can be decoded, empty if there are none."""
    packets: list[Packet[AudioStream]] = []
    heard = False
    for packet in film.demux(track):
        if packet.size:
            packets.append(packet)
        try:
            heard = bool(packet.decode()) or heard
        except (ValueError, av.FFmpegError):
            continue  # damaged, or a variant that the decoder does not support
        if len(packets) >= (ENOUGH if heard else MOST):
            break
    return packets if heard or not packets else None


def _is_copied(track: AudioStream, packets: Sequence[Packet[AudioStream]]) -> bool:
    codec = codec_name(track)
    if codec not in COPIED or (codec == "aac" and track.profile not in AAC_PROFILES):
        return False
    return _is_taken(track, packets)


def _is_taken(track: AudioStream, packets: Sequence[Packet[AudioStream]]) -> bool:
    """Return whether the packets can be muxed into an MP4 and decoded from it."""
    file = io.BytesIO()
    try:
        with av.open(file, "w", format="mp4") as written:
            copy = written.add_stream_from_template(track)
            clock = 0
            for packet in packets:
                packet.pts = packet.dts = clock
                clock += packet.duration or 1
                packet.stream = copy
                written.mux(packet)
        file.seek(0)
        with av.open(file, "r") as read:
            return next(read.decode(audio=0), None) is not None
    except (OSError, ValueError, av.FFmpegError):
        return False


def _has_one_format(film: Path, track: AudioStream) -> bool:
    """Return whether a track has one rate and layout throughout, as an MP4 needs; in joined recordings they may change."""
    with open_file(film) as container:
        if not container.format.flags & MAY_JUMP:
            return True
        packets = container.demux(container.streams[track.index])
        return len({_form(codec_name(track), bytes(packet)) for packet in packets if packet.size}) <= 1


def _form(codec: str, data: bytes) -> tuple[int, ...]:
    """Return the bits of rate and layout in a packet's header, for comparison; empty if there is no header."""
    head = data[:7].ljust(7, b"\0")
    match codec:
        case "aac" if head[0] == 0xFF and head[1] & 0xF0 == 0xF0:  # ADTS: ISO 13818-7, section 6.2.1
            return head[2] & 0xFD, head[3] & 0xC0
        case "mp3":  # ISO 11172-3, section 2.4.1.3
            return head[1] & 0x1E, head[2] & 0x0C, head[3] >> 6 == 3
        case "ac3":  # ETSI TS 102 366, section 4.3
            return head[4] >> 6, head[6] >> 5
        case "eac3":  # its annex E, section E.1.2
            return (head[4],)
    return ()


def _note(undecodable: Sequence[AudioStream], instead: str = "") -> str:
    if not undecodable:
        return ""
    outcome = f"its other track, {instead}, is taken" if instead else "the film becomes silent"
    return f"its sound, {codec_names(undecodable)}, cannot be decoded here: {outcome}"
