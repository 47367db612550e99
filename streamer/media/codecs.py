"""Tells which tracks of a video can be decoded here, and names the codecs of the others."""

from __future__ import annotations

import io
from collections.abc import Iterable

import av
from av.bitstream import BitStreamFilterContext
from av.stream import Stream

UNKNOWN = "an unknown codec"


def has_decoder(stream: Stream) -> bool:
    """Return whether FFmpeg has a decoder for a track. Without one, PyAV knows only the track's time stamps."""
    return stream.codec_context is not None


def codec_name(stream: Stream) -> str:
    """Return FFmpeg's name of a track's codec; without a decoder, the file's four-letter code, such as ``apac``."""
    if stream.codec_context is not None:
        return stream.codec_context.codec.canonical_name
    # PyAV reports neither for a track without a decoder, but the null filter copies both to tracks where it does.
    with av.open(io.BytesIO(), "w", format="matroska") as nowhere:
        named = nowhere.add_data_stream()
        tagged = nowhere.add_stream("aac" if stream.type == "audio" else "mpeg4")
        for copy in (named, tagged):
            BitStreamFilterContext("null", stream, copy)
        try:
            letters = str(tagged.codec_context.codec_tag)
        except ValueError:  # not ASCII
            letters = ""
        return letters if letters.isprintable() and len(letters) == 4 else str(named.name or UNKNOWN)


def codec_names(streams: Iterable[Stream]) -> str:
    """Return the codecs of some tracks, each once, as part of a sentence."""
    names = list(dict.fromkeys(map(codec_name, streams)))
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
