"""Which of a film's tracks can be decoded here, and what the codecs of the others are called."""

from __future__ import annotations

import io
from collections.abc import Iterable

import av
from av.bitstream import BitStreamFilterContext
from av.stream import Stream

UNKNOWN = "an unknown codec"


def has_decoder(stream: Stream) -> bool:
    """Whether FFmpeg has a decoder for a track; of one without, PyAV knows nothing but its times."""
    return stream.codec_context is not None


def codec_name(stream: Stream) -> str:
    """A track's codec as FFmpeg calls it; without a decoder, the four letters that the file has for it, such as ``apac``."""
    if stream.codec_context is not None:
        return stream.codec_context.codec.canonical_name
    # PyAV tells neither of a track without a decoder, but a filter that does nothing copies both to tracks that tell them.
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
    """The codecs of some tracks, each once, as part of a sentence."""
    names = list(dict.fromkeys(map(codec_name, streams)))
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
